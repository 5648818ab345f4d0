package io.wspush.websocket;

import java.io.IOException;
import java.nio.ByteBuffer;
import javax.websocket.Session;

/**
 * What an application may change a line for. A broadcast is one publication for all sessions of an endpoint, whatever
 * their number: it is encoded once, and a client that doesn't read holds up nobody.
 */
public final class WsPush {
    private WsPush() {}

    /**
     * Sends a text to all open sessions of an endpoint, that of the session included.
     *
     * @param session one of them, open or in its {@code onClose}
     * @param text the message, not empty
     * @throws IOException if the server doesn't take it
     * @throws IllegalArgumentException if the session is another container's
     */
    public static void broadcast(Session session, String text) throws IOException {
        Deployment deployment = deployment(session);
        Gathering.mine().forget();
        Outbound.patiently(() -> deployment.container().server().publish(deployment.channel(), text));
    }

    /**
     * Sends bytes to all open sessions of an endpoint; see {@link #broadcast(Session, String)}.
     *
     * @param session one of them, open or in its {@code onClose}
     * @param data the message, not empty
     * @throws IOException if the server doesn't take it
     */
    public static void broadcast(Session session, ByteBuffer data) throws IOException {
        Deployment deployment = deployment(session);
        Gathering.mine().forget();
        Outbound.patiently(() -> deployment.container().server().publish(deployment.channel(), data));
    }

    /**
     * The number of open sessions of an endpoint.
     *
     * @param session one of them
     * @return how many there are; nothing is copied
     */
    public static int online(Session session) {
        return deployment(session).members().count();
    }

    private static Deployment deployment(Session session) {
        if (!(session instanceof PushSession)) {
            throw new IllegalArgumentException(
                    "a session of another container: WsPush is for those of a WsPushContainer, not for " + session);
        }
        return ((PushSession) session).deployment();
    }
}
