package io.wspush;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;

/** What the native side calls, on the reactor's thread. Nothing is thrown back at it. */
final class Callbacks {
    static final Logger LOGGER = System.getLogger("io.wspush");

    /** By the numbers that the native side uses. */
    private static final Level[] LEVELS = {Level.OFF, Level.ERROR, Level.WARNING, Level.INFO, Level.DEBUG};

    private final WsPushListener listener;
    private WsPushServer server;

    Callbacks(WsPushListener listener) {
        this.listener = listener;
    }

    /** Before the reactor's thread begins. */
    void belongTo(WsPushServer server) {
        this.server = server;
    }

    /** The decision, packed; null: the listener has failed. */
    byte[] connect(byte[] request) {
        try {
            Decision decision = listener.onConnect(new ConnectRequest(Packed.unpack(request)));
            if (decision == null) {
                throw new NullPointerException("onConnect returned null");
            }
            return decision.packed();
        } catch (Throwable problem) {
            failed("onConnect", problem);
            return null;
        }
    }

    /** Whether the listener came through. */
    boolean open(long conn, byte[] user) {
        try {
            listener.onOpen(session(conn, user));
            return true;
        } catch (Throwable problem) {
            failed("onOpen", problem);
            return false;
        }
    }

    /** Whether the listener came through. */
    boolean message(long conn, byte[] user, byte[] payload, boolean text) {
        try {
            if (text) {
                listener.onText(session(conn, user), new String(payload, UTF_8));
            } else {
                listener.onBinary(session(conn, user), payload);
            }
            return true;
        } catch (Throwable problem) {
            failed(text ? "onText" : "onBinary", problem);
            return false;
        }
    }

    void closed(long conn, byte[] user, int code, byte[] reason) {
        try {
            listener.onClose(session(conn, user), code, new String(reason, UTF_8));
        } catch (Throwable problem) {
            failed("onClose", problem);
        }
    }

    void log(int level, byte[] line) {
        try {
            LOGGER.log(LEVELS[level], () -> new String(line, UTF_8));
        } catch (Throwable problem) {
            // A log handler that fails must not take the server with it, and there is nobody left to tell.
        }
    }

    private WsPushSession session(long conn, byte[] user) {
        return new WsPushSession(server, conn, user == null ? null : new String(user, UTF_8));
    }

    private static void failed(String callback, Throwable problem) {
        try {
            LOGGER.log(Level.ERROR, "WsPushListener." + callback + " has failed", problem);
        } catch (Throwable nobodyLeftToTell) {
            // As above.
        }
    }
}
