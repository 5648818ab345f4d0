package io.wspush;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.util.Map;

/** What a server does with one of its connections. It is a part of {@link WsPushServer}. */
abstract class ServerConnections extends ServerQuestions {
    ServerConnections(long id) {
        super(id);
    }

    /**
     * Sends a text to one connection. To one that has gone it is dropped; one that doesn't read, so that too much
     * waits for it, is closed with 1013.
     *
     * @param conn the connection's id; 0, which is none's, is an {@link IllegalArgumentException} here and in the
     *     other methods
     * @param text the message, not empty
     * @throws InboxFullException if the server is behind; nothing was sent
     * @throws WsPushException if the server doesn't take it for another reason
     */
    public void send(long conn, String text) {
        send(conn, Payload.of(text), PushOptions.DEFAULT);
    }

    /**
     * Sends bytes to one connection; see {@link WsPushServer#send(long, String) send(long, String)}.
     *
     * @param conn the connection's id
     * @param data the message, not empty
     */
    public void send(long conn, byte[] data) {
        send(conn, Payload.of(data), PushOptions.DEFAULT);
    }

    /**
     * Sends bytes to one connection; see {@link WsPushServer#send(long, String) send(long, String)} and {@link
     * WsPushServer#broadcast(ByteBuffer) broadcast(ByteBuffer)}.
     *
     * @param conn the connection's id
     * @param data the message: from the buffer's position to its limit, which stay as they are
     */
    public void send(long conn, ByteBuffer data) {
        send(conn, Payload.of(data), PushOptions.DEFAULT);
    }

    /**
     * As {@link WsPushServer#send(long, String) send(long, String)}, with options.
     *
     * @param conn the connection's id
     * @param text the message, not empty
     * @param options how
     */
    public void send(long conn, String text, PushOptions options) {
        send(conn, Payload.of(text), options);
    }

    /**
     * As {@link WsPushServer#send(long, byte[]) send(long, byte[])}, with options.
     *
     * @param conn the connection's id
     * @param data the message, not empty
     * @param options how
     */
    public void send(long conn, byte[] data, PushOptions options) {
        send(conn, Payload.of(data), options);
    }

    /**
     * As {@link WsPushServer#send(long, ByteBuffer) send(long, ByteBuffer)}, with options.
     *
     * @param conn the connection's id
     * @param data the message: from the buffer's position to its limit, which stay as they are
     * @param options how
     */
    public void send(long conn, ByteBuffer data, PushOptions options) {
        send(conn, Payload.of(data), options);
    }

    final void send(long conn, Payload payload, PushOptions options) {
        int kind = options.kind(payload.text);
        Crossing crossing = payload.isSmall(0) ? Crossing.begin() : null;
        if (crossing != null) {
            try {
                crossing.put(payload);
                Native.sendSmall(id, conn, crossing.place(), payload.length, kind);
                return;
            } finally {
                crossing.end();
            }
        }
        Native.send(id, conn, payload.array, payload.direct, payload.from, payload.length, kind);
    }

    /**
     * Sends one text to many connections with one call: to all of them that are there, or, with an exception, to none.
     *
     * @param conns their ids; as many at the most as the setting {@code inbox_commands_max}
     * @param text the message, not empty
     * @throws InboxFullException if the server is behind; nothing was sent
     */
    public void send(long[] conns, String text) {
        send(conns, Payload.of(text), PushOptions.DEFAULT);
    }

    /**
     * Sends the same bytes to many connections; see {@link WsPushServer#send(long[], String) send(long[], String)}.
     *
     * @param conns their ids
     * @param data the message, not empty
     */
    public void send(long[] conns, byte[] data) {
        send(conns, Payload.of(data), PushOptions.DEFAULT);
    }

    /**
     * Sends the same bytes to many connections; see {@link WsPushServer#send(long[], String) send(long[], String)}.
     *
     * @param conns their ids
     * @param data the message: from the buffer's position to its limit, which stay as they are
     */
    public void send(long[] conns, ByteBuffer data) {
        send(conns, Payload.of(data), PushOptions.DEFAULT);
    }

    /**
     * As {@link WsPushServer#send(long[], String) send(long[], String)}, with options.
     *
     * @param conns their ids
     * @param text the message, not empty
     * @param options how
     */
    public void send(long[] conns, String text, PushOptions options) {
        send(conns, Payload.of(text), options);
    }

    /**
     * As {@link WsPushServer#send(long[], byte[]) send(long[], byte[])}, with options.
     *
     * @param conns their ids
     * @param data the message, not empty
     * @param options how
     */
    public void send(long[] conns, byte[] data, PushOptions options) {
        send(conns, Payload.of(data), options);
    }

    private void send(long[] conns, Payload payload, PushOptions options) {
        int kind = options.kind(payload.text);
        Native.sendAll(id, conns, payload.array, payload.direct, payload.from, payload.length, kind);
    }

    /**
     * Closes a connection, after what was sent to it before; nothing happens if it has gone already.
     *
     * @param conn the connection's id
     * @param code the close code: 1000 to 1003, 1007 to 1014 or 3000 to 4999
     * @param reason for the client; of more than 123 bytes the rest is cut off
     */
    public void close(long conn, int code, String reason) {
        Native.disconnect(id, conn, code, reason.getBytes(UTF_8));
        lanes.closed(conn);
    }

    /**
     * Says whether a client may come in whose handshake waits ({@link Decision#pending()}). It changes nothing about one
     * that has gone, or was refused because the setting {@code handshake_ms} was over.
     *
     * @param conn the connection's id, {@link ConnectRequest#conn()}
     * @param decision the decision
     */
    public void decide(long conn, Decision decision) {
        Native.decide(id, conn, decision.packed(sessions, Map.of()));
    }

    /**
     * Answers a question of {@link WsPushListener#onAuthorize} that was {@link Authorized#pending()}. It changes nothing
     * about one that is answered, or out of time, or of a client that has gone.
     *
     * @param conn the connection's id, {@link AuthorizationRequest#conn()}
     * @param number which of its questions, {@link AuthorizationRequest#number()}
     * @param authorized the answer
     */
    public void authorize(long conn, int number, Authorized authorized) {
        Native.authorize(id, conn, number, authorized.packed());
    }

    /**
     * Lets a connection receive a channel from now on.
     *
     * @param conn the connection's id
     * @param channel the channel
     * @throws TooManyChannelsException if the channel is new, and somebody needs each of those that there are
     */
    public void subscribe(long conn, String channel) {
        Native.subscribe(id, conn, channel.getBytes(UTF_8), true);
    }

    /**
     * Lets a connection receive a channel from there on. Nothing happens if it does already.
     *
     * @param conn the connection's id
     * @param channel the channel
     * @param since where it begins: behind a position {@code E.O} (the epoch and the offset of a {@link Receipt}), or
     *     {@code head}, {@code earliest}, {@code last:N}, {@code time:UNIX_MS}, {@code latest}
     */
    public void subscribe(long conn, String channel, String since) {
        Native.subscribeSince(id, conn, channel.getBytes(UTF_8), since.getBytes(UTF_8));
    }

    /**
     * Lets it receive the channel no more.
     *
     * @param conn the connection's id
     * @param channel the channel
     */
    public void unsubscribe(long conn, String channel) {
        Native.subscribe(id, conn, channel.getBytes(UTF_8), false);
    }
}
