import io.wspush.WsPushServer;
import java.io.IOException;
import java.lang.ref.WeakReference;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * An application is deployed and taken down again and again, each time in a class loader of its own, as a servlet
 * container does it: all loaders are collected, and neither global references nor libraries are left over.
 */
final class Redeploy {
    private static final List<WeakReference<ClassLoader>> LOADERS = new ArrayList<>();

    private Redeploy() {}

    /** A method of its own, so that nothing on the stack refers to the loader. */
    private static void deployAndEnd() throws Exception {
        URL[] paths = {TwoLoaders.place(WsPushServer.class), TwoLoaders.place(Deployed.class)};
        try (URLClassLoader loader = new URLClassLoader(paths, ClassLoader.getPlatformClassLoader())) {
            LOADERS.add(new WeakReference<>(loader));
            ((Runnable) loader.loadClass("Deployed").getConstructor().newInstance()).run();
        }
    }

    private static long collected() {
        System.gc();
        return LOADERS.stream().filter(loader -> loader.get() == null).count();
    }

    /** Libraries that are mapped: each has one piece with code. */
    private static long mapped() {
        try (var lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> line.contains("libwspush") && line.contains(" r-xp ")).count();
        } catch (IOException problem) {
            throw new AssertionError(problem);
        }
    }

    public static void main(String[] args) throws Exception {
        int times = args.length > 0 ? Integer.parseInt(args[0]) : 50;
        deployAndEnd();
        Check.eventually("the first loader to be collected", () -> collected() == 1);
        int references = Churn.globalReferences();
        for (int n = 1; n < times; n++) {
            deployAndEnd();
        }
        // All of them, and not all but the last: there is nothing that the next one would have to push out.
        Check.eventually(times + " loaders to be collected", () -> collected() == times);
        Check.eventually("their libraries to be unloaded", () -> mapped() == 0);
        int left = Churn.globalReferences();
        System.out.printf("%d of %d loaders collected, global references %d before, %d after, resident %d KiB%n",
                collected(), times, references, left, Churn.residentKib());
        // The JVM's own come and go; of ours there would be one for each time.
        Check.that(left < references + times / 5, "global references grow from " + references + " to " + left);
    }
}
