import static java.nio.charset.StandardCharsets.UTF_8;

import io.wspush.WsPushServer;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;

/** A client that says everything in one breath: what it asks, and some texts behind it. It sees frames as they are. */
final class Breath implements AutoCloseable {
    private final Socket socket;
    private final DataInputStream in;

    /** The first byte of the frame that was read last. */
    int head;

    Breath(WsPushServer server, String target, String fields, String... texts) throws IOException {
        socket = new Socket("127.0.0.1", server.port());
        socket.setSoTimeout((int) Check.PATIENCE.toMillis());
        in = new DataInputStream(socket.getInputStream());
        String request = "GET " + target + " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                + "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + fields + "\r\n";
        say(request.getBytes(UTF_8), texts);
        StringBuilder answer = new StringBuilder();
        while (answer.indexOf("\r\n\r\n") < 0) {
            answer.append((char) in.readUnsignedByte());
        }
        Check.that(answer.toString().startsWith("HTTP/1.1 101"), answer.toString());
    }

    void say(String... texts) throws IOException {
        say(new byte[0], texts);
    }

    /** Texts in frames masked with zeros. */
    private void say(byte[] before, String... texts) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.write(before);
        for (String text : texts) {
            bytes.write(new byte[] {(byte) 0x81, (byte) (0x80 | text.length()), 0, 0, 0, 0});
            bytes.write(text.getBytes(UTF_8));
        }
        socket.getOutputStream().write(bytes.toByteArray());
    }

    /** The next frame's payload, of less than 64 KiB. */
    byte[] frame() throws IOException {
        head = in.readUnsignedByte();
        int length = in.readUnsignedByte();
        byte[] payload = new byte[length == 126 ? in.readUnsignedShort() : length];
        in.readFully(payload);
        return payload;
    }

    /** All that comes; the close frame as its code. */
    List<String> rest() throws IOException {
        List<String> heard = new ArrayList<>();
        while (true) {
            byte[] payload = frame();
            if ((head & 15) == 8) {
                heard.add(String.valueOf((payload[0] & 255) << 8 | payload[1] & 255));
                return heard;
            }
            heard.add(new String(payload, UTF_8));
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
