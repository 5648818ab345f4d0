package io.wspush;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;

/**
 * Who waits for whom on a server's sessions: which are paused and why, and who is to be told that an outbox is empty. A
 * session has an entry only as long as that is so.
 */
final class Flows {
    /** The host has paused it. */
    static final int BY_HOST = 1;
    /** Too many of its events wait for a thread. */
    static final int BY_LANE = 2;

    private static final long RETRY_NANOS = 200_000;

    private final long server;
    private final Sessions sessions;
    private final ConcurrentHashMap<Long, Integer> paused = new ConcurrentHashMap<>();
    /** In the order in which they were asked for, which is the order of the answers. */
    private final ConcurrentHashMap<Long, ArrayDeque<Reply<Void>>> drains = new ConcurrentHashMap<>();

    private volatile boolean ended;

    Flows(long server, Sessions sessions) {
        this.server = server;
        this.sessions = sessions;
    }

    void pause(long conn, int by) {
        paused.compute(conn, (id, reasons) -> {
            if (reasons == null) {
                Native.pause(server, conn);
            }
            // One that has gone is not kept; the call above does nothing then, but refuses what is no id.
            return !sessions.isOpen(conn) ? null : reasons == null ? by : Integer.valueOf(reasons | by);
        });
    }

    void resume(long conn, int by) {
        paused.compute(conn, (id, reasons) -> {
            int left = reasons == null ? 0 : reasons & ~by;
            if (left == 0) {
                Native.resume(server, conn);
            }
            return left == 0 ? null : Integer.valueOf(left);
        });
    }

    /** Completed when everything that was sent before {@code ask} is with the kernel. */
    CompletableFuture<Void> drained(long conn, Runnable ask) {
        Reply<Void> reply = new Reply<>(null);
        drains.compute(conn, (id, waiting) -> {
            ask.run();
            if (ended || !sessions.isOpen(conn)) {
                reply.completeExceptionally(gone(conn));
                return waiting;
            }
            ArrayDeque<Reply<Void>> all = waiting == null ? new ArrayDeque<>(2) : waiting;
            all.add(reply);
            return all;
        });
        return reply;
    }

    /** The reactor answers so many requests. */
    void answered(long conn, int count) {
        List<Reply<Void>> answered = new ArrayList<>();
        drains.computeIfPresent(conn, (id, waiting) -> {
            for (int n = 0; n < count && !waiting.isEmpty(); n++) {
                answered.add(waiting.poll());
            }
            return waiting.isEmpty() ? null : waiting;
        });
        answered.forEach(reply -> reply.complete(null));
    }

    /** The session isn't open any more. */
    void closed(long conn) {
        paused.remove(conn);
        Collection<Reply<Void>> waiting = drains.remove(conn);
        if (waiting != null) {
            waiting.forEach(reply -> reply.completeExceptionally(gone(conn)));
        }
    }

    /** The reactor answers nothing any more. */
    void end() {
        ended = true;
        drains.keySet().forEach(this::closed);
    }

    private static SessionGoneException gone(long conn) {
        return new SessionGoneException("connection " + conn + " has ended before what was sent to it had gone out");
    }

    /** As soon as the inbox has room, on a thread that may wait; nothing happens if the server has ended. */
    static void patiently(Runnable call) {
        for (; ; ) {
            try {
                call.run();
                return;
            } catch (InboxFullException behind) {
                if (Thread.currentThread() instanceof Reactor) {
                    throw behind;
                }
                LockSupport.parkNanos(RETRY_NANOS);
            } catch (ServerStoppedException | IllegalStateException over) {
                return;
            }
        }
    }
}
