import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import javax.websocket.Endpoint;
import javax.websocket.Extension;
import javax.websocket.HandshakeResponse;
import javax.websocket.OnMessage;
import javax.websocket.Session;
import javax.websocket.server.HandshakeRequest;
import javax.websocket.server.ServerApplicationConfig;
import javax.websocket.server.ServerEndpoint;
import javax.websocket.server.ServerEndpointConfig;

/** Makes configurations for the programmatic endpoints, and takes the annotated ones as they are. */
public class Applied implements ServerApplicationConfig {
    @Override
    public Set<ServerEndpointConfig> getEndpointConfigs(Set<Class<? extends Endpoint>> endpoints) {
        ServerEndpointConfig config =
                ServerEndpointConfig.Builder.create(Parts.Programmatic.class, "/programmatic/{name}").build();
        config.getUserProperties().put("greeting", "hello");
        return new LinkedHashSet<>(List.of(config));
    }

    @Override
    public Set<Class<?>> getAnnotatedEndpointClasses(Set<Class<?>> scanned) {
        return scanned;
    }

    /** Asks who comes, and adds to the answer. */
    public static class Doorman extends ServerEndpointConfig.Configurator {
        @Override
        public boolean checkOrigin(String origin) {
            return !"http://stranger.example".equals(origin);
        }

        @Override
        public String getNegotiatedSubprotocol(List<String> supported, List<String> requested) {
            return requested.contains("v2.example") ? "v2.example" : "";
        }

        @Override
        public List<Extension> getNegotiatedExtensions(List<Extension> installed, List<Extension> requested) {
            return List.of();
        }

        @Override
        public void modifyHandshake(ServerEndpointConfig config, HandshakeRequest request, HandshakeResponse response) {
            List<String> names = request.getParameterMap().getOrDefault("as", List.of("nobody"));
            config.getUserProperties().put("as", names.get(0));
            config.getUserProperties().put("agent", request.getHeaders().get("x-agent") + " " + request.getQueryString()
                    + " " + request.getRequestURI().getPath() + " " + request.getUserPrincipal());
            response.getHeaders().put("X-Greeting", List.of("hello " + names.get(0)));
        }

        @Override
        public <T> T getEndpointInstance(Class<T> type) throws InstantiationException {
            return type.cast(new Guarded("made by the doorman"));
        }
    }

    /** Has no constructor that a container could call. */
    @ServerEndpoint(value = "/guarded", configurator = Doorman.class, subprotocols = "v1.example")
    public static class Guarded {
        private final String how;

        Guarded(String how) {
            this.how = how;
        }

        @OnMessage
        public String text(String text, Session session) {
            return how + ", " + session.getUserProperties().get("as") + ", " + session.getUserProperties().get("agent")
                    + ", " + session.getNegotiatedSubprotocol() + ", " + session.getNegotiatedExtensions().size();
        }
    }
}
