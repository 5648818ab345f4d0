package io.wspush;

/** What the server refuses, or can't do. */
public class WsPushException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /**
     * Made by the server.
     *
     * @param message what happened
     */
    WsPushException(String message) {
        super(message);
    }
}
