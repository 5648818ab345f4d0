package io.wspush.websocket;

import java.util.ArrayDeque;
import java.util.concurrent.Executor;

/** What happens to one session, in its order and one at a time, on whichever threads are free. */
final class Mailbox {
    /** Events that wait for a callback that takes its time. */
    static final int MOST = 1024;

    private final Executor workers;
    /** Null: nothing waits and nothing runs. */
    private ArrayDeque<Runnable> events;

    Mailbox(Executor workers) {
        this.workers = workers;
    }

    /** False: too much waits, and this doesn't come in. */
    boolean put(Runnable event, boolean isLast) {
        synchronized (this) {
            if (events != null) {
                if (events.size() >= MOST && !isLast) {
                    return false;
                }
                events.add(event);
                return true;
            }
            events = new ArrayDeque<>(2);
            events.add(event);
        }
        workers.execute(this::run);
        return true;
    }

    private void run() {
        Runnable event;
        synchronized (this) {
            event = events.poll();
        }
        try {
            event.run();
        } finally {
            boolean isMore;
            synchronized (this) {
                isMore = !events.isEmpty();
                if (!isMore) {
                    events = null;
                }
            }
            // Others have their turn in between.
            if (isMore) {
                workers.execute(this::run);
            }
        }
    }
}
