import io.wspush.WsPushInterceptor;
import io.wspush.WsPushRoute;

/** A handler at a path, as a bean: what {@code WebSocketHandlerRegistry.addHandler} is in Spring. */
public final class PushEndpoint {
    final WsPushRoute route;
    final PushHandler handler;

    /** With what else a {@link WsPushRoute} has: origins, limits, a pool of threads. */
    public PushEndpoint(WsPushRoute route, PushHandler handler) {
        this.route = handler.supportsPartialMessages() ? route.fragments() : route;
        this.handler = handler;
    }

    public PushEndpoint(String path, PushHandler handler) {
        this(WsPushRoute.at(path), handler);
    }

    /** Looks at handshakes first, and may give the session attributes. */
    public PushEndpoint addInterceptor(WsPushInterceptor interceptor) {
        return new PushEndpoint(route.interceptor(interceptor), handler);
    }
}
