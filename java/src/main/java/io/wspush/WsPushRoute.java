package io.wspush;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Executor;

/**
 * A path of the host's own, and what differs there from the server's settings. It doesn't change: the methods return
 * another one.
 *
 * <p>A path is exact ({@code /echo}), has names for whole segments ({@code /chat/{room}}), or ends with {@code /*} for all
 * that is below ({@code /files/*}, which is {@code /files} as well). Where several would do, the most specific one counts.
 */
public final class WsPushRoute {
    private static final int PER_SESSION = 16;
    private static final int PER_SESSION_MAX = 1024;
    private static final int IN_ALL = 4096;
    private static final int IN_ALL_MAX = 1 << 20;
    private static final int THREADS_MAX = 10_000;

    private final String path;
    private final Integer maxMessage;
    private final List<String> subprotocols;
    private final List<String> origins;
    private final Duration idleTimeout;
    private final boolean broadcast;
    private final List<WsPushInterceptor> interceptors;
    private final Pieces pieces;
    private final Pool.Terms pool;

    private WsPushRoute(Change change) {
        path = change.path;
        maxMessage = change.maxMessage;
        subprotocols = change.subprotocols;
        origins = change.origins;
        idleTimeout = change.idleTimeout;
        broadcast = change.broadcast;
        interceptors = change.interceptors;
        pieces = change.pieces;
        pool = change.pool;
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
        Pool.Terms pool;

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
        change.pool = pool;
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

    /**
     * Runs the callbacks of this route, interceptors included, on these threads, where they may block: those of a session one
     * at a time and in order, those of several at once. Up to 16 events of a session may wait, and 4,096 in all; see {@link
     * #executor(Executor, int, int)}.
     *
     * @param threads the threads, which stay the caller's
     * @return the route
     */
    public WsPushRoute executor(Executor threads) {
        return executor(threads, PER_SESSION, IN_ALL);
    }

    /**
     * Runs the callbacks of this route, interceptors included, on these threads. A session with so many events waiting isn't
     * read until half of them are done, so a client that says too much is held up by TCP and nothing is lost. When so many wait
     * in all, each session is read again only when its own are done, and new clients are answered 503. {@link
     * WsPushSession#reply} is {@link WsPushSession#send(String)} there.
     *
     * @param threads the threads, which stay the caller's. One that refuses work (a pool that was shut down, or whose queue is
     *     full) closes the session whose work it was with 1011; its {@link WsPushListener#onClose} is then called on the
     *     reactor's thread
     * @param perSession events of a session that may wait, 1 to 1,024
     * @param inAll events of the route in a server, 1 to 1,048,576
     * @return the route
     */
    public WsPushRoute executor(Executor threads, int perSession, int inAll) {
        check("events of a session that wait", perSession, PER_SESSION_MAX);
        check("events that wait in all", inAll, IN_ALL_MAX);
        Change change = change();
        change.pool = new Pool.Terms(Objects.requireNonNull(threads), 0, perSession, inAll);
        return change.made();
    }

    /**
     * Runs the callbacks of this route, interceptors included, on so many threads of the server's own, where they may block;
     * see {@link #executor(Executor)}. They come when they are needed and go when they aren't. Where the JDK has virtual threads
     * they are such.
     *
     * @param threads how many callbacks run at once at the most, 1 to 10,000
     * @return the route
     */
    public WsPushRoute blocking(int threads) {
        check("threads", threads, THREADS_MAX);
        Change change = change();
        change.pool = new Pool.Terms(null, threads, PER_SESSION, IN_ALL);
        return change.made();
    }

    private static void check(String what, int number, int max) {
        if (number < 1 || number > max) {
            throw new IllegalArgumentException(what + " are from 1 to " + max + ", not " + number);
        }
    }

    /** For a server to be. */
    Callbacks callbacks(WsPushListener listener) {
        return pool == null ? new Callbacks(listener, this) : new PooledCallbacks(listener, this, pool);
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
