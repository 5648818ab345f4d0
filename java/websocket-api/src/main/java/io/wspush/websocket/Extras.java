package io.wspush.websocket;

import java.util.Map;

/** What a session has only if somebody sets it. */
final class Extras {
    Map<String, Object> userProperties;
    long sendTimeout;
    long idleTimeoutMs;
    int textSizeMax;
    int binarySizeMax;
    boolean batching;

    Extras(WsPushContainer container) {
        sendTimeout = container.getDefaultAsyncSendTimeout();
        idleTimeoutMs = container.getDefaultMaxSessionIdleTimeout();
        textSizeMax = container.getDefaultMaxTextMessageBufferSize();
        binarySizeMax = container.getDefaultMaxBinaryMessageBufferSize();
    }
}
