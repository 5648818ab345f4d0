import io.wspush.ConnectRequest;
import io.wspush.Decision;
import io.wspush.WsPushListener;
import io.wspush.WsPushServer;
import io.wspush.WsPushSession;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** What one thread asks for happens in its order, and no callback sees a session that has been ended. */
final class OrderHost implements WsPushListener {
    private final AtomicInteger opened = new AtomicInteger();
    private final AtomicInteger texts = new AtomicInteger();
    private final AtomicInteger closed = new AtomicInteger();
    private volatile WsPushSession newest;

    @Override
    public Decision onConnect(ConnectRequest request) {
        return Decision.accept().user(String.valueOf(request.query("name"))).broadcast(false).channels("news");
    }

    @Override
    public void onOpen(WsPushSession session) {
        opened.incrementAndGet();
        newest = session;
        if (session.user().equals("close")) {
            session.reply("go away");
            session.close(4001, "not today");
            session.reply("too late");
        } else if (session.user().equals("throw")) {
            session.reply("hello");
            session.server().publish("news", "somebody has come");
            throw new IllegalStateException("onOpen");
        }
    }

    @Override
    public void onText(WsPushSession session, String text) {
        texts.incrementAndGet();
        WsPushServer server = session.server();
        session.reply("1");
        server.publish("news", "2");
        session.reply("3");
        session.send("4");
        server.publish("news", "5");
        session.unsubscribe("news");
        server.publish("news", "to others");
        session.reply("6");
        session.subscribe("news");
        server.publish("news", "7");
        if (text.equals("throw")) {
            throw new IllegalStateException("onText");
        }
        session.close(4000, "as you wish");
        server.publish("news", "8");
        session.reply("too late");
    }

    @Override
    public void onClose(WsPushSession session, int code, String reason) {
        closed.incrementAndGet();
    }

    public static void main(String[] args) throws Exception {
        OrderHost host = new OrderHost();
        try (WsPushServer server = Check.builder().listener(host).start()) {
            for (int round = 0; round < 20; round++) {
                try (Breath client = new Breath(server, "/ws?name=a", "")) {
                    WsPushSession session = host.newest;
                    server.publish("news", "one");
                    session.send("two");
                    server.publish("news", "three");
                    session.unsubscribe("news");
                    server.publish("news", "to others");
                    session.subscribe("news");
                    server.publish("news", "four");
                    session.close(4002, "enough");
                    server.publish("news", "to others");
                    Check.equal(List.of("one", "two", "three", "four", "4002"), client.rest(), "one thread");
                }
                try (Breath client = new Breath(server, "/ws?name=b", "")) {
                    client.say("go", "go", "go");
                    Check.equal(List.of("1", "2", "3", "4", "5", "6", "7", "4000"), client.rest(), "a callback");
                }
                try (Breath client = new Breath(server, "/ws?name=b", "")) {
                    client.say("throw", "go", "go");
                    Check.equal(List.of("1", "2", "3", "4", "5", "6", "7", "1011"), client.rest(), "one that throws");
                }
                try (Breath client = new Breath(server, "/ws?name=close", "", "go", "go")) {
                    Check.equal(List.of("go away", "4001"), client.rest(), "onOpen");
                }
                try (Breath client = new Breath(server, "/ws?name=throw", "", "go", "go")) {
                    Check.equal(List.of("hello", "somebody has come", "1011"), client.rest(), "an onOpen that throws");
                }
            }
            Check.eventually("onClose for each onOpen", () -> host.closed.get() == 100);
        }
        Check.equal(100, host.opened.get(), "sessions");
        Check.equal(40, host.texts.get(), "texts, none of them behind an end");
        Check.equal(100, host.closed.get(), "ends");
    }
}
