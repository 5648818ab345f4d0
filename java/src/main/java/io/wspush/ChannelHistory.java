package io.wspush;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.OptionalLong;

/** A page of what was published in a channel. */
public final class ChannelHistory {
    private final ChannelInfo channel;
    private final long missedFrom;
    private final long missedTo;
    private final List<Publication> publications;

    ChannelHistory(Packed.Reader in) {
        channel = new ChannelInfo(in);
        missedFrom = in.number();
        missedTo = in.number();
        List<Publication> all = new ArrayList<>();
        while (in.hasMore()) {
            all.add(new Publication(in));
        }
        publications = Collections.unmodifiableList(all);
    }

    /**
     * How the channel stood then.
     *
     * @return the channel
     */
    public ChannelInfo channel() {
        return channel;
    }

    /**
     * The publications that were asked for and are there.
     *
     * @return the publications, in the order that was asked for
     */
    public List<Publication> publications() {
        return publications;
    }

    /**
     * The first of those that were asked for and are gone.
     *
     * @return its offset, if any are
     */
    public OptionalLong missedFrom() {
        return missedTo == 0 ? OptionalLong.empty() : OptionalLong.of(missedFrom);
    }

    /**
     * The last of those that were asked for and are gone.
     *
     * @return its offset, if any are
     */
    public OptionalLong missedTo() {
        return missedTo == 0 ? OptionalLong.empty() : OptionalLong.of(missedTo);
    }

    /**
     * The position of a publication, for {@link HistoryQuery#since} and the like: everything behind it follows.
     *
     * @param publication one of this page
     * @return its position, {@code E.O}
     */
    public String position(Publication publication) {
        return channel.epoch() + "." + publication.offset();
    }

    /** A publication that was. */
    public static final class Publication {
        private final long offset;
        private final long timeMs;
        private final boolean text;
        private final byte[] data;

        Publication(Packed.Reader in) {
            offset = in.number();
            timeMs = in.number();
            text = in.number() == 1;
            data = in.bytes();
        }

        /**
         * Its place in the channel.
         *
         * @return the offset
         */
        public long offset() {
            return offset;
        }

        /**
         * When it came.
         *
         * @return the time, to a millisecond
         */
        public Instant time() {
            return Instant.ofEpochMilli(timeMs);
        }

        /**
         * Whether it was published as text.
         *
         * @return whether it was
         */
        public boolean isText() {
            return text;
        }

        /**
         * The message as text.
         *
         * @return the text
         */
        public String text() {
            return new String(data, UTF_8);
        }

        /**
         * The message's bytes.
         *
         * @return a copy of them
         */
        public byte[] data() {
            return data.clone();
        }
    }
}
