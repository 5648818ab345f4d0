package io.wspush;

/** The server drains or has drained: it takes no more messages. */
public final class ServerStoppedException extends WsPushException {
    private static final long serialVersionUID = 1L;

    /**
     * Made by the server.
     *
     * @param message what happened
     */
    ServerStoppedException(String message) {
        super(message);
    }
}
