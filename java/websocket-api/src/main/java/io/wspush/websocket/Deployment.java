package io.wspush.websocket;

import io.wspush.Decision;
import javax.websocket.DeploymentException;
import javax.websocket.Endpoint;
import javax.websocket.Extension;
import javax.websocket.server.ServerEndpoint;
import javax.websocket.server.ServerEndpointConfig;

/** An endpoint at its path. */
final class Deployment {
    private final ServerEndpointConfig config;
    private final UriTemplate template;
    private final Coders coders;
    private final Events events;
    private final Members members = new Members();
    private final boolean checksOrigin;
    private WsPushContainer container;
    private String channel;

    private Deployment(ServerEndpointConfig config, UriTemplate template, Coders coders, Events events) {
        this.config = config;
        this.template = template;
        this.coders = coders;
        this.events = events;
        this.checksOrigin = overridesCheckOrigin(config.getConfigurator().getClass());
    }

    /** A class with {@code @ServerEndpoint}. */
    static Deployment of(Class<?> type) throws DeploymentException {
        ServerEndpoint annotation = type.getAnnotation(ServerEndpoint.class);
        if (annotation == null) {
            throw new DeploymentException(
                    type.getName() + " has no @ServerEndpoint"
                            + (Endpoint.class.isAssignableFrom(type)
                                    ? "; an Endpoint needs a ServerEndpointConfig, or a ServerApplicationConfig that makes one"
                                    : ""));
        }
        // The API's own builder would say no more than that the path is wrong.
        UriTemplate.parse(annotation.value(), type.getName());
        ServerEndpointConfig.Builder builder =
                ServerEndpointConfig.Builder.create(type, annotation.value())
                        .decoders(java.util.Arrays.asList(annotation.decoders()))
                        .encoders(java.util.Arrays.asList(annotation.encoders()))
                        .subprotocols(java.util.Arrays.asList(annotation.subprotocols()));
        if (annotation.configurator() != ServerEndpointConfig.Configurator.class) {
            builder.configurator(configurator(type, annotation.configurator()));
        } else {
            builder.configurator(new DefaultConfigurator());
        }
        return of(builder.build());
    }

    private static ServerEndpointConfig.Configurator configurator(
            Class<?> type, Class<? extends ServerEndpointConfig.Configurator> configurator) throws DeploymentException {
        try {
            return new DefaultConfigurator().getEndpointInstance(configurator);
        } catch (InstantiationException problem) {
            throw new DeploymentException(type.getName() + ": its configurator: " + problem.getMessage(), problem);
        }
    }

    static Deployment of(ServerEndpointConfig config) throws DeploymentException {
        Class<?> type = config.getEndpointClass();
        String where = type.getName();
        UriTemplate template = UriTemplate.parse(config.getPath(), where);
        for (Extension extension : config.getExtensions()) {
            if (!extension.getName().equals(Handshake.Deflate.NAME)) {
                throw new DeploymentException(
                        where + ": there is no extension " + extension.getName() + ", only " + Handshake.Deflate.NAME
                                + ", which the server's setting deflate switches on and off");
            }
        }
        Coders coders = new Coders(config, where);
        Events events =
                Endpoint.class.isAssignableFrom(type)
                        ? new Events.Programmatic()
                        : new AnnotatedEndpoint(type, template, coders);
        return new Deployment(config, template, coders, events);
    }

    private static boolean overridesCheckOrigin(Class<?> configurator) {
        try {
            Class<?> owner = configurator.getMethod("checkOrigin", String.class).getDeclaringClass();
            return owner != ServerEndpointConfig.Configurator.class && owner != DefaultConfigurator.class;
        } catch (NoSuchMethodException impossible) {
            throw new AssertionError(impossible);
        }
    }

    /** Once, before the container starts. {@code channel} is what its sessions receive broadcasts from. */
    void belongTo(WsPushContainer container, String channel) {
        this.container = container;
        this.channel = channel;
    }

    ServerEndpointConfig config() {
        return config;
    }

    UriTemplate template() {
        return template;
    }

    Coders coders() {
        return coders;
    }

    boolean hasCoders() {
        return !coders.isEmpty();
    }

    Events events() {
        return events;
    }

    Members members() {
        return members;
    }

    /** Whether the configurator decides about pages, and not the server's setting. */
    boolean checksOrigin() {
        return checksOrigin;
    }

    WsPushContainer container() {
        return container;
    }

    String channel() {
        return channel;
    }

    /** A client may come in, and receives the endpoint's broadcasts. */
    Decision accepted() {
        boolean isDefault = channel.equals(io.wspush.WsPushServer.DEFAULT_CHANNEL);
        return isDefault ? Decision.accept() : Decision.accept().broadcast(false).channels(channel);
    }

    @Override
    public String toString() {
        return config.getEndpointClass().getName() + " at " + template.path();
    }
}
