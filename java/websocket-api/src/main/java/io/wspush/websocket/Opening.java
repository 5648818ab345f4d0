package io.wspush.websocket;

import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.security.Principal;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.websocket.Extension;

/** What a connection's handshake has settled. It doesn't change; maps are made when somebody asks for them. */
final class Opening {
    private final String target;
    private final String host;
    private final boolean secure;
    private final String user;
    private final Map<String, String> pathParameters;
    final String subprotocol;
    final List<Extension> extensions;

    Opening(Target target, Agreed agreed) {
        this.target = target.target;
        this.host = target.host;
        this.secure = target.secure;
        this.user = agreed.user;
        this.pathParameters = target.pathParameters;
        this.subprotocol = agreed.subprotocol;
        this.extensions = agreed.extensions;
    }

    /** What was asked for. */
    static final class Target {
        final String target;
        final String host;
        final boolean secure;
        final Map<String, String> pathParameters;

        Target(String target, String host, boolean secure, Map<String, String> pathParameters) {
            this.target = target;
            this.host = host;
            this.secure = secure;
            this.pathParameters = pathParameters;
        }
    }

    /** What was answered. */
    static final class Agreed {
        final String user;
        final String subprotocol;
        final List<Extension> extensions;

        Agreed(String user, String subprotocol, List<Extension> extensions) {
            this.user = user;
            this.subprotocol = subprotocol;
            this.extensions = extensions;
        }
    }

    boolean isSecure() {
        return secure;
    }

    Map<String, String> pathParameters() {
        return pathParameters;
    }

    URI uri() {
        return uri(target, host, secure);
    }

    static URI uri(String target, String host, boolean secure) {
        return URI.create((secure ? "wss://" : "ws://") + host + target);
    }

    String query() {
        int mark = target.indexOf('?');
        return mark < 0 ? null : target.substring(mark + 1);
    }

    Map<String, List<String>> parameters() {
        return parameters(query(), pathParameters);
    }

    /** The parameters of the query and of the path, as the specification has them in one map. */
    static Map<String, List<String>> parameters(String query, Map<String, String> pathParameters) {
        Map<String, List<String>> all = new LinkedHashMap<>();
        for (String pair : query == null ? new String[0] : query.split("&")) {
            if (!pair.isEmpty()) {
                int equals = pair.indexOf('=');
                String name = decoded(equals < 0 ? pair : pair.substring(0, equals));
                String value = equals < 0 ? "" : decoded(pair.substring(equals + 1));
                all.computeIfAbsent(name, any -> new ArrayList<>()).add(value);
            }
        }
        pathParameters.forEach((name, value) -> all.computeIfAbsent(name, any -> new ArrayList<>()).add(value));
        all.replaceAll((name, values) -> Collections.unmodifiableList(values));
        return Collections.unmodifiableMap(all);
    }

    private static String decoded(String part) {
        try {
            return URLDecoder.decode(part, StandardCharsets.UTF_8);
        } catch (IllegalArgumentException malformed) {
            return part;
        }
    }

    Principal principal() {
        return principal(user);
    }

    /** Null: nobody is known. */
    static Principal principal(String user) {
        return user == null ? null : new Named(user);
    }

    private static final class Named implements Principal {
        private final String name;

        Named(String name) {
            this.name = name;
        }

        @Override
        public String getName() {
            return name;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Named && ((Named) other).name.equals(name);
        }

        @Override
        public int hashCode() {
            return name.hashCode();
        }

        @Override
        public String toString() {
            return name;
        }
    }
}
