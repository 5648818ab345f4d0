package io.wspush;

/** A setting that there isn't, that has a value which is not allowed, or that doesn't go with another. */
public final class ConfigException extends WsPushException {
    private static final long serialVersionUID = 1L;

    /**
     * Made by the server.
     *
     * @param message what happened
     */
    ConfigException(String message) {
        super(message);
    }
}
