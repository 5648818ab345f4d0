import io.wspush.WsPushServer;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.List;

/** Two class loaders of one JVM, as two applications in a container have: the second one is told what to do. */
final class TwoLoaders {
    /** While a loader lives, so does its library. */
    private static final List<ClassLoader> LOADERS = new ArrayList<>();

    private TwoLoaders() {}

    public static void main(String[] args) throws Exception {
        URL jar = WsPushServer.class.getProtectionDomain().getCodeSource().getLocation();
        initialize(jar);
        try {
            initialize(jar);
        } catch (UnsatisfiedLinkError told) {
            Check.that(told.getMessage().contains("another class loader of this JVM"), told.getMessage());
            return;
        }
        throw new AssertionError("two class loaders have one library");
    }

    private static void initialize(URL jar) throws ClassNotFoundException {
        URLClassLoader loader = new URLClassLoader(new URL[] {jar}, ClassLoader.getPlatformClassLoader());
        LOADERS.add(loader);
        Class.forName("io.wspush.Native", true, loader);
    }
}
