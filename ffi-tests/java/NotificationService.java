import io.wspush.Delivery;
import io.wspush.Receipt;
import io.wspush.WsPushServer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;

/** Posts from several threads while clients come and go; who is there all the time misses nothing. */
final class NotificationService {
    private static final int POSTERS = 4;
    private static final int POSTS = 200;

    public static void main(String[] args) throws Exception {
        ExecutorService threads = Executors.newCachedThreadPool();
        try (WsPushServer server = Check.builder().channels("news.*").start()) {
            Client faithful = new Client(server, "/ws?channel=news.sport");
            AtomicBoolean posting = new AtomicBoolean(true);
            List<Future<?>> visitors = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                boolean polite = i > 0;
                visitors.add(threads.submit(() -> {
                    while (posting.get()) {
                        Client visitor = new Client(server, "/ws");
                        visitor.next();
                        if (polite) {
                            visitor.close();
                        } else {
                            visitor.vanish();
                        }
                    }
                    return null;
                }));
            }
            List<Future<Receipt>> posters = new ArrayList<>();
            for (int i = 0; i < POSTERS; i++) {
                String name = "poster " + i;
                posters.add(threads.submit(() -> {
                    Receipt last = null;
                    for (int n = 0; n < POSTS; n++) {
                        String text = name + " says " + n;
                        last = Check.patiently(() -> server.broadcast(text));
                        Check.patiently(() -> server.publish("news.sport", text + " about sport"));
                        Thread.sleep(n % 10 == 0 ? 2 : 0);
                    }
                    return last;
                }));
            }
            int heard = 0;
            int sport = 0;
            while (heard + sport < 2 * POSTERS * POSTS) {
                if (faithful.next().endsWith("sport")) {
                    sport++;
                } else {
                    heard++;
                }
            }
            Check.equal(sport, heard, "channels");
            Receipt last = null;
            for (Future<Receipt> poster : posters) {
                Receipt receipt = poster.get();
                last = last == null || receipt.offset() > last.offset() ? receipt : last;
            }
            Check.equal((long) POSTERS * POSTS, last.offset(), "offset of the last post");
            Check.equal(WsPushServer.DEFAULT_CHANNEL, last.channel(), "channel");
            posting.set(false);
            // A visitor that came after the last post waits for a message, too.
            List<Future<?>> waiting = visitors;
            Check.eventually("the visitors to leave", () -> {
                server.broadcast("closing time");
                return waiting.stream().allMatch(Future::isDone);
            });
            for (Future<?> visitor : visitors) {
                visitor.get();
            }
            Receipt known = last;
            Check.eventually("nobody to lag", () -> server.delivery(known).map(Delivery::lagging).orElse(1L) == 0);
            Delivery delivery = server.delivery(last).orElseThrow();
            Check.that(delivery.written() >= 1, "written " + delivery);
            Check.that(delivery.lastMicros().isPresent() && delivery.firstMicros().isPresent(), "times");
            Check.equal(delivery.recipients(), delivery.written() + delivery.skipped() + delivery.gone(), "a sum");
            Client late = new Client(server, "/ws?since=last:1&channel=news.sport&since=last:2");
            Check.equal("closing time", late.next(), "the newest broadcast");
            Check.that(late.next().endsWith("sport") && late.next().endsWith("sport"), "two of the news");
            Receipt newest = server.broadcast("and one more");
            Check.equal("and one more", late.next(), "what comes behind");
            Check.eventually("its delivery", () -> server.delivery(newest).isPresent());
            Check.equal(0L, server.delivery(newest).orElseThrow().recovered(), "recovered");
            late.close();
            Check.that(server.stats().publications() >= 2L * POSTERS * POSTS, server.stats().toString());
            faithful.close();
        } finally {
            threads.shutdownNow();
        }
    }
}
