package io.wspush;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.URLDecoder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

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

    ConnectRequest(List<String> parts) {
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
        int fieldsFrom = 12 + Integer.parseInt(parts.get(11));
        channels = Collections.unmodifiableList(parts.subList(12, fieldsFrom));
        fields = parts.subList(fieldsFrom, parts.size());
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
     * them is not open to clients.
     *
     * @return the decision; {@link Decision#user} may be added to it
     */
    public Decision byConfig() {
        return refusedStatus == 0
                ? Decision.accept().channels(channels)
                : Decision.refuse(refusedStatus, refusedReason);
    }

    @Override
    public String toString() {
        return peer + " asks for " + path;
    }
}
