import io.wspush.ConnectRequest;
import io.wspush.Decision;
import io.wspush.WsPushListener;
import io.wspush.WsPushRoute;
import io.wspush.WsPushServer;
import io.wspush.WsPushSession;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** Handlers that block, on threads of their route's: their order, their bounds, and what the reactor does meanwhile. */
final class BlockingHost implements WsPushListener {
    private static final int MANY = 500;

    /** What the callbacks have seen, in order. */
    private final BlockingQueue<String> seen = new LinkedBlockingQueue<>();

    /** Each callback for a text that begins with {@code wait} takes one. */
    private final Semaphore permits = new Semaphore(0);

    private final AtomicInteger running = new AtomicInteger();
    private final Map<Long, Integer> last = new ConcurrentHashMap<>();
    private volatile WsPushSession latest;

    @Override
    public Decision onConnect(ConnectRequest request) throws Exception {
        Check.that(!Thread.currentThread().getName().contains("reactor"), "not on the reactor's thread");
        if (request.query("fails") != null) {
            throw new IllegalStateException("as it was asked to");
        }
        if (request.query("waits") != null) {
            running.incrementAndGet();
            take();
        }
        request.attributes().put("of", "the handshake");
        return request.query("refused") == null ? request.byConfig() : Decision.refuse(401, "no");
    }

    private void take() throws InterruptedException {
        Check.that(permits.tryAcquire(Check.PATIENCE.toMillis(), TimeUnit.MILLISECONDS), "nobody lets it go on");
    }

    @Override
    public void onOpen(WsPushSession session) {
        Check.equal("the handshake", session.attribute("of"), "an attribute");
        latest = session;
        session.attribute("opened", true);
        session.reply("opened");
    }

    @Override
    public void onText(WsPushSession session, String text) throws Exception {
        if (text.startsWith("wait")) {
            running.incrementAndGet();
            take();
            running.decrementAndGet();
        }
        switch (text) {
            case "throw":
                throw new IllegalStateException("as it was asked to");
            case "close":
                session.close(4000, "enough");
                Check.thrown(IllegalStateException.class, "it would wait for itself", () -> session.server().close());
                break;
            case "pause":
                session.pause();
                session.reply("paused");
                break;
            case "wait silently":
                break;
            case "send and wait":
                session.sendAsync("it has it").join();
                break;
            default:
                session.reply(text);
        }
        seen.add(text);
    }

    @Override
    public void onBinary(WsPushSession session, byte[] data) {
        // Numbers in a row: none is lost, none overtakes another, and only one is looked at a time.
        int number = data[0] & 0xff | (data[1] & 0xff) << 8;
        Integer before = last.put(session.id(), number);
        Check.equal(number, before == null ? 0 : before + 1, "the order of a session");
        if (number == MANY - 1) {
            session.reply("all");
        }
    }

    @Override
    public void onClose(WsPushSession session, int code, String reason) {
        Check.that(!session.isOpen(), "closed");
        Check.equal(true, session.attribute("opened"), "what onOpen has put");
        seen.add("closed " + code);
    }

    @Override
    public void onError(WsPushSession session, Throwable problem) throws Throwable {
        seen.add("error " + problem.getMessage());
        throw problem;
    }

