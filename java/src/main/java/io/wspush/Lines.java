package io.wspush;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;

/**
 * Callbacks of a route's sessions on a pool of threads: for each session one at a time, in their order. Who has too many
 * waiting is not read until there is room again, so that neither the pool's slowness nor a client fills the memory.
 */
final class Lines {
    /** After so many of one session it is another one's turn. */
    private static final int AT_ONCE = 16;

    /** What a session's callbacks wait in, from its opening to its end. All of it is guarded by the lines. */
    static final class Line {
        private final long conn;
        private final Queue<Task> tasks = new ArrayDeque<>(0);
        private boolean running;
        /** It is not read; and whether it has room again, and waits for room in all. */
        private boolean paused;
        private boolean waitsForRoom;
        private boolean over;
        private Task end;
        /** The attributes that the session had when it was closed, which callbacks that still wait see. */
        private volatile Map<String, Object> last;

        Line(long conn) {
            this.conn = conn;
        }

        Map<String, Object> last() {
            return last;
        }

        void closed(Map<String, Object> attributes) {
            last = attributes;
        }
    }

    /** A callback. */
    interface Task {
        /** Whether the listener came through. */
        boolean run();
    }

    private final Executor executor;
    private final int perSession;
    private final int inAll;
    private final Flow flow;
    private final Map<Long, Line> lines = new ConcurrentHashMap<>();
    private final Queue<Line> held = new ArrayDeque<>();
    private int waiting;

    /** What is asked of the server. */
    interface Flow {
        /** On the reactor's thread, in a callback of this session. */
        void pause(long conn);

        void resume(long conn);

        void fail(long conn);
    }

    Lines(Executor executor, int perSession, int inAll, Flow flow) {
        this.executor = executor;
        this.perSession = perSession;
        this.inAll = inAll;
        this.flow = flow;
    }

    /** The line of a session, which begins with this call. */
    Line line(long conn) {
        return lines.computeIfAbsent(conn, Line::new);
    }

    /**
     * Appends a callback, on the reactor's thread. False: the pool takes nothing any more, and the callback was not
     * appended.
     */
    boolean append(Line line, Task task) {
        boolean pauses;
        boolean starts;
        synchronized (this) {
            line.tasks.add(task);
            waiting++;
            pauses = !line.paused && (line.tasks.size() >= perSession || waiting >= inAll);
            line.paused |= pauses;
            starts = !line.running;
            line.running = true;
        }
        if (starts && !execute(line)) {
            synchronized (this) {
                line.tasks.clear();
                line.running = false;
                waiting--;
            }
            return false;
        }
        if (pauses) {
            flow.pause(line.conn);
        }
        return true;
    }

    /** The session's last callback, which runs in any case. */
    void appendLast(Line line, Task task) {
        lines.remove(line.conn);
        synchronized (this) {
            line.end = task;
            // It isn't read any more.
            line.paused = true;
            line.waitsForRoom = true;
        }
        if (!append(line, task)) {
            task.run();
        }
    }

    /** No callback but the last one sees the session again. */
    void isOver(Line line) {
        synchronized (this) {
            line.over = true;
        }
    }

    private boolean execute(Line line) {
        try {
            executor.execute(() -> work(line));
            return true;
        } catch (RuntimeException refused) {
            Callbacks.failed("executor", refused);
            return false;
        }
    }

    private void work(Line line) {
        do {
            for (int n = 0; n < AT_ONCE; n++) {
                Task task = next(line);
                if (task != null && !task.run()) {
                    isOver(line);
                    flow.fail(line.conn);
                }
                if (!done(line)) {
                    return;
                }
            }
            // A pool that takes nothing any more finishes what it has.
        } while (!execute(line));
    }

    /** The callback whose turn it is; null if the session is over for it. */
    private Task next(Line line) {
        synchronized (this) {
            Task task = line.tasks.peek();
            return line.over && task != line.end ? null : task;
        }
    }

    /** One callback is through. Whether there is another one. */
    private boolean done(Line line) {
        List<Line> resumed = new ArrayList<>(0);
        boolean goesOn;
        synchronized (this) {
            line.tasks.remove();
            waiting--;
            goesOn = !line.tasks.isEmpty();
            line.running = goesOn;
            if (line.paused && !line.waitsForRoom && line.tasks.size() <= perSession / 2) {
                line.waitsForRoom = true;
                held.add(line);
            }
            // Each of them may bring one at once.
            while (!held.isEmpty() && waiting + resumed.size() < inAll) {
                Line next = held.remove();
                next.paused = false;
                next.waitsForRoom = false;
                resumed.add(next);
            }
        }
        resumed.forEach(next -> flow.resume(next.conn));
        return goesOn;
    }
}
