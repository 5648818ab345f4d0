import io.wspush.InboxFullException;
import io.wspush.WsPushServer;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.function.Supplier;

/**
 * What a call costs the thread that publishes 64 bytes: nanoseconds, the median of many bursts. Each burst fits the
 * inbox, and the next one waits until the reactor has taken it.
 */
final class PublishCost {
    private static final int BURST = 2_000;
    private static final int BURSTS = 300;

    private static double nanoseconds(WsPushServer server, Supplier<?> publish) throws InterruptedException {
        double[] bursts = new double[BURSTS];
        long published = server.stats().publications();
        for (int burst = 0; burst < BURSTS; burst++) {
            long start = System.nanoTime();
            for (int n = 0; n < BURST; n++) {
                publish.get();
            }
            bursts[burst] = (double) (System.nanoTime() - start) / BURST;
            published += BURST;
            while (server.stats().publications() < published) {
                Thread.sleep(1);
            }
        }
        // The JIT is done with it in the second half.
        double[] warm = Arrays.copyOfRange(bursts, BURSTS / 2, BURSTS);
        Arrays.sort(warm);
        return warm[warm.length / 2];
    }

    public static void main(String[] args) throws Exception {
        try (WsPushServer server = Check.builder().start()) {
            String text = "x".repeat(64);
            byte[] array = new byte[64];
            ByteBuffer direct = ByteBuffer.allocateDirect(64);
            System.out.printf("String %.1f%n", nanoseconds(server, () -> server.broadcast(text)));
            System.out.printf("byte[] %.1f%n", nanoseconds(server, () -> server.broadcast(array)));
            System.out.printf("ByteBuffer %.1f%n", nanoseconds(server, () -> server.broadcast(direct)));
            System.out.printf("channel %.1f%n", nanoseconds(server, () -> server.publish("news", text)));
        } catch (InboxFullException full) {
            throw new AssertionError("a burst fits the inbox", full);
        }
    }
}
