package io.wspush.websocket;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.websocket.OnMessage;
import javax.websocket.OnOpen;
import javax.websocket.Session;
import javax.websocket.server.ServerEndpoint;

/** The adapter without a server: sessions on connections that write down what is sent. */
public final class AdapterTest {
    private AdapterTest() {}

    static void that(boolean truth, String what) {
        if (!truth) {
            throw new AssertionError(what);
        }
    }

    static void equal(Object expected, Object found) {
        that(expected.equals(found), "expected " + expected + ", found " + found);
    }

    interface Action {
        void run() throws Exception;
    }

    static <T extends Throwable> T thrown(Class<T> type, Action action) {
        try {
            action.run();
        } catch (Throwable problem) {
            that(type.isInstance(problem), "expected " + type + ", found " + problem);
            return type.cast(problem);
        }
        throw new AssertionError("no " + type);
    }

    private static void quietly(Action action) {
        try {
            action.run();
        } catch (Exception problem) {
            throw new AssertionError(problem);
        }
    }

    /** Takes everything. */
    @ServerEndpoint("/room/{room}")
    public static class Plain {
        @OnOpen
        public void open(Session session) {
            session.getUserProperties().put("opened", true);
        }

        @OnMessage
        public String text(String text) {
            return "echo " + text;
        }
    }

    /** Sessions of an endpoint that nobody serves. */
    static List<PushSession> sessions(Class<?> type, List<FakeWire> wires) throws Exception {
        Deployment deployment = Deployment.of(type);
        deployment.belongTo(new WsPushContainer(List.of(deployment), new Workers(2)), "endpoint.0");
        List<PushSession> sessions = new ArrayList<>();
        for (FakeWire wire : wires) {
            Opening opening = new Opening(
                    new Opening.Target("/room/a%20b?x=1&x=2&y", "host:80", false, Map.of("room", "a b")),
                    new Opening.Agreed("ada", "", List.of()));
            PushSession session = new PushSession(deployment, wire, opening, Map.of());
            session.opened();
            sessions.add(session);
        }
        return sessions;
    }

    private static void aHandshakeCanBeAskedFor() throws Exception {
        PushSession session = sessions(Plain.class, List.of(new FakeWire(255, FakeWire.log()))).get(0);
        equal("ff", session.getId());
        equal("ws://host:80/room/a%20b?x=1&x=2&y", session.getRequestURI().toString());
        equal("x=1&x=2&y", session.getQueryString());
        equal(Map.of("x", List.of("1", "2"), "y", List.of(""), "room", List.of("a b")), session.getRequestParameterMap());
        equal("ada", session.getUserPrincipal().getName());
        equal(true, session.getUserProperties().get("opened"));
        equal(Set.of(session), session.getOpenSessions());
        equal(1, WsPush.online(session));
        session.close();
        that(!session.isOpen() && session.getId().equals("ff"), "closed");
        session.gone(1000, "");
        thrown(IllegalStateException.class, session::getOpenSessions);
        thrown(IllegalStateException.class, session::getBasicRemote);
        thrown(IllegalArgumentException.class, () -> WsPush.online(null));
    }

    /** What is gathered may go out in several calls, if the machine is slow; they are one here. */
    private static List<String> merged(List<String> sent) {
        List<String> merged = new ArrayList<>();
        for (String line : sent) {
            String before = merged.isEmpty() ? "" : merged.get(merged.size() - 1);
            int end = before.indexOf("]: ");
            if (line.startsWith("[") && end >= 0 && before.substring(end).equals(line.substring(line.indexOf("]: ")))) {
                merged.set(merged.size() - 1, before.substring(0, end) + ", " + line.substring(1));
            } else {
                merged.add(line);
            }
        }
        return merged;
    }

    /** The loop over all: the first at once, the others together, and in order with everything else. */
    private static void aLoopIsGathered() throws Exception {
        List<String> sent = FakeWire.log();
        List<FakeWire> wires = new ArrayList<>();
        for (int id = 1; id <= 5; id++) {
            wires.add(new FakeWire(id, sent));
        }
        List<PushSession> sessions = sessions(Plain.class, wires);
        String text = new String("to all");
        for (PushSession session : sessions) {
            session.getBasicRemote().sendText(text);
        }
        sessions.get(3).getBasicRemote().sendText("one more");
        sessions.get(3).getBasicRemote().sendText("one more");
        equal(List.of("1: to all", "[2, 3, 4, 5]: to all", "4: one more", "4: one more"), merged(sent));
        sent.clear();
        // Equal is not the same: nothing is known about such a loop.
        for (PushSession session : sessions.subList(0, 2)) {
            session.getBasicRemote().sendText(new String("to all"));
        }
        equal(List.of("1: to all", "2: to all"), merged(sent));
        sent.clear();
        // Whatever else is sent to a session, on any thread, comes behind what is gathered for it.
        for (PushSession session : sessions) {
            session.getBasicRemote().sendText(text);
        }
        Thread other = new Thread(() -> quietly(() -> sessions.get(4).getBasicRemote().sendPing(ByteBuffer.allocate(0))));
        other.start();
        other.join();
        sessions.get(2).close();
        equal(List.of("1: to all", "[2, 3, 4, 5]: to all", "5: ping 0", "3: close 1000 "), merged(sent));
        sent.clear();
        // A callback that returns keeps nothing back, and nobody has to call again for what is gathered to go out.
        sessions.get(0).getBasicRemote().sendText(text);
        sessions.get(1).getBasicRemote().sendText(text);
        Gathering.mine().forget();
        equal(List.of("1: to all", "[2]: to all"), merged(sent));
        sessions.get(0).getBasicRemote().sendText(text);
        sessions.get(1).getBasicRemote().sendText(text);
        while (sent.size() < 4) {
            Thread.onSpinWait();
        }
        equal(List.of("1: to all", "[2]: to all", "1: to all", "[2]: to all"), merged(sent));
    }

