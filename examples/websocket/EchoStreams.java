import java.io.IOException;
import java.io.OutputStream;
import java.io.Writer;
import java.nio.ByteBuffer;
import javax.websocket.OnMessage;
import javax.websocket.Session;
import javax.websocket.server.ServerEndpoint;

/** Echo as a stream: each part goes back as it comes, so a message may be longer than any memory. */
@ServerEndpoint("/echo/streams")
public class EchoStreams {
    private Writer writer;
    private OutputStream stream;

    @OnMessage
    public void text(Session session, String part, boolean last) throws IOException {
        if (writer == null) {
            writer = session.getBasicRemote().getSendWriter();
        }
        writer.write(part);
        if (last) {
            writer.close();
            writer = null;
        }
    }

    @OnMessage
    public void binary(Session session, ByteBuffer part, boolean last) throws IOException {
        if (stream == null) {
            stream = session.getBasicRemote().getSendStream();
        }
        byte[] bytes = new byte[part.remaining()];
        part.get(bytes);
        stream.write(bytes);
        if (last) {
            stream.close();
            stream = null;
        }
    }
}
