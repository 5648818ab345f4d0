package io.wspush;

import java.util.concurrent.atomic.AtomicInteger;

/** A server's thread, on which callbacks run. */
final class Reactor extends Thread {
    private static final AtomicInteger SERVERS = new AtomicInteger();

    Reactor(Runnable run) {
        super(run, "wspush-reactor-" + SERVERS.incrementAndGet());
        setDaemon(true);
    }
}
