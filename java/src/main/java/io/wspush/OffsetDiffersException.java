package io.wspush;

/** The newest publication of a channel is not the one that was expected ({@link PublishTerms#ifOffset}). */
public final class OffsetDiffersException extends WsPushException {
    private static final long serialVersionUID = 1L;

    /** The channel's name. */
    private final String channel;

    /** Its epoch; 0: there is no such channel. */
    private final long epoch;

    /** The offset of its newest publication; 0: none yet. */
    private final long offset;

    OffsetDiffersException(String channel, long epoch, long offset) {
        super("the newest publication of " + channel + " is " + epoch + "." + offset + ", not the one of ifOffset");
        this.channel = channel;
        this.epoch = epoch;
        this.offset = offset;
    }

    /**
     * The channel.
     *
     * @return its name
     */
    public String channel() {
        return channel;
    }

    /**
     * Which life of the channel this is.
     *
     * @return the epoch; 0 if there is no such channel
     */
    public long epoch() {
        return epoch;
    }

    /**
     * Its newest publication.
     *
     * @return the offset; 0 if there is none yet
     */
    public long offset() {
        return offset;
    }
}
