import io.wspush.ConnectRequest;
import io.wspush.Decision;
import io.wspush.MessageKind;
import io.wspush.Pieces;
import io.wspush.SessionGoneException;
import io.wspush.WsPushListener;
import io.wspush.WsPushRoute;
import io.wspush.WsPushServer;
import io.wspush.WsPushSession;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** Messages in pieces, both ways; pauses; what is told when an outbox is empty; one message to a list of connections. */
final class PiecesHost {
    private static final BlockingQueue<String> SEEN = new LinkedBlockingQueue<>();
    private static final BlockingQueue<WsPushSession> OPENED = new LinkedBlockingQueue<>();
    private static final int PIECE = 64 << 10;

    private PiecesHost() {}

    /** Echoes pieces as they come, and says how long the message was. */
    private static final class Echo implements WsPushListener {
        private int pieces;
        private long bytes;

        @Override
        public Decision onConnect(ConnectRequest request) {
            Decision decision = request.byConfig();
            return request.query("endless") == null ? decision : decision.pieces(Pieces.UNBOUNDED);
        }

        @Override
        public void onOpen(WsPushSession session) {
            pieces = 0;
            bytes = 0;
            OPENED.add(session);
        }

        @Override
        public void onText(WsPushSession session, String text) {
            if (text.equals("wait")) {
                Check.thrown(IllegalStateException.class, "it would wait for itself", () -> session.drained().join());
            }
            session.reply("whole");
        }

