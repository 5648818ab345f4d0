package io.wspush;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * The answer to a {@link ConnectRequest}. It doesn't change: the methods return another one. To a refusal
 * nothing can be added but {@link #header headers}.
 */
public final class Decision {
    private static final int USER_BYTES_MAX = 256;
    private static final int INFO_BYTES_MAX = 1024;
    /** In place of an HTTP status: there is none yet. */
    private static final int PENDING = -1;
    private static final Pattern SINCE =
            Pattern.compile("[0-9]{1,20}\\.[0-9]{1,20}|head|earliest|latest|last:[0-9]{1,7}|time:[0-9]{1,15}");

    private static final Pattern TOKEN = Pattern.compile("[!#$%&'*+.^_`|~0-9A-Za-z-]+");

    private final int status;
    private final String reason;
    private final String user;
    private final boolean broadcast;
    private final List<String> channels;
    private final Map<String, String> since;
    private final String subprotocol;
    private final String info;
    private final List<String> headers;
    private final Map<String, Object> attributes;
    private final Pieces pieces;

    private Decision(Change change) {
        status = change.status;
        reason = change.reason;
        user = change.user;
        broadcast = change.broadcast;
        channels = change.channels;
        since = change.since;
        subprotocol = change.subprotocol;
        info = change.info;
        headers = change.headers;
        attributes = change.attributes;
        pieces = change.pieces;
    }

    /** The fields of a decision that is about to be another one. */
    private static final class Change {
        int status;
        String reason = "";
        String user;
        boolean broadcast;
        List<String> channels = List.of();
        Map<String, String> since = Map.of();
        String subprotocol;
        String info;
        List<String> headers = List.of();
        Map<String, Object> attributes = Map.of();
        Pieces pieces = Pieces.OFF;

        Decision made() {
            return new Decision(this);
        }
    }

    private Change change() {
        Change change = new Change();
        change.status = status;
        change.reason = reason;
        change.user = user;
        change.broadcast = broadcast;
        change.channels = channels;
        change.since = since;
        change.subprotocol = subprotocol;
        change.info = info;
        change.headers = headers;
        change.attributes = attributes;
        change.pieces = pieces;
        return change;
    }

    /**
     * The client may come in: it receives broadcasts and no other channel, and has no name.
     *
     * @return the decision
     */
    public static Decision accept() {
        Change change = new Change();
        change.broadcast = true;
        return change.made();
    }

    /**
     * The client may not come in. One that has asked with {@code ?refusals=close} is told by a close frame, whose code is
     * 4000 and the status, so that a page can read it.
     *
     * @param status the HTTP status, 400 to 599
     * @param reason the response's body
     * @return the decision
     */
    public static Decision refuse(int status, String reason) {
        if (status < 400 || status > 599) {
            throw new IllegalArgumentException("a refusal has a status from 400 to 599, not " + status);
        }
        Change change = new Change();
        change.status = status;
        change.reason = Objects.requireNonNull(reason);
        return change.made();
    }

    /**
     * The host asks somebody else first and says later, with {@link WsPushServer#decide} and
     * {@link ConnectRequest#conn()}. Until then the client waits, and nothing that it says is read; after the setting
     * {@code handshake_ms} it is refused with 503. Whatever is added to it counts for nothing.
     *
     * @return the decision
     */
    public static Decision pending() {
        Change change = new Change();
        change.status = PENDING;
        return change.made();
    }

    /**
     * Says who the client is.
     *
     * @param user the name, of 1 to 256 bytes, or null
     * @return the decision
     */
    public Decision user(String user) {
        if (user != null && user.isEmpty()) {
            throw new IllegalArgumentException("a user's name is empty; who has none is null");
        }
        if (user != null && user.getBytes(UTF_8).length > USER_BYTES_MAX) {
            throw new IllegalArgumentException("a user's name has 1 to " + USER_BYTES_MAX + " bytes");
        }
        Change change = change();
        change.user = user;
        return change.made();
    }

    /**
     * Says more about the user to those who see it in a channel with presence, in place of what its token says.
     *
     * @param info JSON of at most 1,024 bytes, or null; with other text the client is refused with 500
     * @return the decision
     */
    public Decision info(String info) {
        if (info != null && info.getBytes(UTF_8).length > INFO_BYTES_MAX) {
            throw new IllegalArgumentException("what is said of a user has at most " + INFO_BYTES_MAX + " bytes");
        }
        Change change = change();
        change.info = info;
        return change.made();
    }

    /**
     * Says whether the client receives broadcasts.
     *
     * @param broadcast whether it does
     * @return the decision
     */
    public Decision broadcast(boolean broadcast) {
        Change change = change();
        change.broadcast = broadcast;
        return change.made();
    }

    /**
     * Names the channels that the client receives as well.
     *
     * @param channels their names, in place of those that the decision has
     * @return the decision
     */
    public Decision channels(String... channels) {
        return channels(List.of(channels));
    }

    /**
     * Names the channels that the client receives as well.
     *
     * @param channels their names, none of them empty, in place of those that the decision has
     * @return the decision
     */
    public Decision channels(List<String> channels) {
        if (channels.contains("")) {
            throw new IllegalArgumentException("a channel's name is empty");
        }
        Change change = change();
        change.channels = List.copyOf(channels);
        return change.made();
    }

    /**
     * Says from where on the client receives one of its channels, or broadcasts
     * ({@link WsPushServer#DEFAULT_CHANNEL}). Without this its own wish counts ({@code ?since=}), or what is published
     * from now on.
     *
     * @param channel the channel's name
     * @param since where it begins: behind a position {@code E.O} (the epoch and the offset of a {@link Receipt}), or
     *     {@code head}, {@code earliest}, {@code last:N}, {@code time:UNIX_MS}, {@code latest}
     * @return the decision
     */
    public Decision since(String channel, String since) {
        if (!SINCE.matcher(since).matches()) {
            throw new IllegalArgumentException(
                    "since is not one of E.O, head, earliest, last:N, time:UNIX_MS, latest");
        }
        Map<String, String> all = new TreeMap<>(this.since);
        all.put(Objects.requireNonNull(channel), since);
        Change change = change();
        change.since = all;
        return change.made();
    }

    /**
     * Chooses the subprotocol, in place of the first one that the client offers and the setting {@code subprotocols}
     * has.
     *
     * @param subprotocol one of {@link ConnectRequest#subprotocols()}
     * @return the decision
     */
    public Decision subprotocol(String subprotocol) {
        Change change = change();
        change.subprotocol = Objects.requireNonNull(subprotocol);
        return change.made();
    }

    /**
     * Chooses none of the subprotocols that the client offers.
     *
     * @return the decision
     */
    public Decision noSubprotocol() {
        return subprotocol("");
    }

    /**
     * Adds a field to the answer's head, whether that lets the client in or not.
     *
     * @param name its name; with one that the server writes itself ({@code Connection}, {@code Sec-WebSocket-Protocol} and
     *     the like), more than 32 of them, or 4 KiB, the client is refused with 500
     * @param value its value, without control characters
     * @return the decision
     */
    public Decision header(String name, String value) {
        if (!TOKEN.matcher(name).matches()) {
            throw new IllegalArgumentException("a header's name is letters, digits and some punctuation, not: " + name);
        }
        if (value.chars().anyMatch(c -> c != '\t' && Character.isISOControl(c))) {
            throw new IllegalArgumentException("a control character is in the value of the header " + name);
        }
        Change change = change();
        change.headers = new ArrayList<>(headers);
        change.headers.add(name);
        change.headers.add(value);
        return change.made();
    }

    /**
     * Gives the session an attribute from the beginning on; see {@link WsPushSession#attributes}. It comes before one of
     * this name in {@link ConnectRequest#attributes}.
     *
     * @param name its name
     * @param value its value, not null
     * @return the decision
     */
    public Decision attribute(String name, Object value) {
        Change change = change();
        change.attributes = new HashMap<>(attributes);
        change.attributes.put(Objects.requireNonNull(name), Objects.requireNonNull(value));
        return change.made();
    }

    /**
     * Whether the client's messages are handed over in pieces ({@link WsPushListener#onFragment}). That is for WebSockets;
     * with {@code wspush.v1} and everywhere else it changes nothing.
     *
     * @param pieces how; {@link Pieces#OFF}: as the route says
     * @return the decision
     */
    public Decision pieces(Pieces pieces) {
        Change change = change();
        change.pieces = Objects.requireNonNull(pieces);
        return change.made();
    }

    /** Whether it is still to come. */
    boolean isPending() {
        return status == PENDING;
    }

    /** Packs it; what attributes there are stay with the server until the session is open. */
    byte[] packed(Sessions sessions, Map<String, Object> requested) {
        if (status != 0) {
            return packed(0);
        }
        if (requested.isEmpty() && attributes.isEmpty()) {
            return packed(0);
        }
        Map<String, Object> all = Sessions.makeAttributes();
        all.putAll(requested);
        all.putAll(attributes);
        return packed(sessions.arrive(all));
    }

    private byte[] packed(long number) {
        Packed packed = new Packed();
        if (status == PENDING) {
            return packed.put("pending").bytes();
        }
        if (status != 0) {
            packed.put("refuse").put(Integer.toString(status)).put(reason);
            headers.forEach(packed::put);
            return packed.bytes();
        }
        packed.put("accept").put(Boolean.toString(broadcast));
        packed.put(user == null ? "" : "=" + user).put(subprotocol == null ? "" : "=" + subprotocol);
        packed.put(info == null ? "" : "=" + info).put(Long.toString(number));
        packed.put(Integer.toString(pieces.ordinal()));
        packed.put(Integer.toString(headers.size()));
        headers.forEach(packed::put);
        channels.forEach(packed::put);
        // No channel's name has a space in it.
        since.forEach((channel, beginning) -> packed.put(channel + " " + beginning));
        return packed.bytes();
    }

    @Override
    public String toString() {
        if (status == PENDING) {
            return "pending";
        }
        return status == 0 ? "accept " + user + " " + channels : "refuse " + status + " " + reason;
    }
}
