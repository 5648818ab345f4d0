import io.wspush.ConnectRequest;
import io.wspush.Decision;
import io.wspush.SessionPage;
import io.wspush.WsPushListener;
import io.wspush.WsPushRoute;
import io.wspush.WsPushServer;
import io.wspush.WsPushSession;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/** Three reactors: which threads callbacks come from, and that everything is of one server. */
final class ReactorsHost implements WsPushListener {
    private static final int REACTORS = 3;
    private static final int CLIENTS = 4 * REACTORS;
    private static final int TEXTS = 50;

    /** The threads that each session's callbacks have come from. */
    private final Map<Long, Set<String>> threads = new ConcurrentHashMap<>();

    private final Map<Long, List<String>> said = new ConcurrentHashMap<>();
    private final List<WsPushSession> open = new CopyOnWriteArrayList<>();
    private final AtomicInteger refusedWaits = new AtomicInteger();
    private final AtomicInteger closed = new AtomicInteger();

    private void heard(WsPushSession session) {
        threads.computeIfAbsent(session.id(), id -> ConcurrentHashMap.newKeySet()).add(Thread.currentThread().getName());
    }

    private static int reactor(long conn) {
        return (int) (conn >>> 58);
    }

    @Override
    public Decision onConnect(ConnectRequest request) {
        String name = request.query("name");
        return Decision.accept().user(name).attribute("name", name).channels("news");
    }

    @Override
    public void onOpen(WsPushSession session) {
        heard(session);
        Check.equal(session.user(), session.attribute("name"), "an attribute from the handshake");
        session.attribute("count", 0);
        open.add(session);
    }

    @Override
    public void onText(WsPushSession session, String text) {
        heard(session);
        said.computeIfAbsent(session.id(), id -> new CopyOnWriteArrayList<>()).add(text);
        session.attribute("count", (Integer) session.attribute("count") + 1);
        if (text.equals("close")) {
            try {
                session.server().close();
            } catch (IllegalStateException expected) {
                refusedWaits.incrementAndGet();
            }
            try {
                // Its own reactor would answer.
                session.server().sessionInfo(session.id()).join();
            } catch (IllegalStateException expected) {
                refusedWaits.incrementAndGet();
            }
        }
        session.reply(text + " " + session.attribute("count"));
    }

    @Override
    public void onClose(WsPushSession session, int code, String reason) {
        heard(session);
        Check.that(session.attribute("count") != null, "what it had is there at its end");
        closed.incrementAndGet();
    }

    /** A route whose callbacks run on other threads. */
    private static final class Slow implements WsPushListener {
        final Set<String> threads = ConcurrentHashMap.newKeySet();

        @Override
        public Decision onConnect(ConnectRequest request) {
            threads.add(Thread.currentThread().getName());
            return request.byConfig().attribute("room", request.pathParameter("room"));
        }

        @Override
        public void onText(WsPushSession session, String text) throws Exception {
            threads.add(Thread.currentThread().getName());
            Thread.sleep(1);
            session.send(session.attribute("room") + " " + text);
        }
    }

    private void everySessionHasOneThread(List<Client> clients) throws Exception {
        for (Client client : clients) {
            for (int n = 0; n < TEXTS; n++) {
                client.send("t" + n);
            }
        }
        List<String> expected = new ArrayList<>();
        for (int n = 0; n < TEXTS; n++) {
            expected.add("t" + n);
        }
        for (Client client : clients) {
            for (int n = 0; n < TEXTS; n++) {
                Check.equal("t" + n + " " + (n + 1), client.next(), "a reply");
            }
        }
        Map<Integer, Set<String>> byReactor = new HashMap<>();
        for (WsPushSession session : open) {
            Check.equal(expected, said.get(session.id()), "in order");
            Check.equal(1, threads.get(session.id()).size(), "threads of one session");
            byReactor.computeIfAbsent(reactor(session.id()), at -> new HashSet<>()).addAll(threads.get(session.id()));
        }
        Check.equal(REACTORS, byReactor.size(), "reactors with sessions");
        Set<String> all = new TreeSet<>();
        byReactor.forEach((reactor, of) -> {
            Check.equal(1, of.size(), "threads of reactor " + reactor);
            all.addAll(of);
        });
        Check.equal(REACTORS, all.size(), "threads");
        all.forEach(name -> Check.that(name.startsWith("wspush-reactor-"), name));
    }

