package io.wspush;

/** The session has ended before what was sent to it had gone out. */
public final class SessionGoneException extends WsPushException {
    private static final long serialVersionUID = 1;

    SessionGoneException(String message) {
        super(message);
    }
}
