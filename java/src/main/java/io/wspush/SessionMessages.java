package io.wspush;

import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;

/** What is said to a session, and who waits for whom. It is a part of {@link WsPushSession}. */
abstract class SessionMessages {
    final Callbacks of;
    final WsPushServer server;
    final long id;

    SessionMessages(Callbacks of, long id) {
        this.of = of;
        this.server = of.server();
        this.id = id;
    }

    /**
     * Answers with a text, within a callback of this connection only: it goes out as soon as the callback has
     * returned, behind what the callback has published and sent before, and doesn't need room in the inbox. Behind a
     * {@link WsPushSession#close} it is dropped. Where callbacks run on other threads ({@link WsPushRoute#executor}) it is
     * {@link #send(String)}.
     *
     * @param text the message
     * @throws IllegalStateException outside of a callback of this connection
     */
    public void reply(String text) {
        reply(Payload.of(text), PushOptions.DEFAULT);
    }

    /**
     * Answers with bytes; see {@link #reply(String)}.
     *
     * @param data the message
     */
    public void reply(byte[] data) {
        reply(Payload.of(data), PushOptions.DEFAULT);
    }

    /**
     * Answers with bytes; see {@link #reply(String)}.
     *
     * @param data the message: from the buffer's position to its limit, which stay as they are
     */
    public void reply(ByteBuffer data) {
        reply(Payload.of(data), PushOptions.DEFAULT);
    }

    /**
     * As {@link #reply(String)}, with options.
     *
     * @param text the message
     * @param options how
     */
    public void reply(String text, PushOptions options) {
        reply(Payload.of(text), options);
    }

    /**
     * As {@link #reply(byte[])}, with options.
     *
     * @param data the message
     * @param options how
     */
    public void reply(byte[] data, PushOptions options) {
        reply(Payload.of(data), options);
    }

    /**
     * As {@link #reply(ByteBuffer)}, with options.
     *
     * @param data the message: from the buffer's position to its limit, which stay as they are
     * @param options how
     */
    public void reply(ByteBuffer data, PushOptions options) {
        reply(Payload.of(data), options);
    }

    private void reply(Payload payload, PushOptions options) {
        if (of.isElsewhere()) {
            server.send(id, payload, options);
            return;
        }
        int kind = options.kind(payload.text);
        Crossing crossing = payload.isSmall(0) ? Crossing.begin() : null;
        if (crossing != null) {
            try {
                crossing.put(payload);
                Native.replySmall(id, crossing.place(), payload.length, kind);
                return;
            } finally {
                crossing.end();
            }
        }
        Native.reply(id, payload.array, payload.direct, payload.from, payload.length, kind);
    }

    /**
     * Sends a text; see {@link WsPushServer#send(long, String) send(long, String)}.
     *
     * @param text the message
     */
    public void send(String text) {
        server.send(id, text);
    }

    /**
     * Sends bytes; see {@link WsPushServer#send(long, byte[]) send(long, byte[])}.
     *
     * @param data the message
     */
    public void send(byte[] data) {
        server.send(id, data);
    }

    /**
     * Sends bytes; see {@link WsPushServer#send(long, ByteBuffer) send(long, ByteBuffer)}.
     *
     * @param data the message: from the buffer's position to its limit, which stay as they are
     */
    public void send(ByteBuffer data) {
        server.send(id, data);
    }

    /**
     * Sends a text; see {@link WsPushServer#send(long, String, PushOptions) send(long, String, PushOptions)}.
     *
     * @param text the message
     * @param options how
     */
    public void send(String text, PushOptions options) {
        server.send(id, text, options);
    }

    /**
     * Sends bytes; see {@link WsPushServer#send(long, byte[], PushOptions) send(long, byte[], PushOptions)}.
     *
     * @param data the message
     * @param options how
     */
    public void send(byte[] data, PushOptions options) {
        server.send(id, data, options);
    }

    /**
     * Sends bytes; see {@link WsPushServer#send(long, ByteBuffer, PushOptions) send(long, ByteBuffer, PushOptions)}.
     *
     * @param data the message: from the buffer's position to its limit, which stay as they are
     * @param options how
     */
    public void send(ByteBuffer data, PushOptions options) {
        server.send(id, data, options);
    }

