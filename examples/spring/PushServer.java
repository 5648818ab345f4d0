import static java.nio.charset.StandardCharsets.UTF_8;

import io.wspush.MessageKind;
import io.wspush.Pieces;
import io.wspush.WsPushInterceptor;
import io.wspush.WsPushListener;
import io.wspush.WsPushRoute;
import io.wspush.WsPushServer;
import io.wspush.WsPushServerBuilder;
import io.wspush.WsPushSession;
import org.springframework.context.SmartLifecycle;

/**
 * wspush as a bean. It starts when the context has all its beans, and stops before any of them goes: every client gets a close
 * frame, and the handlers hear of it.
 */
public class PushServer implements SmartLifecycle {
    /** Callbacks that run at once at the most. */
    private static final int THREADS = 50;

    /** Not on every interface, and not on a servlet container's port: a proxy forwards /push/ to it. */
    private final WsPushServerBuilder builder =
            WsPushServer.builder().listen("127.0.0.1:8081").builtinPaths(false);

    private volatile WsPushServer server;

    /** Where it listens, in place of 127.0.0.1:8081. */
    public PushServer listen(String... addresses) {
        builder.listen(addresses);
        return this;
    }

    /** Any setting of the server. */
    public PushServer set(String name, String value) {
        builder.set(name, value);
        return this;
    }

    /** Maps a handler to a path, as WebSocketHandlerRegistry.addHandler does. */
    public PushServer map(String path, PushHandler handler, WsPushInterceptor... interceptors) {
        WsPushRoute route = WsPushRoute.at(path).blocking(THREADS);
        if (handler.supportsPartialMessages()) {
            route = route.pieces(Pieces.BOUNDED);
        }
        for (WsPushInterceptor interceptor : interceptors) {
            route = route.interceptor(interceptor);
        }
        builder.endpoint(route, new Mapped(handler));
        return this;
    }

    /** The server, for what is pushed; it is there while the context runs. */
    public WsPushServer server() {
        return server;
    }

    @Override
    public void start() {
        server = builder.start();
    }

    @Override
    public void stop() {
        server.close();
    }

    @Override
    public void stop(Runnable then) {
        stop();
        then.run();
    }

    @Override
    public boolean isRunning() {
        return server != null && server.isRunning();
    }

    @Override
    public boolean isAutoStartup() {
        return true;
    }

    /** The last to start, and the first to stop. */
    @Override
    public int getPhase() {
        return Integer.MAX_VALUE;
    }

    private static final class Mapped implements WsPushListener {
        private final PushHandler handler;

        Mapped(PushHandler handler) {
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
        public void onFragment(WsPushSession session, boolean more, MessageKind kind, byte[] data) throws Exception {
            boolean isText = kind == MessageKind.TEXT;
            PushMessage.Kind of = isText ? PushMessage.Kind.TEXT : PushMessage.Kind.BINARY;
            handler.handleMessage(session, new PushMessage(of, data, !more));
        }

        @Override
        public void onPong(WsPushSession session, byte[] payload) throws Exception {
            handler.handleMessage(session, new PushMessage(PushMessage.Kind.PONG, payload, true));
        }

        @Override
        public void onError(WsPushSession session, Throwable problem) throws Throwable {
            handler.handleTransportError(session, problem);
        }

        @Override
        public void onClose(WsPushSession session, int code, String reason) throws Exception {
            handler.afterConnectionClosed(session, code, reason);
        }
    }
}
