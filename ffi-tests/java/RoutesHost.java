import io.wspush.ConfigException;
import io.wspush.ConnectRequest;
import io.wspush.Decision;
import io.wspush.SessionInfo;
import io.wspush.SessionPage;
import io.wspush.WsPushInterceptor;
import io.wspush.WsPushListener;
import io.wspush.WsPushRoute;
import io.wspush.WsPushServer;
import io.wspush.WsPushSession;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** Routes: their paths, terms and interceptors, and what a session knows and keeps. */
final class RoutesHost {
    /** What the callbacks have seen, in order. */
    private static final BlockingQueue<String> SEEN = new LinkedBlockingQueue<>();

    private static final BlockingQueue<WsPushSession> OPENED = new LinkedBlockingQueue<>();
    private static final BlockingQueue<Long> ASKING = new LinkedBlockingQueue<>();

    private RoutesHost() {}

    /** A chat room: a guest has a name and a count. */
    private static final class Chat implements WsPushListener {
        @Override
        public Decision onConnect(ConnectRequest request) {
            Check.equal("/chat/{room}", request.route(), "route");
            Check.equal(List.of("1", "2"), request.queryParameters().getOrDefault("n", List.of("1", "2")), "query");
            Check.equal(false, request.isSecure(), "secure");
            String as = request.cookie("guest");
            if (as == null) {
                return Decision.refuse(401, "who are you?");
            }
            request.attributes().put("name", as);
            return request.byConfig().user(as).attribute("room", request.pathParameter("room"));
        }

        @Override
        public void onOpen(WsPushSession session) {
            Check.that(session.isOpen(), "open");
            OPENED.add(session);
            SEEN.add("open " + session.pathParameters() + session.attributes().keySet().size());
        }

        @Override
        public void onText(WsPushSession session, String text) {
            if (text.equals("throw")) {
                throw new IllegalStateException("as it was asked to");
            }
            int count = (Integer) session.attributes().getOrDefault("count", 0) + 1;
            session.attribute("count", count);
            session.reply(session.attribute("name") + " in " + session.pathParameter("room") + ": " + text + " " + count);
        }

        @Override
        public void onError(WsPushSession session, Throwable problem) {
            session.reply("caught " + problem.getMessage());
        }

        @Override
        public void onClose(WsPushSession session, int code, String reason) {
            Check.that(!session.isOpen(), "closed");
            SEEN.add("close " + session.attribute("name") + session.attribute("count") + code);
        }
    }

    /** It is asked first, and has the last word. */
    private static final class Stamp implements WsPushInterceptor {
        @Override
        public Decision beforeHandshake(ConnectRequest request) {
            request.attributes().put("stamp", "of " + request.pathParameter("room"));
            return request.query("banned") == null ? null : Decision.refuse(403, "banned");
        }

        @Override
        public Decision afterHandshake(ConnectRequest request, Decision decision) {
            return decision.header("X-Room", request.pathParameter("room"));
        }
    }

