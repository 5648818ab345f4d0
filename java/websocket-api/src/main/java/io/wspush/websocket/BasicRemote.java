package io.wspush.websocket;

import java.io.IOException;
import java.io.OutputStream;
import java.io.Writer;
import java.nio.ByteBuffer;
import javax.websocket.EncodeException;
import javax.websocket.RemoteEndpoint;

/** Sends, and waits where the client is slower than the sender. */
final class BasicRemote extends Remote implements RemoteEndpoint.Basic {
    /** Bytes or characters of a stream that make a frame. */
    private static final int FRAME = 8192;

    BasicRemote(PushSession session) {
        super(session);
    }

    @Override
    public void sendText(String text) throws IOException {
        Outbound.text(session, notNull(text));
    }

    @Override
    public void sendBinary(ByteBuffer data) throws IOException {
        Outbound.binary(session, notNull(data));
    }

    @Override
    public void sendText(String part, boolean isLast) throws IOException {
        Outbound.textPart(session, notNull(part), isLast);
    }

    @Override
    public void sendBinary(ByteBuffer part, boolean isLast) throws IOException {
        Outbound.binaryPart(session, notNull(part), isLast);
    }

    private static <T> T notNull(T message) {
        if (message == null) {
            throw new IllegalArgumentException("the message is null");
        }
        return message;
    }

    @Override
    public void sendObject(Object object) throws IOException, EncodeException {
        Object encoded = encoded(object);
        if (encoded instanceof String) {
            sendText((String) encoded);
        } else {
            sendBinary((ByteBuffer) encoded);
        }
    }

    @Override
    public OutputStream getSendStream() {
        return new OutputStream() {
            private final ByteBuffer buffer = ByteBuffer.allocate(FRAME);
            private boolean isClosed;

            @Override
            public void write(int one) throws IOException {
                write(new byte[] {(byte) one}, 0, 1);
            }

            @Override
            public void write(byte[] bytes, int from, int length) throws IOException {
                checkOpen(isClosed);
                for (int done = 0; done < length; ) {
                    if (!buffer.hasRemaining()) {
                        send(false);
                    }
                    int n = Math.min(buffer.remaining(), length - done);
                    buffer.put(bytes, from + done, n);
                    done += n;
                }
            }

            @Override
            public void flush() throws IOException {
                checkOpen(isClosed);
                if (buffer.position() > 0) {
                    send(false);
                }
            }

            @Override
            public void close() throws IOException {
                if (!isClosed) {
                    isClosed = true;
                    send(true);
                }
            }

            private void send(boolean isLast) throws IOException {
                buffer.flip();
                sendBinary(buffer, isLast);
                buffer.clear();
            }
        };
    }

    @Override
    public Writer getSendWriter() {
        return new Writer() {
            private final StringBuilder buffer = new StringBuilder();
            private boolean isClosed;

            @Override
            public void write(char[] characters, int from, int length) throws IOException {
                checkOpen(isClosed);
                buffer.append(characters, from, length);
                while (buffer.length() > FRAME) {
                    send(FRAME, false);
                }
            }

            @Override
            public void flush() throws IOException {
                checkOpen(isClosed);
                if (buffer.length() > 0) {
                    send(buffer.length(), false);
                }
            }

            @Override
            public void close() throws IOException {
                if (!isClosed) {
                    isClosed = true;
                    send(buffer.length(), true);
                }
            }

            /** A pair of surrogates stays together: half a character can't be sent. */
            private void send(int most, boolean isLast) throws IOException {
                int length = most;
                if (!isLast && Character.isHighSurrogate(buffer.charAt(length - 1))) {
                    length--;
                }
                String part = buffer.substring(0, length);
                buffer.delete(0, length);
                sendText(part, isLast);
            }
        };
    }

    private static void checkOpen(boolean isClosed) throws IOException {
        if (isClosed) {
            throw new IOException("the message has ended: its stream is closed");
        }
    }
}
