import io.wspush.Receipt;
import io.wspush.WsPushListener;
import io.wspush.WsPushServer;
import io.wspush.WsPushSession;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/** An application that {@link Redeploy} starts in a class loader of its own: it uses a bit of everything, and ends. */
public final class Deployed implements Runnable, WsPushListener {
    private static final String REQUEST = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            + "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    private static final byte[] HELLO = {(byte) 0x81, (byte) 0x85, 0, 0, 0, 0, 'h', 'e', 'l', 'l', 'o'};

    /** For {@link Redeploy}, which makes one by reflection. */
    public Deployed() {}

    @Override
    public void onText(WsPushSession session, String text) {
        session.reply("you said " + text);
    }

    @Override
    public void run() {
        try (WsPushServer server = Check.builder().listener(this).start();
                Socket socket = new Socket("127.0.0.1", server.port())) {
            OutputStream out = socket.getOutputStream();
            out.write(REQUEST.getBytes(StandardCharsets.US_ASCII));
            out.write(HELLO);
            StringBuilder answer = new StringBuilder();
            while (answer.indexOf("you said hello") < 0) {
                int next = socket.getInputStream().read();
                Check.that(next >= 0, "the connection ends after " + answer);
                answer.append((char) next);
            }
            Receipt receipt = server.publish("news", "x");
            Check.equal(receipt.offset(), server.channel("news").join().orElseThrow().offset(), "offset");
            Check.thrown(IllegalArgumentException.class, "no name", () -> server.publish("", "x"));
        } catch (IOException problem) {
            throw new AssertionError(problem);
        }
    }
}
