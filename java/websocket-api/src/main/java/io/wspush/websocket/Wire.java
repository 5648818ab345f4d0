package io.wspush.websocket;

import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;

/**
 * A connection, as a session needs it. None of this blocks; what can't be taken now is an {@link
 * io.wspush.InboxFullException}, and nothing was sent. Who sends a whole message in several parts holds the connection's
 * monitor meanwhile.
 */
interface Wire {
    /** Names the connection in its container. */
    long id();

    void text(String text);

    void binary(ByteBuffer data);

    /** As {@link #text}; completed when the kernel has it. */
    CompletableFuture<Void> textAsync(String text);

    CompletableFuture<Void> binaryAsync(ByteBuffer data);

    /** A part of a text message; it ends with the last one. */
    void textPart(String part, boolean last);

    /** A part of a binary message; it ends with the last one. */
    void binaryPart(ByteBuffer part, boolean last);

    /** Completed when the kernel has all that was sent before. */
    CompletableFuture<Void> drained();

    /** One text to each of these connections of the same server; those that have gone are skipped. */
    void textToAll(long[] ids, String text);

    void ping(byte[] data);

    void pong(byte[] data);

    void close(int code, String reason);
}
