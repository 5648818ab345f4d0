package io.wspush;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;

/** One of a server's threads, on which callbacks run. */
final class Reactor extends Thread {
    private static final AtomicInteger SERVERS = new AtomicInteger();

    private Reactor(Runnable run, String name) {
        super(run, name);
        setDaemon(true);
    }

    /** A server's threads, which run this with their numbers; the first one is the server's own. */
    static Reactor[] of(int count, IntConsumer run) {
        String name = "wspush-reactor-" + SERVERS.incrementAndGet();
        Reactor[] all = new Reactor[count];
        for (int n = 0; n < count; n++) {
            int number = n;
            all[n] = new Reactor(() -> run.accept(number), n == 0 ? name : name + "-" + n);
        }
        return all;
    }
}
