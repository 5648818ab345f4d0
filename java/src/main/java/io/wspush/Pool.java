package io.wspush;

import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** The threads that a route's callbacks run on in one server, and how much may wait for them. */
final class Pool {
    private static final int IDLE_S = 10;
    private static final AtomicInteger POOLS = new AtomicInteger();

    /** What a route says about it. */
    static final class Terms {
        /** The host's; null: threads of the server's own. */
        final Executor executor;
        final int threads;
        final int perSession;
        final int inAll;

        Terms(Executor executor, int threads, int perSession, int inAll) {
            this.executor = executor;
            this.threads = threads;
            this.perSession = perSession;
            this.inAll = inAll;
        }
    }

    final Executor executor;
    /** Events of one session that may wait before it isn't read any more. */
    final int perSession;

    private final int inAll;
    private final AtomicInteger waiting = new AtomicInteger();
    private final ThreadPoolExecutor own;

    Pool(Terms terms) {
        own = terms.executor == null ? threads(terms.threads) : null;
        executor = own == null ? terms.executor : own;
        perSession = terms.perSession;
        inAll = terms.inAll;
    }

    /** Threads that come when they are needed and go when they aren't. */
    private static ThreadPoolExecutor threads(int most) {
        String name = "wspush-callbacks-" + POOLS.incrementAndGet() + "-";
        ThreadPoolExecutor threads =
                new ThreadPoolExecutor(most, most, IDLE_S, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), factory(name));
        threads.allowCoreThreadTimeOut(true);
        return threads;
    }

    /** Virtual threads where the JDK has them, which this is compiled without. */
    private static ThreadFactory factory(String name) {
        try {
            Class<?> builder = Class.forName("java.lang.Thread$Builder");
            Object virtual = Thread.class.getMethod("ofVirtual").invoke(null);
            Object named = builder.getMethod("name", String.class, long.class).invoke(virtual, name, 1L);
            return (ThreadFactory) builder.getMethod("factory").invoke(named);
        } catch (ReflectiveOperationException | RuntimeException none) {
            AtomicInteger number = new AtomicInteger();
            // Whatever the application looks up by the thread's loader it finds, whichever thread it is.
            ClassLoader loader = Thread.currentThread().getContextClassLoader();
            return task -> {
                Thread thread = new Thread(task, name + number.incrementAndGet());
                thread.setDaemon(true);
                thread.setContextClassLoader(loader);
                return thread;
            };
        }
    }

    /** One more waits; whether that is as much as may. */
    boolean comes() {
        return waiting.incrementAndGet() >= inAll;
    }

    /** So many wait no more. */
    void go(int events) {
        waiting.addAndGet(-events);
    }

    boolean isFull() {
        return waiting.get() >= inAll;
    }

    /** The server has ended; the host's own threads are the host's. */
    void end() {
        if (own != null) {
            own.shutdown();
        }
    }
}
