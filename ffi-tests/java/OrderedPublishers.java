import io.wspush.WsPushServer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Eight threads publish at once: nothing is lost, and each thread's messages stay in their order. */
final class OrderedPublishers {
    private static final int THREADS = 8;
    private static final int MESSAGES = 5_000;

    public static void main(String[] args) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        // A small inbox, so that publishers are told to wait, and a log that holds everything for the clients.
        try (WsPushServer server = Check.builder()
                .set("inbox_commands_max", 512)
                .set("log_publications", 65_536)
                .set("log_bytes", 16 << 20)
                .start()) {
            List<Client> clients = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                clients.add(new Client(server, "/ws"));
            }
            CountDownLatch start = new CountDownLatch(1);
            List<Future<?>> publishers = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                int thread = i;
                publishers.add(threads.submit(() -> {
                    start.await();
                    long before = 0;
                    for (int n = 0; n < MESSAGES; n++) {
                        String text = thread + " " + n;
                        long offset = Check.patiently(() -> server.broadcast(text)).offset();
                        Check.that(offset > before, "offsets grow");
                        before = offset;
                    }
                    return null;
                }));
            }
            start.countDown();
            for (Client client : clients) {
                int[] next = new int[THREADS];
                for (int n = 0; n < THREADS * MESSAGES; n++) {
                    String[] words = client.next().split(" ");
                    int thread = Integer.parseInt(words[0]);
                    Check.equal(next[thread]++, Integer.parseInt(words[1]), "order of thread " + thread);
                }
            }
            for (Future<?> publisher : publishers) {
                publisher.get();
            }
            clients.forEach(Client::close);
        } finally {
            threads.shutdownNow();
        }
    }
}
