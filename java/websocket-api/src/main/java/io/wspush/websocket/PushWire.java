package io.wspush.websocket;

import io.wspush.MessageTooLargeException;
import io.wspush.WsPushSession;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
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

    /** A message without content is for the server the last piece of one, and must not be that of another. */
    @Override
    public void text(String text) {
        if (text.isEmpty()) {
            emptyText();
        } else {
            connection.send(text);
        }
    }

    @Override
    public void binary(ByteBuffer data) {
        if (data.hasRemaining()) {
            connection.send(data);
        } else {
            emptyBinary();
        }
    }

    private synchronized void emptyText() {
        connection.sendFragment(false, "");
    }

    private synchronized void emptyBinary() {
        connection.sendFragment(false, new byte[0]);
    }

    @Override
    public CompletableFuture<Void> textAsync(String text) {
        return text.isEmpty() ? confirmed(this::emptyText) : connection.sendAsync(text);
    }

    @Override
    public CompletableFuture<Void> binaryAsync(ByteBuffer data) {
        return data.hasRemaining() ? connection.sendAsync(data) : confirmed(this::emptyBinary);
    }

    /** What was sent isn't sent again when the question has no room. */
    private CompletableFuture<Void> confirmed(Runnable send) {
        send.run();
        try {
            return Outbound.patiently(connection::drained);
        } catch (IOException problem) {
            return CompletableFuture.failedFuture(problem);
        }
    }

    /** One without content says nothing before the end. */
    @Override
    public void textPart(String part, boolean last) {
        if (last || !part.isEmpty()) {
            connection.sendFragment(!last, part);
        }
    }

    @Override
    public void binaryPart(ByteBuffer part, boolean last) {
        if (last || part.hasRemaining()) {
            connection.sendFragment(!last, part);
        }
    }

    @Override
    public CompletableFuture<Void> drained() {
        return connection.drained();
    }

    @Override
    public void textToAll(long[] ids, String text) {
        try {
            Outbound.patiently(() -> connection.server().send(ids, text));
        } catch (IOException | IllegalArgumentException problem) {
            boolean isTooMuch =
                    problem instanceof IllegalArgumentException || problem.getCause() instanceof MessageTooLargeException;
            if (ids.length > 1 && isTooMuch) {
                // Together they never fit the server's inbox.
                textToAll(Arrays.copyOfRange(ids, 0, ids.length / 2), text);
                textToAll(Arrays.copyOfRange(ids, ids.length / 2, ids.length), text);
            } else {
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
