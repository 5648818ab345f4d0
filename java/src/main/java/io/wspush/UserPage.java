package io.wspush;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** A page of a user's connections. */
public final class UserPage {
    private final List<Connection> connections;
    private final long next;

    UserPage(Packed.Reader in) {
        next = in.number();
        List<Connection> all = new ArrayList<>();
        while (in.hasMore()) {
            all.add(new Connection(in));
        }
        connections = Collections.unmodifiableList(all);
    }

    /**
     * The connections.
     *
     * @return the connections
     */
    public List<Connection> connections() {
        return connections;
    }

    /**
     * Where the next page begins.
     *
     * @return what to give as {@code after}; 0: that was all
     */
    public long next() {
        return next;
    }

    /** A connection of the user. */
    public static final class Connection {
        private final long id;
        private final List<String> channels;

        Connection(Packed.Reader in) {
            id = in.number();
            List<String> names = new ArrayList<>();
            for (long count = in.number(); count > 0; count--) {
                names.add(in.text());
            }
            channels = Collections.unmodifiableList(names);
        }

        /**
         * Its id.
         *
         * @return the id
         */
        public long id() {
            return id;
        }

        /**
         * The channels that it receives.
         *
         * @return their names
         */
        public List<String> channels() {
            return channels;
        }
    }
}
