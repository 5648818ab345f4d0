package io.wspush.websocket;

import io.wspush.ConnectRequest;
import io.wspush.Decision;
import java.net.URI;
import java.security.Principal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicBoolean;
import javax.websocket.Extension;
import javax.websocket.HandshakeResponse;
import javax.websocket.server.HandshakeRequest;
import javax.websocket.server.ServerEndpointConfig;

/** A client's handshake, as an endpoint's configurator sees it and answers. */
final class Handshake implements HandshakeRequest {
    private static final ThreadLocal<Handshake> CURRENT = new ThreadLocal<>();

    private static final AtomicBoolean HTTP_SESSION_ASKED = new AtomicBoolean();
    private static volatile String latestHost;

    private final ConnectRequest request;

    Handshake(ConnectRequest request) {
        this.request = request;
    }

    /** The one that this thread asks a configurator about; null: none. */
    static Handshake current() {
        return CURRENT.get();
    }

    /** What is made of it. */
    static final class Answer {
        final Decision decision;
        /** Null: refused. */
        final Opening opening;

        final Map<String, Object> properties;

        Answer(Decision decision, Opening opening, Map<String, Object> properties) {
            this.decision = decision;
            this.opening = opening;
            this.properties = properties;
        }
    }

    /** Asks the configurator. */
    Answer ask(Deployment deployment) {
        ServerEndpointConfig config = deployment.config();
        ServerEndpointConfig.Configurator configurator = config.getConfigurator();
        CURRENT.set(this);
        try {
            if (deployment.checksOrigin() && !configurator.checkOrigin(header("Origin"))) {
                return new Answer(Decision.refuse(403, "pages of this origin may not connect"), null, Map.of());
            }
            String subprotocol = configurator.getNegotiatedSubprotocol(config.getSubprotocols(), request.subprotocols());
            List<Extension> extensions = configurator.getNegotiatedExtensions(Deflate.INSTALLED, Deflate.requested(request));
            Decision decision = deployment.accepted().user(request.user());
            boolean none = subprotocol == null || subprotocol.isEmpty();
            decision = none ? decision.noSubprotocol() : decision.subprotocol(subprotocol);
            Response response = new Response();
            Map<String, Object> properties;
            // What a configurator puts into the endpoint's properties is meant for this connection.
            synchronized (config) {
                configurator.modifyHandshake(config, this, response);
                properties = Map.copyOf(config.getUserProperties());
            }
            for (Map.Entry<String, List<String>> field : response.fields.entrySet()) {
                for (String value : field.getValue()) {
                    decision = decision.header(field.getKey(), value);
                }
            }
            Opening.Agreed agreed = new Opening.Agreed(request.user(), none ? "" : subprotocol, extensions);
            return new Answer(decision, opening(agreed), properties);
        } finally {
            CURRENT.remove();
        }
    }

    private Opening opening(Opening.Agreed agreed) {
        // A copy is smaller, and the smallest that there is where it is empty.
        Map<String, String> pathParameters = Map.copyOf(request.pathParameters());
        return new Opening(
                new Opening.Target(request.target(), sharedHost(), request.isSecure(), pathParameters), agreed);
    }

    /** The same object for all clients in a row that ask for the same host. */
    private String sharedHost() {
        String host = header("Host");
        String known = latestHost;
        if (host == null || !host.equals(known)) {
            latestHost = host;
            return host;
        }
        return known;
    }

    String header(String name) {
        return request.header(name);
    }

    @Override
    public Map<String, List<String>> getHeaders() {
        return request.headers();
    }

    @Override
    public Principal getUserPrincipal() {
        return Opening.principal(request.user());
    }

    @Override
    public URI getRequestURI() {
        return Opening.uri(request.target(), header("Host"), request.isSecure());
    }

    /** There are no roles: a token's claims are in {@link ConnectRequest#claims()}. */
    @Override
    public boolean isUserInRole(String role) {
        return false;
    }

    /** There is no servlet container, and so no HTTP session; its cookie is in {@link #getHeaders}. */
    @Override
    public Object getHttpSession() {
        if (HTTP_SESSION_ASKED.compareAndSet(false, true)) {
            Log.warn("HandshakeRequest.getHttpSession() is null for everybody: there is no servlet container. "
                    + "The session's cookie is in getHeaders().get(\"cookie\")");
        }
        return null;
    }

    @Override
    public Map<String, List<String>> getParameterMap() {
        return Opening.parameters(getQueryString(), request.pathParameters());
    }

    @Override
    public String getQueryString() {
        return request.query().isEmpty() ? null : request.query();
    }


    private static final class Response implements HandshakeResponse {
        private final Map<String, List<String>> fields = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);

        @Override
        public Map<String, List<String>> getHeaders() {
            return fields;
        }
    }

    /** The one extension that the server has (RFC 7692). */
    static final class Deflate implements Extension {
        static final String NAME = "permessage-deflate";
        static final List<Extension> INSTALLED = List.of(new Deflate());

        static List<Extension> requested(ConnectRequest request) {
            List<Extension> all = new ArrayList<>();
            for (String value : request.headers("Sec-WebSocket-Extensions")) {
                boolean asked = Arrays.stream(value.split(",")).anyMatch(one -> one.trim().split("[; ]")[0].equals(NAME));
                if (asked) {
                    all.addAll(INSTALLED);
                }
            }
            return all;
        }

        @Override
        public String getName() {
            return NAME;
        }

        @Override
        public List<Parameter> getParameters() {
            return List.of();
        }
    }
}
