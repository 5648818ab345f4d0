package io.wspush;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;

/** Who is in a channel; the epoch and the offset of its newest publication say at which moment. */
public final class ChannelPresence {
    private final String channel;
    private final long epoch;
    private final long offset;
    private final long count;
    private final boolean listed;
    private final List<Member> members;

    ChannelPresence(Packed.Reader in) {
        channel = in.text();
        epoch = in.number();
        offset = in.number();
        count = in.number();
        listed = in.number() != 0;
        List<Member> all = new ArrayList<>();
        while (in.hasMore()) {
            all.add(new Member(in));
        }
        members = Collections.unmodifiableList(all);
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
     * @return microseconds since 1970
     */
    public long epoch() {
        return epoch;
    }

    /**
     * The newest publication at that moment.
     *
     * @return the offset; 0 if there is none yet
     */
    public long offset() {
        return offset;
    }

    /**
     * How many users are there.
     *
     * @return the number
     */
    public long count() {
        return count;
    }

    /**
     * Who they are.
     *
     * @return the users in the order of their names; nothing if they are more than the setting {@code
     *     presence_members_max} and only counted
     */
    public Optional<List<Member>> members() {
        return listed ? Optional.of(members) : Optional.empty();
    }

    /** A user who is in a channel, once however many connections it has there. */
    public static final class Member {
        private final String user;
        private final String info;
        private final long connections;

        private Member(Packed.Reader in) {
            user = in.text();
            info = in.text();
            connections = in.number();
        }

        /**
         * The user.
         *
         * @return its name
         */
        public String user() {
            return user;
        }

        /**
         * What its token or the host says of it.
         *
         * @return JSON, or nothing
         */
        public Optional<String> info() {
            return info.isEmpty() ? Optional.empty() : Optional.of(info);
        }

        /**
         * Its connections in the channel.
         *
         * @return how many; 0 if the last one was lost and it may be back at once
         */
        public long connections() {
            return connections;
        }
    }
}
