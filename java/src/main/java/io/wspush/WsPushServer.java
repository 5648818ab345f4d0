package io.wspush;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;

/**
 * A push server in this process. It is made by a {@link #builder()}, runs on a daemon thread of its own, and ends with
 * {@link #close()}. There may be several in one process.
 *
 * <p>All methods may be called from any thread and, but for {@link #close()} and {@link #awaitTermination}, don't block.
 * What a thread asks for happens in the order of its calls: a publication reaches a connection before a {@code send}
 * to it, an {@code unsubscribe} or a {@code close} that comes behind.
 */
public final class WsPushServer implements AutoCloseable {
    /** The channel that broadcasts go to. */
    public static final String DEFAULT_CHANNEL = "broadcast";

    /** Outcomes of a publication to several channels, as the native side says them. */
    private static final int DUPLICATE = 1;

    private static final int CONFLICT = 2;

    /** Names the native server; not an address, and never used twice. */
    private final long id;

    private final List<InetSocketAddress> addresses;
    private final InetSocketAddress adminAddress;
    private final Thread reactor;
    private final AtomicBoolean closed = new AtomicBoolean();

    /**
     * A server with the default settings; the admin listener is off.
     *
     * @return a builder
     */
    public static WsPushServerBuilder builder() {
        return new WsPushServerBuilder();
    }

    WsPushServer(byte[] settings, WsPushListener listener) {
        Callbacks callbacks = new Callbacks(listener == null ? new WsPushListener() {} : listener);
        callbacks.belongTo(this);
        id = Native.start(settings, callbacks, listener != null);
        try {
            List<String> texts = Packed.unpack(Native.addresses(id));
            String admin = texts.remove(texts.size() - 1);
            List<InetSocketAddress> all = new ArrayList<>();
            texts.forEach(text -> all.add(address(text)));
            addresses = Collections.unmodifiableList(all);
            adminAddress = admin.isEmpty() ? null : address(admin);
            reactor = new Reactor(this::run);
            reactor.start();
        } catch (Throwable problem) {
            Native.free(id);
            throw problem;
        }
    }

    private static InetSocketAddress address(String text) {
        int colon = text.lastIndexOf(':');
        return new InetSocketAddress(text.substring(0, colon), Integer.parseInt(text.substring(colon + 1)));
    }

