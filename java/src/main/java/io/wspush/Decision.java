package io.wspush;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * The answer to a {@link ConnectRequest}. It doesn't change: the methods return another one. A refusal stays as it is
 * whatever is added to it.
 */
public final class Decision {
    private static final int USER_BYTES_MAX = 256;
    private static final int INFO_BYTES_MAX = 1024;
    /** In place of an HTTP status: there is none yet. */
    private static final int PENDING = -1;
    private static final Pattern SINCE =
            Pattern.compile("[0-9]{1,20}\\.[0-9]{1,20}|head|earliest|latest|last:[0-9]{1,7}|time:[0-9]{1,15}");

    private final int status;
    private final String reason;
    private final String user;
    private final boolean broadcast;
    private final List<String> channels;
    private final Map<String, String> since;
    private final String subprotocol;
    private final String info;

    private Decision(
            int status,
            String reason,
            String user,
            boolean broadcast,
            List<String> channels,
            Map<String, String> since,
            String subprotocol,
            String info) {
        this.status = status;
        this.reason = reason;
        this.user = user;
        this.broadcast = broadcast;
        this.channels = channels;
        this.since = since;
        this.subprotocol = subprotocol;
        this.info = info;
    }

    /**
     * The client may come in: it receives broadcasts and no other channel, and has no name.
     *
     * @return the decision
     */
    public static Decision accept() {
        return new Decision(0, "", null, true, List.of(), Map.of(), null, null);
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
        return new Decision(status, Objects.requireNonNull(reason), null, false, List.of(), Map.of(), null, null);
    }

    /**
     * The host asks somebody else first and says later, with {@link WsPushServer#decide} and
     * {@link ConnectRequest#conn()}. Until then the client waits, and nothing that it says is read; after the setting
     * {@code handshake_ms} it is refused with 503. Whatever is added to it counts for nothing.
     *
     * @return the decision
     */
    public static Decision pending() {
        return new Decision(PENDING, "", null, false, List.of(), Map.of(), null, null);
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
        return new Decision(status, reason, user, broadcast, channels, since, subprotocol, info);
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
        return new Decision(status, reason, user, broadcast, channels, since, subprotocol, info);
    }

    /**
     * Says whether the client receives broadcasts.
     *
     * @param broadcast whether it does
     * @return the decision
     */
    public Decision broadcast(boolean broadcast) {
        return new Decision(status, reason, user, broadcast, channels, since, subprotocol, info);
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
        return new Decision(status, reason, user, broadcast, List.copyOf(channels), since, subprotocol, info);
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
        return new Decision(status, reason, user, broadcast, channels, all, subprotocol, info);
    }

    /**
     * Chooses the subprotocol, in place of the first one that the client offers and the setting {@code subprotocols}
     * has.
     *
     * @param subprotocol one of {@link ConnectRequest#subprotocols()}
     * @return the decision
     */
    public Decision subprotocol(String subprotocol) {
        return new Decision(status, reason, user, broadcast, channels, since, Objects.requireNonNull(subprotocol),
                info);
    }

    byte[] packed() {
        Packed packed = new Packed();
        if (status == PENDING) {
            return packed.put("pending").bytes();
        }
        if (status != 0) {
            return packed.put("refuse").put(Integer.toString(status)).put(reason).bytes();
        }
        packed.put("accept").put(Boolean.toString(broadcast));
        packed.put(user == null ? "" : "=" + user).put(subprotocol == null ? "" : "=" + subprotocol);
        packed.put(info == null ? "" : "=" + info);
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
