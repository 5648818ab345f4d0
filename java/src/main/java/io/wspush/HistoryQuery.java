package io.wspush;

import java.util.Objects;

/** Which publications of a channel to read. Immutable. */
public final class HistoryQuery {
    /** All that the channel has, the oldest first, 100 on a page. */
    public static final HistoryQuery ALL = new HistoryQuery("earliest", 100, false);

    final String since;
    final int limit;
    final boolean newestFirst;

    private HistoryQuery(String since, int limit, boolean newestFirst) {
        this.since = since;
        this.limit = limit;
        this.newestFirst = newestFirst;
    }

    /**
     * The same from there on.
     *
     * @param since where it begins: behind a position {@code E.O}, or {@code earliest}, {@code last:N},
     *     {@code time:UNIX_MS}, {@code latest}, {@code head}
     * @return the query
     */
    public HistoryQuery since(String since) {
        return new HistoryQuery(Objects.requireNonNull(since), limit, newestFirst);
    }

    /**
     * The same with so many publications on a page. It has about 256 KiB at the most, but always one publication.
     *
     * @param limit 1 to 1,000
     * @return the query
     */
    public HistoryQuery limit(int limit) {
        return new HistoryQuery(since, limit, newestFirst);
    }

    /**
     * The same from the other end.
     *
     * @return the query
     */
    public HistoryQuery newestFirst() {
        return new HistoryQuery(since, limit, true);
    }
}
