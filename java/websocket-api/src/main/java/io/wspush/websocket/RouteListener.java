package io.wspush.websocket;

import io.wspush.ConnectRequest;
import io.wspush.Decision;
import io.wspush.WsPushListener;
import io.wspush.WsPushSession;

/** What happens on an endpoint's path becomes what happens to its sessions. */
final class RouteListener implements WsPushListener {
    /** The attribute of a connection that is its answer first, and its session once it is open. */
    private static final String SESSION = "io.wspush.websocket.session";

    private static final int TRY_AGAIN_LATER = 1013;

    private final Deployment deployment;

    RouteListener(Deployment deployment) {
        this.deployment = deployment;
    }

    /** On the reactor's thread, which a configurator of the application's must not hold up. */
    @Override
    public Decision onConnect(ConnectRequest request) {
        if (!deployment.hasConfigurator()) {
            return decide(request);
        }
        WsPushContainer container = deployment.container();
        container.workers().execute(() -> {
            Decision decision;
            try {
                decision = decide(request);
            } catch (RuntimeException | Error problem) {
                Log.failed("the configurator of " + deployment, problem);
                decision = Decision.refuse(500, "the server has failed");
            }
            container.server().decide(request.conn(), decision);
        });
        return Decision.pending();
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
        later(session, session::opened);
    }

    @Override
    public void onText(WsPushSession connection, String text) {
        PushSession session = session(connection);
        later(session, () -> session.received(text, true));
    }

    @Override
    public void onBinary(WsPushSession connection, byte[] data) {
        PushSession session = session(connection);
        later(session, () -> session.received(data, true));
    }

    @Override
    public void onPong(WsPushSession connection, byte[] data) {
        PushSession session = session(connection);
        later(session, () -> session.pong(data));
    }

    @Override
    public void onClose(WsPushSession connection, int code, String reason) {
        PushSession session = session(connection);
        session.mailbox().put(() -> during(() -> session.gone(code, reason)), true);
    }

    /** In the session's order, on the container's threads. */
    private static void later(PushSession session, Runnable callback) {
        if (!session.mailbox().put(() -> during(callback), false)) {
            session.wire().close(TRY_AGAIN_LATER, Mailbox.MOST + " messages wait for the endpoint");
        }
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
