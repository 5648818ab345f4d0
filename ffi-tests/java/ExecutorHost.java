import io.wspush.WsPushListener;
import io.wspush.WsPushRoute;
import io.wspush.WsPushServer;
import io.wspush.WsPushSession;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** Callbacks on a pool of threads: one that blocks holds up nobody else, each session's keep their order, and are bounded. */
final class ExecutorHost {
    private static final int MESSAGES = 400;

    private ExecutorHost() {}

    /** It waits for a word, as for a database. */
    private static final class Slow implements WsPushListener {
        final CountDownLatch mayGoOn = new CountDownLatch(1);
        final BlockingQueue<String> seen = new LinkedBlockingQueue<>();
        final AtomicInteger running = new AtomicInteger();
        volatile WsPushSession last;

        @Override
        public void onOpen(WsPushSession session) {
            session.attribute("count", 0);
        }

        @Override
        public void onText(WsPushSession session, String text) throws InterruptedException {
            Check.equal(1, running.incrementAndGet(), "one at a time");
            Check.that(!Thread.currentThread().getName().startsWith("wspush-reactor"), "not on the reactor");
            if (text.equals("wait")) {
                seen.add("waits");
                mayGoOn.await();
            } else if (text.equals("throw")) {
                running.decrementAndGet();
                throw new IllegalStateException("as it was asked to");
            }
            int count = (Integer) session.attribute("count") + 1;
            session.attribute("count", count);
            last = session;
            running.decrementAndGet();
            session.reply(text);
        }

        @Override
        public void onClose(WsPushSession session, int code, String reason) {
            seen.add("closed after " + session.attribute("count") + " with " + code);
        }
    }

    private static String next(BlockingQueue<String> queue) throws InterruptedException {
        String next = queue.poll(Check.PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
        Check.that(next != null, "a callback is missing");
        return next;
    }

    private static void order(WsPushServer server, Slow slow) throws Exception {
        Client client = new Client(server, "/slow");
        client.send("wait");
        Check.equal("waits", next(slow.seen), "it blocks");
        // Many more than may wait: the rest stays with the kernel and the client.
        Thread sends = new Thread(() -> {
            for (int n = 0; n < MESSAGES; n++) {
                client.send("n" + n);
            }
        });
        sends.start();
        // Meanwhile the server serves others.
        try (Client other = new Client(server, "/quick")) {
            other.send("hello");
            Check.equal("hello", other.next(), "another route");
            server.broadcast("to all");
        }
        slow.mayGoOn.countDown();
        Check.equal("wait", client.next(), "it goes on");
        for (int n = 0; n < MESSAGES; n++) {
            Check.equal("n" + n, client.next(), "in order");
        }
        sends.join();
        client.close();
        Check.equal("closed after " + (MESSAGES + 1) + " with 1000", next(slow.seen), "the end comes last");
        Check.that(!slow.last.isOpen(), "it has gone");
    }

    private static void failures(WsPushServer server, Slow slow) throws Exception {
        try (Client client = new Client(server, "/slow")) {
            client.send("throw");
            client.send("not heard");
            Check.equal(1011, client.closedWith(), "an exception");
        }
        Check.equal("closed after 0 with 1011", next(slow.seen), "and nothing behind it but the end");
    }

    private static void manySessions(WsPushServer server) throws Exception {
        List<Client> clients = new ArrayList<>();
        for (int n = 0; n < 20; n++) {
            clients.add(new Client(server, "/few"));
        }
        for (int round = 0; round < 20; round++) {
            for (Client client : clients) {
                client.send("round " + round);
            }
        }
        for (Client client : clients) {
            for (int round = 0; round < 20; round++) {
                Check.equal("round " + round, client.next(), "each of them");
            }
            client.close();
        }
    }

    public static void main(String[] args) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        ExecutorService over = Executors.newSingleThreadExecutor();
        over.shutdown();
        Slow slow = new Slow();
        WsPushListener echo = new WsPushListener() {
            @Override
            public void onText(WsPushSession session, String text) {
                session.reply(text);
            }
        };
        try (WsPushServer server = Check.builder()
                .endpoint(WsPushRoute.at("/slow").executor(pool, 4, 100), slow)
                .endpoint(WsPushRoute.at("/few").executor(pool, 1, 1), echo)
                .endpoint(WsPushRoute.at("/own").blocking(2), echo)
                .endpoint(WsPushRoute.at("/over").executor(over), echo)
                .endpoint("/quick", echo).start()) {
            order(server, slow);
            failures(server, slow);
            manySessions(server);
            try (Client client = new Client(server, "/own")) {
                client.send("hello");
                Check.equal("hello", client.next(), "a pool of the server's own");
            }
            try (Client client = new Client(server, "/over")) {
                Check.equal(1011, client.closedWith(), "a pool that takes nothing");
            }
        } finally {
            pool.shutdown();
        }
        Check.that(pool.awaitTermination(20, TimeUnit.SECONDS), "the pool ends");
    }
}
