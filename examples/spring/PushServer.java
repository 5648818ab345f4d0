import static java.nio.charset.StandardCharsets.UTF_8;

import io.wspush.MessageKind;
import io.wspush.WsPushListener;
import io.wspush.WsPushServer;
import io.wspush.WsPushServerBuilder;
import io.wspush.WsPushSession;
import java.io.IOException;
import java.util.List;
import org.springframework.context.SmartLifecycle;
import org.springframework.stereotype.Component;

/**
 * The push server as a bean: it begins and ends with the application, and every {@link PushEndpoint} among the beans is a
 * path of it. Behind a proxy it listens on the loopback address; {@code push.listen} says where.
 */
@Component
public class PushServer implements SmartLifecycle {
    private final WsPushServerBuilder settings;
    private WsPushServer server;

    public PushServer(List<PushEndpoint> endpoints) {
        settings = WsPushServer.builder().listen(System.getProperty("push.listen", "127.0.0.1:8080"));
        for (PushEndpoint endpoint : endpoints) {
            settings.endpoint(endpoint.route, new Listener(endpoint.handler));
        }
    }

    /** To push with: {@code broadcast}, {@code publish}, {@code user(name).send}, {@code sessions(path)}. */
    public WsPushServer server() {
        return server;
    }

    @Override
    public void start() {
        server = settings.start();
    }

    /** Everybody gets a close frame with 1001, and the native side lets go of this application's classes. */
    @Override
    public void stop() {
        server.close();
        server = null;
    }

    @Override
    public void stop(Runnable callback) {
        stop();
        callback.run();
    }

    @Override
    public boolean isRunning() {
        return server != null;
    }

    @Override
    public boolean isAutoStartup() {
        return true;
    }

    /** Begins behind all others and ends in front of them. */
    @Override
    public int getPhase() {
        return Integer.MAX_VALUE;
    }

    /** The five callbacks. */
    private static final class Listener implements WsPushListener {
        private static final int SERVER_ERROR = 1011;

        private final PushHandler handler;

        Listener(PushHandler handler) {
            this.handler = handler;
        }

        @Override
        public void onOpen(WsPushSession session) throws Exception {
            handler.afterConnectionEstablished(session);
        }

        @Override
        public void onText(WsPushSession session, String text) throws Exception {
            handler.handleMessage(session, new PushMessage(PushMessage.Kind.TEXT, text.getBytes(UTF_8), true));
        }

        @Override
        public void onBinary(WsPushSession session, byte[] data) throws Exception {
            handler.handleMessage(session, new PushMessage(PushMessage.Kind.BINARY, data, true));
        }

        @Override
        public void onPong(WsPushSession session, byte[] payload) throws Exception {
            handler.handleMessage(session, new PushMessage(PushMessage.Kind.PONG, payload, true));
        }

        @Override
        public void onFragment(WsPushSession session, boolean more, MessageKind kind, byte[] bytes) throws Exception {
            PushMessage.Kind of = kind == MessageKind.TEXT ? PushMessage.Kind.TEXT : PushMessage.Kind.BINARY;
            handler.handleMessage(session, new PushMessage(of, bytes, !more));
        }

        /** As Spring does it: the handler hears of it, and the session is closed. */
        @Override
        public void onError(WsPushSession session, Throwable problem) throws Exception {
            handler.handleTransportError(session, problem);
            session.close(SERVER_ERROR, "");
        }

        @Override
        public void onClose(WsPushSession session, int code, String reason) throws Exception {
            if (code == 1006) {
                handler.handleTransportError(session, new IOException("the connection ended without a close: " + reason));
            }
            handler.afterConnectionClosed(session, code, reason);
        }
    }
}
