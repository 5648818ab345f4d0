package io.wspush;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.URLDecoder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** A client's request to be connected. The handshake itself has been checked already. */
public final class ConnectRequest {
    private final long conn;
    private final String path;
    private final String query;
    private final Transport transport;
    private final String peer;
    private final String clientSubject;
    private final int refusedStatus;
    private final String refusedReason;
    private final String user;
    private final String info;
    private final String claims;
    private final List<String> channels;
    private final List<String> fields;

    private final boolean secure;
    private final Map<String, String> pathParameters;
    private final WsPushRoute route;
    private Map<String, Object> attributes = Map.of();

    /** {@code route} is null at a path of the server's own. */
    ConnectRequest(List<String> parts, WsPushRoute route) {
        this.route = route;
        conn = Long.parseUnsignedLong(parts.get(0));
        path = parts.get(1);
        query = parts.get(2);
        transport = Transport.named(parts.get(3));
        peer = parts.get(4);
        clientSubject = parts.get(5);
        refusedStatus = Integer.parseInt(parts.get(6));
        refusedReason = parts.get(7);
        user = parts.get(8);
        info = parts.get(9);
        claims = parts.get(10);
        secure = Boolean.parseBoolean(parts.get(11));
        int channelsFrom = 13 + 2 * Integer.parseInt(parts.get(12));
        pathParameters = pairs(parts.subList(13, channelsFrom));
        int fieldsFrom = channelsFrom + 1 + Integer.parseInt(parts.get(channelsFrom));
        channels = Collections.unmodifiableList(parts.subList(channelsFrom + 1, fieldsFrom));
        fields = parts.subList(fieldsFrom, parts.size());
    }

    /** Names and values in turn. */
    static Map<String, String> pairs(List<String> parts) {
        Map<String, String> pairs = new LinkedHashMap<>();
        for (int n = 0; n < parts.size(); n += 2) {
            pairs.put(parts.get(n), parts.get(n + 1));
        }
        return Collections.unmodifiableMap(pairs);
    }

    /**
     * The connection's id, for {@link WsPushServer#decide}. The session that is opened has the same.
     *
     * @return the id
     */
    public long conn() {
        return conn;
    }

    /**
     * The path that the client asks for.
     *
     * @return the path, as it was sent
     */
    public String path() {
        return path;
    }

    /**
     * What the client asks for: path and query.
     *
     * @return both, as they were sent
     */
    public String target() {
        return query.isEmpty() ? path : path + "?" + query;
    }

    /**
     * Whether the client speaks TLS with this server. Behind a proxy that ends it, see {@code X-Forwarded-Proto}.
     *
     * @return whether it does
     */
    public boolean isSecure() {
        return secure;
    }

    /**
     * The route that the client asks at.
     *
     * @return its path, as it was given to {@link WsPushRoute#at}; null at a path of the server's own ({@code /ws})
     */
    public String route() {
        return route == null ? null : route.path();
    }

    /**
     * What the names in the route's path stand for.
     *
     * @return names and decoded values, none of them empty; an empty map if the route has no names
     */
    public Map<String, String> pathParameters() {
        return pathParameters;
    }

    /**
     * What a name in the route's path stands for: {@code lobby} for {@code room} of {@code /chat/{room}} at {@code
     * /chat/lobby}.
     *
     * @param name the name
     * @return the decoded value; null if the route has no such name
     */
    public String pathParameter(String name) {
        return pathParameters.get(name);
    }

    /**
     * What the session is to have from the beginning on; see {@link WsPushSession#attributes}. Interceptors and the
     * listener put here what later ones and the session shall have. With {@link Decision#pending} nothing of it is kept; then
     * {@link Decision#attribute} is for the decision that comes later.
     *
     * @return a map to put into, without nulls
     */
    public Map<String, Object> attributes() {
        if (attributes.isEmpty()) {
            attributes = new HashMap<>();
        }
        return attributes;
    }

    /** The same for who only reads. */
    Map<String, Object> attributesSoFar() {
        return attributes;
    }

    /**
     * The query, all of it.
     *
     * @return what is behind the question mark, as it was sent; perhaps empty
     */
    public String query() {
        return query;
    }

    /**
     * A parameter of the query. Whatever a client says there it may have made up.
     *
     * @param name the parameter
     * @return its first value, decoded; null if there is none
     */
    public String query(String name) {
        for (String pair : query.split("&")) {
            int equals = pair.indexOf('=');
            String key = equals < 0 ? pair : pair.substring(0, equals);
            if (!pair.isEmpty() && decode(key).equals(name)) {
                return equals < 0 ? "" : decode(pair.substring(equals + 1));
            }
        }
        return null;
    }

    /**
     * All parameters of the query.
     *
     * @return their names and values in order, decoded
     */
    public Map<String, List<String>> queryParameters() {
        Map<String, List<String>> all = new LinkedHashMap<>();
        for (String pair : query.split("&")) {
            int equals = pair.indexOf('=');
            if (!pair.isEmpty()) {
                String key = decode(equals < 0 ? pair : pair.substring(0, equals));
                String value = equals < 0 ? "" : decode(pair.substring(equals + 1));
                all.computeIfAbsent(key, none -> new ArrayList<>()).add(value);
            }
        }
        return all;
    }

