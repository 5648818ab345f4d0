import java.nio.ByteBuffer;
import javax.websocket.OnMessage;
import javax.websocket.server.ServerEndpoint;

/** Echo, message by message: what comes whole goes back whole. Longer texts than 2 MiB are refused with 1009. */
@ServerEndpoint("/echo/messages")
public class EchoMessages {
    private static final int MOST = 2 * 1024 * 1024;

    @OnMessage(maxMessageSize = MOST)
    public String text(String message) {
        return message;
    }

    @OnMessage(maxMessageSize = MOST)
    public ByteBuffer binary(ByteBuffer message) {
        return message;
    }
}
