import io.wspush.Receipt;
import io.wspush.ServerStoppedException;
import io.wspush.WsPushListener;
import io.wspush.WsPushServer;
import io.wspush.WsPushSession;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;

/** Calls after close, during it, and from where they are not allowed: exceptions, never a crash. */
final class UseAfterClose {
    private static List<Check.Action> everything(WsPushServer server, WsPushSession session, Receipt receipt) {
        byte[] bytes = {1};
        ByteBuffer direct = ByteBuffer.allocateDirect(1);
        List<Check.Action> all = new ArrayList<>();
        all.add(() -> server.broadcast("x"));
        all.add(() -> server.broadcast(bytes));
        all.add(() -> server.broadcast(direct));
        all.add(() -> server.publish("a", "x"));
        all.add(() -> server.publish("a", bytes));
        all.add(() -> server.publish("a", direct));
        all.add(() -> server.send(session.id(), "x"));
        all.add(() -> session.send("x"));
        all.add(() -> session.send(bytes));
        all.add(() -> session.send(direct));
        all.add(() -> session.reply("x"));
        all.add(() -> session.close(1000, ""));
        all.add(() -> session.subscribe("a"));
        all.add(() -> session.unsubscribe("a"));
        all.add(() -> server.stats());
        all.add(() -> server.delivery(receipt));
        all.add(() -> server.saveState());
        all.add(() -> server.drain());
        return all;
    }

    private static void afterClose() throws Exception {
        AtomicReference<WsPushSession> session = new AtomicReference<>();
        AtomicReference<Throwable> inCallback = new AtomicReference<>();
        WsPushServer server = Check.builder().listener(new WsPushListener() {
            @Override
            public void onOpen(WsPushSession opened) {
                Check.thrown(IllegalStateException.class, "close in a callback", () -> opened.server().close());
                Check.thrown(IllegalStateException.class, "waiting in a callback",
                        () -> opened.server().awaitTermination(Duration.ofSeconds(1)));
                session.set(opened);
            }

            @Override
            public void onText(WsPushSession other, String text) {
                try {
                    session.get().reply("to somebody else");
                } catch (Throwable problem) {
                    inCallback.set(problem);
                }
            }
        }).start();
        Client first = new Client(server, "/ws");
        Check.eventually("onOpen", () -> session.get() != null);
        WsPushSession firstSession = session.get();
        Client second = new Client(server, "/ws");
        Check.eventually("onOpen", () -> !session.get().equals(firstSession));
        first.send("x");
        Check.eventually("onText", () -> inCallback.get() != null);
        Check.that(inCallback.get() instanceof IllegalStateException, "reply to another: " + inCallback.get());

        Receipt receipt = server.broadcast("the last one");
        server.close();
        Check.that(!server.isRunning(), "running");
        for (Client client : List.of(first, second)) {
            Check.equal("the last one", client.next(), "published before the close");
            Check.equal(1001, client.closedWith(), "going away");
        }
        int n = 0;
        for (Check.Action action : everything(server, session.get(), receipt)) {
            Check.thrown(IllegalStateException.class, "call " + n++ + " after close", action);
        }
        server.close();
        Check.that(server.awaitTermination(Duration.ZERO), "ended");
        Check.that(server.port() > 0, "what Java knows itself");
        // A new server takes the old one's place, and the old one stays closed.
        try (WsPushServer next = Check.builder().start()) {
            Check.thrown(IllegalStateException.class, "an old id", () -> server.broadcast("x"));
            next.broadcast("x");
        }
    }

    private static void afterDrain() throws Exception {
        WsPushServer server = Check.builder().start();
        Client client = new Client(server, "/ws");
        server.drain();
        Check.equal(1001, client.closedWith(), "going away");
        Check.that(server.awaitTermination(Check.PATIENCE), "ended");
        Check.thrown(ServerStoppedException.class, "after drain", () -> server.broadcast("x"));
        Check.that(server.stats().connections() == 0, "stats after the end");
        server.close();
    }

    /** Two servers that close each other in their callbacks would wait for ever. */
    private static void inAnothersCallback() throws Exception {
        try (WsPushServer other = Check.builder().start()) {
            AtomicReference<String> said = new AtomicReference<>();
            WsPushListener closer = new WsPushListener() {
                @Override
                public void onText(WsPushSession session, String text) {
                    Check.thrown(IllegalStateException.class, "close in another's callback", other::close);
                    Check.thrown(IllegalStateException.class, "waiting in another's callback",
                            () -> other.awaitTermination(Duration.ofMillis(1)));
                    other.drain();
                    said.set(text);
                }
            };
            try (WsPushServer server = Check.builder().listener(closer).start();
                    Client client = new Client(server, "/ws")) {
                client.send("x");
                Check.eventually("onText", () -> said.get() != null);
            }
            Check.that(other.awaitTermination(Check.PATIENCE), "what was drained in a callback ends");
        }
    }

    /** Sixteen threads use it while it closes. */
    private static void whileClosing() throws Exception {
        for (int round = 0; round < 8; round++) {
            WsPushServer server = Check.builder().start();
            List<Thread> threads = new ArrayList<>();
            List<Throwable> problems = new ArrayList<>();
            for (int i = 0; i < 16; i++) {
                Thread thread = new Thread(() -> {
                    try {
                        for (; ; ) {
                            Check.patiently(() -> server.broadcast("x"));
                            Check.patiently(() -> server.stats());
                        }
                    } catch (ServerStoppedException | IllegalStateException closed) {
                        // As it should be.
                    } catch (Throwable problem) {
                        synchronized (problems) {
                            problems.add(problem);
                        }
                    }
                });
                thread.start();
                threads.add(thread);
            }
            Thread.sleep(round * 3L);
            Thread other = new Thread(server::close);
            other.start();
            server.close();
            other.join();
            for (Thread thread : threads) {
                thread.join();
            }
            Check.equal(List.of(), problems, "problems");
        }
    }

    public static void main(String[] args) throws Exception {
        afterClose();
        afterDrain();
        inAnothersCallback();
        whileClosing();
    }
}
