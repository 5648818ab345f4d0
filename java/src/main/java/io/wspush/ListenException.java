package io.wspush;

/** An address could not be listened on. */
public final class ListenException extends WsPushException {
    private static final long serialVersionUID = 1L;

    /**
     * Made by the server.
     *
     * @param message what happened
     */
    ListenException(String message) {
        super(message);
    }
}
