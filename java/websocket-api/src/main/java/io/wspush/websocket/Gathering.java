package io.wspush.websocket;

import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * A text that a thread sends to one session after another: the loop over all open sessions. The first one gets it at
 * once; the others are gathered, and get it together, encoded once and with one call into the server. They are gathered
 * until the thread does anything else, until its callback returns, and for a millisecond at the most. Whatever else is
 * sent to a session, on whatever thread, comes behind what is gathered for it.
 */
final class Gathering {
    private static final ThreadLocal<Gathering> MINE = ThreadLocal.withInitial(Gathering::new);
    private static final long WAIT_NANOS = 1_000_000;
    private static final int MOST = 16_384;

    /** The text that was sent last; the same object, not an equal one, is what a loop sends. */
    private String text;
    private PushSession latest;
    private PushSession[] sessions = new PushSession[16];
    private int count;
    private long since;

    private Gathering() {}

    static Gathering mine() {
        return MINE.get();
    }

    /** What this thread has gathered goes out, and what is gathered for this session by any. */
    static void settle(PushSession session) {
        MINE.get().forget();
        Gathering others = session.gathering;
        if (others != null) {
            others.flush();
        }
    }

    /** True: it goes out with others. False: it is the first, and the caller sends it. */
    boolean takes(PushSession session, String message, ScheduledExecutorService timer) {
        Gathering others = session.gathering;
        if (others != null) {
            others.flush();
        }
        synchronized (this) {
            if (message != text || session == latest || (count > 0 && sessions[0].container() != session.container())) {
                deliver();
                text = message;
                latest = session;
                return false;
            }
            latest = session;
            if (count == sessions.length) {
                sessions = java.util.Arrays.copyOf(sessions, 2 * count);
            }
            sessions[count++] = session;
            session.gathering = this;
            if (count == 1) {
                begin(timer);
            } else if (count == MOST || ((count & 63) == 0 && System.nanoTime() - since > WAIT_NANOS)) {
                deliver();
            }
            return true;
        }
    }

    private void begin(ScheduledExecutorService timer) {
        since = System.nanoTime();
        try {
            timer.schedule(this::flush, WAIT_NANOS, TimeUnit.NANOSECONDS);
        } catch (RejectedExecutionException ends) {
            // The container is closing: nobody would come back to it.
            deliver();
        }
    }

    /** The thread does something else, or its callback has returned: no loop goes on behind it. */
    synchronized void forget() {
        deliver();
        text = null;
        latest = null;
        if (sessions.length > 1024) {
            sessions = new PushSession[16];
        }
    }

    synchronized void flush() {
        deliver();
    }

    private void deliver() {
        if (count == 0) {
            return;
        }
        long[] ids = new long[count];
        PushSession any = sessions[0];
        for (int i = 0; i < count; i++) {
            ids[i] = sessions[i].wire().id();
            sessions[i].gathering = null;
            sessions[i] = null;
        }
        count = 0;
        try {
            Outbound.patiently(() -> any.wire().textToAll(ids, text));
        } catch (java.io.IOException problem) {
            Log.failed("a text to " + ids.length + " sessions", problem);
        }
    }
}
