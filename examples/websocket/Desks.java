import java.io.IOException;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import javax.websocket.CloseReason;
import javax.websocket.Endpoint;
import javax.websocket.EndpointConfig;
import javax.websocket.HandshakeResponse;
import javax.websocket.MessageHandler;
import javax.websocket.Session;
import javax.websocket.server.HandshakeRequest;
import javax.websocket.server.ServerApplicationConfig;
import javax.websocket.server.ServerEndpointConfig;

/**
 * Handlers that are mapped to addresses, without annotations: a desk for orders and one for support, behind a handshake that
 * asks for a name and keeps it as an attribute of the session.
 */
public class Desks implements ServerApplicationConfig {
    @Override
    public Set<ServerEndpointConfig> getEndpointConfigs(Set<Class<? extends Endpoint>> scanned) {
        return Set.of(desk("/desks/orders", "orders"), desk("/desks/support", "support"));
    }

    private static ServerEndpointConfig desk(String path, String name) {
        ServerEndpointConfig config =
                ServerEndpointConfig.Builder.create(Desk.class, path)
                        .configurator(new Reception())
                        .subprotocols(List.of("desk.v1"))
                        .build();
        config.getUserProperties().put("desk", name);
        return config;
    }

    @Override
    public Set<Class<?>> getAnnotatedEndpointClasses(Set<Class<?>> scanned) {
        return scanned;
    }

    /** Before the handshake: who is it? After it: a header more. */
    public static class Reception extends ServerEndpointConfig.Configurator {
        @Override
        public void modifyHandshake(ServerEndpointConfig config, HandshakeRequest request, HandshakeResponse response) {
            String name = request.getParameterMap().getOrDefault("name", List.of("somebody")).get(0);
            config.getUserProperties().put("name", name);
            response.getHeaders().put("X-Desk", List.of(String.valueOf(config.getUserProperties().get("desk"))));
        }
    }

    /** One connection at a desk. */
    public static class Desk extends Endpoint {
        @Override
        public void onOpen(Session session, EndpointConfig config) {
            session.addMessageHandler(new MessageHandler.Whole<String>() {
                @Override
                public void onMessage(String text) {
                    answer(session, text);
                }
            });
        }

        private static void answer(Session session, String text) {
            try {
                if (text.equals("who")) {
                    Set<String> names = new TreeSet<>();
                    for (Session other : session.getOpenSessions()) {
                        names.add(String.valueOf(other.getUserProperties().get("name")));
                    }
                    session.getBasicRemote().sendText(names.toString());
                    return;
                }
                session.getBasicRemote().sendText(
                        session.getUserProperties().get("desk") + " for " + session.getUserProperties().get("name") + ": " + text);
            } catch (IOException gone) {
                throw new IllegalStateException(gone);
            }
        }

        @Override
        public void onClose(Session session, CloseReason reason) {
            session.getUserProperties().remove("name");
        }

        @Override
        public void onError(Session session, Throwable problem) {
            session.getUserProperties().put("problem", String.valueOf(problem));
        }
    }
}
