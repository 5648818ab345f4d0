package io.wspush;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** Threads of the server's own for callbacks that block. */
final class Pools {
    private static final AtomicInteger THREADS = new AtomicInteger();

    private Pools() {}

    /** Virtual threads where the JDK has them (21), and otherwise so many daemon threads, which go when they are idle. */
    static ExecutorService make(int threads) {
        try {
            return (ExecutorService) Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
        } catch (ReflectiveOperationException | UnsupportedOperationException older) {
            ThreadPoolExecutor pool = new ThreadPoolExecutor(
                    threads, threads, 10, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), Pools::thread);
            pool.allowCoreThreadTimeOut(true);
            return pool;
        }
    }

    private static Thread thread(Runnable work) {
        Thread thread = new Thread(work, "wspush-callbacks-" + THREADS.incrementAndGet());
        thread.setDaemon(true);
        return thread;
    }
}
