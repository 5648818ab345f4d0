package io.wspush.websocket;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.wspush.ConnectRequest;
import io.wspush.Decision;
import io.wspush.MessageKind;
import io.wspush.WsPushListener;
import io.wspush.WsPushSession;

/** Events on an endpoint's path become those of its sessions, on the container's threads. */
final class RouteListener implements WsPushListener {
    /** The attribute of a connection that is its answer first, and its session once it is open. */
    private static final String SESSION = "io.wspush.websocket.session";

    private final Deployment deployment;

    RouteListener(Deployment deployment) {
        this.deployment = deployment;
    }

    @Override
    public Decision onConnect(ConnectRequest request) {
        try {
            return decide(request);
        } catch (RuntimeException | Error problem) {
            Log.failed("the configurator of " + deployment, problem);
            return Decision.refuse(500, "the server has failed");
        }
    }

    private Decision decide(ConnectRequest request) {
        Handshake.Answer answer = new Handshake(request).ask(deployment);
        return answer.opening == null ? answer.decision : answer.decision.attribute(SESSION, answer);
    }

    @Override
    public void onOpen(WsPushSession connection) {
        Handshake.Answer answer = (Handshake.Answer) connection.attribute(SESSION);
        PushSession session =
                new PushSession(deployment, new PushWire(connection), answer.opening, answer.properties);
        connection.attribute(SESSION, session);
        during(session::opened);
    }

    @Override
    public void onFragment(WsPushSession connection, boolean more, MessageKind kind, byte[] data) {
        PushSession session = session(connection);
        Object piece = kind == MessageKind.TEXT ? new String(data, UTF_8) : data;
        during(() -> session.received(piece, !more));
    }

    @Override
    public void onPong(WsPushSession connection, byte[] data) {
        PushSession session = session(connection);
        during(() -> session.pong(data));
    }

    @Override
    public void onClose(WsPushSession connection, int code, String reason) {
        PushSession session = session(connection);
        during(() -> session.gone(code, reason));
    }

    private static PushSession session(WsPushSession connection) {
        return (PushSession) connection.attribute(SESSION);
    }

    /** What a callback has gathered goes out when it returns. */
    private static void during(Runnable callback) {
        try {
            callback.run();
        } finally {
            Gathering.mine().forget();
        }
    }
}
