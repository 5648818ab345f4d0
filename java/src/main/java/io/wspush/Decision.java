package io.wspush;

import java.util.List;
import java.util.Objects;

/**
 * The answer to a {@link ConnectRequest}. It doesn't change: the methods return another one. A refusal stays as it is
 * whatever is added to it.
 */
public final class Decision {
    /** In place of an HTTP status: there is none yet. */
    private static final int PENDING = -1;

    private final int status;
    private final String reason;
    private final String user;
    private final boolean broadcast;
    private final List<String> channels;
    private final String subprotocol;

    private Decision(
            int status,
            String reason,
            String user,
            boolean broadcast,
            List<String> channels,
            String subprotocol) {
        this.status = status;
        this.reason = reason;
        this.user = user;
        this.broadcast = broadcast;
        this.channels = channels;
        this.subprotocol = subprotocol;
    }

    /**
     * The client may come in: it receives broadcasts and no other channel, and has no name.
     *
     * @return the decision
     */
    public static Decision accept() {
        return new Decision(0, "", null, true, List.of(), null);
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
        return new Decision(status, Objects.requireNonNull(reason), null, false, List.of(), null);
    }

    /**
     * The host asks somebody else first and says later, with {@link WsPushServer#decide} and
     * {@link ConnectRequest#conn()}. Until then the client waits, and nothing that it says is read; after the setting
     * {@code handshake_ms} it is refused with 503. Whatever is added to it counts for nothing.
     *
     * @return the decision
     */
    public static Decision pending() {
        return new Decision(PENDING, "", null, false, List.of(), null);
    }

    /**
     * Says who the client is.
     *
     * @param user the name, not empty, or null
     * @return the decision
     */
    public Decision user(String user) {
        if (user != null && user.isEmpty()) {
            throw new IllegalArgumentException("a user's name is empty; who has none is null");
        }
        return new Decision(status, reason, user, broadcast, channels, subprotocol);
    }

    /**
     * Says whether the client receives broadcasts.
     *
     * @param broadcast whether it does
     * @return the decision
     */
    public Decision broadcast(boolean broadcast) {
        return new Decision(status, reason, user, broadcast, channels, subprotocol);
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
        return new Decision(status, reason, user, broadcast, List.copyOf(channels), subprotocol);
    }

    /**
     * Chooses the subprotocol, in place of the first one that the client offers and the setting {@code subprotocols}
     * has.
     *
     * @param subprotocol one of {@link ConnectRequest#subprotocols()}
     * @return the decision
     */
    public Decision subprotocol(String subprotocol) {
        return new Decision(status, reason, user, broadcast, channels, Objects.requireNonNull(subprotocol));
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
        channels.forEach(packed::put);
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
