import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** A client of the JDK's ({@code java.net.http}). What it receives are lines. */
final class JdkClient implements WebSocket.Listener {
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    final WebSocket socket;
    private final BlockingQueue<String> seen = new LinkedBlockingQueue<>();
    private final StringBuilder text = new StringBuilder();
    private long bytes;

    JdkClient(String base, String target, String... subprotocols) {
        WebSocket.Builder builder = HTTP.newWebSocketBuilder();
        if (subprotocols.length > 0) {
            builder.subprotocols(subprotocols[0], java.util.Arrays.copyOfRange(subprotocols, 1, subprotocols.length));
        }
        socket = builder.buildAsync(URI.create(base + target), this).join();
    }

    String next() throws InterruptedException {
        String line = seen.poll(20, TimeUnit.SECONDS);
        return line == null ? "nothing" : line;
    }

    void send(String message) {
        socket.sendText(message, true).join();
    }

    /** Sends, and waits for the answer. */
    String ask(String message) throws InterruptedException {
        send(message);
        return next();
    }

    String close() throws InterruptedException {
        socket.sendClose(WebSocket.NORMAL_CLOSURE, "bye").join();
        return next();
    }

    @Override
    public CompletionStage<?> onText(WebSocket from, CharSequence part, boolean last) {
        text.append(part);
        if (last) {
            seen.add(text.length() > 200 ? text.length() + " characters" : text.toString());
            text.setLength(0);
        }
        from.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onBinary(WebSocket from, ByteBuffer part, boolean last) {
        bytes += part.remaining();
        if (last) {
            seen.add(bytes + " bytes");
            bytes = 0;
        }
        from.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onClose(WebSocket from, int code, String reason) {
        seen.add("closed with " + code);
        return null;
    }

    @Override
    public void onError(WebSocket from, Throwable problem) {
        seen.add("error " + problem);
    }
}
