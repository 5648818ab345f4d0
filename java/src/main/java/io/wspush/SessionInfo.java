package io.wspush;

/** An open session, as it was when it was looked at. */
public final class SessionInfo {
    private final WsPushSession session;
    private final String peer;
    private final boolean secure;
    private final long outboxBytes;

    SessionInfo(Packed.Reader in, WsPushServer server) {
        long id = in.number();
        String user = in.text();
        peer = in.text();
        int route = (int) in.number();
        byte[] parameters = in.bytes();
        secure = in.number() != 0;
        outboxBytes = in.number();
        session = new WsPushSession(
                server.callbacks(route), id, user.isEmpty() ? null : user, parameters.length == 0 ? null : parameters);
    }

    /**
     * The session, with its user, route and path parameters.
     *
     * @return the session
     */
    public WsPushSession session() {
        return session;
    }

    /**
     * Where the client is.
     *
     * @return IP address and port, an IPv6 address in brackets; empty on a Unix-domain socket
     */
    public String peer() {
        return peer;
    }

    /**
     * Whether the client speaks TLS with this server. Behind a proxy that ends it, see {@code X-Forwarded-Proto} when it
     * connects.
     *
     * @return whether it does
     */
    public boolean isSecure() {
        return secure;
    }

    /**
     * What waits for this session alone: messages that were sent to it, and that its socket has not taken.
     *
     * @return bytes
     */
    public long outboxBytes() {
        return outboxBytes;
    }

    @Override
    public String toString() {
        return session + " of " + peer;
    }
}
