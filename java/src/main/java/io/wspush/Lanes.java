package io.wspush;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** The sessions of a server whose events wait for threads other than the reactors', or run there. */
final class Lanes {
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(5);
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    final Flows flows;
    private final ConcurrentHashMap<Long, Lane> lanes = new ConcurrentHashMap<>();

    Lanes(Flows flows) {
        this.flows = flows;
    }

    /** Called by the session's reactor, in its callback. */
    void put(long conn, Pool pool, Runnable event, boolean isLast) {
        Lane lane;
        do {
            lane = lanes.computeIfAbsent(conn, id -> new Lane(this, id, pool));
        } while (!lane.put(event, isLast));
    }

    void remove(long conn, Lane lane) {
        lanes.remove(conn, lane);
    }

    /** The host has closed a session. */
    void closed(long conn) {
        Lane lane = lanes.get(conn);
        if (lane != null) {
            lane.closed();
        }
    }

    /** Whether this thread runs a callback of one of them. */
    boolean runsOn(Thread thread) {
        return lanes.values().stream().anyMatch(lane -> lane.isRunBy(thread));
    }

    /** Waits for the callbacks that are left, but not for ever for one that blocks. */
    void awaitEnd() {
        long end = System.nanoTime() + PATIENCE_NANOS;
        while (!lanes.isEmpty() && System.nanoTime() < end && !Thread.currentThread().isInterrupted()) {
            LockSupport.parkNanos(LOOK_NANOS);
        }
    }
}
