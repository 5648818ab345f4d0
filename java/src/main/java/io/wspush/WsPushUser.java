package io.wspush;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;

/**
 * A user: all connections that it has when the turn of what is asked for comes. If it has none, nothing happens, since
 * what is sent to a user is kept nowhere. Any thread; what one thread asks for happens in its order. All methods throw
 * {@link IllegalArgumentException} for a name that is empty, or longer than 256 bytes.
 */
public final class WsPushUser {
    private final long server;
    private final String name;
    private final byte[] bytes;

    WsPushUser(long server, String name) {
        this.server = server;
        this.name = Objects.requireNonNull(name);
        this.bytes = name.getBytes(UTF_8);
    }

    /**
     * The user's name.
     *
     * @return the name
     */
    public String name() {
        return name;
    }

    /**
     * Sends a text to each of the user's connections.
     *
     * @param text the message, not empty
     */
    public void send(String text) {
        send(Payload.of(text), PushOptions.DEFAULT);
    }

    /**
     * Sends bytes to each of the user's connections.
     *
     * @param data the message, not empty
     */
    public void send(byte[] data) {
        send(Payload.of(data), PushOptions.DEFAULT);
    }

    /**
     * Sends bytes to each of the user's connections.
     *
     * @param data the message: from the buffer's position to its limit, which stay as they are
     */
    public void send(ByteBuffer data) {
        send(Payload.of(data), PushOptions.DEFAULT);
    }

    /**
     * As {@link #send(String)}, with options.
     *
     * @param text the message, not empty
     * @param options how
     */
    public void send(String text, PushOptions options) {
        send(Payload.of(text), options);
    }

    /**
     * As {@link #send(byte[])}, with options.
     *
     * @param data the message, not empty
     * @param options how
     */
    public void send(byte[] data, PushOptions options) {
        send(Payload.of(data), options);
    }

    private void send(Payload payload, PushOptions options) {
        int kind = options.kind(payload.text);
        Crossing crossing = payload.isSmall(bytes.length) ? Crossing.begin() : null;
        if (crossing != null) {
            try {
                crossing.put(bytes, payload);
                Native.publishUserSmall(server, crossing.place(), bytes.length, payload.length, kind);
                return;
            } finally {
                crossing.end();
            }
        }
        Native.publishUser(server, bytes, payload.array, payload.direct, payload.from, payload.length, kind);
    }

    /**
     * Closes each of the user's connections.
     *
     * @param code the close code: 1000 to 1003, 1007 to 1014 or 3000 to 4999
     * @param reason for the clients; of more than 123 bytes the rest is cut off
     */
    public void disconnect(int code, String reason) {
        Native.disconnectUser(server, bytes, code, reason.getBytes(UTF_8), false);
    }

    /**
     * Closes each of the user's connections, and refuses the tokens that the user has got by then (those whose {@code
     * iat} is not later). Where tokens are not looked at ({@code auth}), or 100,000 users are revoked already, nothing
     * is done and the log says {@code not_revoked}.
     *
     * @param code the close code, as for {@link #disconnect}
     * @param reason for the clients; of more than 123 bytes the rest is cut off
     */
    public void revoke(int code, String reason) {
        Native.disconnectUser(server, bytes, code, reason.getBytes(UTF_8), true);
    }

    /**
     * Lets each of the user's connections receive a channel from then on; not those to come.
     *
     * @param channel the channel
     * @throws TooManyChannelsException if the channel is new, and somebody needs each of those that there are
     */
    public void subscribe(String channel) {
        Native.subscribeUser(server, bytes, channel.getBytes(UTF_8), true);
    }

    /**
     * As {@link #subscribe(String)}, from there on.
     *
     * @param channel the channel
     * @param since where it begins, as in {@link WsPushServer#subscribe(long, String, String) subscribe(long, String,
     *     String)}
     */
    public void subscribe(String channel, String since) {
        Native.subscribeUserSince(server, bytes, channel.getBytes(UTF_8), since.getBytes(UTF_8));
    }

    /**
     * Asks which connections the user has, the first 100 of them; see {@link WsPushServer#channel channel} for the
     * future.
     *
     * @return a page of them
     */
    public CompletableFuture<UserPage> connections() {
        return connections(0, 100);
    }

    /**
     * Asks which connections the user has, a page at a time.
     *
     * @param after 0, or {@link UserPage#next()} of the page before
     * @param limit so many at the most, 1 to 1,000
     * @return a page of them
     */
    public CompletableFuture<UserPage> connections(long after, int limit) {
        Packed question = new Packed().put("user").put(name).put(Long.toString(after)).put(Integer.toString(limit));
        Reply<UserPage> reply = new Reply<>(UserPage::new);
        Native.ask(server, question.bytes(), reply);
        return reply;
    }

    /**
     * Lets them receive the channel no more.
     *
     * @param channel the channel
     */
    public void unsubscribe(String channel) {
        Native.subscribeUser(server, bytes, channel.getBytes(UTF_8), false);
    }

    @Override
    public String toString() {
        return "user " + name;
    }
}
