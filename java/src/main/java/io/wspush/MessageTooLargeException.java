package io.wspush;

/** The message is larger than what a channel keeps ({@code log_bytes}). */
public final class MessageTooLargeException extends WsPushException {
    private static final long serialVersionUID = 1L;

    /**
     * Made by the server.
     *
     * @param message what happened
     */
    MessageTooLargeException(String message) {
        super(message);
    }
}