    private static String next(BlockingQueue<String> queue) throws InterruptedException {
        String next = queue.poll(Check.PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
        Check.that(next != null, "a callback is missing");
        return next;
    }

    private static void paths() throws Exception {
        WsPushListener tells = new WsPushListener() {
            @Override
            public void onOpen(WsPushSession session) {
                session.reply(session.route() + " " + session.pathParameters());
            }
        };
        try (WsPushServer server = Check.builder().builtinPaths(false).endpoint("/ws", tells)
                .endpoint("/a/{x}", tells).endpoint("/a/exact", tells).endpoint("/a/{x}/b/{y}", tells)
                .endpoint("/files/*", tells).start()) {
            for (String[] pair : new String[][] {
                {"/ws", "/ws {}"}, {"/a/exact", "/a/exact {}"}, {"/a/1", "/a/{x} {x=1}"},
                {"/a/caf%C3%A9%2F/b/%20", "/a/{x}/b/{y} {x=caf\u00e9/, y= }"}, {"/files/x/y", "/files/* {}"},
            }) {
                try (Client client = new Client(server, pair[0])) {
                    Check.equal(pair[1], client.next(), pair[0]);
                }
            }
            Check.equal(404, Client.refused(server, "/a"), "no route");
            Check.equal(404, Client.refused(server, "/sse"), "no path of the server's own");
        }
        for (String wrong : new String[] {"a", "/{", "/ws", "/{x}/{x}"}) {
            ConfigException refused = Check.thrown(ConfigException.class, wrong,
                    () -> Check.builder().endpoint(wrong, tells).start().close());
            Check.that(refused.getMessage().contains(wrong), refused.getMessage());
        }
        Check.thrown(ConfigException.class, "twice",
                () -> Check.builder().endpoint("/{a}", tells).endpoint("/{b}", tells).start().close());
    }

    private static void sessions(WsPushServer server) throws Exception {
        Check.equal(401, Client.refused(server, "/chat/one"), "no cookie");
        Check.equal(403, Client.refused(server, "/chat/one?banned=1"), "the interceptor refuses");
        Client ada = new Client(server, "/chat/one?n=1&n=2", of -> of.header("Cookie", "x=y; guest=ada"));
        Check.equal("open {room=one}3", next(SEEN), "ada is let in");
        ada.send("hello");
        Check.equal("ada in one: hello 1", ada.next(), "an attribute is kept");
        ada.send("hello");
        Check.equal("ada in one: hello 2", ada.next(), "and changed");
        ada.send("throw");
        Check.equal("caught as it was asked to", ada.next(), "onError");
        WsPushSession session = OPENED.take();
        Check.equal("of one", session.attribute("stamp"), "of the interceptor");
        Check.equal("one", server.session(session.id()).attribute("room"), "by id");
        try (Client bob = new Client(server, "/chat/two", of -> of.header("Cookie", "guest=\"bob\""))) {
            Check.equal("open {room=two}3", next(SEEN), "bob is let in");
            listed(server);
            bob.send("bye");
            Check.equal("bob in two: bye 1", bob.next(), "bob is there");
        }
        Check.equal("close bob11000", next(SEEN), "bob goes");
        ada.close();
        Check.equal("close ada21000", next(SEEN), "ada goes");
        Check.that(!session.isOpen(), "she has gone");
        session.attribute("late", "x");
        Check.equal(Map.of(), session.attributes(), "nothing is kept of who has gone");
        Check.equal(Optional.empty(), server.sessionInfo(session.id()).join(), "nor known");
    }

    private static void listed(WsPushServer server) throws Exception {
        OPENED.take();
        SessionPage first = server.sessions("/chat/{room}", 0, 1).join();
        SessionPage second = server.sessions("/chat/{room}", first.next(), 1).join();
        List<SessionInfo> all = new ArrayList<>(first.sessions());
        all.addAll(second.sessions());
        List<String> users = new ArrayList<>();
        for (SessionInfo info : all) {
            users.add(info.session().user() + info.session().pathParameters());
            Check.that(info.peer().startsWith("127.0.0.1:"), info.peer());
            Check.that(!info.isSecure() && info.outboxBytes() == 0, "nothing waits, and there is no TLS");
            String user = server.sessionInfo(info.session().id()).join().orElseThrow().session().user();
            Check.equal(info.session().user(), user, "one of them");
        }
        users.sort(null);
        Check.equal(List.of("ada{room=one}", "bob{room=two}"), users, "who is there");
        Check.eventually("the count", () -> server.online("/chat/{room}") == 2);
        Check.equal(0L, server.online("/echo"), "nobody elsewhere");
        Check.thrown(IllegalArgumentException.class, "no such route", () -> server.online("/nowhere"));
    }

    private static void terms(WsPushServer server) throws Exception {
        Check.equal(403, Client.refused(server, "/echo", of -> of.header("Origin", "https://evil.example")), "origin");
        try (Client client = new Client(server, "/echo", of -> of.subprotocols("v1", "v2"))) {
            Check.equal("v1", client.subprotocol(), "the client's first that there is");
            client.send("x".repeat(200));
            Check.equal("x".repeat(200), client.next(), "not too long");
            client.send("x".repeat(201));
            Check.equal(1009, client.closedWith(), "too long");
        }
        try (Client client = new Client(server, "/echo?none=1", of -> of.subprotocols("v1"))) {
            Check.equal("", client.subprotocol(), "none");
        }
        // It says nothing, and is closed.
        try (Client client = new Client(server, "/idle")) {
            Check.equal(1001, client.closedWith(), "idle");
        }
    }

    /** Control frames, and limits of one session. */
    private static void tuned(WsPushServer server) throws Exception {
        try (Client client = new Client(server, "/tuned")) {
            WsPushSession session = OPENED.take();
            session.ping("are you there?".getBytes(StandardCharsets.UTF_8));
            Check.equal("pong are you there?", client.next(), "a pong");
            session.pong("beat".getBytes(StandardCharsets.UTF_8));
            Check.thrown(IllegalArgumentException.class, "too long a ping", () -> session.ping(new byte[126]));
            session.maxMessage(130);
            session.send("now");
            Check.equal("now", client.next(), "sent behind it");
            client.send("x".repeat(131));
            Check.equal(1009, client.closedWith(), "too long");
        }
        try (Client client = new Client(server, "/tuned")) {
            OPENED.take().idleTimeout(Duration.ofMillis(100));
            Check.equal(1001, client.closedWith(), "idle");
        }
    }

    private static void pending(WsPushServer server) throws Exception {
        Thread decides = new Thread(() -> {
            try {
                long conn = ASKING.take();
                server.decide(conn, Decision.accept().attribute("late", "yes"));
            } catch (InterruptedException stop) {
                throw new AssertionError(stop);
            }
        });
        decides.start();
        try (Client client = new Client(server, "/later")) {
            Check.equal("late yes", client.next(), "decided later");
        }
        decides.join();
    }

    private static String head(WsPushServer server, String target, String cookie) throws IOException {
        try (Socket socket = new Socket("127.0.0.1", server.port())) {
            String request = "GET " + target + " HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    + "Cookie: " + cookie + "\r\n\r\n";
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            StringBuilder head = new StringBuilder();
            while (head.indexOf("\r\n\r\n") < 0) {
                head.append((char) socket.getInputStream().read());
            }
            return head.toString();
        }
    }

    public static void main(String[] args) throws Exception {
        paths();
        WsPushListener echo = new WsPushListener() {
            @Override
            public Decision onConnect(ConnectRequest request) {
                return request.query("none") == null ? request.byConfig() : request.byConfig().noSubprotocol();
            }

            @Override
            public void onText(WsPushSession session, String text) {
                session.reply(text);
            }
        };
        WsPushListener later = new WsPushListener() {
            @Override
            public Decision onConnect(ConnectRequest request) {
                ASKING.add(request.conn());
                return Decision.pending();
            }

            @Override
            public void onOpen(WsPushSession session) {
                session.reply("late " + session.attribute("late"));
            }
        };
        WsPushListener tuned = new WsPushListener() {
            @Override
            public void onOpen(WsPushSession session) {
                OPENED.add(session);
            }

            @Override
            public void onPong(WsPushSession session, byte[] payload) {
                session.reply("pong " + new String(payload, StandardCharsets.UTF_8));
            }
        };
        try (WsPushServer server = Check.builder()
                .endpoint("/tuned", tuned)
                .endpoint(WsPushRoute.at("/chat/{room}").interceptor(new Stamp()), new Chat())
                .endpoint(WsPushRoute.at("/echo").maxMessage(200).subprotocols("v2", "v1").origins("https://example.org"),
                        echo)
                .endpoint(WsPushRoute.at("/idle").idleTimeout(Duration.ofMillis(100)), echo)
                .endpoint("/later", later)
                .start()) {
            sessions(server);
            terms(server);
            pending(server);
            tuned(server);
            String head = head(server, "/chat/three", "guest=eve");
            Check.that(head.startsWith("HTTP/1.1 101") && head.contains("\r\nX-Room: three\r\n"), head);
            head = head(server, "/chat/three", "x=y");
            Check.that(head.startsWith("HTTP/1.1 401") && head.contains("\r\nX-Room: three\r\n"), head);
            Check.thrown(IllegalArgumentException.class, "a header's end",
                    () -> Decision.accept().header("X", "a\r\nSet-Cookie: b"));
            // The server's own paths are there as well.
            new Client(server, "/ws").close();
        }
    }
}
