package io.wspush.websocket;

import io.wspush.WsPushSession;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;

/** A connection of a {@link io.wspush.WsPushServer}. */
final class PushWire implements Wire {
    private final WsPushSession connection;

    PushWire(WsPushSession connection) {
        this.connection = connection;
    }

    @Override
    public long id() {
        return connection.id();
    }

    /** A message without content is for the server a last piece of one. */
    @Override
    public void text(String text) {
        if (text.isEmpty()) {
            connection.sendFragment(text, true);
        } else {
            connection.send(text);
        }
    }

    @Override
    public void binary(ByteBuffer data) {
        if (data.hasRemaining()) {
            connection.send(data);
        } else {
            connection.sendFragment(data, true);
        }
    }

    @Override
    public void textPart(String part, boolean last) {
        connection.sendFragment(part, last);
    }

    @Override
    public void binaryPart(ByteBuffer part, boolean last) {
        connection.sendFragment(part, last);
    }

    @Override
    public CompletableFuture<Void> drained() {
        return connection.drained();
    }

    @Override
    public void textToAll(long[] ids, String text) {
        connection.server().send(ids, text);
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
