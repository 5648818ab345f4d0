package io.wspush;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Objects;

/**
 * A path of the host's own, and what differs there from the server's settings. It doesn't change: the methods return
 * another one.
 *
 * <p>A path is exact ({@code /echo}), has names for whole segments ({@code /chat/{room}}), or ends with {@code /*} for all
 * that is below ({@code /files/*}, which is {@code /files} as well). Where several would do, the most specific one counts.
 */
public final class WsPushRoute {
    private final String path;
    private final Integer maxMessage;
    private final List<String> subprotocols;
    private final List<String> origins;
    private final Duration idleTimeout;
    private final boolean broadcast;
    private final List<WsPushInterceptor> interceptors;
    private final Pieces pieces;

    private WsPushRoute(Change change) {
        path = change.path;
        maxMessage = change.maxMessage;
        subprotocols = change.subprotocols;
        origins = change.origins;
        idleTimeout = change.idleTimeout;
        broadcast = change.broadcast;
        interceptors = change.interceptors;
        pieces = change.pieces;
    }

    /** The fields of a route that is about to be another one. */
    private static final class Change {
        String path;
        Integer maxMessage;
        List<String> subprotocols;
        List<String> origins;
        Duration idleTimeout;
        boolean broadcast;
        List<WsPushInterceptor> interceptors = List.of();
        Pieces pieces = Pieces.OFF;

        WsPushRoute made() {
            return new WsPushRoute(this);
        }
    }

    private Change change() {
        Change change = new Change();
        change.path = path;
        change.maxMessage = maxMessage;
        change.subprotocols = subprotocols;
        change.origins = origins;
        change.idleTimeout = idleTimeout;
        change.broadcast = broadcast;
        change.interceptors = interceptors;
        change.pieces = pieces;
        return change;
    }

    /**
     * A route with the server's settings.
     *
     * @param path the path; whether it is one {@link WsPushServerBuilder#start} says
     * @return the route
     */
    public static WsPushRoute at(String path) {
        Change change = new Change();
        change.path = Objects.requireNonNull(path);
        return change.made();
    }

    /**
     * The path.
     *
     * @return the path, as it was given
     */
    public String path() {
        return path;
    }

    /**
     * The largest message from a client, in place of the setting {@code message_bytes_max}. A larger one closes the
     * connection with 1009.
     *
     * @param bytes so many at the most, at least 125
     * @return the route
     */
    public WsPushRoute maxMessage(int bytes) {
        Change change = change();
        change.maxMessage = bytes;
        return change.made();
    }

    /**
     * The subprotocols offered, in place of the setting {@code subprotocols}. The first one that the client names and that
     * is among them is chosen, unless the decision says which ({@link Decision#subprotocol}).
     *
     * @param names the names
     * @return the route
     */
    public WsPushRoute subprotocols(String... names) {
        Change change = change();
        change.subprotocols = List.of(names);
        return change.made();
    }

    /**
     * The pages that may connect, in place of {@link WsPushServerBuilder#origins}, and in its words.
     *
     * @param origins for instance {@code https://example.org}, {@code auto} or {@code *}
     * @return the route
     */
    public WsPushRoute origins(String... origins) {
        Change change = change();
        change.origins = List.of(origins);
        return change.made();
    }

    /**
     * Closes a session with 1001 when so much time has passed without a message from the client, and without one to it
     * alone. Pings, pongs and what is published to many don't count. {@link WsPushSession#idleTimeout} changes it.
     *
     * @param time from 100 ms to 7 days
     * @return the route
     */
    public WsPushRoute idleTimeout(Duration time) {
        Change change = change();
        change.idleTimeout = Objects.requireNonNull(time);
        return change.made();
    }

    /**
     * Whether its sessions receive broadcasts where the decision is {@link ConnectRequest#byConfig}. They don't unless this
     * is set.
     *
     * @param broadcast whether they do
     * @return the route
     */
    public WsPushRoute broadcast(boolean broadcast) {
        Change change = change();
        change.broadcast = broadcast;
        return change.made();
    }

    /**
     * Has handshakes looked at before the listener is asked, after the interceptors that the route has already.
     *
     * @param next the interceptor
     * @return the route
     */
    public WsPushRoute interceptor(WsPushInterceptor next) {
        Change change = change();
        change.interceptors = new ArrayList<>(interceptors);
        change.interceptors.add(Objects.requireNonNull(next));
        return change.made();
    }

    /**
     * Whether messages are handed over as they come, to {@link WsPushListener#onFragment}, where the decision about a client
     * doesn't say it ({@link Decision#pieces}).
     *
     * @param pieces how
     * @return the route
     */
    public WsPushRoute pieces(Pieces pieces) {
        Change change = change();
        change.pieces = Objects.requireNonNull(pieces);
        return change.made();
    }

    List<WsPushInterceptor> interceptors() {
        return Collections.unmodifiableList(interceptors);
    }

    boolean broadcasts() {
        return broadcast;
    }

    /** For the native side; an empty text, or -1, is what was not set. */
    void pack(Packed packed) {
        packed.put(path).put(maxMessage == null ? "" : Integer.toString(maxMessage));
        packed.put(idleTimeout == null ? "" : Long.toString(idleTimeout.toMillis()));
        packed.put(Integer.toString(pieces.ordinal()));
        for (List<String> list : Arrays.asList(subprotocols, origins)) {
            packed.put(Integer.toString(list == null ? -1 : list.size()));
            if (list != null) {
                list.forEach(packed::put);
            }
        }
    }

    @Override
    public String toString() {
        return "route " + path;
    }
}
