package io.wspush;

import java.util.List;
import java.util.Optional;

/** A client of an app that asks for a private or presence channel, or signs in. */
public final class AuthorizationRequest {
    private final long conn;
    private final int number;
    private final String app;
    private final String socketId;
    private final String user;
    private final String channel;
    private final String auth;
    private final String data;
    private final boolean signed;

    AuthorizationRequest(List<String> parts) {
        conn = Long.parseUnsignedLong(parts.get(0));
        number = Integer.parseUnsignedInt(parts.get(1));
        app = parts.get(2);
        socketId = parts.get(3);
        user = given(parts.get(4));
        channel = given(parts.get(5));
        auth = parts.get(6);
        data = given(parts.get(7));
        signed = Boolean.parseBoolean(parts.get(8));
    }

    private static String given(String part) {
        return part.isEmpty() ? null : part.substring(1);
    }

    /**
     * The connection's id.
     *
     * @return it
     */
    public long conn() {
        return conn;
    }

    /**
     * Which question of this connection it is, for {@link WsPushServer#authorize}.
     *
     * @return its number
     */
    public int number() {
        return number;
    }

    /**
     * The app's id.
     *
     * @return it
     */
    public String app() {
        return app;
    }

    /**
     * The connection's id in the words of the protocol.
     *
     * @return it
     */
    public String socketId() {
        return socketId;
    }

    /**
     * The id of the user that the connection has signed in as.
     *
     * @return it, if there is one
     */
    public Optional<String> user() {
        return Optional.ofNullable(user);
    }

    /**
     * The channel, by the app's name for it.
     *
     * @return it; none: a user signs in
     */
    public Optional<String> channel() {
        return Optional.ofNullable(channel);
    }

    /**
     * The client's {@code auth}, whatever it is: the signature of a backend, or something of the host's own.
     *
     * @return it
     */
    public String auth() {
        return auth;
    }

    /**
     * The client's {@code channel_data}, or {@code user_data} of one that signs in. Nobody vouches for it unless it
     * {@link #isSigned}.
     *
     * @return it, if there is any
     */
    public Optional<String> data() {
        return Optional.ofNullable(data);
    }

    /**
     * Whether the app's secret has signed it, {@link #data} included.
     *
     * @return whether it has
     */
    public boolean isSigned() {
        return signed;
    }
}
