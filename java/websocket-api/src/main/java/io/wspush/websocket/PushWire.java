package io.wspush.websocket;

import io.wspush.WsPushSession;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;

/** A connection of a {@link io.wspush.WsPushServer}. */
final class PushWire implements Wire {
    /** Longest message that is made of parts. */
    static final int MESSAGE_MAX = 8 << 20;

    private final WsPushSession connection;
    /** Parts of a message that is not complete; null: there is none. */
    private StringBuilder text;

    private ByteArrayOutputStream bytes;

    PushWire(WsPushSession connection) {
        this.connection = connection;
    }

    @Override
    public long id() {
        return connection.id();
    }

    @Override
    public void text(String text) {
        connection.send(text);
    }

    @Override
    public void binary(ByteBuffer data) {
        connection.send(data);
    }

    @Override
    public void textPart(String part, boolean last) {
        if (text == null) {
            text = new StringBuilder();
        }
        checkLength(text.length() + part.length());
        if (last) {
            connection.send(text + part);
            text = null;
        } else {
            text.append(part);
        }
    }

    @Override
    public void binaryPart(ByteBuffer part, boolean last) {
        if (bytes == null) {
            bytes = new ByteArrayOutputStream();
        }
        checkLength(bytes.size() + part.remaining());
        byte[] content = new byte[part.remaining()];
        part.duplicate().get(content);
        if (last) {
            byte[] all = Arrays.copyOf(bytes.toByteArray(), bytes.size() + content.length);
            System.arraycopy(content, 0, all, bytes.size(), content.length);
            connection.send(ByteBuffer.wrap(all));
            bytes = null;
        } else {
            bytes.write(content, 0, content.length);
        }
    }

    private static void checkLength(long length) {
        if (length > MESSAGE_MAX) {
            throw new IllegalStateException("the parts of a message are put together before they are sent, up to "
                    + MESSAGE_MAX + " characters or bytes; send several messages");
        }
    }

    /** The server has what was sent; how far the client is, it does not tell. */
    @Override
    public CompletableFuture<Void> drained() {
        return CompletableFuture.completedFuture(null);
    }

    @Override
    public void textToAll(long[] ids, String text) {
        for (long id : ids) {
            try {
                Outbound.patiently(() -> connection.server().send(id, text));
            } catch (IOException problem) {
                Log.failed("a text to a session", problem);
            }
        }
    }

    @Override
    public void ping(byte[] data) {
        connection.ping(data);
    }

    @Override
    public void pong(byte[] data) {
        connection.pong(data);
    }

    @Override
    public void close(int code, String reason) {
        connection.close(code, reason);
    }
}