        @Override
        public void onFragment(WsPushSession session, boolean more, MessageKind kind, byte[] data)
                throws CharacterCodingException {
            Check.that(data.length <= PIECE && (data.length > 0 || !more), "a piece of " + data.length);
            if (kind == MessageKind.TEXT) {
                // Each piece by itself, or this throws.
                StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(data));
            }
            pieces++;
            bytes += data.length;
            session.sendFragment(more, kind, data);
            if (!more) {
                SEEN.add(kind + " " + bytes);
                Check.that(bytes <= PIECE || pieces > 1, "a long message comes in pieces");
                pieces = 0;
                bytes = 0;
            }
        }
    }

    private static String next() throws InterruptedException {
        String next = SEEN.poll(Check.PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
        Check.that(next != null, "a callback is missing");
        return next;
    }

    private static WsPushSession opened() throws InterruptedException {
        WsPushSession session = OPENED.poll(Check.PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
        Check.that(session != null, "not opened");
        return session;
    }

    private static void wait(CompletableFuture<Void> future) throws Exception {
        future.get(Check.PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
    }

    private static void echoes(WsPushServer server) throws Exception {
        String text = "g\u00e4\u20ac\ud83d\ude00".repeat(40_000);
        int bytes = text.getBytes(StandardCharsets.UTF_8).length;
        byte[] random = new byte[300_000];
        new Random(7).nextBytes(random);
        try (Client client = new Client(server, "/pieces")) {
            client.send(text);
            Check.equal("TEXT " + bytes, next(), "a text in pieces");
            Check.equal(text, client.next(), "and back");
            client.send(random);
            Check.equal("BINARY " + random.length, next(), "bytes in pieces");
            Check.equal(Client.hex(random), client.next(), "and back");
            client.send("");
            Check.equal("TEXT 0", next(), "an empty message");
            Check.equal("", client.next(), "and back");
            client.send("x".repeat(400_001));
            Check.equal(1009, client.closedWith(), "bounded");
        }
        try (Client client = new Client(server, "/pieces?endless=1")) {
            client.send("x".repeat(400_001));
            Check.equal("TEXT 400001", next(), "unbounded, as the decision says");
            Check.equal(400_001, client.next().length(), "and back");
        }
        try (Client client = new Client(server, "/whole")) {
            client.send("hello");
            Check.equal("whole", client.next(), "whole messages elsewhere");
        }
        OPENED.clear();
    }

    /** From another thread, in all its forms. */
    private static void sends(WsPushServer server) throws Exception {
        try (Client client = new Client(server, "/whole")) {
            WsPushSession session = opened();
            session.sendFragment(true, "one, ");
            session.sendFragment(true, "two, ");
            // It waits for the end of the message.
            session.send("behind");
            session.sendFragment(false, "three");
            Check.equal("one, two, three", client.next(), "a text in pieces");
            Check.equal("behind", client.next(), "what waited");
            ByteBuffer direct = ByteBuffer.allocateDirect(8);
            direct.put(new byte[] {0, 1, 2, 3}).flip().position(1);
            session.sendFragment(true, direct);
            session.sendFragment(true, new byte[] {4});
            session.sendFragment(true, MessageKind.BINARY, new byte[] {5});
            session.sendFragment(false, new byte[0]);
            Check.equal("bytes:0102030405", client.next(), "bytes in pieces");
            session.sendFragment(false, "");
            Check.equal("", client.next(), "a message without content");
            Check.thrown(IllegalArgumentException.class, "only the last one", () -> session.sendFragment(true, ""));
            Check.thrown(IllegalArgumentException.class, "not UTF-8",
                    () -> session.sendFragment(false, MessageKind.TEXT, new byte[] {-1}));
            Check.thrown(NullPointerException.class, "null", () -> session.sendFragment(false, (String) null));
        }
        try (Client client = new Client(server, "/whole")) {
            WsPushSession session = opened();
            session.sendFragment(true, "a text");
            session.sendFragment(false, new byte[] {1});
            Check.equal(1011, client.closedWith(), "of two kinds");
        }
    }

    private static void pauses(WsPushServer server) throws Exception {
        try (Client client = new Client(server, "/pieces"); Client other = new Client(server, "/pieces")) {
            WsPushSession session = opened();
            opened();
            session.pause();
            session.pause();
            // The answer comes behind the pause: it has begun.
            session.sendAsync("paused").join();
            Check.equal("paused", client.next(), "it still gets what is sent");
            client.send("held");
            other.send("heard");
            Check.equal("TEXT 5", next(), "another one is heard");
            Check.equal("heard", other.next(), "and answered");
            Check.that(SEEN.isEmpty(), "it isn't read");
            session.resume();
            Check.equal("TEXT 4", next(), "one resume ends it");
            Check.equal("held", client.next(), "and it is answered");
        }
    }

    /** A client that reads nothing until it is told to. */
    private static final class Slow implements AutoCloseable {
        final Socket socket;
        final DataInputStream in;

        Slow(WsPushServer server, String target) throws IOException {
            socket = new Socket();
            socket.setReceiveBufferSize(4_096);
            socket.setSoTimeout((int) Check.PATIENCE.toMillis());
            socket.connect(new java.net.InetSocketAddress("127.0.0.1", server.port()));
            in = new DataInputStream(socket.getInputStream());
            String request = "GET " + target + " HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            StringBuilder head = new StringBuilder();
            while (head.indexOf("\r\n\r\n") < 0) {
                head.append((char) in.readUnsignedByte());
            }
        }

        @Override
        public void close() throws IOException {
            socket.close();
        }
    }

    private static void drained(WsPushServer server) throws Exception {
        try (Client client = new Client(server, "/whole")) {
            WsPushSession session = opened();
            wait(session.drained());
            wait(session.sendAsync("text"));
            wait(session.sendAsync(new byte[] {1}));
            wait(session.sendAsync(ByteBuffer.wrap(new byte[] {2})));
            for (String expected : new String[] {"text", "bytes:01", "bytes:02"}) {
                Check.equal(expected, client.next(), "sent");
            }
            // Many requests, on several threads: each has its answer.
            CompletableFuture<?>[] all = new CompletableFuture<?>[400];
            for (int n = 0; n < all.length; n++) {
                all[n] = CompletableFuture.supplyAsync(session::drained).thenCompose(told -> told);
            }
            CompletableFuture.allOf(all).get(Check.PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
            // On the server's thread nobody may wait for it.
            client.send("wait");
            Check.equal("whole", client.next(), "waiting in a callback");
        }
        byte[] much = new byte[8 << 20];
        try (Slow slow = new Slow(server, "/whole")) {
            WsPushSession session = opened();
            CompletableFuture<Void> sent = session.sendAsync(much);
            Check.that(server.sessionInfo(session.id()).join().isPresent(), "a question behind it");
            Check.that(!sent.isDone(), "nobody has read it");
            slow.in.readNBytes(much.length);
            wait(sent);
        }
        Slow gone = new Slow(server, "/whole");
        WsPushSession session = opened();
        CompletableFuture<Void> never = session.sendAsync(much);
        gone.close();
        ExecutionException problem = Check.thrown(ExecutionException.class, "it has gone", () -> wait(never));
        Check.that(problem.getCause() instanceof SessionGoneException, problem.toString());
        Check.eventually("it is closed", () -> !session.isOpen());
        Check.that(session.drained().isCompletedExceptionally(), "nobody is there");
        session.pause();
        session.resume();
    }

    /** A gigabyte is the same, and takes longer. */
    private static void memory(WsPushServer server, int mib) throws Exception {
        try (Slow client = new Slow(server, "/sink")) {
            OutputStream out = client.socket.getOutputStream();
            byte[] frame = new byte[14 + (1 << 20)];
            frame[1] = (byte) 0xff;
            ByteBuffer.wrap(frame).putLong(2, 1 << 20);
            for (int n = 0; n < mib; n++) {
                frame[0] = (byte) ((n == 0 ? 2 : 0) | (n == mib - 1 ? 0x80 : 0));
                out.write(frame);
            }
            Check.equal("sunk " + ((long) mib << 20), next(), "longer than the heap");
        }
    }

    private static void lists(WsPushServer server) throws Exception {
        try (Client a = new Client(server, "/whole"); Client b = new Client(server, "/whole")) {
            long[] both = {opened().id(), 1L << 32, opened().id()};
            server.send(both, "to both");
            server.send(both, new byte[] {7});
            server.send(both, ByteBuffer.wrap(new byte[] {8, 9}, 1, 1));
            server.send(new long[0], "to nobody");
            for (Client client : new Client[] {a, b}) {
                Check.equal("to both", client.next(), "a text to a list");
                Check.equal("bytes:07", client.next(), "bytes to a list");
                Check.equal("bytes:09", client.next(), "a buffer to a list");
            }
            Check.thrown(IllegalArgumentException.class, "0 is none", () -> server.send(new long[] {both[0], 0}, "x"));
            Check.thrown(IllegalArgumentException.class, "empty", () -> server.send(both, ""));
            Check.thrown(IllegalArgumentException.class, "too many", () -> server.send(new long[70_000], "x"));
            Check.that(a.messages.isEmpty(), "nothing of those");
        }
    }

    public static void main(String[] args) throws Exception {
        WsPushListener sink = new WsPushListener() {
            private long bytes;

            @Override
            public void onFragment(WsPushSession session, boolean more, MessageKind kind, byte[] data) {
                bytes += data.length;
                if (!more) {
                    SEEN.add("sunk " + bytes);
                }
            }
        };
        try (WsPushServer server = Check.builder().set("outbox_bytes_max", 64 << 20)
                .endpoint(WsPushRoute.at("/pieces").pieces(Pieces.BOUNDED).maxMessage(400_000), new Echo())
                .endpoint("/whole", new Echo())
                .endpoint(WsPushRoute.at("/sink").pieces(Pieces.UNBOUNDED), sink)
                .start()) {
            echoes(server);
            sends(server);
            pauses(server);
            drained(server);
            memory(server, 300);
            lists(server);
        }
    }
}
