package io.wspush;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;

/** How a server publishes. It is a part of {@link WsPushServer}. */
abstract class ServerPublishing extends ServerConnections {
    /** The channel that broadcasts go to. */
    public static final String DEFAULT_CHANNEL = "broadcast";

    /** Outcomes of a publication to several channels, as the native side says them. */
    private static final int DUPLICATE = 1;

    private static final int CONFLICT = 2;

    /** Written by any thread: it is whole, whichever it is. */
    private Name lastName = new Name(DEFAULT_CHANNEL, DEFAULT_CHANNEL.getBytes(UTF_8));

    ServerPublishing(long id) {
        super(id);
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
     * Publishes bytes to the default channel; see {@link WsPushServer#broadcast(String) broadcast(String)}.
     *
     * @param data the message, not empty
     * @return where it stands
     */
    public Receipt broadcast(byte[] data) {
        return publish(DEFAULT_CHANNEL, null, Payload.of(data), PushOptions.DEFAULT);
    }

    /**
     * Publishes bytes to the default channel; see {@link WsPushServer#broadcast(String) broadcast(String)}. A direct
     * buffer is copied once, into the
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
        return publish(channel, name(channel), Payload.of(text), PushOptions.DEFAULT);
    }

    /**
     * Publishes bytes to a channel; see {@link WsPushServer#publish(String, String) publish(String, String)}.
     *
     * @param channel its name
     * @param data the message, not empty
     * @return where it stands
     */
    public Receipt publish(String channel, byte[] data) {
        return publish(channel, name(channel), Payload.of(data), PushOptions.DEFAULT);
    }

    /**
     * Publishes bytes to a channel; see {@link WsPushServer#publish(String, String) publish(String, String)} and {@link
     * WsPushServer#broadcast(ByteBuffer) broadcast(ByteBuffer)}.
     *
     * @param channel its name
     * @param data the message: from the buffer's position to its limit, which stay as they are
     * @return where it stands
     */
    public Receipt publish(String channel, ByteBuffer data) {
        return publish(channel, name(channel), Payload.of(data), PushOptions.DEFAULT);
    }

    /**
     * As {@link WsPushServer#publish(String, String) publish(String, String)}, with options.
     *
     * @param channel its name; {@link WsPushServer#DEFAULT_CHANNEL} for everybody
     * @param text the message, not empty
     * @param options how
     * @return where it stands
     */
    public Receipt publish(String channel, String text, PushOptions options) {
        return publish(channel, name(channel), Payload.of(text), options);
    }

    /**
     * As {@link WsPushServer#publish(String, byte[]) publish(String, byte[])}, with options.
     *
     * @param channel its name; {@link WsPushServer#DEFAULT_CHANNEL} for everybody
     * @param data the message, not empty
     * @param options how
     * @return where it stands
     */
    public Receipt publish(String channel, byte[] data, PushOptions options) {
        return publish(channel, name(channel), Payload.of(data), options);
    }

    /**
     * As {@link WsPushServer#publish(String, ByteBuffer) publish(String, ByteBuffer)}, with options.
     *
     * @param channel its name; {@link WsPushServer#DEFAULT_CHANNEL} for everybody
     * @param data the message: from the buffer's position to its limit, which stay as they are
     * @param options how
     * @return where it stands
     */
    public Receipt publish(String channel, ByteBuffer data, PushOptions options) {
        return publish(channel, name(channel), Payload.of(data), options);
    }

    /** {@code name} is null for the default channel. */
    private Receipt publish(String channel, byte[] name, Payload payload, PushOptions options) {
        Crossing crossing = payload.isSmall(name == null ? 0 : name.length) ? Crossing.begin() : null;
        if (crossing != null) {
            return publishSmall(crossing, channel, name, payload, options.kind(payload.text));
        }
        long[] place = new long[3];
        int kind = options.kind(payload.text);
        Native.publish(id, name, payload.array, payload.direct, payload.from, payload.length, kind, place);
        return new Receipt(channel, place[0], place[1], place[2]);
    }

    private Receipt publishSmall(Crossing crossing, String channel, byte[] name, Payload payload, int kind) {
        try {
            if (name == null) {
                crossing.put(payload);
            } else {
                crossing.put(name, payload);
            }
            int length = name == null ? -1 : name.length;
            Native.publishSmall(id, crossing.place(), length, payload.length, kind);
            return crossing.receipt(channel);
        } finally {
            crossing.end();
        }
    }

    /** A channel's name in bytes. Most threads go on with the channel that they had before. */
    private byte[] name(String channel) {
        Name last = lastName;
        if (last.text.equals(channel)) {
            return last.bytes;
        }
        byte[] bytes = channel.getBytes(UTF_8);
        lastName = new Name(channel, bytes);
        return bytes;
    }

    private static final class Name {
        final String text;
        final byte[] bytes;

        Name(String text, byte[] bytes) {
            this.text = text;
            this.bytes = bytes;
        }
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
     * Publishes bytes to several channels; see {@link WsPushServer#publish(List, String, PublishTerms) publish(List,
     * String, PublishTerms)}.
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
     * Publishes bytes to several channels; see {@link WsPushServer#publish(List, String, PublishTerms) publish(List,
     * String, PublishTerms)} and {@link
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
        long[] places = new long[3 * Math.max(1, channels.size()) + 1];
        int kind = terms.options.kind(payload.text);
        int outcome = Native.publishTo(
                id, names.bytes(), payload.array, payload.direct, payload.from, payload.length, kind, terms.packed(), places);
        if (outcome == CONFLICT) {
            throw new OffsetDiffersException(channels.get((int) places[2]), places[0], places[1]);
        }
        List<Receipt> receipts = new ArrayList<>();
        for (int n = 0; n < channels.size(); n++) {
            receipts.add(new Receipt(channels.get(n), places[3 * n], places[3 * n + 1], places[3 * n + 2]));
        }
        boolean isTraced = places[3 * channels.size()] != 0;
        return new Published(
                Collections.unmodifiableList(receipts), outcome == DUPLICATE, isTraced ? terms.traceparent : null);
    }

    /**
     * Publishes several messages at once, each to a target of its own; see {@link WsPushServer#publishBatch(List, String)
     * publishBatch(List, String)}.
     *
     * @param items the messages, 1 to 1,000
     * @return where they stand
     */
    public PublishedBatch publishBatch(List<BatchItem> items) {
        return publishBatch(items, PublishTerms.NONE);
    }

    /**
     * Publishes several messages at once, each to a target of its own: all of them, or, with an exception, none. They go
     * out in their order, and nothing of another thread comes between.
     *
     * @param items the messages, 1 to 1,000
     * @param idempotencyKey a repetition of it within five minutes, with the same items, publishes nothing and has the
     *     first receipts; 1 to 128 bytes
     * @return where they stand
     * @throws BadItemException for an item that is not right
     * @throws KeyReusedException if the idempotency key stands for something else
     * @throws InboxFullException if the server is behind; nothing was published
     * @throws WsPushException if the server doesn't take it for another reason
     */
    public PublishedBatch publishBatch(List<BatchItem> items, String idempotencyKey) {
        return publishBatch(items, PublishTerms.NONE.idempotencyKey(idempotencyKey));
    }

    /**
     * As {@link WsPushServer#publishBatch(List, String) publishBatch(List, String)}, on the terms that a batch can have:
     * an idempotency key, and the request that all of it is part of ({@link PublishTerms#traceparent}).
     *
     * @param items the messages, 1 to 1,000
     * @param terms the terms; others are an {@link IllegalArgumentException}, since options and a pace are an item's
     * @return where they stand
     */
    public PublishedBatch publishBatch(List<BatchItem> items, PublishTerms terms) {
        if (terms.options != PushOptions.DEFAULT) {
            throw new IllegalArgumentException("the options of a batch stand in its items");
        }
        Packed batch = new Packed();
        items.forEach(item -> item.pack(batch));
        long[] places = new long[3 * items.size() + 1];
        places[0] = -1;
        int outcome;
        try {
            outcome = Native.publishBatch(id, terms.packed(), batch.bytes(), places);
        } catch (RuntimeException problem) {
            throw places[0] < 0 ? problem : new BadItemException((int) places[0], problem);
        }
        List<Optional<Receipt>> receipts = new ArrayList<>();
        for (int n = 0; n < items.size(); n++) {
            receipts.add(items.get(n).receipt(places[3 * n], places[3 * n + 1], places[3 * n + 2]));
        }
        boolean isTraced = places[3 * items.size()] != 0;
        return new PublishedBatch(
                Collections.unmodifiableList(receipts), outcome == DUPLICATE, isTraced ? terms.traceparent : null);
    }
}
