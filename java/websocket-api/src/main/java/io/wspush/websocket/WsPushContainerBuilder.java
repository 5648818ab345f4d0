package io.wspush.websocket;

import io.wspush.Pieces;
import io.wspush.WsPushRoute;
import io.wspush.WsPushServer;
import io.wspush.WsPushServerBuilder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import javax.websocket.DeploymentException;
import javax.websocket.Endpoint;
import javax.websocket.server.ServerApplicationConfig;
import javax.websocket.server.ServerEndpoint;
import javax.websocket.server.ServerEndpointConfig;

/** Settings and endpoints of a container to be. */
public final class WsPushContainerBuilder {
    /** As many threads as Tomcat has. */
    private static final int THREADS_DEFAULT = 200;

    private static final int THREADS_MOST = 10_000;
    /** A sender waits for its client, so more may be under way than for a server's own messages. */
    private static final long OUTBOX_BYTES = 1 << 20;

    private static final int EVENTS_PER_SESSION = 16;
    private static final int EVENTS_IN_ALL = 65_536;

    private final WsPushServerBuilder server = WsPushServer.builder().set("outbox_bytes_max", OUTBOX_BYTES);
    private final Set<Class<?>> classes = new LinkedHashSet<>();
    private final List<ServerEndpointConfig> configs = new ArrayList<>();
    private int threads = THREADS_DEFAULT;

    WsPushContainerBuilder() {}

    /**
     * Where clients connect: {@code 127.0.0.1:8080} unless it is set.
     *
     * @param addresses IP addresses with ports; {@code tls://} before one is wss
     * @return this
     */
    public WsPushContainerBuilder listen(String... addresses) {
        server.listen(addresses);
        return this;
    }

    /**
     * Any setting of the server.
     *
     * @param name its name in the configuration file, {@code heartbeat_ms} for instance
     * @param value its value; a list's entries are separated by commas
     * @return this
     */
    public WsPushContainerBuilder set(String name, String value) {
        server.set(name, value);
        return this;
    }

    /**
     * Most threads for callbacks, 200 unless it is set. There are few as long as callbacks don't block.
     *
     * @param most how many, 1 to 10,000
     * @return this
     */
    public WsPushContainerBuilder threads(int most) {
        if (most < 1 || most > THREADS_MOST) {
            throw new IllegalArgumentException("threads are from 1 to " + THREADS_MOST + ", not " + most);
        }
        threads = most;
        return this;
    }

    /**
     * Endpoints.
     *
     * @param types classes with {@link ServerEndpoint}; {@link ServerApplicationConfig}s, which choose among those and make
     *     configurations for {@link Endpoint}s that are given here as well
     * @return this
     */
    public WsPushContainerBuilder endpoints(Class<?>... types) {
        for (Class<?> type : types) {
            classes.add(Objects.requireNonNull(type));
        }
        return this;
    }

    /**
     * A programmatic endpoint, or an annotated one with another configuration.
     *
     * @param config its class, its path and the rest
     * @return this
     */
    public WsPushContainerBuilder endpoint(ServerEndpointConfig config) {
        configs.add(Objects.requireNonNull(config));
        return this;
    }

    /**
     * Starts; when this returns, clients can connect.
     *
     * @return the container
     * @throws DeploymentException if an endpoint isn't one: what is wrong, and where
     * @throws io.wspush.WsPushException if a setting is wrong, or an address can't be listened on
     */
    public WsPushContainer start() throws DeploymentException {
        List<Deployment> deployments = deployments();
        Workers workers = new Workers(threads);
        WsPushContainer container = new WsPushContainer(deployments, workers);
        boolean isAlone = deployments.size() == 1;
        server.builtinPaths(false);
        for (int i = 0; i < deployments.size(); i++) {
            Deployment deployment = deployments.get(i);
            deployment.belongTo(container, isAlone ? WsPushServer.DEFAULT_CHANNEL : "endpoint." + i);
            WsPushRoute route = WsPushRoute.at(deployment.template().path())
                    .pieces(Pieces.UNBOUNDED)
                    .broadcast(isAlone)
                    .executor(workers, EVENTS_PER_SESSION, EVENTS_IN_ALL);
            server.endpoint(deployment.checksOrigin() ? route.origins("*") : route, new RouteListener(deployment));
        }
        boolean started = false;
        try {
            container.runOn(server.start());
            started = true;
        } finally {
            if (!started) {
                workers.close();
            }
        }
        return container;
    }

    private List<Deployment> deployments() throws DeploymentException {
        List<Deployment> all = new ArrayList<>();
        for (ServerEndpointConfig config : configs) {
            all.add(Deployment.of(config));
        }
        Set<Class<?>> annotated = new LinkedHashSet<>();
        Set<Class<? extends Endpoint>> programmatic = new HashSet<>();
        List<ServerApplicationConfig> choosers = new ArrayList<>();
        for (Class<?> type : classes) {
            if (ServerApplicationConfig.class.isAssignableFrom(type)) {
                choosers.add(made(type.asSubclass(ServerApplicationConfig.class)));
            } else if (type.isAnnotationPresent(ServerEndpoint.class) || !Endpoint.class.isAssignableFrom(type)) {
                annotated.add(type);
            } else {
                programmatic.add(type.asSubclass(Endpoint.class));
            }
        }
        for (ServerApplicationConfig chooser : choosers) {
            for (ServerEndpointConfig config : chooser.getEndpointConfigs(programmatic)) {
                all.add(Deployment.of(config));
            }
        }
        for (Class<?> type : chosen(annotated, choosers)) {
            all.add(Deployment.of(type));
        }
        if (choosers.isEmpty()) {
            for (Class<?> type : programmatic) {
                all.add(Deployment.of(type));
            }
        }
        checkPaths(all);
        return all;
    }

    private static Set<Class<?>> chosen(Set<Class<?>> annotated, List<ServerApplicationConfig> choosers) {
        if (choosers.isEmpty()) {
            return annotated;
        }
        Set<Class<?>> chosen = new LinkedHashSet<>();
        choosers.forEach(chooser -> chosen.addAll(chooser.getAnnotatedEndpointClasses(annotated)));
        return chosen;
    }

    private static ServerApplicationConfig made(Class<? extends ServerApplicationConfig> type) throws DeploymentException {
        try {
            return new DefaultConfigurator().getEndpointInstance(type);
        } catch (InstantiationException problem) {
            throw new DeploymentException(problem.getMessage(), problem);
        }
    }

    private static void checkPaths(List<Deployment> all) throws DeploymentException {
        if (all.isEmpty()) {
            throw new DeploymentException("no endpoint is given: name classes with @ServerEndpoint");
        }
        Map<String, Deployment> shapes = new HashMap<>();
        for (Deployment deployment : all) {
            Deployment other = shapes.put(deployment.template().shape(), deployment);
            if (other != null) {
                throw new DeploymentException(other + " and " + deployment + " are for the same paths");
            }
        }
    }
}
