import io.wspush.ConnectRequest;
import io.wspush.Decision;
import io.wspush.PushOptions;
import io.wspush.Receipt;
import io.wspush.WsPushListener;
import io.wspush.WsPushServer;
import io.wspush.WsPushSession;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * Messages of all sizes around the one up to which they go another way, from each kind of memory, by each method:
 * what comes out is what was put in, and buffers stay as they were.
 */
final class Crossings implements WsPushListener {
    /** As long as a channel's name can be. */
    private static final String CHANNEL = "public." + "c".repeat(121);

    private static final int[] SIZES = {1, 255, 256, 257, 895, 896, 897, 1023, 1024, 1025, 5000};

    private final CompletableFuture<WsPushSession> session = new CompletableFuture<>();

    interface Say<T> {
        void say(T message);
    }

    @Override
    public Decision onConnect(ConnectRequest request) {
        return request.byConfig().user("u".repeat(256));
    }

    @Override
    public void onOpen(WsPushSession session) {
        this.session.complete(session);
    }

    /** Says the message back as it came, from memory of another kind each time. */
    @Override
    public void onBinary(WsPushSession session, byte[] data) {
        session.reply(data);
        session.reply(ByteBuffer.wrap(data), PushOptions.UNCOMPRESSED);
        session.reply(direct(data));
    }

    @Override
    public void onText(WsPushSession session, String text) {
        session.reply(text);
    }

    private static byte[] bytes(int size) {
        byte[] bytes = new byte[size];
        for (int n = 0; n < size; n++) {
            bytes[n] = (byte) (n * 7 + size);
        }
        return bytes;
    }

    private static ByteBuffer direct(byte[] bytes) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(bytes.length + 5);
        buffer.position(3);
        buffer.put(bytes).flip().position(3);
        return buffer;
    }

    private static ByteBuffer inTheMiddle(byte[] bytes) {
        byte[] array = new byte[bytes.length + 5];
        System.arraycopy(bytes, 0, array, 2, bytes.length);
        return ByteBuffer.wrap(array, 2, bytes.length);
    }

    private static void buffers(Client client, byte[] bytes, Say<ByteBuffer> say) throws InterruptedException {
        for (ByteBuffer buffer : List.of(direct(bytes), inTheMiddle(bytes), direct(bytes).asReadOnlyBuffer(),
                inTheMiddle(bytes).asReadOnlyBuffer())) {
            ByteBuffer before = buffer.duplicate();
            say.say(buffer);
            Check.equal(before.position(), buffer.position(), "position");
            Check.equal(before.limit(), buffer.limit(), "limit");
            Check.equal(Client.hex(bytes), client.next(), bytes.length + " bytes of a buffer");
        }
    }

    private static void sizes(WsPushServer server, Client client, WsPushSession session) throws InterruptedException {
        List<Say<byte[]>> arrays = List.of(server::broadcast, data -> server.publish(CHANNEL, data), session::send,
                server.user("u".repeat(256))::send);
        List<Say<ByteBuffer>> buffers = List.of(server::broadcast, data -> server.publish(CHANNEL, data), session::send,
                server.user("u".repeat(256))::send);
        List<Say<String>> texts = List.of(server::broadcast, text -> server.publish(CHANNEL, text), session::send,
                server.user("u".repeat(256))::send, client::send);
        for (int size : SIZES) {
            byte[] data = bytes(size);
            String text = "\u00e4".repeat(size / 2) + "x".repeat(size % 2);
            for (Say<String> way : texts) {
                way.say(text);
                Check.equal(text, client.next(), size + " bytes of text");
            }
            for (Say<byte[]> way : arrays) {
                way.say(data);
                Check.equal(Client.hex(data), client.next(), size + " bytes");
            }
            for (Say<ByteBuffer> way : buffers) {
                buffers(client, data, way);
            }
            client.send(data);
            for (int n = 0; n < 3; n++) {
                Check.equal(Client.hex(data), client.next(), size + " bytes said back");
            }
        }
    }

    /** Threads that use the same memory one after the other, and get their own receipts. */
    private static void threads(WsPushServer server) throws InterruptedException {
        List<Thread> threads = new ArrayList<>();
        List<Throwable> problems = new ArrayList<>();
        for (int n = 0; n < 8; n++) {
            String channel = "public." + n;
            Thread thread = new Thread(() -> {
                for (int offset = 1; offset <= 2_000; offset++) {
                    Receipt receipt = Check.patiently(() -> server.publish(channel, "x"));
                    Check.equal((long) offset, receipt.offset(), channel);
                }
            });
            thread.setUncaughtExceptionHandler((of, problem) -> {
                synchronized (problems) {
                    problems.add(problem);
                }
            });
            threads.add(thread);
            thread.start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        Check.that(problems.isEmpty(), problems.toString());
    }

    public static void main(String[] args) throws Exception {
        Crossings host = new Crossings();
        try (WsPushServer server = Check.builder().listener(host).start();
                Client client = new Client(server, "/ws?channel=" + CHANNEL)) {
            sizes(server, client, host.session.join());
            threads(server);
        }
    }
}
