import io.wspush.ConnectRequest;
import io.wspush.Decision;
import io.wspush.MessageKind;
import io.wspush.WsPushException;
import io.wspush.WsPushListener;
import io.wspush.WsPushRoute;
import io.wspush.WsPushServer;
import io.wspush.WsPushSession;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** Messages in pieces both ways, a session that isn't read, sends that say when they have gone, and control frames. */
final class FragmentsHost {
    private static final BlockingQueue<WsPushSession> OPENED = new LinkedBlockingQueue<>();
    private static final BlockingQueue<String> SEEN = new LinkedBlockingQueue<>();

    private FragmentsHost() {}

    /** Gives each piece back as a piece, and counts. */
    private static final class Stream implements WsPushListener {
        private long bytes;

        @Override
        public void onOpen(WsPushSession session) {
            OPENED.add(session);
        }

        @Override
        public void onText(WsPushSession session, String text) {
            throw new AssertionError("a whole message");
        }

        @Override
        public void onFragment(WsPushSession session, boolean more, MessageKind kind, byte[] data) {
            bytes += data.length;
            session.sendFragment(data.length == 0 ? "" : new String(data, java.nio.charset.StandardCharsets.UTF_8), !more);
            Check.equal(MessageKind.TEXT, kind, "kind");
            if (!more) {
                SEEN.add("message of " + bytes);
                bytes = 0;
            }
        }
    }

    /** Whole messages. */
    private static final class Whole implements WsPushListener {
        @Override
        public Decision onConnect(ConnectRequest request) {
            return request.byConfig();
        }

        @Override
        public void onOpen(WsPushSession session) {
            OPENED.add(session);
        }

        @Override
        public void onText(WsPushSession session, String text) {
            SEEN.add(text);
            if (text.equals("pause")) {
                session.pause();
            }
        }

        @Override
        public void onPong(WsPushSession session, byte[] payload) {
            SEEN.add("pong " + new String(payload));
        }
    }

    private static String seen() throws InterruptedException {
        String seen = SEEN.poll(Check.PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
        Check.that(seen != null, "a callback is missing");
        return seen;
    }

    private static void pieces(WsPushServer server) throws Exception {
        try (Client client = new Client(server, "/stream")) {
            String text = "gr\u00fc\u00dfe ".repeat(50_000);
            client.send(text);
            Check.equal(text, client.next(), "all pieces");
            Check.equal("message of " + text.getBytes("UTF-8").length, seen(), "heard to the end");
            WsPushSession session = OPENED.take();
            session.sendFragment(new byte[] {1, 2}, false);
            session.drained().join();
            session.sendFragment(ByteBuffer.wrap(new byte[] {9, 3}, 1, 1), false);
            session.sendFragment(new byte[0], true);
            Check.equal("bytes:010203", client.next(), "three pieces");
        }
    }

    private static void pause(WsPushServer server) throws Exception {
        try (Client client = new Client(server, "/whole")) {
            WsPushSession session = OPENED.take();
            client.send("pause");
            client.send("later");
            Check.equal("pause", seen(), "the first");
            // A question is answered behind what the server has read by then.
            Check.that(server.sessionInfo(session.id()).join().isPresent(), "it is there");
            Check.that(SEEN.isEmpty(), "it isn't read");
            session.resume();
            Check.equal("later", seen(), "the second");
            session.ping("are you there?".getBytes());
            Check.equal("pong are you there?", seen(), "a pong");
            session.pong("beat".getBytes());
            session.maxMessage(130);
            session.sendAsync("now").join();
            Check.equal("now", client.next(), "sent");
            client.send("x".repeat(131));
            Check.equal(1009, client.closedWith(), "too long");
        }
        try (Client client = new Client(server, "/whole")) {
            OPENED.take().idleTimeout(Duration.ofMillis(100));
            Check.equal(1001, client.closedWith(), "idle");
        }
    }

    private static void drained(WsPushServer server) throws Exception {
        Client client = new Client(server, "/whole");
        WsPushSession session = OPENED.take();
        CompletableFuture<?>[] all = new CompletableFuture<?>[100];
        for (int n = 0; n < all.length; n++) {
            byte[] message = {(byte) n};
            all[n] = session.sendAsync(message);
        }
        CompletableFuture.allOf(all).join();
        for (int n = 0; n < all.length; n++) {
            Check.equal(Client.hex(new byte[] {(byte) n}), client.next(), "in order");
        }
        client.close();
        Check.eventually("it has gone", () -> !session.isOpen());
        CompletionException gone = Check.thrown(CompletionException.class, "gone", () -> session.drained().join());
        Check.that(gone.getCause() instanceof WsPushException, gone.toString());
    }

    public static void main(String[] args) throws Exception {
        try (WsPushServer server = Check.builder()
                .endpoint(WsPushRoute.at("/stream").fragments(), new Stream())
                .endpoint("/whole", new Whole()).start()) {
            pieces(server);
            pause(server);
            drained(server);
        }
    }
}
