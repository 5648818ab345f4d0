package io.wspush.websocket;

import java.util.AbstractSet;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.Set;
import javax.websocket.Session;

/** The open sessions of an endpoint. Whoever asks gets them as they are then; nothing is copied while nothing changes. */
final class Members {
    private PushSession[] sessions = new PushSession[16];
    private int count;
    private volatile Set<Session> snapshot = Collections.emptySet();

    synchronized void add(PushSession session) {
        if (count == sessions.length) {
            sessions = Arrays.copyOf(sessions, 2 * count);
        }
        session.memberAt = count;
        sessions[count++] = session;
        snapshot = null;
    }

    /** Nothing happens if it is none. */
    synchronized void remove(PushSession session) {
        int at = session.memberAt;
        if (at < 0) {
            return;
        }
        session.memberAt = -1;
        PushSession last = sessions[--count];
        sessions[count] = null;
        if (last != session) {
            sessions[at] = last;
            last.memberAt = at;
        }
        if (count < sessions.length / 4 && sessions.length > 64) {
            sessions = Arrays.copyOf(sessions, sessions.length / 2);
        }
        snapshot = null;
    }

    Set<Session> all() {
        Set<Session> known = snapshot;
        if (known != null) {
            return known;
        }
        synchronized (this) {
            if (snapshot == null) {
                snapshot = new Snapshot(Arrays.copyOf(sessions, count));
            }
            return snapshot;
        }
    }

    synchronized int count() {
        return count;
    }

    /** A set that nobody changes. */
    private static final class Snapshot extends AbstractSet<Session> {
        private final PushSession[] sessions;

        Snapshot(PushSession[] sessions) {
            this.sessions = sessions;
        }

        @Override
        public Iterator<Session> iterator() {
            return Collections.<Session>unmodifiableList(Arrays.asList(sessions)).iterator();
        }

        @Override
        public int size() {
            return sessions.length;
        }

        @Override
        public boolean contains(Object one) {
            for (PushSession session : sessions) {
                if (session == one) {
                    return true;
                }
            }
            return false;
        }
    }
}
