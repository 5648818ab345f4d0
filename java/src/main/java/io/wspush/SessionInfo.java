package io.wspush;

/** An open session, as it was when it was looked at. */
public final class SessionInfo {
    private final WsPushSession session;
    private final String peer;

    SessionInfo(Packed.Reader in, WsPushServer server) {
        long id = in.number();
        String user = in.text();
        peer = in.text();
        int route = (int) in.number();
        byte[] parameters = in.bytes();
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

    @Override
    public String toString() {
        return session + " of " + peer;
    }
}
