package io.wspush;

import java.util.ArrayDeque;

/** The events of one session that wait for a thread, in their order. It is there as long as one waits or runs. */
final class Lane implements Runnable {
    private final Lanes lanes;
    private final long conn;
    private final Pool pool;
    private final ArrayDeque<Runnable> events = new ArrayDeque<>(2);
    private boolean isRunning;
    /** The session isn't read until there is room. */
    private boolean isPaused;
    /** The host has closed the session: only its end is still told. */
    private boolean isClosed;
    /** That is among the events, or was. */
    private boolean hasLast;
    /** It is no longer among the lanes. */
    private boolean isOver;

    private volatile Thread thread;

    Lane(Lanes lanes, long conn, Pool pool) {
        this.lanes = lanes;
        this.conn = conn;
        this.pool = pool;
    }

    /** Whether this thread runs one of its events. */
    boolean isRunBy(Thread caller) {
        return thread == caller;
    }

    /** False: it is over, and another one is needed. Called by the session's reactor. */
    boolean put(Runnable event, boolean isLast) {
        synchronized (this) {
            if (isOver) {
                return false;
            }
            if (isClosed && !isLast) {
                return true;
            }
            boolean isFull = pool.comes();
            if (!isLast && !isPaused && (isFull || events.size() + 1 >= pool.perSession)) {
                // Before the thread that ends it can see the event.
                lanes.flows.pause(conn, Flows.BY_LANE);
                isPaused = true;
            }
            hasLast |= isLast;
            events.add(event);
            if (isRunning) {
                return true;
            }
            isRunning = true;
        }
        submit(isLast);
        return true;
    }

    private void submit(boolean isLast) {
        try {
            pool.executor.execute(this);
        } catch (RuntimeException | Error refused) {
            if (isLast) {
                // It is told in any case, and there is no other thread for it.
                run();
                return;
            }
            synchronized (this) {
                isRunning = false;
            }
            closed();
            throw refused;
        }
    }

    /** The host has closed the session, and what waits isn't told any more. */
    void closed() {
        synchronized (this) {
            isClosed = true;
            Runnable last = hasLast ? events.pollLast() : null;
            pool.go(events.size());
            events.clear();
            if (last != null) {
                events.add(last);
            }
        }
    }

    /** One event, and then others have their turn. */
    @Override
    public void run() {
        while (step()) {
            try {
                pool.executor.execute(this);
                return;
            } catch (RuntimeException | Error refused) {
                // Then this thread goes on.
            }
        }
    }

    /** Whether there is another one. */
    private boolean step() {
        Runnable event;
        synchronized (this) {
            event = events.poll();
        }
        if (event != null) {
            pool.go(1);
            thread = Thread.currentThread();
            try {
                event.run();
            } finally {
                thread = null;
            }
        }
        boolean isMore;
        boolean resumes;
        synchronized (this) {
            isMore = !events.isEmpty();
            boolean hasRoom = !isMore || events.size() <= pool.perSession / 2 && !pool.isFull();
            resumes = isPaused && !hasLast && hasRoom;
            isPaused &= !resumes;
            isRunning = isMore;
            // One that was closed stays until the end was told, so that nothing else is.
            isOver = !isMore && (hasLast || !isClosed);
            if (isOver) {
                lanes.remove(conn, this);
            }
        }
        if (resumes) {
            Flows.patiently(() -> lanes.flows.resume(conn, Flows.BY_LANE));
        }
        return isMore;
    }
}
