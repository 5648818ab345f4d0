package io.wspush;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;

/** One of several messages that are published at once ({@link WsPushServer#publishBatch}). Immutable. */
public final class BatchItem {
    /** One of c (a channel), u (a user) and n (a connection), and which. */
    private final String target;

    private final byte[] data;
    private final boolean text;
    private final PushOptions options;
    private final Pace pace;

    private BatchItem(String target, byte[] data, boolean text, PushOptions options) {
        this(target, data, text, options, Pace.NONE);
    }

    private BatchItem(String target, byte[] data, boolean text, PushOptions options, Pace pace) {
        this.target = target;
        this.data = data;
        this.text = text;
        this.options = options;
        this.pace = pace;
    }

    /**
     * A publication to a channel.
     *
     * @param channel its name; {@link WsPushServer#DEFAULT_CHANNEL} for everybody
     * @param text the message, not empty
     * @return the item
     */
    public static BatchItem channel(String channel, String text) {
        return new BatchItem("c" + Objects.requireNonNull(channel), text.getBytes(UTF_8), true, PushOptions.DEFAULT);
    }

    /**
     * A publication to a channel.
     *
     * @param channel its name; {@link WsPushServer#DEFAULT_CHANNEL} for everybody
     * @param data the message, not empty; not copied before it is published
     * @return the item
     */
    public static BatchItem channel(String channel, byte[] data) {
        return new BatchItem("c" + Objects.requireNonNull(channel), data, false, PushOptions.DEFAULT);
    }

    /**
     * A publication to a channel.
     *
     * @param channel its name; {@link WsPushServer#DEFAULT_CHANNEL} for everybody
     * @param data the message: from the buffer's position to its limit, which stay as they are; copied
     * @return the item
     */
    public static BatchItem channel(String channel, ByteBuffer data) {
        return new BatchItem("c" + Objects.requireNonNull(channel), copy(data), false, PushOptions.DEFAULT);
    }

    /**
     * A message to all connections that a user has when its turn comes.
     *
     * @param user its name
     * @param text the message, not empty
     * @return the item
     */
    public static BatchItem user(String user, String text) {
        return new BatchItem("u" + Objects.requireNonNull(user), text.getBytes(UTF_8), true, PushOptions.DEFAULT);
    }

    /**
     * A message to all connections that a user has when its turn comes.
     *
     * @param user its name
     * @param data the message, not empty; not copied before it is published
     * @return the item
     */
    public static BatchItem user(String user, byte[] data) {
        return new BatchItem("u" + Objects.requireNonNull(user), data, false, PushOptions.DEFAULT);
    }

    /**
     * A message to all connections that a user has when its turn comes.
     *
     * @param user its name
     * @param data the message: from the buffer's position to its limit, which stay as they are; copied
     * @return the item
     */
    public static BatchItem user(String user, ByteBuffer data) {
        return new BatchItem("u" + Objects.requireNonNull(user), copy(data), false, PushOptions.DEFAULT);
    }

    /**
     * A message to one connection.
     *
     * @param conn the connection's id
     * @param text the message, not empty
     * @return the item
     */
    public static BatchItem connection(long conn, String text) {
        return new BatchItem("n" + conn, text.getBytes(UTF_8), true, PushOptions.DEFAULT);
    }

    /**
     * A message to one connection.
     *
     * @param conn the connection's id
     * @param data the message, not empty; not copied before it is published
     * @return the item
     */
    public static BatchItem connection(long conn, byte[] data) {
        return new BatchItem("n" + conn, data, false, PushOptions.DEFAULT);
    }

    /**
     * A message to one connection.
     *
     * @param conn the connection's id
     * @param data the message: from the buffer's position to its limit, which stay as they are; copied
     * @return the item
     */
    public static BatchItem connection(long conn, ByteBuffer data) {
        return new BatchItem("n" + conn, copy(data), false, PushOptions.DEFAULT);
    }

    /**
     * The item with these options.
     *
     * @param options how it is pushed
     * @return the item
     */
    public BatchItem options(PushOptions options) {
        return new BatchItem(target, data, text, Objects.requireNonNull(options), pace);
    }

    /**
     * The item at a pace, see {@link PublishTerms#rate}; for channels only.
     *
     * @param perSecond the rate, 1 to 1,000,000
     * @return the item
     */
    public BatchItem rate(int perSecond) {
        return new BatchItem(target, data, text, options, Pace.rate(perSecond));
    }

    /**
     * The item at a pace, see {@link PublishTerms#deadline}; for channels only.
     *
     * @param time from a millisecond to an hour
     * @return the item
     */
    public BatchItem deadline(Duration time) {
        return new BatchItem(target, data, text, options, Pace.deadline(time));
    }

    private static byte[] copy(ByteBuffer data) {
        byte[] copy = new byte[data.remaining()];
        data.duplicate().get(copy);
        return copy;
    }

    void pack(Packed batch) {
        batch.put(target).put(options.kind(text) + pace.packed).put(data);
    }

    Optional<Receipt> receipt(long epoch, long offset, long id) {
        return id == 0 ? Optional.empty() : Optional.of(new Receipt(target.substring(1), epoch, offset, id));
    }
}
