package io.wspush;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.List;

/** What the native side calls, on the reactors' threads. Nothing is thrown back at it. */
class Callbacks {
    static final Logger LOGGER = System.getLogger("io.wspush");

    /** By the numbers that the native side uses. */
    private static final Level[] LEVELS = {Level.OFF, Level.ERROR, Level.WARNING, Level.INFO, Level.DEBUG};

    final WsPushListener listener;
    private final WsPushRoute route;
    private WsPushServer server;
    Sessions sessions;

    /** {@code route} is null for the server's own paths. */
    Callbacks(WsPushListener listener, WsPushRoute route) {
        this.listener = listener;
        this.route = route;
    }

    /** The same for another server. */
    Callbacks copy() {
        return new Callbacks(listener, route);
    }

    /** Before the reactors' threads begin. */
    void belongTo(WsPushServer server) {
        this.server = server;
        this.sessions = server.sessions;
    }

    WsPushRoute route() {
        return route;
    }

    WsPushServer server() {
        return server;
    }

    /** The decision, packed; null: the listener has failed. */
    byte[] connect(byte[] packed) {
        try {
            ConnectRequest request = new ConnectRequest(Packed.unpack(packed), route);
            return decide(request).packed(sessions, request.attributesSoFar());
        } catch (Throwable problem) {
            failed("WsPushListener.onConnect", problem);
            return null;
        }
    }

    /** The answer to a question of an app's client, packed; null: the listener has failed. */
    byte[] authorize(byte[] packed) {
        try {
            Authorized authorized = listener.onAuthorize(new AuthorizationRequest(Packed.unpack(packed)));
            if (authorized == null) {
                throw new NullPointerException("onAuthorize returned null");
            }
            return authorized.packed();
        } catch (Throwable problem) {
            failed("WsPushListener.onAuthorize", problem);
            return null;
        }
    }

    /** Whether callbacks run on other threads than the reactor's. */
    boolean isElsewhere() {
        return false;
    }

    /** The server has ended. */
    void end() {}

    /** The interceptors' decision, or the listener's. */
    final Decision decide(ConnectRequest request) throws Exception {
        List<WsPushInterceptor> interceptors = route == null ? List.of() : route.interceptors();
        Decision decision = null;
        int asked = 0;
        while (decision == null && asked < interceptors.size()) {
            decision = interceptors.get(asked).beforeHandshake(request);
            asked++;
        }
        if (decision == null) {
            decision = decided(listener.onConnect(request), "onConnect");
        }
        while (asked > 0) {
            asked--;
            decision = decided(interceptors.get(asked).afterHandshake(request, decision), "afterHandshake");
        }
        return decision;
    }

    private static Decision decided(Decision decision, String by) {
        if (decision == null) {
            throw new NullPointerException(by + " returned null");
        }
        return decision;
    }

    /** The session that was to have these attributes isn't opened. */
    void stayAway(long attributes) {
        sessions.stayAway(attributes);
    }

    /** Whether the listener came through. */
    boolean open(long conn, byte[] user, byte[] parameters, long attributes) {
        sessions.opened(conn, attributes);
        return call(session(conn, user, parameters), "onOpen", listener::onOpen);
    }

    /** Whether the listener came through. */
    boolean takenOver(long conn, byte[] user, byte[] parameters) {
        sessions.opened(conn, 0);
        return call(session(conn, user, parameters), "onTakenOver", listener::onTakenOver);
    }

    /** Whether the listener came through. */
    boolean message(long conn, byte[] user, byte[] parameters, byte[] payload, boolean text) {
        WsPushSession session = session(conn, user, parameters);
        return text
                ? call(session, "onText", of -> listener.onText(of, new String(payload, UTF_8)))
                : call(session, "onBinary", of -> listener.onBinary(of, payload));
    }

    /** Whether the listener came through. */
    boolean fragment(long conn, byte[] user, byte[] parameters, byte[] payload, boolean text, boolean more) {
        MessageKind kind = text ? MessageKind.TEXT : MessageKind.BINARY;
        return call(session(conn, user, parameters), "onFragment", of -> listener.onFragment(of, more, kind, payload));
    }

    /** So many requests to be told that the outbox is empty are answered. */
    void drained(long conn, int count) {
        try {
            server.flows.answered(conn, count);
        } catch (Throwable problem) {
            failed("what waits for a session's outbox", problem);
        }
    }

    /** Whether the listener came through. */
    boolean pong(long conn, byte[] user, byte[] parameters, byte[] payload) {
        return call(session(conn, user, parameters), "onPong", of -> listener.onPong(of, payload));
    }

    void closed(long conn, byte[] user, byte[] parameters, int code, byte[] reason) {
        WsPushSession session = session(conn, user, parameters).closed(sessions.closed(conn));
        server.flows.closed(conn);
        call(session, "onClose", of -> listener.onClose(of, code, new String(reason, UTF_8)));
    }

    /** A callback of a session. */
    interface Call {
        void of(WsPushSession session) throws Exception;
    }

    /** Whether it came through. */
    final boolean call(WsPushSession session, String callback, Call call) {
        try {
            call.of(session);
            return true;
        } catch (Throwable problem) {
            try {
                listener.onError(session, problem);
                return true;
            } catch (Throwable stillAProblem) {
                failed("WsPushListener." + callback, stillAProblem);
                return false;
            }
        }
    }

    void log(int level, byte[] line) {
        try {
            LOGGER.log(LEVELS[level], () -> new String(line, UTF_8));
        } catch (Throwable problem) {
            // A log handler that fails must not take the server with it, and there is nobody left to tell.
        }
    }

    final WsPushSession session(long conn, byte[] user, byte[] parameters) {
        return new WsPushSession(this, conn, user == null ? null : new String(user, UTF_8), parameters);
    }

    static void failed(String callback, Throwable problem) {
        try {
            LOGGER.log(Level.ERROR, callback + " has failed", problem);
        } catch (Throwable nobodyLeftToTell) {
            // As above.
        }
    }
}