    private void run() {
        try {
            Native.run(id);
        } catch (Throwable problem) {
            Callbacks.LOGGER.log(System.Logger.Level.ERROR, "the wspush server has ended", problem);
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
     * Publishes a text to the default channel, which everybody on {@code /ws} receives unless {@link
     * Decision#broadcast} says no.
     *
     * @param text the message, not empty; half a surrogate pair becomes a question mark
     * @return where it stands
     * @throws InboxFullException if the server is behind; nothing was published
     * @throws WsPushException if the server doesn't take it for another reason
     */
    public Receipt broadcast(String text) {
        return publish(DEFAULT_CHANNEL, null, Payload.of(text), PushOptions.DEFAULT);
    }

    /**
     * Publishes bytes to the default channel; see {@link #broadcast(String)}.
     *
     * @param data the message, not empty
     * @return where it stands
     */
    public Receipt broadcast(byte[] data) {
        return publish(DEFAULT_CHANNEL, null, Payload.of(data), PushOptions.DEFAULT);
    }

    /**
     * Publishes bytes to the default channel; see {@link #broadcast(String)}. A direct buffer is copied once, into the
     * frame, and must not be written to during the call.
     *
     * @param data the message: from the buffer's position to its limit, which stay as they are
     * @return where it stands
     */
    public Receipt broadcast(ByteBuffer data) {
        return publish(DEFAULT_CHANNEL, null, Payload.of(data), PushOptions.DEFAULT);
    }

    /**
     * Publishes a text to a channel.
     *
     * @param channel its name: 1 to 128 letters, digits and punctuation of ASCII, without spaces and {@code *}; an empty
     *     one is an {@link IllegalArgumentException}, and never everybody
     * @param text the message, not empty
     * @return where it stands
     * @throws InboxFullException if the server is behind; nothing was published
     * @throws WsPushException if the server doesn't take it for another reason
     */
    public Receipt publish(String channel, String text) {
        return publish(channel, channel.getBytes(UTF_8), Payload.of(text), PushOptions.DEFAULT);
    }

    /**
     * Publishes bytes to a channel; see {@link #publish(String, String)}.
     *
     * @param channel its name
     * @param data the message, not empty
     * @return where it stands
     */
    public Receipt publish(String channel, byte[] data) {
        return publish(channel, channel.getBytes(UTF_8), Payload.of(data), PushOptions.DEFAULT);
    }

    /**
     * Publishes bytes to a channel; see {@link #publish(String, String)} and {@link #broadcast(ByteBuffer)}.
     *
     * @param channel its name
     * @param data the message: from the buffer's position to its limit, which stay as they are
     * @return where it stands
     */
    public Receipt publish(String channel, ByteBuffer data) {
        return publish(channel, channel.getBytes(UTF_8), Payload.of(data), PushOptions.DEFAULT);
    }

    /**
     * As {@link #publish(String, String)}, with options.
     *
     * @param channel its name; {@link #DEFAULT_CHANNEL} for everybody
     * @param text the message, not empty
     * @param options how
     * @return where it stands
     */
    public Receipt publish(String channel, String text, PushOptions options) {
        return publish(channel, channel.getBytes(UTF_8), Payload.of(text), options);
    }

    /**
     * As {@link #publish(String, byte[])}, with options.
     *
     * @param channel its name; {@link #DEFAULT_CHANNEL} for everybody
     * @param data the message, not empty
     * @param options how
     * @return where it stands
     */
    public Receipt publish(String channel, byte[] data, PushOptions options) {
        return publish(channel, channel.getBytes(UTF_8), Payload.of(data), options);
    }

    /**
     * As {@link #publish(String, ByteBuffer)}, with options.
     *
     * @param channel its name; {@link #DEFAULT_CHANNEL} for everybody
     * @param data the message: from the buffer's position to its limit, which stay as they are
     * @param options how
     * @return where it stands
     */
    public Receipt publish(String channel, ByteBuffer data, PushOptions options) {
        return publish(channel, channel.getBytes(UTF_8), Payload.of(data), options);
    }

    private Receipt publish(String channel, byte[] name, Payload payload, PushOptions options) {
        long[] place = new long[3];
        int kind = options.kind(payload.text);
        Native.publish(id, name, payload.array, payload.direct, payload.from, payload.length, kind, place);
        return new Receipt(channel, place[0], place[1], place[2]);
    }

    /**
     * Publishes a text to several channels at once and on terms: to each of them, or, with an exception, to none.
     *
     * @param channels their names, 1 to 256, each once
     * @param text the message, not empty
     * @param terms the terms
     * @return where it stands
     * @throws OffsetDiffersException if the newest publication of a channel is another one than the terms say
     * @throws KeyReusedException if the idempotency key stands for another publication
     * @throws InboxFullException if the server is behind; nothing was published
     * @throws WsPushException if the server doesn't take it for another reason
     */
    public Published publish(List<String> channels, String text, PublishTerms terms) {
        return publish(channels, Payload.of(text), terms);
    }

    /**
     * Publishes bytes to several channels; see {@link #publish(List, String, PublishTerms)}.
     *
     * @param channels their names, 1 to 256, each once
     * @param data the message, not empty
     * @param terms the terms
     * @return where it stands
     */
    public Published publish(List<String> channels, byte[] data, PublishTerms terms) {
        return publish(channels, Payload.of(data), terms);
    }

    /**
     * Publishes bytes to several channels; see {@link #publish(List, String, PublishTerms)} and {@link
     * #broadcast(ByteBuffer)}.
     *
     * @param channels their names, 1 to 256, each once
     * @param data the message: from the buffer's position to its limit, which stay as they are
     * @param terms the terms
     * @return where it stands
     */
    public Published publish(List<String> channels, ByteBuffer data, PublishTerms terms) {
        return publish(channels, Payload.of(data), terms);
    }

    private Published publish(List<String> channels, Payload payload, PublishTerms terms) {
        Packed names = new Packed();
        channels.forEach(names::put);
        String key = terms.idempotencyKey;
        Packed asked = new Packed().put(key == null ? "" : "=" + key).put(Long.toString(terms.ifOffset));
        long[] places = new long[3 * Math.max(1, channels.size())];
        int kind = terms.options.kind(payload.text);
        int outcome = Native.publishTo(
                id, names.bytes(), payload.array, payload.direct, payload.from, payload.length, kind, asked.bytes(), places);
        if (outcome == CONFLICT) {
            throw new OffsetDiffersException(channels.get((int) places[2]), places[0], places[1]);
        }
        List<Receipt> receipts = new ArrayList<>();
        for (int n = 0; n < channels.size(); n++) {
            receipts.add(new Receipt(channels.get(n), places[3 * n], places[3 * n + 1], places[3 * n + 2]));
        }
        return new Published(Collections.unmodifiableList(receipts), outcome == DUPLICATE);
    }

    /**
     * Asks how a channel stands. The answer knows of all that this thread has published before.
     *
     * <p>The future is completed on the server's thread, and what depends on it ({@code thenAccept} and the like) runs
     * there unless its {@code Async} form is used: as a callback, it must not block. Waiting for it ({@code join}) is for
     * other threads; in a callback it is an {@link IllegalStateException}. If the server ends first, there is a {@link
     * ServerStoppedException} in it.
     *
     * @param name the channel
     * @return nothing if there is no such channel, as it has neither subscribers nor publications
     * @throws InboxFullException if the server is behind; nothing was asked
     */
    public CompletableFuture<Optional<ChannelInfo>> channel(String name) {
        return ask(new Packed().put("channel").put(name), ChannelInfo::new);
    }

    /**
     * Asks which channels there are whose names begin so, the first 100 of them; see {@link #channel}.
     *
     * @param prefix the beginning of their names; empty: all
     * @return a page of them
     */
    public CompletableFuture<ChannelPage> channels(String prefix) {
        return channels(prefix, 0, 100);
    }

    /**
     * Asks which channels there are, a page at a time; see {@link #channel}. If 64 lists are under way there is an {@link
     * InboxFullException} in the future.
     *
     * @param prefix the beginning of their names; empty: all
     * @param after 0, or {@link ChannelPage#next()} of the page before
     * @param limit so many at the most, 1 to 1,000
     * @return a page of them
     */
    public CompletableFuture<ChannelPage> channels(String prefix, long after, int limit) {
        Packed question = new Packed().put("channels").put(prefix).put(Long.toString(after)).put(Integer.toString(limit));
        Reply<ChannelPage> reply = new Reply<>(ChannelPage::new);
        Native.ask(id, question.bytes(), reply);
        return reply;
    }

    /**
     * Asks for the publications that a channel has, a page at a time; see {@link #channel}.
     *
     * @param channel the channel
     * @param query which of them
     * @return nothing if there is no such channel
     */
    public CompletableFuture<Optional<ChannelHistory>> history(String channel, HistoryQuery query) {
        Packed question = new Packed().put("history").put(channel).put(query.since);
        question.put(Integer.toString(query.limit)).put(Boolean.toString(query.newestFirst));
        return ask(question, ChannelHistory::new);
    }

    /**
     * Asks who is in a channel; see {@link #channel}.
     *
     * @param channel the channel
     * @return nothing if there is no such channel, or it has no presence
     */
    public CompletableFuture<Optional<ChannelPresence>> presence(String channel) {
        return ask(new Packed().put("presence").put(channel), ChannelPresence::new);
    }

    /**
     * Lets a channel forget what was published there; see {@link #channel}. It begins another life, with the same
     * subscribers. While others publish there, an {@link InboxFullException} is in the future: try again.
     *
     * @param channel the channel
     * @return how it stands then; nothing if there is no such channel
     */
    public CompletableFuture<Optional<ChannelInfo>> forgetHistory(String channel) {
        return ask(new Packed().put("forget").put(channel), ChannelInfo::new);
    }

    private <T> CompletableFuture<Optional<T>> ask(Packed question, Function<Packed.Reader, T> read) {
        Reply<Optional<T>> reply = new Reply<>(in -> Optional.ofNullable(in).map(read));
        Native.ask(id, question.bytes(), reply);
        return reply;
    }

    /**
     * Sends a text to one connection. To one that has gone it is dropped; one that doesn't read, so that too much
     * waits for it, is closed with 1013.
     *
     * @param conn the connection's id; 0, which is none's, is an {@link IllegalArgumentException} here and in the
     *     other methods
     * @param text the message, not empty
     * @throws InboxFullException if the server is behind; nothing was sent
     * @throws WsPushException if the server doesn't take it for another reason
     */
    public void send(long conn, String text) {
        send(conn, Payload.of(text), PushOptions.DEFAULT);
    }

    /**
     * Sends bytes to one connection; see {@link #send(long, String)}.
     *
     * @param conn the connection's id
     * @param data the message, not empty
     */
    public void send(long conn, byte[] data) {
        send(conn, Payload.of(data), PushOptions.DEFAULT);
    }

    /**
     * Sends bytes to one connection; see {@link #send(long, String)} and {@link #broadcast(ByteBuffer)}.
     *
     * @param conn the connection's id
     * @param data the message: from the buffer's position to its limit, which stay as they are
     */
    public void send(long conn, ByteBuffer data) {
        send(conn, Payload.of(data), PushOptions.DEFAULT);
    }

    /**
     * As {@link #send(long, String)}, with options.
     *
     * @param conn the connection's id
     * @param text the message, not empty
     * @param options how
     */
    public void send(long conn, String text, PushOptions options) {
        send(conn, Payload.of(text), options);
    }

    /**
     * As {@link #send(long, byte[])}, with options.
     *
     * @param conn the connection's id
     * @param data the message, not empty
     * @param options how
     */
    public void send(long conn, byte[] data, PushOptions options) {
        send(conn, Payload.of(data), options);
    }

    /**
     * As {@link #send(long, ByteBuffer)}, with options.
     *
     * @param conn the connection's id
     * @param data the message: from the buffer's position to its limit, which stay as they are
     * @param options how
     */
    public void send(long conn, ByteBuffer data, PushOptions options) {
        send(conn, Payload.of(data), options);
    }

    private void send(long conn, Payload payload, PushOptions options) {
        int kind = options.kind(payload.text);
        Native.send(id, conn, payload.array, payload.direct, payload.from, payload.length, kind);
    }

    /**
     * Closes a connection, after what was sent to it before; nothing happens if it has gone already.
     *
     * @param conn the connection's id
     * @param code the close code: 1000 to 1003, 1007 to 1014 or 3000 to 4999
     * @param reason for the client; of more than 123 bytes the rest is cut off
     */
    public void close(long conn, int code, String reason) {
        Native.disconnect(id, conn, code, reason.getBytes(UTF_8));
    }

    /**
     * Says whether a client may come in whose handshake waits ({@link Decision#pending()}). It changes nothing about one
     * that has gone, or was refused because the setting {@code handshake_ms} was over.
     *
     * @param conn the connection's id, {@link ConnectRequest#conn()}
     * @param decision the decision
     */
    public void decide(long conn, Decision decision) {
        Native.decide(id, conn, decision.packed());
    }

    /**
     * Lets a connection receive a channel from now on.
     *
     * @param conn the connection's id
     * @param channel the channel
     */
    public void subscribe(long conn, String channel) {
        Native.subscribe(id, conn, channel.getBytes(UTF_8), true);
    }

    /**
     * Lets a connection receive a channel from there on. Nothing happens if it does already.
     *
     * @param conn the connection's id
     * @param channel the channel
     * @param since where it begins: behind a position {@code E.O} (the epoch and the offset of a {@link Receipt}), or
     *     {@code head}, {@code earliest}, {@code last:N}, {@code time:UNIX_MS}, {@code latest}
     */
    public void subscribe(long conn, String channel, String since) {
        Native.subscribeSince(id, conn, channel.getBytes(UTF_8), since.getBytes(UTF_8));
    }

    /**
     * Lets it receive the channel no more.
     *
     * @param conn the connection's id
     * @param channel the channel
     */
    public void unsubscribe(long conn, String channel) {
        Native.subscribe(id, conn, channel.getBytes(UTF_8), false);
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
     * The server's numbers as of its last turn.
     *
     * @return the numbers
     */
    public Stats stats() {
        return new Stats(Packed.unpack(Native.stats(id)));
    }

    /**
     * How far a publication has come, as of the server's last turn.
     *
     * @param receipt what publishing it has returned
     * @return nothing if it isn't in the channel yet, or is not among the newest 4,096
     */
    public Optional<Delivery> delivery(Receipt receipt) {
        long[] numbers = new long[Delivery.NUMBERS];
        return Native.delivery(id, receipt.id(), numbers) ? Optional.of(new Delivery(numbers)) : Optional.empty();
    }

    /**
     * Writes what the channels keep into the file of the setting {@code state_file} while the server goes on, without
     * waiting for it. The successor of a server that dies has what was published until then, under new epochs, so
     * nobody's position counts as recovered. The log says when it is done, or why not. The end of a drain writes the final
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
        // join(0) would wait for ever.
        reactor.join(Math.max(1, Objects.requireNonNull(timeout).toMillis()));
        return !reactor.isAlive();
    }

    /**
     * Whether the server's thread is at work.
     *
     * @return whether it is
     */
    public boolean isRunning() {
        return reactor.isAlive();
    }

    /**
     * Drains the server and waits for its end, which the setting {@code drain_ms} bounds as long as no callback blocks.
     * Whatever is called afterwards throws {@link IllegalStateException}, but for a second close, which does nothing.
     *
     * @throws IllegalStateException in a callback, of whichever server: the end would wait for it, or two for each other.
     *     There is {@link #drain()}
     */
    @Override
    public void close() {
        checkOutsideOfCallbacks("close()");
        boolean first = closed.compareAndSet(false, true);
        if (first) {
            Native.drain(id);
        }
        boolean interrupted = false;
        while (reactor.isAlive()) {
            try {
                reactor.join();
            } catch (InterruptedException wantsToGoOn) {
                interrupted = true;
            }
        }
        if (first) {
            Native.free(id);
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
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
