package io.wspush.websocket;

import io.wspush.WsPushServer;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import javax.websocket.ClientEndpointConfig;
import javax.websocket.DeploymentException;
import javax.websocket.Endpoint;
import javax.websocket.Extension;
import javax.websocket.Session;
import javax.websocket.server.ServerContainer;
import javax.websocket.server.ServerEndpointConfig;

/**
 * A server for endpoints of the Java API for WebSocket: {@code @ServerEndpoint} classes, and {@link Endpoint}s with a
 * {@link ServerEndpointConfig}.
 *
 * <pre>
 * WsPushContainer.serve("127.0.0.1:8080", Chat.class, Echo.class);
 * </pre>
 *
 * <p>Callbacks run on threads of the container's, for each session one at a time, and may block.
 */
public final class WsPushContainer implements ServerContainer, AutoCloseable {
    /** Characters and bytes of a message unless the endpoint says more, as Tomcat has it. */
    static final int MESSAGE_SIZE_DEFAULT = 8192;

    private static final long IDLE_LOOK_MS = 250;

    private final List<Deployment> deployments;
    private final Workers workers;
    private final AtomicBoolean watchesIdle = new AtomicBoolean();
    private WsPushServer server;
    private volatile long asyncSendTimeout = -1;
    private volatile long idleTimeout;
    private volatile int binarySize = MESSAGE_SIZE_DEFAULT;
    private volatile int textSize = MESSAGE_SIZE_DEFAULT;

    WsPushContainer(List<Deployment> deployments, Workers workers) {
        this.deployments = deployments;
        this.workers = workers;
    }

    /** Once. */
    void runOn(WsPushServer server) {
        this.server = server;
    }

    /**
     * Serves endpoints with the default settings; when this returns, clients can connect.
     *
     * @param listen an IP address with its port; port 0 is any free one, see {@link #port()}
     * @param endpoints classes with {@code @ServerEndpoint}, or {@link javax.websocket.server.ServerApplicationConfig}s
     * @return the container
     * @throws DeploymentException if an endpoint isn't one: what is wrong, and where
     */
    public static WsPushContainer serve(String listen, Class<?>... endpoints) throws DeploymentException {
        return builder().listen(listen).endpoints(endpoints).start();
    }

    /**
     * A container with settings.
     *
     * @return a builder
     */
    public static WsPushContainerBuilder builder() {
        return new WsPushContainerBuilder();
    }

    /**
     * The server inside, for what the API has no words for.
     *
     * @return the server
     */
    public WsPushServer server() {
        if (server == null) {
            throw new IllegalStateException("this container serves nothing; WsPushContainer.serve(..) makes one that does");
        }
        return server;
    }

    /**
     * The port of the first listener.
     *
     * @return the port
     */
    public int port() {
        return server().port();
    }

    /**
     * Where it listens.
     *
     * @return the addresses
     */
    public List<InetSocketAddress> addresses() {
        return server().addresses();
    }

    List<Deployment> deployments() {
        return deployments;
    }

    Workers workers() {
        return workers;
    }

    ScheduledExecutorService timer() {
        return workers.timer();
    }

    /**
     * Says goodbye to every client (1001), waits for the end, and for the callbacks that belong to it.
     *
     * @throws IllegalStateException in a callback, for which the end would wait
     */
    @Override
    public void close() {
        if (Workers.isCallback()) {
            throw new IllegalStateException("close() in a callback would wait for itself; use server().drain()");
        }
        if (server != null) {
            server.close();
        }
        workers.close();
    }

    /** From the first session on that has an idle time-out, somebody looks. */
    void watchIdleSessions(long timeoutMs) {
        if (timeoutMs > 0 && watchesIdle.compareAndSet(false, true)) {
            timer().scheduleWithFixedDelay(this::closeIdle, IDLE_LOOK_MS, IDLE_LOOK_MS, TimeUnit.MILLISECONDS);
        }
    }

    private void closeIdle() {
        long now = System.nanoTime();
        for (Deployment deployment : deployments) {
            for (Session session : deployment.members().all()) {
                // It calls the endpoint, which may block.
                if (((PushSession) session).isIdle(now)) {
                    workers.execute(((PushSession) session)::closeIdle);
                }
            }
        }
    }

    /**
     * Endpoints are there when the container starts, and none is added later.
     *
     * @throws DeploymentException always; {@link #serve} and {@link #builder} take endpoints
     */
    @Override
    public void addEndpoint(Class<?> endpoint) throws DeploymentException {
        throw started(endpoint);
    }

    /**
     * Endpoints are there when the container starts, and none is added later.
     *
     * @throws DeploymentException always; {@link #builder} takes endpoints
     */
    @Override
    public void addEndpoint(ServerEndpointConfig config) throws DeploymentException {
        throw started(config.getEndpointClass());
    }

    private static DeploymentException started(Class<?> endpoint) {
        return new DeploymentException(
                endpoint.getName() + " comes too late: endpoints are given before the start, to WsPushContainer.serve(..) or "
                        + "WsPushContainer.builder().endpoint(..)");
    }

    /**
     * There is no servlet container whose requests could be upgraded.
     *
     * @param request a servlet request
     * @param response its response
     * @param config an endpoint
     * @param pathParameters its path parameters
     */
    public void upgradeHttpToWebSocket(
            Object request, Object response, ServerEndpointConfig config, Map<String, String> pathParameters) {
        throw new UnsupportedOperationException(
                "there is no servlet request to upgrade: deploy the endpoint at its own path, which is what clients ask for");
    }

    private static UnsupportedOperationException client() {
        return new UnsupportedOperationException(
                "wspush is a server and connects nowhere: java.net.http.HttpClient.newWebSocketBuilder() is the JDK's client");
    }

    @Override
    public Session connectToServer(Object endpoint, URI path) {
        throw client();
    }

    @Override
    public Session connectToServer(Class<?> endpoint, URI path) {
        throw client();
    }

    @Override
    public Session connectToServer(Endpoint endpoint, ClientEndpointConfig config, URI path) {
        throw client();
    }

    @Override
    public Session connectToServer(Class<? extends Endpoint> endpoint, ClientEndpointConfig config, URI path) {
        throw client();
    }

    @Override
    public long getDefaultAsyncSendTimeout() {
        return asyncSendTimeout;
    }

    @Override
    public void setAsyncSendTimeout(long timeoutMs) {
        asyncSendTimeout = timeoutMs;
    }

    @Override
    public long getDefaultMaxSessionIdleTimeout() {
        return idleTimeout;
    }

    @Override
    public void setDefaultMaxSessionIdleTimeout(long timeoutMs) {
        idleTimeout = timeoutMs;
        watchIdleSessions(timeoutMs);
    }

    @Override
    public int getDefaultMaxBinaryMessageBufferSize() {
        return binarySize;
    }

    @Override
    public void setDefaultMaxBinaryMessageBufferSize(int bytes) {
        binarySize = bytes;
    }

    @Override
    public int getDefaultMaxTextMessageBufferSize() {
        return textSize;
    }

    @Override
    public void setDefaultMaxTextMessageBufferSize(int characters) {
        textSize = characters;
    }

    @Override
    public Set<Extension> getInstalledExtensions() {
        return Set.copyOf(Handshake.Deflate.INSTALLED);
    }

    @Override
    public String toString() {
        return server + " with " + deployments;
    }
}
