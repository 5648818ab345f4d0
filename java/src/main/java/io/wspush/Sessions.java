package io.wspush;

import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Which of a server's sessions are open, and the attributes of those that have some. An open session is one number in an
 * array; attributes take memory from when the first of them is put until the session is closed.
 *
 * <p>An id's lower half is its slot, which is small, and its upper half tells apart those that have had it. The uppermost
 * bits are the reactor that has the session, and each has slots of its own.
 */
final class Sessions {
    private static final int SLOTS = 1024;
    private static final int REACTOR_BIT = 58;

    /** The slots of a range. All of it is guarded by the chunk. */
    private static final class Chunk {
        /** The session that is open in each slot, or 0. */
        final long[] open = new long[SLOTS];
        /** Its attributes; null while no session of the range has any. */
        Map<?, ?>[] attributes;
        int having;

        boolean isOpen(long conn) {
            return open[at(conn)] == conn;
        }

        @SuppressWarnings("unchecked")
        Map<String, Object> attributes(long conn) {
            return attributes == null ? null : (Map<String, Object>) attributes[at(conn)];
        }

        void keep(long conn, Map<String, Object> of) {
            if (attributes == null) {
                attributes = new Map<?, ?>[SLOTS];
            }
            attributes[at(conn)] = of;
            having++;
        }

        void forget(long conn) {
            if (attributes(conn) == null) {
                return;
            }
            attributes[at(conn)] = null;
            having--;
            if (having == 0) {
                attributes = null;
            }
        }
    }

    /** The sessions of one reactor, whose thread opens them. */
    private static final class Range {
        /** Grows, and is replaced when it does. */
        volatile Chunk[] chunks = new Chunk[0];
    }

    private final Range[] ranges;

    /** What sessions that were let in are to have once they are open, by number. */
    private final ConcurrentHashMap<Long, Map<String, Object>> arriving = new ConcurrentHashMap<>();

    /** The attributes of sessions that have ended, but whose callbacks have not all run. */
    private final ConcurrentHashMap<Long, Map<String, Object>> leaving = new ConcurrentHashMap<>();

    private final AtomicLong numbers = new AtomicLong();

    Sessions(int reactors) {
        ranges = new Range[reactors];
        Arrays.setAll(ranges, n -> new Range());
    }

    private static int at(long conn) {
        return (int) (conn & (SLOTS - 1));
    }

    private static int chunk(long conn) {
        return (int) ((conn & 0xffff_ffffL) / SLOTS);
    }

    private Chunk find(long conn) {
        int reactor = (int) (conn >>> REACTOR_BIT);
        if (reactor >= ranges.length) {
            return null;
        }
        Chunk[] all = ranges[reactor].chunks;
        int at = chunk(conn);
        return at < all.length ? all[at] : null;
    }

    private Chunk make(long conn) {
        Range range = ranges[(int) (conn >>> REACTOR_BIT)];
        int at = chunk(conn);
        Chunk[] all = range.chunks;
        if (at >= all.length) {
            all = Arrays.copyOf(all, at + 1);
        }
        if (all[at] == null) {
            all[at] = new Chunk();
            range.chunks = all;
        }
        return all[at];
    }

    /** Attributes for a session that is let in; its number, or 0 if there are none. */
    long arrive(Map<String, Object> attributes) {
        if (attributes.isEmpty()) {
            return 0;
        }
        long number = numbers.incrementAndGet();
        arriving.put(number, attributes);
        return number;
    }

    /** It isn't opened after all. */
    void stayAway(long number) {
        arriving.remove(number);
    }

    void opened(long conn, long number) {
        Map<String, Object> attributes = number == 0 ? null : arriving.remove(number);
        Chunk chunk = make(conn);
        synchronized (chunk) {
            chunk.open[at(conn)] = conn;
            if (attributes != null) {
                chunk.keep(conn, attributes);
            }
        }
    }

    /** The attributes that it had. */
    Map<String, Object> closed(long conn) {
        Chunk chunk = find(conn);
        if (chunk == null) {
            return Map.of();
        }
        synchronized (chunk) {
            Map<String, Object> had = chunk.isOpen(conn) ? chunk.attributes(conn) : null;
            if (chunk.isOpen(conn)) {
                chunk.open[at(conn)] = 0;
                chunk.forget(conn);
            }
            return had == null ? Map.of() : had;
        }
    }

    /** As {@link #closed}, but they are there until {@link #left}. */
    Map<String, Object> leave(long conn) {
        Chunk chunk = find(conn);
        if (chunk == null) {
            return Map.of();
        }
        synchronized (chunk) {
            Map<String, Object> had = closed(conn);
            Map<String, Object> kept = had.isEmpty() ? makeAttributes() : had;
            leaving.put(conn, kept);
            return kept;
        }
    }

    void left(long conn) {
        leaving.remove(conn);
    }

    boolean isOpen(long conn) {
        Chunk chunk = find(conn);
        if (chunk == null) {
            return false;
        }
        synchronized (chunk) {
            return chunk.isOpen(conn);
        }
    }

    /** The attributes, or null if there are none. */
    Map<String, Object> attributes(long conn) {
        Chunk chunk = find(conn);
        if (chunk == null) {
            return null;
        }
        synchronized (chunk) {
            return chunk.isOpen(conn) ? chunk.attributes(conn) : leaving.get(conn);
        }
    }

    /** The same, to be put into; null if the session isn't open. */
    Map<String, Object> attributesToPut(long conn) {
        Chunk chunk = find(conn);
        if (chunk == null) {
            return null;
        }
        synchronized (chunk) {
            if (!chunk.isOpen(conn)) {
                return leaving.get(conn);
            }
            Map<String, Object> found = chunk.attributes(conn);
            if (found == null) {
                found = makeAttributes();
                chunk.keep(conn, found);
            }
            return found;
        }
    }

    /** Small, since most have one or two. */
    static Map<String, Object> makeAttributes() {
        return new ConcurrentHashMap<>(1);
    }
}