    private static String decode(String part) {
        try {
            return URLDecoder.decode(part, UTF_8);
        } catch (IllegalArgumentException malformed) {
            return part;
        }
    }

    /**
     * The way that the client wants to be pushed to.
     *
     * @return the transport; null if it is one that this class does not know
     */
    public Transport transport() {
        return transport;
    }

    /**
     * Where the client is.
     *
     * @return IP address and port, an IPv6 address in brackets; empty on a Unix-domain socket
     */
    public String peer() {
        return peer;
    }

    /**
     * Whose TLS certificate the client has shown. It was checked against {@code tls_client_ca}.
     *
     * @return the subject, as {@code CN=alice,O=Example} (RFC 4514); null if it has shown none, or wasn't asked
     */
    public String clientSubject() {
        return clientSubject.isEmpty() ? null : clientSubject;
    }

    /**
     * Whom the token names that the client has shown, where the setting {@code auth} is set, or the backend's answer
     * ({@code auth_webhook}). The token was checked. It is the session's user unless the decision names another.
     *
     * @return the user; null if it has shown none, or one that names nobody
     */
    public String user() {
        return user.isEmpty() ? null : user;
    }

    /**
     * What the token says others may be shown of its user ({@code info}).
     *
     * @return any JSON, as it stands in the token; null if there is none
     */
    public String info() {
        return info.isEmpty() ? null : info;
    }

    /**
     * Everything that the token says, or the backend's answer ({@code auth_webhook}): {@code sub}, {@code exp}, {@code
     * channels}, and whatever else its issuer has put there.
     *
     * @return a JSON object; null if the client has shown no token, or tokens are not looked at ({@code auth}), and no
     *     backend is asked
     */
    public String claims() {
        return claims.isEmpty() ? null : claims;
    }

    /**
     * The channels that the client asks for ({@code ?channel=}).
     *
     * @return their names, which are valid; whether it gets them is for the decision to say
     */
    public List<String> channels() {
        return channels;
    }

    /**
     * A header field. {@code Authorization} is there once at the most; a client may send any other one several times.
     *
     * @param name its name, in any case
     * @return its first value; null if there is none
     */
    public String header(String name) {
        List<String> values = headers(name);
        return values.isEmpty() ? null : values.get(0);
    }

    /**
     * All header fields of a name.
     *
     * @param name their name, in any case
     * @return their values in order
     */
    public List<String> headers(String name) {
        List<String> values = new ArrayList<>();
        for (int i = 0; i + 1 < fields.size(); i += 2) {
            if (fields.get(i).equalsIgnoreCase(name)) {
                values.add(fields.get(i + 1));
            }
        }
        return values;
    }

    /**
     * All header fields.
     *
     * @return their names, found in any case, and the values of each in order
     */
    public Map<String, List<String>> headers() {
        Map<String, List<String>> all = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        for (int i = 0; i + 1 < fields.size(); i += 2) {
            all.computeIfAbsent(fields.get(i), none -> new ArrayList<>()).add(fields.get(i + 1));
        }
        return all;
    }

    /**
     * All cookies.
     *
     * @return their names, and the first value of each, without quotes
     */
    public Map<String, String> cookies() {
        Map<String, String> all = new LinkedHashMap<>();
        for (String value : headers("Cookie")) {
            for (String pair : value.split(";")) {
                int equals = pair.indexOf('=');
                if (equals > 0) {
                    String content = pair.substring(equals + 1).trim();
                    boolean quoted = content.length() > 1 && content.startsWith("\"") && content.endsWith("\"");
                    all.putIfAbsent(pair.substring(0, equals).trim(),
                            quoted ? content.substring(1, content.length() - 1) : content);
                }
            }
        }
        return all;
    }

    /**
     * A cookie.
     *
     * @param name its name
     * @return its first value; null if there is none
     */
    public String cookie(String name) {
        return cookies().get(name);
    }

    /**
     * The subprotocols that the client offers.
     *
     * @return their names as the client prefers them
     */
    public List<String> subprotocols() {
        List<String> offered = new ArrayList<>();
        for (String value : headers("Sec-WebSocket-Protocol")) {
            for (String protocol : value.split(",")) {
                // Empty elements of a list mean nothing.
                if (!protocol.isBlank()) {
                    offered.add(protocol.trim());
                }
            }
        }
        return offered;
    }

    /**
     * What the settings say: the client is accepted with the channels it asks for, or refused with 403 if one of
     * them is not open to clients. At a route it is accepted, and receives broadcasts if {@link WsPushRoute#broadcast} says
     * so.
     *
     * @return the decision; {@link Decision#user} may be added to it
     */
    public Decision byConfig() {
        if (refusedStatus != 0) {
            return Decision.refuse(refusedStatus, refusedReason);
        }
        Decision accept = Decision.accept().channels(channels);
        return route == null ? accept : accept.broadcast(route.broadcasts());
    }

    @Override
    public String toString() {
        return peer + " asks for " + path;
    }
}
