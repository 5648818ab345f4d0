package io.wspush;

/** Where a publication stands; see {@link WsPushServer#delivery}. */
public final class Receipt {
    private final String channel;
    private final long epoch;
    private final long offset;
    private final long id;

    Receipt(String channel, long epoch, long offset, long id) {
        this.channel = channel;
        this.epoch = epoch;
        this.offset = offset;
        this.id = id;
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
     * Which life of the channel this is; offsets start anew with each.
     *
     * @return microseconds since 1970
     */
    public long epoch() {
        return epoch;
    }

    /**
     * The publication's place in the channel.
     *
     * @return the offset, one more than the publication's before it
     */
    public long offset() {
        return offset;
    }

    /**
     * The publication's number in the server.
     *
     * @return the number
     */
    public long id() {
        return id;
    }

    @Override
    public String toString() {
        return channel + "@" + epoch + ":" + offset;
    }
}
