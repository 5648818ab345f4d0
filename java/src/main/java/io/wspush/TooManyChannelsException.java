package io.wspush;

/** The channel doesn't exist yet, and there are as many as there may be ({@code channels_max}), each with subscribers. */
public final class TooManyChannelsException extends WsPushException {
    private static final long serialVersionUID = 1L;

    /**
     * Made by the server.
     *
     * @param message what happened
     */
    TooManyChannelsException(String message) {
        super(message);
    }
}
