import io.wspush.WsPushSession;

/** A handler of WebSockets in the manner of Spring's: the same five callbacks, on sessions of wspush. */
public interface PushHandler {
    /** A client is connected. */
    default void afterConnectionEstablished(WsPushSession session) throws Exception {}

    /** A client has sent a message, or a piece of one if {@link #supportsPartialMessages}. */
    void handleMessage(WsPushSession session, PushMessage message) throws Exception;

    /** A callback has thrown, or the connection ended without a proper close; {@link #afterConnectionClosed} follows. */
    default void handleTransportError(WsPushSession session, Throwable problem) throws Exception {}

    /** A connection is gone. */
    default void afterConnectionClosed(WsPushSession session, int code, String reason) throws Exception {}

    /** Whether messages come in pieces as they arrive, so that none is held whole. */
    default boolean supportsPartialMessages() {
        return false;
    }
}
