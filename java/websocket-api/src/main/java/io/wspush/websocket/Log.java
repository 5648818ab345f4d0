package io.wspush.websocket;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;

/** What the adapter tells operators, beside the server's own lines. */
final class Log {
    private static final Logger LOGGER = System.getLogger("io.wspush");

    private Log() {}

    /** Something of the application's has thrown, and nobody is there to take it. */
    static void failed(String what, Throwable problem) {
        LOGGER.log(Level.ERROR, what + " has failed", problem);
    }

    /** Something that an application may have counted on. */
    static void warn(String what) {
        LOGGER.log(Level.WARNING, what);
    }
}