    /**
     * Sends a text, and says when it has gone; see {@link #drained}.
     *
     * @param text the message, not empty
     * @return completed when everything that was sent to the session until now is with the kernel
     * @throws InboxFullException if the server is behind; nothing was sent
     */
    public CompletableFuture<Void> sendAsync(String text) {
        return sendAsync(Payload.of(text), PushOptions.DEFAULT);
    }

    /**
     * Sends bytes, and says when they have gone; see {@link #sendAsync(String)}.
     *
     * @param data the message, not empty
     * @return completed when everything that was sent to the session until now is with the kernel
     */
    public CompletableFuture<Void> sendAsync(byte[] data) {
        return sendAsync(Payload.of(data), PushOptions.DEFAULT);
    }

    /**
     * Sends bytes, and says when they have gone; see {@link #sendAsync(String)}.
     *
     * @param data the message: from the buffer's position to its limit, which stay as they are
     * @return completed when everything that was sent to the session until now is with the kernel
     */
    public CompletableFuture<Void> sendAsync(ByteBuffer data) {
        return sendAsync(Payload.of(data), PushOptions.DEFAULT);
    }

    private CompletableFuture<Void> sendAsync(Payload payload, PushOptions options) {
        int kind = options.kind(payload.text);
        return server.flows.drained(id, () -> Native.sendNotified(
                server.id, id, payload.array, payload.direct, payload.from, payload.length, kind));
    }

    /**
     * Says when everything that was sent to the session until now is with the kernel: at once if it is already. The future
     * is completed on the server's thread, as that of {@link WsPushServer#channel channel} is. If the session ends first there
     * is a {@link SessionGoneException} in it.
     *
     * @return completed when its outbox is empty
     * @throws InboxFullException if the server is behind; nothing was asked
     */
    public CompletableFuture<Void> drained() {
        return server.flows.drained(id, () -> Native.notifyDrained(server.id, id));
    }

    /**
     * Sends a piece of a text, at once, as a frame of its own. Until the last piece everything else that is said to the
     * client waits, publications as well. Only one thread at a time may send pieces to a session.
     *
     * <p>In a callback of the session, on the reactor's thread, a piece is never refused for want of room, and the client
     * isn't read while it waits. Elsewhere what waits has to fit the setting {@code outbox_bytes_max}, or the client is
     * closed with 1013: send the next piece when {@link #drained} says that the last one has gone.
     *
     * @param more whether the message goes on; only the last piece may be empty
     * @param text the piece
     * @throws InboxFullException if the server is behind; nothing was sent
     */
    public void sendFragment(boolean more, String text) {
        sendFragment(more, Payload.of(text));
    }

    /**
     * Sends a piece of a binary message; see {@link #sendFragment(boolean, String)}.
     *
     * @param more whether the message goes on; only the last piece may be empty
     * @param data the piece
     */
    public void sendFragment(boolean more, byte[] data) {
        sendFragment(more, Payload.of(data));
    }

    /**
     * Sends a piece of a binary message; see {@link #sendFragment(boolean, String)}.
     *
     * @param more whether the message goes on; only the last piece may be empty
     * @param data the piece: from the buffer's position to its limit, which stay as they are
     */
    public void sendFragment(boolean more, ByteBuffer data) {
        sendFragment(more, Payload.of(data));
    }

    /**
     * Sends a piece as {@link WsPushListener#onFragment} gets it; see {@link #sendFragment(boolean, String)}.
     *
     * @param more whether the message goes on; only the last piece may be empty
     * @param kind what the message is, the same for all of its pieces
     * @param data the piece; of a text it is UTF-8, and whole characters
     */
    public void sendFragment(boolean more, MessageKind kind, byte[] data) {
        sendFragment(more, Payload.of(kind, data));
    }

    private void sendFragment(boolean more, Payload payload) {
        int kind = PushOptions.DEFAULT.kind(payload.text);
        Native.fragment(
                server.id, id, payload.array, payload.direct, payload.from, payload.length, kind, more);
    }

    /**
     * Has the client not read until {@link #resume}: nothing that it says is handed over meanwhile, and TCP holds it up. It is
     * pinged as ever, and its silence is not held against it. Only a WebSocket can be paused. Pause before the thread that
     * resumes knows of it.
     */
    public void pause() {
        server.flows.pause(id, Flows.BY_HOST);
    }

    /** Ends a {@link #pause}, however often that was asked for. */
    public void resume() {
        server.flows.resume(id, Flows.BY_HOST);
    }
}
