package io.wspush;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;

/** What the native side calls, on the reactor's thread. Nothing is thrown back at it. */
final class Callbacks {
    static final Logger LOGGER = System.getLogger("io.wspush");

    /** By the numbers that the native side uses. */
    private static final Level[] LEVELS = {Level.OFF, Level.ERROR, Level.WARNING, Level.INFO, Level.DEBUG};

    private final WsPushListener listener;
    private final WsPushRoute route;
    private WsPushServer server;
    private Sessions sessions;
    /** What runs callbacks in place of the reactor; null: nothing. */
    private Executor executor;
    private Lines lines;

    /** {@code route} is null for the server's own paths. */
    Callbacks(WsPushListener listener, WsPushRoute route) {
        this.listener = listener;
        this.route = route;
    }

    /** The same for another server. */
    Callbacks copy() {
        return new Callbacks(listener, route);
    }

    /** Before the reactor's thread begins. */
    void belongTo(WsPushServer server) {
        this.server = server;
        this.sessions = server.sessions;
        executor = route == null ? null : route.executor();
        lines = executor == null ? null : route.lines(executor, new Patience(server));
    }

    /** The server has ended, and nothing comes any more. What waits still runs. */
    void end() {
        if (executor != null && route.ownsExecutor()) {
            ((ExecutorService) executor).shutdown();
        }
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
            failed("onConnect", problem);
            return null;
        }
    }

    private Decision decide(ConnectRequest request) throws Exception {
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

    /** Whether the listener came through, or is called later. */
    boolean open(long conn, byte[] user, byte[] parameters, long attributes) {
        sessions.opened(conn, attributes);
        return run(session(conn, user, parameters), "onOpen", listener::onOpen);
    }

    /** Whether the listener came through, or is called later. */
    boolean message(long conn, byte[] user, byte[] parameters, byte[] payload, boolean text) {
        WsPushSession session = session(conn, user, parameters);
        return text
                ? run(session, "onText", of -> listener.onText(of, new String(payload, UTF_8)))
                : run(session, "onBinary", of -> listener.onBinary(of, payload));
    }

    /** Whether the listener came through, or is called later. */
    boolean fragment(long conn, byte[] user, byte[] parameters, byte[] payload, boolean text, boolean more) {
        MessageKind kind = text ? MessageKind.TEXT : MessageKind.BINARY;
        WsPushSession session = session(conn, user, parameters);
        return run(session, "onFragment", of -> listener.onFragment(of, more, kind, payload));
    }

    /** Whether the listener came through, or is called later. */
    boolean pong(long conn, byte[] user, byte[] parameters, byte[] payload) {
        return run(session(conn, user, parameters), "onPong", of -> listener.onPong(of, payload));
    }

    /** What was sent to it is with the kernel. */
    void drained(long conn) {
        try {
            server.drains.answered(server.id, conn);
        } catch (Throwable problem) {
            failed("drained", problem);
        }
    }

    void closed(long conn, byte[] user, byte[] parameters, int code, byte[] reason) {
        WsPushSession session = session(conn, user, parameters);
        Call onClose = of -> listener.onClose(of, code, new String(reason, UTF_8));
        Map<String, Object> last = sessions.closed(conn);
        server.drains.closed(conn);
        if (lines == null) {
            call(session.closed(last), "onClose", onClose);
        } else {
            Lines.Line line = session.line();
            line.closed(last);
            lines.appendLast(line, () -> call(session.closed(last), "onClose", onClose));
        }
    }

    private boolean run(WsPushSession session, String callback, Call call) {
        return lines == null
                ? call(session, callback, call)
                : lines.append(session.line(), () -> call(session, callback, call));
    }

    /** The host has closed it in a callback. */
    void isOver(WsPushSession session) {
        if (lines != null && session.line() != null) {
            lines.isOver(session.line());
        }
    }

    /** A callback of a session. */
    private interface Call {
        void of(WsPushSession session) throws Exception;
    }

    private boolean call(WsPushSession session, String callback, Call call) {
        try {
            call.of(session);
            return true;
        } catch (Throwable problem) {
            try {
                listener.onError(session, problem);
                return true;
            } catch (Throwable stillAProblem) {
                failed(callback, stillAProblem);
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

    private WsPushSession session(long conn, byte[] user, byte[] parameters) {
        Lines.Line line = lines == null ? null : lines.line(conn);
        return new WsPushSession(this, conn, user == null ? null : new String(user, UTF_8), parameters, line);
    }

    static void failed(String callback, Throwable problem) {
        try {
            LOGGER.log(Level.ERROR, "WsPushListener." + callback + " has failed", problem);
        } catch (Throwable nobodyLeftToTell) {
            // As above.
        }
    }
}
