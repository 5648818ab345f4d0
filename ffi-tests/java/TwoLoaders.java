import io.wspush.WsPushServer;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.List;

/**
 * Two class loaders of one JVM, as two applications in a container have: each runs servers with a library of its own.
 * With {@code refused} there is no place for the second one's copy, and it is told what to do.
 */
final class TwoLoaders {
    /** While a loader lives, so does its library. */
    private static final List<ClassLoader> LOADERS = new ArrayList<>();

    private TwoLoaders() {}

    public static void main(String[] args) throws Exception {
        deploy().run();
        if (args.length == 0) {
            deploy().run();
            return;
        }
        Throwable told = Check.thrown(UnsatisfiedLinkError.class, "a copy", () -> deploy().run());
        Check.that(told.getMessage().contains("put wspush.jar where all of them find it"), told.getMessage());
    }

    private static Runnable deploy() throws ReflectiveOperationException {
        URL[] paths = {place(WsPushServer.class), place(Deployed.class)};
        URLClassLoader loader = new URLClassLoader(paths, ClassLoader.getPlatformClassLoader());
        LOADERS.add(loader);
        return (Runnable) loader.loadClass("Deployed").getConstructor().newInstance();
    }

    static URL place(Class<?> of) {
        return of.getProtectionDomain().getCodeSource().getLocation();
    }
}
