package io.wspush;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/** What a server can be asked. It is a part of {@link WsPushServer}. */
abstract class ServerQuestions {
    /** Names the native server; not an address, and never used twice. */
    final long id;

    /** Which sessions are open, and their attributes. */
    final Sessions sessions;

    /** Who is paused, and who waits for an outbox. */
    final Flows flows;

    /** Whose callbacks wait for other threads, or run there. */
    final Lanes lanes;

    ServerQuestions(long id) {
        this.id = id;
        this.sessions = new Sessions(Native.reactors(id));
        this.flows = new Flows(id, sessions);
        this.lanes = new Lanes(flows);
    }

    /**
     * Asks how a channel stands. The answer knows of all that this thread has published before.
     *
     * <p>The future is completed on a thread of the server's, and what depends on it ({@code thenAccept} and the like) runs
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
     * Asks which channels there are whose names begin so, the first 100 of them; see {@link WsPushServer#channel
     * channel}.
     *
     * @param prefix the beginning of their names; empty: all
     * @return a page of them
     */
    public CompletableFuture<ChannelPage> channels(String prefix) {
        return channels(prefix, 0, 100);
    }

    /**
     * Asks which channels there are, a page at a time; see {@link WsPushServer#channel channel}. If 64 lists are under
     * way there is an {@link
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
     * Asks for the publications that a channel has, a page at a time; see {@link WsPushServer#channel channel}.
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
     * Asks who is in a channel; see {@link WsPushServer#channel channel}.
     *
     * @param channel the channel
     * @return nothing if there is no such channel, or it has no presence
     */
    public CompletableFuture<Optional<ChannelPresence>> presence(String channel) {
        return ask(new Packed().put("presence").put(channel), ChannelPresence::new);
    }

    /**
     * Lets a channel forget what was published there; see {@link WsPushServer#channel channel}. It begins another life,
     * with the same
     * subscribers. While others publish there, an {@link InboxFullException} is in the future: try again.
     *
     * @param channel the channel
     * @return how it stands then; nothing if there is no such channel
     */
    public CompletableFuture<Optional<ChannelInfo>> forgetHistory(String channel) {
        return ask(new Packed().put("forget").put(channel), ChannelInfo::new);
    }

    /**
     * Asks which servers the cluster has, this one among them; see {@link WsPushServer#channel channel}. Redis is asked: if
     * that is away there is a {@link WsPushException} in the future.
     *
     * @return the servers, by their names
     * @throws IllegalArgumentException if this server is in none (setting {@code cluster})
     */
    public CompletableFuture<List<NodeInfo>> nodes() {
        Reply<List<NodeInfo>> reply = new Reply<>(NodeInfo::all);
        Native.ask(id, new Packed().put("nodes").bytes(), reply);
        return reply;
    }

    <T> CompletableFuture<Optional<T>> ask(Packed question, Function<Packed.Reader, T> read) {
        Reply<Optional<T>> reply = new Reply<>(in -> Optional.ofNullable(in).map(read));
        Native.ask(id, question.bytes(), reply);
        return reply;
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
}
