package io.wspush;

import java.util.concurrent.locks.LockSupport;

/** What a pool's threads ask of their server: they can wait until its inbox has room. */
final class Patience implements Lines.Flow {
    private static final long AGAIN_NS = 500_000;

    private final WsPushServer server;

    Patience(WsPushServer server) {
        this.server = server;
    }

    /** Asks until it is taken. The reactor's thread, on which that would be never, gets the exception. */
    static void until(Runnable asked) {
        while (true) {
            try {
                asked.run();
                return;
            } catch (InboxFullException behind) {
                if (Thread.currentThread() instanceof Reactor || Thread.currentThread().isInterrupted()) {
                    throw behind;
                }
                LockSupport.parkNanos(AGAIN_NS);
            }
        }
    }

    @Override
    public void pause(long conn) {
        Native.pause(server.id, conn);
    }

    @Override
    public void resume(long conn) {
        untilTheEnd(() -> Native.resume(server.id, conn));
    }

    @Override
    public void fail(long conn) {
        untilTheEnd(() -> server.close(conn, 1011, "internal error"));
    }

    /** Of a server that has ended nothing is to be asked any more. */
    private static void untilTheEnd(Runnable asked) {
        try {
            until(asked);
        } catch (ServerStoppedException | IllegalStateException ended) {
            // Its sessions hear of their end, or have.
        }
    }
}
