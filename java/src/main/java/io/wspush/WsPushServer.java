package io.wspush;

import static java.util.concurrent.TimeUnit.NANOSECONDS;

import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A push server in this process. It is made by a {@link #builder()}, runs on a daemon thread of its own (on several with
 * {@link WsPushServerBuilder#reactors}), and ends with {@link #close()}. There may be several in one process.
 *
 * <p>All methods may be called from any thread and, but for {@link #close()} and {@link #awaitTermination}, don't block.
 * What a thread asks for happens in the order of its calls: a publication reaches a connection before a {@code send}
 * to it, an {@code unsubscribe} or a {@code close} that comes behind.
 */
public final class WsPushServer extends ServerPublishing implements AutoCloseable {
    /** For the server's own paths, and then for each route. */
    private final List<Callbacks> callbacks;

    private final List<InetSocketAddress> addresses;
    private final InetSocketAddress adminAddress;
    private final Reactor[] reactors;
    /** Threads that have not come to their end. */
    private final AtomicInteger running = new AtomicInteger();
    private final AtomicBoolean closed = new AtomicBoolean();

    /**
     * A server with the default settings; the admin listener is off.
     *
     * @return a builder
     */
    public static WsPushServerBuilder builder() {
        return new WsPushServerBuilder();
    }

    /** The first ones are for the server's own paths, the others for its routes. */
    WsPushServer(byte[] settings, List<Callbacks> callbacks, boolean listens) {
        super(start(settings, callbacks, listens));
        callbacks.forEach(of -> of.belongTo(this));
        this.callbacks = callbacks;
        try {
            List<String> texts = Packed.unpack(Native.addresses(id));
            String admin = texts.remove(texts.size() - 1);
            List<InetSocketAddress> all = new ArrayList<>();
            texts.forEach(text -> all.add(address(text)));
            addresses = Collections.unmodifiableList(all);
            adminAddress = admin.isEmpty() ? null : address(admin);
            reactors = Reactor.of(Native.reactors(id), this::run);
            running.set(reactors.length);
            for (Reactor reactor : reactors) {
                reactor.start();
            }
        } catch (Throwable problem) {
            Native.free(id);
            throw problem;
        }
    }

    private static long start(byte[] settings, List<Callbacks> callbacks, boolean listens) {
        Packed routes = new Packed();
        List<Callbacks> routed = callbacks.subList(1, callbacks.size());
        routed.forEach(of -> of.route().pack(routes));
        return Native.start(settings, callbacks.get(0), listens, routes.bytes(), routed.toArray(new Callbacks[0]));
    }

    private static InetSocketAddress address(String text) {
        int colon = text.lastIndexOf(':');
        return new InetSocketAddress(text.substring(0, colon), Integer.parseInt(text.substring(colon + 1)));
    }

    private void run(int reactor) {
        try {
            Native.run(id, reactor);
        } catch (Throwable problem) {
            Callbacks.LOGGER.log(System.Logger.Level.ERROR, "the wspush server has ended", problem);
        } finally {
            if (running.decrementAndGet() == 0) {
                flows.end();
            }
        }
    }

    /**
     * Where clients connect.
     *
     * @return the public listeners, with the ports that port 0 has become
     */
    public List<InetSocketAddress> addresses() {
        return addresses;
    }

    /**
     * The port of the first public listener.
     *
     * @return the port
     */
    public int port() {
        return addresses.get(0).getPort();
    }

    /**
     * Where the admin API is.
     *
     * @return the address, if it listens on a TCP port
     */
    public Optional<InetSocketAddress> adminAddress() {
        return Optional.ofNullable(adminAddress);
    }

    /**
     * Everything about one user; see {@link WsPushUser}.
     *
     * @param name the user, as {@link Decision#user(String)} or a token names it: 1 to 256 bytes of UTF-8
     * @return the user, who need not be there
     */
    public WsPushUser user(String name) {
        return new WsPushUser(id, name);
    }

    /**
     * A session, by its id alone: it has neither user nor path parameters, but whatever else a session has.
     *
     * @param conn the connection's id, {@link WsPushSession#id}
     * @return the session, which may have gone
     */
    public WsPushSession session(long conn) {
        return new WsPushSession(callbacks(-1), conn, null, null);
    }

    /** Of a route, or of the server's own paths (-1). */
    Callbacks callbacks(int route) {
        return callbacks.get(route + 1);
    }

    private int route(String path) {
        for (int n = 1; n < callbacks.size(); n++) {
            if (callbacks.get(n).route().path().equals(path)) {
                return n - 1;
            }
        }
        throw new IllegalArgumentException("no route of this server has the path " + path);
    }

    /**
     * How many sessions of a route are open, as of the server's last turn. It takes no lock and asks nobody.
     *
     * @param route the route's path, as it was given to {@link WsPushRoute#at}
     * @return how many
     * @throws IllegalArgumentException if the server has no such route
     */
    public long online(String route) {
        return Native.online(id, route(route));
    }

    /**
     * Asks which sessions of a route are open, the first 100 of them; see {@link WsPushServer#channel channel} for the future.
     *
     * @param route the route's path, as it was given to {@link WsPushRoute#at}
     * @return a page of them
     * @throws IllegalArgumentException if the server has no such route
     */
    public CompletableFuture<SessionPage> sessions(String route) {
        return sessions(route, 0, 100);
    }

    /**
     * Asks which sessions of a route are open, a page at a time. However many there are, nobody waits longer for that. If 64
     * lists are under way there is an {@link InboxFullException} in the future.
     *
     * @param route the route's path, as it was given to {@link WsPushRoute#at}
     * @param after 0, or {@link SessionPage#next()} of the page before
     * @param limit so many at the most, 1 to 1,000
     * @return a page of them
     * @throws IllegalArgumentException if the server has no such route
     */
    public CompletableFuture<SessionPage> sessions(String route, long after, int limit) {
        Packed question = new Packed().put("sessions").put(Integer.toString(route(route)));
        question.put(Long.toString(after)).put(Integer.toString(limit));
        Reply<SessionPage> reply = new Reply<>(in -> new SessionPage(in, this));
        Native.ask(id, question.bytes(), reply);
        return reply;
    }

    /**
     * Asks what is known of a session; see {@link WsPushServer#channel channel} for the future.
     *
     * @param conn the connection's id
     * @return nothing if it isn't open any more
     */
    public CompletableFuture<Optional<SessionInfo>> sessionInfo(long conn) {
        return ask(new Packed().put("session").put(Long.toString(conn)), in -> new SessionInfo(in, this));
    }

    /**
     * The server's numbers as of its last turn.
     *
     * @return the numbers
     */
    public Stats stats() {
        return new Stats(Packed.unpack(Native.stats(id)));
    }

    /**
     * How many connections a running server has handed to this one as it was built, by the setting {@code handover}. The
     * listener hears of each ({@link WsPushListener#onTakenOver}) when this one has started.
     *
     * @return nothing if there was none to take over from
     */
    public OptionalLong handover() {
        long connections = Native.handover(id);
        return connections < 0 ? OptionalLong.empty() : OptionalLong.of(connections);
    }

    /**
     * Writes what the channels keep into the file of the setting {@code state_file} while the server goes on, without
     * waiting for it. The successor of a server that dies has what was published until then, under new epochs, so
     * nobody's position counts as recovered. The log says when it is done, or why not. The end of a drain writes the
     * final
     * state in any case.
     */
    public void saveState() {
        Native.saveState(id);
    }

    /**
     * Begins the end without waiting for it: no more connections and messages; what was published still goes out, then
     * every client gets a close frame with 1001, and after the setting {@code drain_ms} whoever is left is cut off.
     */
    public void drain() {
        Native.drain(id);
    }

    /**
     * Waits until the server has ended, after {@link #drain()}.
     *
     * @param timeout how long to wait at most
     * @return whether it has ended
     * @throws InterruptedException if the thread is interrupted
     * @throws IllegalStateException in a callback, of whichever server: the end would wait for it, or two for each other
     */
    public boolean awaitTermination(Duration timeout) throws InterruptedException {
        checkOutsideOfCallbacks("awaitTermination()");
        long end = System.nanoTime() + Objects.requireNonNull(timeout).toNanos();
        for (Reactor reactor : reactors) {
            // join(0) would wait for ever.
            reactor.join(Math.max(1, NANOSECONDS.toMillis(end - System.nanoTime())));
        }
        return !isRunning();
    }

    /**
     * Whether the server's threads, or some of them, are at work.
     *
     * @return whether it is
     */
    public boolean isRunning() {
        return anyAlive() != null;
    }

    /**
     * Drains the server and waits for its end, which the setting {@code drain_ms} bounds as long as no callback blocks.
     * Whatever is called afterwards throws {@link IllegalStateException}, but for a second close, which does nothing.
     *
     * Callbacks that run on other threads ({@link WsPushRoute#executor}) are waited for as well, up to 5 s.
     *
     * @throws IllegalStateException in a callback, of whichever server: the end would wait for it, or two for each other.
     *     There is {@link #drain()}
     */
    @Override
    public void close() {
        checkOutsideOfCallbacks("close()");
        if (lanes.runsOn(Thread.currentThread())) {
            throw new IllegalStateException("close() in a callback would wait for itself; use drain()");
        }
        boolean first = closed.compareAndSet(false, true);
        if (first) {
            Native.drain(id);
        }
        boolean interrupted = false;
        for (Reactor left = anyAlive(); left != null; left = anyAlive()) {
            try {
                left.join();
            } catch (InterruptedException wantsToGoOn) {
                interrupted = true;
            }
        }
        if (first) {
            lanes.awaitEnd();
            callbacks.forEach(Callbacks::end);
            Native.free(id);
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** One of the threads that are at work, or null. */
    private Reactor anyAlive() {
        for (Reactor reactor : reactors) {
            if (reactor.isAlive()) {
                return reactor;
            }
        }
        return null;
    }

    private void checkOutsideOfCallbacks(String call) {
        if (Thread.currentThread() instanceof Reactor) {
            throw new IllegalStateException(call + " in a callback might wait for itself; use drain()");
        }
    }

    @Override
    public String toString() {
        return "wspush on " + addresses;
    }
}
