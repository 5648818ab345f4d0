package io.wspush;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** A page of the open sessions of a route. Those that come while the list is made may be on it or not. */
public final class SessionPage {
    private final long next;
    private final List<SessionInfo> sessions;

    SessionPage(Packed.Reader in, WsPushServer server) {
        next = in.number();
        List<SessionInfo> all = new ArrayList<>();
        while (in.hasMore()) {
            all.add(new SessionInfo(in, server));
        }
        sessions = Collections.unmodifiableList(all);
    }

    /**
     * The sessions.
     *
     * @return the sessions
     */
    public List<SessionInfo> sessions() {
        return sessions;
    }

    /**
     * The place behind this page.
     *
     * @return what to ask for the next page with; 0: that was all
     */
    public long next() {
        return next;
    }
}
