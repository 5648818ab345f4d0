package io.wspush.websocket;

import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The threads that callbacks run on. There are a few; more come when what waits has waited for a while, which means that
 * callbacks block. Each thread costs as much memory as hundreds of connections.
 */
final class Workers implements Executor, AutoCloseable {
    private static final int FEW = Math.max(2, Runtime.getRuntime().availableProcessors());
    /** A callback that takes longer than this blocks, or the machine is busy with something else. */
    private static final long LOOK_MS = 50;

    private static final int QUIET_LOOKS = 40;
    private static final long END_MS = 5_000;

    private final ThreadPoolExecutor pool;
    private final ScheduledThreadPoolExecutor timer;
    private final AtomicBoolean looks = new AtomicBoolean();
    private final int most;
    private final int few;
    /** Of the timer's thread, as what follows. */
    private volatile long doneBefore;

    private volatile int quietLooks;

    Workers(int most) {
        this.most = most;
        AtomicInteger number = new AtomicInteger();
        // What the application looks up by the thread's loader it finds, whichever thread brings the first event.
        ClassLoader loader = Thread.currentThread().getContextClassLoader();
        few = Math.min(FEW, most);
        pool = new ThreadPoolExecutor(few, few, 10, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), task -> {
            Thread thread = new Worker(task, "wspush-websocket-" + number.incrementAndGet());
            thread.setDaemon(true);
            thread.setContextClassLoader(loader);
            return thread;
        });
        pool.allowCoreThreadTimeOut(true);
        timer = new ScheduledThreadPoolExecutor(1, task -> {
            Thread thread = new Thread(task, "wspush-websocket-timer");
            thread.setDaemon(true);
            return thread;
        });
        timer.setRemoveOnCancelPolicy(true);
        timer.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
    }

    ScheduledThreadPoolExecutor timer() {
        return timer;
    }

    @Override
    public void execute(Runnable task) {
        pool.execute(task);
        if (!pool.getQueue().isEmpty() && looks.compareAndSet(false, true)) {
            look();
        }
    }

    private void look() {
        doneBefore = pool.getCompletedTaskCount();
        try {
            timer.schedule(this::adapt, LOOK_MS, TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException over) {
            looks.set(false);
        }
    }

    /** More threads while callbacks wait and those that run take long; the few again when nothing has waited for a while. */
    private void adapt() {
        int threads = pool.getCorePoolSize();
        boolean waits = !pool.getQueue().isEmpty();
        quietLooks = waits ? 0 : quietLooks + 1;
        if (waits && threads < most && pool.getCompletedTaskCount() - doneBefore < threads) {
            int more = Math.min(most, 2 * threads);
            pool.setMaximumPoolSize(more);
            pool.setCorePoolSize(more);
        } else if (quietLooks == QUIET_LOOKS) {
            quietLooks = 0;
            pool.setCorePoolSize(few);
            pool.setMaximumPoolSize(few);
            looks.set(false);
            return;
        }
        look();
    }

    /** Whether the calling thread is one that runs callbacks. */
    static boolean isCallback() {
        return Thread.currentThread() instanceof Worker;
    }

    /** Waits for the callbacks that are left, but not for ever for one that blocks. */
    @Override
    public void close() {
        pool.shutdown();
        try {
            pool.awaitTermination(END_MS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException stop) {
            Thread.currentThread().interrupt();
        }
        timer.shutdownNow();
    }

    private static final class Worker extends Thread {
        Worker(Runnable task, String name) {
            super(task, name);
        }
    }
}
