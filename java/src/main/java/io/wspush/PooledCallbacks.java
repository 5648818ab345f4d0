package io.wspush;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Map;

/** The callbacks of a route with threads of its own. The reactor's thread hands them over, and never waits. */
final class PooledCallbacks extends Callbacks {
    private static final int UNAVAILABLE = 503;
    private static final int INTERNAL_ERROR = 1011;

    private final Pool.Terms terms;
    private final Pool pool;

    PooledCallbacks(WsPushListener listener, WsPushRoute route, Pool.Terms terms) {
        super(listener, route);
        this.terms = terms;
        this.pool = new Pool(terms);
    }

    @Override
    Callbacks copy() {
        return new PooledCallbacks(listener, route(), terms);
    }

    @Override
    boolean isElsewhere() {
        return true;
    }

    @Override
    void end() {
        pool.end();
    }

    @Override
    byte[] connect(byte[] packed) {
        try {
            ConnectRequest request = new ConnectRequest(Packed.unpack(packed), route());
            if (pool.isFull()) {
                return Decision.refuse(UNAVAILABLE, "too many wait; try again later").packed(sessions, Map.of());
            }
            pool.executor.execute(() -> decideHere(request));
            pool.comes();
            return Decision.pending().packed(sessions, Map.of());
        } catch (Throwable problem) {
            failed("WsPushListener.onConnect", problem);
            return null;
        }
    }

    private void decideHere(ConnectRequest request) {
        pool.go(1);
        Decision decision;
        try {
            decision = decide(request);
        } catch (Throwable problem) {
            failed("WsPushListener.onConnect", problem);
            decision = Decision.refuse(500, "internal error");
        }
        if (!decision.isPending()) {
            Decision made = decision;
            // What doesn't come in takes its attributes back.
            Flows.patiently(() -> Native.decide(
                    server().id, request.conn(), made.packed(sessions, request.attributesSoFar())));
        }
    }

    @Override
    boolean open(long conn, byte[] user, byte[] parameters, long attributes) {
        sessions.opened(conn, attributes);
        return later(session(conn, user, parameters), "onOpen", listener::onOpen);
    }

    @Override
    boolean takenOver(long conn, byte[] user, byte[] parameters) {
        sessions.opened(conn, 0);
        return later(session(conn, user, parameters), "onTakenOver", listener::onTakenOver);
    }

    @Override
    boolean message(long conn, byte[] user, byte[] parameters, byte[] payload, boolean text) {
        WsPushSession session = session(conn, user, parameters);
        return text
                ? later(session, "onText", of -> listener.onText(of, new String(payload, UTF_8)))
                : later(session, "onBinary", of -> listener.onBinary(of, payload));
    }

    @Override
    boolean fragment(long conn, byte[] user, byte[] parameters, byte[] payload, boolean text, boolean more) {
        MessageKind kind = text ? MessageKind.TEXT : MessageKind.BINARY;
        WsPushSession session = session(conn, user, parameters);
        return later(session, "onFragment", of -> listener.onFragment(of, more, kind, payload));
    }

    @Override
    boolean pong(long conn, byte[] user, byte[] parameters, byte[] payload) {
        return later(session(conn, user, parameters), "onPong", of -> listener.onPong(of, payload));
    }

    @Override
    void closed(long conn, byte[] user, byte[] parameters, int code, byte[] reason) {
        WsPushSession session = session(conn, user, parameters).closed(sessions.leave(conn));
        server().flows.closed(conn);
        Call onClose = of -> listener.onClose(of, code, new String(reason, UTF_8));
        Runnable event = () -> {
            try {
                call(session, "onClose", onClose);
            } finally {
                sessions.left(conn);
            }
        };
        try {
            server().lanes.put(conn, pool, event, true);
        } catch (Throwable problem) {
            failed("WsPushListener.onClose", problem);
        }
    }

    /** Whether it was handed over. */
    private boolean later(WsPushSession session, String callback, Call call) {
        Runnable event = () -> {
            if (!call(session, callback, call)) {
                Flows.patiently(() -> session.close(INTERNAL_ERROR, "internal error"));
            }
        };
        try {
            server().lanes.put(session.id(), pool, event, false);
            return true;
        } catch (Throwable problem) {
            failed("WsPushListener." + callback, problem);
            return false;
        }
    }
}
