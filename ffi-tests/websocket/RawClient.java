import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.Socket;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;

/** A WebSocket client that can also do what is forbidden. What it receives are lines. */
final class RawClient implements Closeable {
    static final int TEXT = 1;
    static final int BINARY = 2;
    static final int CLOSE = 8;
    static final int PING = 9;
    static final int PONG = 10;

    final int status;
    final Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
    private final Socket socket;
    private final DataInputStream in;
    private boolean hasClosed;

    RawClient(String base, String target, String... fields) throws IOException {
        URI uri = URI.create(base);
        socket = new Socket(uri.getHost(), uri.getPort());
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(30_000);
        in = new DataInputStream(new java.io.BufferedInputStream(socket.getInputStream()));
        StringBuilder head = new StringBuilder();
        head.append("GET ").append(target).append(" HTTP/1.1\r\nHost: ").append(uri.getAuthority());
        head.append("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n");
        head.append("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
        for (String field : fields) {
            head.append(field).append("\r\n");
        }
        head.append("\r\n");
        socket.getOutputStream().write(head.toString().getBytes(StandardCharsets.US_ASCII));
        status = Integer.parseInt(line().split(" ")[1]);
        for (String line = line(); !line.isEmpty(); line = line()) {
            int colon = line.indexOf(':');
            headers.put(line.substring(0, colon), line.substring(colon + 1).trim());
        }
    }

    private String line() throws IOException {
        StringBuilder line = new StringBuilder();
        for (int c = in.readUnsignedByte(); c != '\n'; c = in.readUnsignedByte()) {
            if (c != '\r') {
                line.append((char) c);
            }
        }
        return line.toString();
    }

    void text(String text) throws IOException {
        frame(TEXT, true, text.getBytes(StandardCharsets.UTF_8));
    }

    void binary(byte[] data) throws IOException {
        frame(BINARY, true, data);
    }

    void close(int code, String reason) throws IOException {
        hasClosed = true;
        byte[] words = reason.getBytes(StandardCharsets.UTF_8);
        frame(CLOSE, true, ByteBuffer.allocate(2 + words.length).putShort((short) code).put(words).array());
    }

    /** One frame; opcode 0 goes on with a message. */
    void frame(int opcode, boolean isLast, byte[] payload) throws IOException {
        ByteArrayOutputStream frame = new ByteArrayOutputStream();
        frame.write((isLast ? 0x80 : 0) | opcode);
        if (payload.length < 126) {
            frame.write(0x80 | payload.length);
        } else if (payload.length < 65536) {
            frame.write(0x80 | 126);
            frame.write(payload.length >> 8);
            frame.write(payload.length);
        } else {
            frame.write(0x80 | 127);
            frame.write(ByteBuffer.allocate(8).putLong(payload.length).array());
        }
        byte[] mask = {1, 2, 3, 4};
        frame.write(mask);
        for (int i = 0; i < payload.length; i++) {
            frame.write(payload[i] ^ mask[i & 3]);
        }
        socket.getOutputStream().write(frame.toByteArray());
    }

    /** The next message, control frame, or end. Fragments are put together, so that it doesn't matter how many there are. */
    String next() throws IOException {
        ByteArrayOutputStream message = new ByteArrayOutputStream();
        int kind = 0;
        for (; ; ) {
            int first;
            try {
                first = in.readUnsignedByte();
            } catch (EOFException | java.net.SocketException end) {
                return "end";
            }
            int opcode = first & 0xf;
            byte[] payload = payload();
            if (opcode == CLOSE) {
                ByteBuffer close = ByteBuffer.wrap(payload);
                if (!hasClosed) {
                    answer(payload);
                }
                return payload.length < 2
                        ? "close frame without a code"
                        : "close frame " + (close.getShort() & 0xffff);
            }
            if (opcode == PING) {
                frame(PONG, true, payload);
                continue;
            }
            if (opcode == PONG) {
                return "pong " + new String(payload, StandardCharsets.UTF_8);
            }
            kind = opcode == 0 ? kind : opcode;
            message.write(payload);
            if ((first & 0x80) != 0) {
                return shown(kind, message.toByteArray());
            }
        }
    }

    private void answer(byte[] payload) {
        hasClosed = true;
        try {
            frame(CLOSE, true, payload);
        } catch (IOException gone) {
            // Some servers don't wait for it.
        }
    }

    private static String shown(int kind, byte[] message) {
        if (kind == BINARY) {
            return "bytes " + java.util.Arrays.toString(java.util.Arrays.copyOf(message, Math.min(8, message.length)))
                    + " of " + message.length;
        }
        String text = new String(message, StandardCharsets.UTF_8);
        return "text " + (text.length() > 500 ? text.length() + " characters" : text);
    }

    private byte[] payload() throws IOException {
        long length = in.readUnsignedByte() & 0x7f;
        if (length == 126) {
            length = in.readUnsignedShort();
        } else if (length == 127) {
            length = in.readLong();
        }
        byte[] payload = new byte[(int) length];
        in.readFully(payload);
        return payload;
    }

    /** Goes without a word. */
    @Override
    public void close() throws IOException {
        socket.close();
    }
}