    private String next() throws InterruptedException {
        String next = seen.poll(Check.PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
        Check.that(next != null, "a callback is missing");
        return next;
    }

    private static long received(WsPushServer server) {
        // The answer comes behind the turn's numbers.
        server.channels("").join();
        return (long) server.stats().number("counters.messages_in");
    }

    private void blocks(WsPushServer server) throws Exception {
        try (Client a = new Client(server, "/pool"); Client b = new Client(server, "/pool");
                Client other = new Client(server, "/plain")) {
            Check.equal("opened", a.next(), "a is open");
            Check.equal("opened", b.next(), "b is open");
            a.send("wait a");
            b.send("wait b");
            Check.eventually("both threads to be taken", () -> running.get() == 2);
            other.send("hello");
            Check.equal("hello", other.next(), "the reactor goes on");
            permits.release(2);
            Check.equal("wait a", a.next(), "a's answer");
            Check.equal("wait b", b.next(), "b's answer");
            next();
            next();
            a.send("send and wait");
            Check.equal("it has it", a.next(), "sent while it waits");
            Check.equal("send and wait", next(), "and it goes on");
        }
        Check.equal("closed 1000", next(), "one has gone");
        Check.equal("closed 1000", next(), "and the other");
    }

    /** Of many messages at once only a few are read. */
    private void holdsUp(WsPushServer server) throws Exception {
        try (Breath client = new Breath(server, "/pool", "")) {
            Check.equal("opened", new String(client.frame()), "open");
            long before = received(server);
            client.say("wait 0");
            Check.eventually("the thread to be taken", () -> running.get() == 1);
            List<String> expected = new ArrayList<>(List.of("wait 0"));
            String[] texts = new String[MANY];
            for (int n = 0; n < MANY; n++) {
                texts[n] = "text " + n;
                expected.add(texts[n]);
            }
            client.say(texts);
            Check.eventually("some of them to be read", () -> received(server) - before == 5);
            try (Client other = new Client(server, "/plain")) {
                other.send("hello");
                Check.equal("hello", other.next(), "others are heard");
            }
            // One runs, four wait, and one is the other client's.
            Check.equal(6L, received(server) - before, "no more are read");
            permits.release();
            for (String text : expected) {
                Check.equal(text, new String(client.frame()), "an answer");
                Check.equal(text, next(), "in order");
            }
        }
        Check.equal("closed 1006", next(), "it vanishes");
    }

    private void closes(WsPushServer server) throws Exception {
        try (Breath client = new Breath(server, "/pool", "", "wait", "close", "not seen", "nor this")) {
            permits.release();
            Check.equal(List.of("opened", "wait", "4000"), client.rest(), "closed by a callback");
            Check.equal("wait", next(), "in order");
            Check.equal("close", next(), "in order");
        }
        Check.that(next().startsWith("closed"), "and nothing behind it but the end");
        try (Breath client = new Breath(server, "/pool", "", "throw", "not seen")) {
            Check.equal(List.of("opened", "1011"), client.rest(), "closed by an exception");
            Check.equal("error as it was asked to", next(), "onError");
        }
        Check.that(next().startsWith("closed"), "onClose");
        // What waits when a client vanishes is seen, and then its end.
        Breath vanishes = new Breath(server, "/pool", "", "wait", "behind");
        Check.equal("opened", new String(vanishes.frame()), "open");
        Check.eventually("the thread to be taken", () -> running.get() == 1);
        WsPushSession session = latest;
        vanishes.say("ping");
        vanishes.close();
        permits.release();
        for (String expected : new String[] {"wait", "behind", "ping", "closed 1006"}) {
            Check.equal(expected, next(), "before its end");
        }
        Check.eventually("nothing to be left", () -> session.attributes().isEmpty());
    }

    private void pauses(WsPushServer server) throws Exception {
        try (Client client = new Client(server, "/pool")) {
            Check.equal("opened", client.next(), "open");
            WsPushSession session = latest;
            client.send("pause");
            Check.equal("paused", client.next(), "paused");
            Check.equal("pause", next(), "by the callback");
            for (int n = 0; n < 20; n++) {
                client.send("later " + n);
            }
            received(server);
            Check.that(seen.isEmpty(), "the pause is the host's");
            session.resume();
            for (int n = 0; n < 20; n++) {
                Check.equal("later " + n, client.next(), "resumed");
                next();
            }
        }
        Check.equal("closed 1000", next(), "gone");
    }

    private void handshakes(WsPushServer server) throws Exception {
        Check.equal(401, Client.refused(server, "/pool?refused=1"), "refused");
        Check.equal(500, Client.refused(server, "/pool?fails=1"), "an exception");
        int before = running.get();
        Thread waits = new Thread(() -> new Client(server, "/one?waits=1").close());
        Thread fills = new Thread(() -> new Client(server, "/one?waits=1").close());
        waits.start();
        Check.eventually("the thread to be taken", () -> running.get() == before + 1);
        fills.start();
        Check.eventually("another one to wait", () -> server.stats().number("handshaking") == 2);
        Check.equal(503, Client.refused(server, "/one"), "no more wait");
        permits.release(2);
        waits.join();
        fills.join();
        Check.equal("closed 1000", next(), "one of them");
        Check.equal("closed 1000", next(), "the other");
        running.set(0);
    }

    /** Many sessions, each with much to say. */
    private static void orders(WsPushServer server) throws Exception {
        List<Client> clients = new ArrayList<>();
        for (int n = 0; n < 20; n++) {
            clients.add(new Client(server, "/pool"));
        }
        for (int number = 0; number < MANY; number++) {
            for (Client client : clients) {
                client.send(new byte[] {(byte) number, (byte) (number >> 8)});
            }
        }
        for (Client client : clients) {
            Check.equal("opened", client.next(), "open");
            Check.equal("all", client.next(), "all in order");
            client.close();
        }
    }

    public static void main(String[] args) throws Exception {
        BlockingHost host = new BlockingHost();
        WsPushListener plain = new WsPushListener() {
            @Override
            public void onText(WsPushSession session, String text) {
                session.reply(text);
            }
        };
        ExecutorService two = Executors.newFixedThreadPool(2);
        ExecutorService one = Executors.newFixedThreadPool(1);
        ExecutorService over = Executors.newFixedThreadPool(1);
        over.shutdown();
        for (int[] wrong : new int[][] {{0, 1}, {1, 0}, {1_025, 1}, {1, 1 << 21}}) {
            Check.thrown(IllegalArgumentException.class, "out of bounds",
                    () -> WsPushRoute.at("/").executor(two, wrong[0], wrong[1]));
        }
        Check.thrown(IllegalArgumentException.class, "no threads", () -> WsPushRoute.at("/").blocking(0));
        WsPushServer closed;
        try (WsPushServer server = Check.builder()
                .endpoint(WsPushRoute.at("/pool").executor(two, 4, 10_000), host)
                .endpoint(WsPushRoute.at("/one").executor(one, 1, 1), host)
                .endpoint(WsPushRoute.at("/blocking").blocking(3), host)
                .endpoint(WsPushRoute.at("/direct").executor(Runnable::run), plain)
                .endpoint(WsPushRoute.at("/over").executor(over), host)
                .endpoint("/plain", plain)
                .start()) {
            host.blocks(server);
            host.holdsUp(server);
            host.closes(server);
            host.pauses(server);
            host.handshakes(server);
            orders(server);
            for (int n = 0; n < 20; n++) {
                Check.equal("closed 1000", host.next(), "gone");
            }
            Check.equal(500, Client.refused(server, "/over"), "no thread");
            try (Client client = new Client(server, "/direct")) {
                client.send("hello");
                Check.equal("hello", client.next(), "on the reactor's own thread");
            }
            closed = server;
            // It ends while a callback runs, and waits for that and for the last one.
            Client client = new Client(server, "/blocking");
            Check.equal("opened", client.next(), "open");
            client.send("wait silently");
            Check.eventually("a thread to be taken", () -> host.running.get() == 1);
            new Thread(() -> {
                client.messages.add("ending");
                try {
                    client.closedWith();
                } catch (InterruptedException stop) {
                    throw new AssertionError(stop);
                }
                host.permits.release();
            }).start();
        }
        Check.equal("wait silently", host.next(), "what ran");
        Check.that(host.next().startsWith("closed"), "and the end, before close() has returned");
        Check.that(!closed.isRunning(), "it has ended");
        one.shutdown();
        two.shutdown();
        try (WsPushServer server = Check.builder().endpoint(WsPushRoute.at("/one").blocking(4).executor(two, 1, 1), host)
                .start()) {
            Check.equal(500, Client.refused(server, "/one"), "the threads are gone");
        }
    }
}
