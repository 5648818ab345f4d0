import io.wspush.InboxFullException;
import io.wspush.WsPushServer;
import io.wspush.WsPushServerBuilder;
import java.time.Duration;
import java.util.Objects;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** What the hosts check with. What goes wrong ends the program with an exception, and so with a status that isn't 0. */
final class Check {
    static final Duration PATIENCE = Duration.ofSeconds(20);

    interface Action {
        void run() throws Exception;
    }

    private Check() {}

    static WsPushServerBuilder builder() {
        return WsPushServer.builder().listen("127.0.0.1:0").set("log_level", "warn");
    }

    static void that(boolean truth, String what) {
        if (!truth) {
            throw new AssertionError(what);
        }
    }

    static void equal(Object expected, Object found, String what) {
        that(Objects.equals(expected, found), what + ": expected " + expected + ", found " + found);
    }

    /** Waits until something is true. */
    static void eventually(String what, BooleanSupplier truth) throws InterruptedException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!truth.getAsBoolean()) {
            that(System.nanoTime() < end, "in vain waited for: " + what);
            Thread.sleep(5);
        }
    }

    /** The exception that the action has to throw. */
    static <E extends Throwable> E thrown(Class<E> type, String what, Action action) {
        try {
            action.run();
        } catch (Throwable problem) {
            that(type.isInstance(problem), what + ": expected " + type + ", found " + problem);
            return type.cast(problem);
        }
        throw new AssertionError(what + ": no " + type);
    }

    /** Publishes as soon as the server takes it. */
    static <T> T patiently(Supplier<T> publish) {
        for (; ; ) {
            try {
                return publish.get();
            } catch (InboxFullException behind) {
                Thread.yield();
            }
        }
    }
}
