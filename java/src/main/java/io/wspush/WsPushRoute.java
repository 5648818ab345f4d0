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
    /** Callbacks that may wait, unless it is said. */
    private static final int PER_SESSION = 16;

    private static final int IN_ALL = 4_096;

    private final String path;
    private final Integer maxMessage;
    private final List<String> subprotocols;
    private final List<String> origins;
    private final Duration idleTimeout;
    private final boolean broadcast;
    private final boolean fragments;
    private final List<WsPushInterceptor> interceptors;
    private final Executor executor;
    private final int threads;
    private final int perSession;
    private final int inAll;

    private WsPushRoute(Change change) {
        path = change.path;
        maxMessage = change.maxMessage;
        subprotocols = change.subprotocols;
        origins = change.origins;
        idleTimeout = change.idleTimeout;
        broadcast = change.broadcast;
        fragments = change.fragments;
        interceptors = change.interceptors;
        executor = change.executor;
        threads = change.threads;
        perSession = change.perSession;
        inAll = change.inAll;
    }

    /** The fields of a route that is about to be another one. */
    private static final class Change {
        String path;
        Integer maxMessage;
        List<String> subprotocols;
        List<String> origins;
        Duration idleTimeout;
        boolean broadcast;
        boolean fragments;
        List<WsPushInterceptor> interceptors = List.of();
        Executor executor;
        int threads;
        int perSession = PER_SESSION;
        int inAll = IN_ALL;

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
        change.fragments = fragments;
        change.interceptors = interceptors;
        change.executor = executor;
        change.threads = threads;
        change.perSession = perSession;
        change.inAll = inAll;
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
     * Has messages handed over in pieces as they come ({@link WsPushListener#onFragment}), without memory for a whole one. A
     * message may be as long as the client likes, unless {@link #maxMessage} is set. After {@link Decision#pending} it is for
     * the later decision to say ({@link Decision#fragments}).
     *
     * @return the route
     */
    public WsPushRoute fragments() {
        Change change = change();
        change.fragments = true;
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
     * Has callbacks run by a pool of threads, for listeners that block: neither the server nor other sessions wait for them.
     * Each session's run one at a time and in order, its {@link WsPushListener#onClose} last; {@link
     * WsPushListener#onConnect} and interceptors stay on the reactor's thread ({@link Decision#pending} is for those that take
     * long). 16 callbacks of one session wait at the most and 4,096 of all: who has sent more is not read meanwhile.
     *
     * <p>On the pool {@link WsPushSession#reply(String) reply} is {@code send}, which waits while the server's inbox is full.
     *
     * @param pool the pool, which outlives the server; if it takes nothing any more, the session is closed with 1011
     * @return the route
     */
    public WsPushRoute executor(Executor pool) {
        return executor(pool, PER_SESSION, IN_ALL);
    }

    /**
     * As {@link #executor(Executor)}.
     *
     * @param pool the pool
     * @param perSession so many callbacks of one session wait at the most, the one that runs among them
     * @param inAll so many of all sessions; beyond that each session has one at the most
     * @return the route
     */
    public WsPushRoute executor(Executor pool, int perSession, int inAll) {
        if (perSession < 1 || inAll < 1) {
            throw new IllegalArgumentException("room for " + perSession + " callbacks of a session and " + inAll
                    + " in all, and there has to be room for one");
        }
        Change change = change();
        change.executor = Objects.requireNonNull(pool);
        change.perSession = perSession;
        change.inAll = inAll;
        return change.made();
    }

    /**
     * As {@link #executor(Executor)}, with a pool of the server's own that ends with it: virtual threads where the JDK has
     * them (21 and later), and otherwise daemon threads.
     *
     * @param threads so many of the latter at the most
     * @return the route
     */
    public WsPushRoute blocking(int threads) {
        if (threads < 1) {
            throw new IllegalArgumentException("a pool of " + threads + " threads runs nothing");
        }
        Change change = change();
        change.executor = null;
        change.threads = threads;
        return change.made();
    }

    /** What runs callbacks; null: the reactor. */
    Executor executor() {
        return executor == null && threads > 0 ? Pools.make(threads) : executor;
    }

    /** Whether it is the server's own. */
    boolean ownsExecutor() {
        return executor == null;
    }

    Lines lines(Executor executor, Lines.Flow flow) {
        return new Lines(executor, perSession, inAll, flow);
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
        for (List<String> list : Arrays.asList(subprotocols, origins)) {
            packed.put(Integer.toString(list == null ? -1 : list.size()));
            if (list != null) {
                list.forEach(packed::put);
            }
        }
        packed.put(!fragments ? "off" : maxMessage == null ? "unbounded" : "bounded");
    }

    @Override
    public String toString() {
        return "route " + path;
    }
}
