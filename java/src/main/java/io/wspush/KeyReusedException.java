package io.wspush;

/**
 * The idempotency key stands for another publication: another message, other channels or other terms. Nothing was
 * published.
 */
public final class KeyReusedException extends WsPushException {
    private static final long serialVersionUID = 1L;

    /**
     * Made by the server.
     *
     * @param message what happened
     */
    KeyReusedException(String message) {
        super(message);
    }
}