    private static void aFullServerIsWaitedFor() throws Exception {
        List<String> sent = FakeWire.log();
        FakeWire wire = new FakeWire(1, sent);
        PushSession session = sessions(Plain.class, List.of(wire)).get(0);
        wire.refusals = 3;
        session.getBasicRemote().sendText("patience");
        session.getBasicRemote().sendBinary(ByteBuffer.wrap(new byte[] {1, 2}));
        equal(List.of("1: patience", "1: [1, 2]"), sent);
    }

    /** What is more than a window is sent in frames, and the client's socket is waited for. */
    private static void aSlowClientIsWaitedFor() throws Exception {
        List<String> sent = FakeWire.log();
        FakeWire wire = new FakeWire(1, sent);
        PushSession session = sessions(Plain.class, List.of(wire)).get(0);
        ByteBuffer data = ByteBuffer.allocate(Outbound.WINDOW + 1);
        session.getBasicRemote().sendBinary(data);
        equal(0, data.remaining());
        equal(List.of("1: part 65536 bytes", "1: part 65536 bytes", "1: part 65536 bytes", "1: part 65536 bytes",
                "1: last [0]", "1: drained?"), sent);
        sent.clear();
        // A pair of surrogates is never cut.
        session.getBasicRemote().sendText("x" + "🎈".repeat(Outbound.WINDOW / 2));
        equal("1: part 65535 characters", sent.get(0));
        sent.clear();
        CompletableFuture<Void> taken = new CompletableFuture<>();
        wire.taken = taken;
        Thread sender = new Thread(() -> {
            for (int i = 0; i < 5; i++) {
                quietly(() -> session.getBasicRemote().sendText("y".repeat(64 << 10)));
            }
            quietly(() -> session.getBasicRemote().sendText("then"));
        });
        sender.start();
        while (sender.getState() != Thread.State.TIMED_WAITING) {
            Thread.onSpinWait();
        }
        equal("1: drained?", sent.get(sent.size() - 1));
        taken.complete(null);
        sender.join();
        equal("1: then", sent.get(sent.size() - 1));
        // Who has gone is an IOException.
        wire.taken = CompletableFuture.failedFuture(new IllegalStateException("gone"));
        thrown(java.io.IOException.class, () -> session.getBasicRemote().sendText("z".repeat(Outbound.WINDOW)));
    }

    private static void partsAreOneMessage() throws Exception {
        List<String> sent = FakeWire.log();
        PushSession session = sessions(Plain.class, List.of(new FakeWire(1, sent))).get(0);
        session.getBasicRemote().sendText("a", false);
        thrown(IllegalStateException.class, () -> session.getBasicRemote().sendText("whole"));
        thrown(IllegalStateException.class, () -> session.getAsyncRemote().sendText("whole"));
        thrown(IllegalStateException.class, () -> session.getBasicRemote().sendBinary(ByteBuffer.allocate(1), true));
        session.getBasicRemote().sendText("b", true);
        try (java.io.Writer writer = session.getBasicRemote().getSendWriter()) {
            writer.write("c");
            writer.flush();
            writer.write("🎈".repeat(5000));
        }
        try (java.io.OutputStream stream = session.getBasicRemote().getSendStream()) {
            stream.write(1);
            stream.write(new byte[9000]);
        }
        equal(List.of("1: part a", "1: last b", "1: part c", "1: part 8192 characters", "1: last 1808 characters",
                "1: part 8192 bytes", "1: last 809 bytes"), sent);
    }

    private static void blockedThreadsGetCompany() throws Exception {
        try (Workers workers = new Workers(32)) {
            CountDownLatch all = new CountDownLatch(20);
            for (int i = 0; i < 20; i++) {
                workers.execute(() -> {
                    all.countDown();
                    try {
                        all.await();
                    } catch (InterruptedException stop) {
                        Thread.currentThread().interrupt();
                    }
                });
            }
            that(all.await(20, TimeUnit.SECONDS), "20 callbacks that wait for each other");
        }
    }

    private static void flagsAreSettings() {
        thrown(IllegalArgumentException.class, () -> Main.parse(new String[] {"NoSuchClass"}));
        thrown(IllegalArgumentException.class, () -> Main.parse(new String[] {"--listen"}));
        thrown(IllegalArgumentException.class, () -> Main.parse(new String[] {"--threads", "many"}));
        thrown(IllegalArgumentException.class, () -> Main.parse(new String[] {"--threads=0"}));
        thrown(javax.websocket.DeploymentException.class, () -> Main.parse(new String[] {"--log-level=off"}).start());
        thrown(io.wspush.ConfigException.class, () ->
                Main.parse(new String[] {"--no-such-setting=1", Plain.class.getName()}).start());
    }

    public static void main(String[] arguments) throws Exception {
        aHandshakeCanBeAskedFor();
        aLoopIsGathered();
        aFullServerIsWaitedFor();
        aSlowClientIsWaitedFor();
        partsAreOneMessage();
        blockedThreadsGetCompany();
        flagsAreSettings();
        DeploymentErrors.check();
        System.out.println("the adapter's own tests have passed: " + Arrays.asList(arguments));
    }
}
