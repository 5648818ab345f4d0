package io.wspush;

/** How a channel stood when it was asked about. */
public final class ChannelInfo {
    private final String name;
    private final long epoch;
    private final long offset;
    private final long first;
    private final long bytes;
    private final long subscribers;
    private final long members;

    ChannelInfo(Packed.Reader in) {
        name = in.text();
        epoch = in.number();
        offset = in.number();
        first = in.number();
        bytes = in.number();
        subscribers = in.number();
        members = in.number();
    }

    /**
     * The channel.
     *
     * @return its name
     */
    public String name() {
        return name;
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
     * Its newest publication.
     *
     * @return the offset; 0 if there is none yet
     */
    public long offset() {
        return offset;
    }

    /**
     * The oldest publication that it has.
     *
     * @return the offset; that of the next one if it has none
     */
    public long first() {
        return first;
    }

    /**
     * How much it has.
     *
     * @return the bytes of its publications, as frames
     */
    public long bytes() {
        return bytes;
    }

    /**
     * Its subscribers.
     *
     * @return how many
     */
    public long subscribers() {
        return subscribers;
    }

    /**
     * Its members: users who are there, if it has presence.
     *
     * @return how many
     */
    public long members() {
        return members;
    }

    @Override
    public String toString() {
        return name + "@" + epoch + ":" + offset;
    }
}
