package io.wspush;

import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * A connection, as callbacks get it: its id and who it is. It may be kept, as a key, too, and used on any thread;
 * once the connection has gone what is sent to it is dropped, since ids are never used twice.
 */
public final class WsPushSession {
    private final WsPushServer server;
    private final long id;
    private final String user;

    WsPushSession(WsPushServer server, long id, String user) {
        this.server = server;
        this.id = id;
        this.user = user;
    }

    /**
     * The connection's id, for {@link WsPushServer#send(long, String)} and the like.
     *
     * @return the id
     */
    public long id() {
        return id;
    }

    /**
     * Who it is.
     *
     * @return the name that {@link WsPushListener#onConnect} gave it, or null
     */
    public String user() {
        return user;
    }

    /**
     * The server that it is connected to.
     *
     * @return the server
     */
    public WsPushServer server() {
        return server;
    }

    /**
     * Answers with a text, within a callback of this connection only: it goes out as soon as the callback has
     * returned, behind what the callback has published and sent before, and doesn't need room in the inbox. Behind a
     * {@link #close} it is dropped.
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
        int kind = options.kind(payload.text);
        if (payload.isSmall(0)) {
            Crossing crossing = Crossing.begin();
            try {
                crossing.put(payload);
                Native.replySmall(id, crossing.address(), payload.length, kind);
                return;
            } finally {
                crossing.end();
            }
        }
        Native.reply(id, payload.array, payload.direct, payload.from, payload.length, kind);
    }

    /**
     * Sends a text; see {@link WsPushServer#send(long, String)}.
     *
     * @param text the message
     */
    public void send(String text) {
        server.send(id, text);
    }

    /**
     * Sends bytes; see {@link WsPushServer#send(long, byte[])}.
     *
     * @param data the message
     */
    public void send(byte[] data) {
        server.send(id, data);
    }

    /**
     * Sends bytes; see {@link WsPushServer#send(long, ByteBuffer)}.
     *
     * @param data the message: from the buffer's position to its limit, which stay as they are
     */
    public void send(ByteBuffer data) {
        server.send(id, data);
    }

    /**
     * Sends a text; see {@link WsPushServer#send(long, String, PushOptions)}.
     *
     * @param text the message
     * @param options how
     */
    public void send(String text, PushOptions options) {
        server.send(id, text, options);
    }

    /**
     * Sends bytes; see {@link WsPushServer#send(long, byte[], PushOptions)}.
     *
     * @param data the message
     * @param options how
     */
    public void send(byte[] data, PushOptions options) {
        server.send(id, data, options);
    }

    /**
     * Sends bytes; see {@link WsPushServer#send(long, ByteBuffer, PushOptions)}.
     *
     * @param data the message: from the buffer's position to its limit, which stay as they are
     * @param options how
     */
    public void send(ByteBuffer data, PushOptions options) {
        server.send(id, data, options);
    }

    /**
     * Closes the connection; see {@link WsPushServer#close(long, int, String)}.
     *
     * @param code the close code
     * @param reason for the client
     */
    public void close(int code, String reason) {
        server.close(id, code, reason);
    }

    /**
     * Lets the connection receive a channel from now on.
     *
     * @param channel the channel
     */
    public void subscribe(String channel) {
        server.subscribe(id, channel);
    }

    /**
     * Lets the connection receive a channel from there on. Nothing happens if it does already.
     *
     * @param channel the channel
     * @param since where it begins: behind a position {@code E.O} (the epoch and the offset of a {@link Receipt}), or
     *     {@code head}, {@code earliest}, {@code last:N}, {@code time:UNIX_MS}, {@code latest}
     */
    public void subscribe(String channel, String since) {
        server.subscribe(id, channel, since);
    }

    /**
     * Lets it receive the channel no more.
     *
     * @param channel the channel
     */
    public void unsubscribe(String channel) {
        server.unsubscribe(id, channel);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof WsPushSession
                && ((WsPushSession) other).id == id
                && ((WsPushSession) other).server == server;
    }

    @Override
    public int hashCode() {
        return Objects.hash(id);
    }

    @Override
    public String toString() {
        return user == null ? "connection " + id : "connection " + id + " (" + user + ")";
    }
}
