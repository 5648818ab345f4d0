import io.wspush.WsPushServer;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.nio.ByteBuffer;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/** A WebSocket client of the JDK's. Messages are strings, and byte arrays' contents are {@code bytes:} and hex digits. */
final class Client implements WebSocket.Listener, AutoCloseable {
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    final BlockingQueue<String> messages = new LinkedBlockingQueue<>();
    final CountDownLatch over = new CountDownLatch(1);
    volatile int closeCode;
    volatile String closeReason;

    private final StringBuilder text = new StringBuilder();
    private final StringBuilder binary = new StringBuilder();
    private final WebSocket socket;

    Client(WsPushServer server, String target) {
        this(server, target, builder -> builder);
    }

    /** With header fields or subprotocols. */
    Client(WsPushServer server, String target, UnaryOperator<WebSocket.Builder> more) {
        URI uri = URI.create("ws://127.0.0.1:" + server.port() + target);
        socket = more.apply(HTTP.newWebSocketBuilder()).buildAsync(uri, this).join();
    }

    /** The status that a client is refused with. */
    static int refused(WsPushServer server, String target) {
        return refused(server, target, builder -> builder);
    }

    static int refused(WsPushServer server, String target, UnaryOperator<WebSocket.Builder> more) {
        try {
            new Client(server, target, more).close();
            return 101;
        } catch (CompletionException failed) {
            Throwable cause = failed.getCause();
            Check.that(cause instanceof WebSocketHandshakeException, "not refused but: " + cause);
            return ((WebSocketHandshakeException) cause).getResponse().statusCode();
        }
    }

    static String hex(byte[] bytes) {
        StringBuilder digits = new StringBuilder("bytes:");
        for (byte b : bytes) {
            digits.append(String.format("%02x", b));
        }
        return digits.toString();
    }

    String subprotocol() {
        return socket.getSubprotocol();
    }

    void send(String message) {
        socket.sendText(message, true).join();
    }

    void send(byte[] message) {
        socket.sendBinary(ByteBuffer.wrap(message), true).join();
    }

    String next() throws InterruptedException {
        String message = messages.poll(Check.PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
        Check.that(message != null, "no message");
        return message;
    }

    int closedWith() throws InterruptedException {
        Check.that(over.await(Check.PATIENCE.toMillis(), TimeUnit.MILLISECONDS), "not closed");
        return closeCode;
    }

    /** Closes, and waits for the answer. */
    @Override
    public void close() {
        if (!socket.isOutputClosed()) {
            socket.sendClose(WebSocket.NORMAL_CLOSURE, "bye").exceptionally(gone -> null).join();
        }
        try {
            closedWith();
        } catch (InterruptedException stop) {
            Thread.currentThread().interrupt();
        }
    }

    /** Goes without a word. */
    void vanish() {
        socket.abort();
    }

    @Override
    public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean last) {
        text.append(part);
        if (last) {
            messages.add(text.toString());
            text.setLength(0);
        }
        socket.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onBinary(WebSocket socket, ByteBuffer part, boolean last) {
        byte[] bytes = new byte[part.remaining()];
        part.get(bytes);
        String digits = hex(bytes);
        binary.append(binary.length() == 0 ? digits : digits.substring("bytes:".length()));
        if (last) {
            messages.add(binary.toString());
            binary.setLength(0);
        }
        socket.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
        closeCode = code;
        closeReason = reason;
        over.countDown();
        return null;
    }

    @Override
    public void onError(WebSocket socket, Throwable problem) {
        closeCode = 1006;
        closeReason = problem.toString();
        over.countDown();
    }
}