    private void oneServer(WsPushServer server, List<Client> clients) throws Exception {
        server.publish("news", "1");
        for (WsPushSession session : open) {
            Check.that(session.isOpen(), "open");
            session.send("2");
            session.unsubscribe("news");
        }
        server.publish("news", "to nobody");
        for (WsPushSession session : open) {
            session.subscribe("news");
        }
        server.publish("news", "3");
        for (Client client : clients) {
            Check.equal(List.of("1", "2", "3"), List.of(client.next(), client.next(), client.next()), "one thread's order");
        }
        server.user("ann").send("for ann");
        for (int n = 0; n < clients.size(); n += 2) {
            Check.equal("for ann", clients.get(n).next(), "ann, wherever she is");
        }
        Set<Long> anns = new HashSet<>();
        server.user("ann").connections().join().connections().forEach(conn -> anns.add(conn.id()));
        Check.equal(CLIENTS / 2, anns.size(), "connections of a user");
        Check.eventually("all are counted", () -> server.stats().connections() == CLIENTS);
        for (WsPushSession session : open) {
            long id = session.id();
            Check.equal(session.user(), server.sessionInfo(id).join().orElseThrow().session().user(), "who it is");
            Check.equal(TEXTS, server.session(id).attribute("count"), "its attribute, by its id");
        }
    }

    private static void routes(WsPushServer server, Slow slow) throws Exception {
        List<Client> clients = new ArrayList<>();
        for (int n = 0; n < 2 * REACTORS; n++) {
            clients.add(new Client(server, "/room/r" + n));
        }
        for (int n = 0; n < clients.size(); n++) {
            for (int text = 0; text < 20; text++) {
                clients.get(n).send("t" + text);
            }
        }
        for (int n = 0; n < clients.size(); n++) {
            for (int text = 0; text < 20; text++) {
                Check.equal("r" + n + " t" + text, clients.get(n).next(), "in order, on other threads");
            }
        }
        slow.threads.forEach(name -> Check.that(!name.startsWith("wspush-reactor-"), name));
        Check.eventually("all are online", () -> server.online("/room/{room}") == clients.size());
        Set<Integer> reactors = new HashSet<>();
        Set<Long> ids = new HashSet<>();
        SessionPage page = server.sessions("/room/{room}", 0, 4).join();
        page.sessions().forEach(info -> ids.add(info.session().id()));
        while (page.next() != 0) {
            page = server.sessions("/room/{room}", page.next(), 4).join();
            page.sessions().forEach(info -> ids.add(info.session().id()));
        }
        ids.forEach(id -> reactors.add(reactor(id)));
        Check.equal(clients.size(), ids.size(), "sessions of the route");
        Check.equal(REACTORS, reactors.size(), "reactors that have some");
        clients.forEach(Client::close);
        Check.eventually("none is online", () -> server.online("/room/{room}") == 0);
    }

    public static void main(String[] args) throws Exception {
        ReactorsHost host = new ReactorsHost();
        Slow slow = new Slow();
        WsPushServer server = Check.builder()
                .reactors(REACTORS)
                .listener(host)
                .endpoint(WsPushRoute.at("/room/{room}").blocking(2), slow)
                .start();
        List<Client> clients = new ArrayList<>();
        for (int n = 0; n < CLIENTS; n++) {
            clients.add(new Client(server, "/ws?name=" + (n % 2 == 0 ? "ann" : "bob")));
        }
        host.everySessionHasOneThread(clients);
        host.oneServer(server, clients);
        routes(server, slow);
        for (Client client : clients) {
            client.send("close");
            Check.equal("close " + (TEXTS + 1), client.next(), "a callback that waits for nothing");
        }
        Check.equal(2 * CLIENTS, host.refusedWaits.get(), "waits in callbacks that are refused");
        clients.get(0).close();
        clients.get(1).vanish();
        Check.eventually("two ends", () -> host.closed.get() == 2);
        server.drain();
        for (Client client : clients.subList(2, CLIENTS)) {
            Check.equal(1001, client.closedWith(), "the end");
        }
        Check.that(server.awaitTermination(Duration.ofSeconds(20)), "it ends");
        Check.that(!server.isRunning(), "no thread is left");
        server.close();
        Check.equal(CLIENTS, host.closed.get(), "ends");
        host.threads.forEach((id, of) -> Check.equal(1, of.size(), "threads of one session to its end"));
    }
}
