package io.wspush;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;

/**
 * An answer that is on its way. The native side completes it, on the reactor's thread, which must never wait for one: it
 * would wait for itself.
 */
final class Reply<T> extends CompletableFuture<T> {
    private static final int FOUND = 0;
    private static final int NOT_FOUND = 1;
    private static final int INBOX_FULL = 2;
    private static final int STOPPED = 3;

    private final Function<Packed.Reader, T> read;

    /** {@code read} gets null for what there isn't. */
    Reply(Function<Packed.Reader, T> read) {
        this.read = read;
    }

    /** By the native side, once. */
    void answered(int status, byte[] body) {
        try {
            switch (status) {
                case FOUND:
                    complete(read.apply(new Packed.Reader(body)));
                    break;
                case NOT_FOUND:
                    complete(read.apply(null));
                    break;
                case INBOX_FULL:
                    completeExceptionally(new InboxFullException(new String(body, UTF_8)));
                    break;
                case STOPPED:
                    completeExceptionally(new ServerStoppedException(new String(body, UTF_8)));
                    break;
                default:
                    completeExceptionally(new WsPushException(new String(body, UTF_8)));
            }
        } catch (Throwable problem) {
            completeExceptionally(problem);
        }
    }

    private void checkThread() {
        if (!isDone() && Thread.currentThread() instanceof Reactor) {
            throw new IllegalStateException("waiting for an answer in a callback would wait for itself; use thenAccept");
        }
    }

    @Override
    public T get() throws InterruptedException, ExecutionException {
        checkThread();
        return super.get();
    }

    @Override
    public T get(long timeout, TimeUnit unit) throws InterruptedException, ExecutionException, TimeoutException {
        checkThread();
        return super.get(timeout, unit);
    }

    @Override
    public T join() {
        checkThread();
        return super.join();
    }

    @Override
    public <U> CompletableFuture<U> newIncompleteFuture() {
        return new Reply<>(null);
    }
}
