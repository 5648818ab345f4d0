import io.wspush.WsPushSession;

/**
 * The five callbacks of Spring's WebSocketHandler, on a session of wspush. They run on threads where they may block, those of
 * a session one at a time.
 */
public interface PushHandler {
    default void afterConnectionEstablished(WsPushSession session) throws Exception {}

    void handleMessage(WsPushSession session, PushMessage message) throws Exception;

    /** A callback has thrown. The session goes on if this returns. */
    default void handleTransportError(WsPushSession session, Throwable problem) throws Throwable {
        throw problem;
    }

    default void afterConnectionClosed(WsPushSession session, int code, String reason) throws Exception {}

    /** Whether messages are wanted in pieces, as they come. */
    default boolean supportsPartialMessages() {
        return false;
    }
}
