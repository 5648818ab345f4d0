package io.wspush;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Who waits until a session's outbox is empty. The server answers one such question of a session at a time, so later ones
 * are asked behind its answer.
 */
final class Drains {
    /** The futures of one session. All of it is guarded by itself. */
    private static final class Waiting {
        private List<CompletableFuture<Void>> asked = new ArrayList<>(1);
        private List<CompletableFuture<Void>> next = new ArrayList<>(0);
        private boolean over;
    }

    private final Map<Long, Waiting> sessions = new ConcurrentHashMap<>();
    private final Sessions open;

    Drains(Sessions open) {
        this.open = open;
    }

    /** Completed when what was sent before is with the kernel. */
    CompletableFuture<Void> drained(long server, long conn) {
        CompletableFuture<Void> drained = new Reply<>(null);
        boolean asks = false;
        boolean waits = false;
        while (!waits) {
            Waiting waiting = sessions.computeIfAbsent(conn, none -> new Waiting());
            synchronized (waiting) {
                // One that is over is being replaced.
                waits = !waiting.over;
                asks = waits && waiting.asked.isEmpty();
                if (waits) {
                    (asks ? waiting.asked : waiting.next).add(drained);
                }
            }
        }
        try {
            if (asks) {
                Native.notifyDrained(server, conn);
            }
        } catch (RuntimeException refused) {
            fail(conn, refused);
        }
        if (!open.isOpen(conn)) {
            closed(conn);
        }
        return drained;
    }

    /** The outbox is empty. On the reactor's thread, in a callback of the session. */
    void answered(long server, long conn) {
        Waiting waiting = sessions.get(conn);
        if (waiting == null) {
            return;
        }
        List<CompletableFuture<Void>> done;
        synchronized (waiting) {
            if (!waiting.next.isEmpty() && !asked(server, conn)) {
                return;
            }
            done = waiting.asked;
            waiting.asked = waiting.next;
            waiting.next = new ArrayList<>(0);
            waiting.over = waiting.asked.isEmpty();
            if (waiting.over) {
                sessions.remove(conn, waiting);
            }
        }
        done.forEach(future -> future.complete(null));
    }

    /** Asks for those that came meanwhile; if the inbox has no room, it is tried again in the next turn. */
    private static boolean asked(long server, long conn) {
        try {
            Native.notifyDrained(server, conn);
            return true;
        } catch (InboxFullException behind) {
            Native.notifyDrainedHere(conn);
            return false;
        }
    }

    /** The session has gone. */
    void closed(long conn) {
        if (!sessions.isEmpty()) {
            fail(conn, new WsPushException("the session was closed before everything was sent"));
        }
    }

    private void fail(long conn, RuntimeException why) {
        Waiting waiting = sessions.remove(conn);
        if (waiting == null) {
            return;
        }
        List<CompletableFuture<Void>> failed = new ArrayList<>();
        synchronized (waiting) {
            waiting.over = true;
            failed.addAll(waiting.asked);
            failed.addAll(waiting.next);
        }
        failed.forEach(future -> future.completeExceptionally(why));
    }
}
