import io.wspush.ConnectRequest;
import io.wspush.Decision;
import io.wspush.InboxFullException;
import io.wspush.ServerStoppedException;
import io.wspush.WsPushListener;
import io.wspush.WsPushServer;
import io.wspush.WsPushSession;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicInteger;

/** A second server takes over from the first one: attributes stay behind, and are set anew. */
final class HandedHost implements WsPushListener {
    private static final int CLIENTS = 6;

    private final String name;
    private final AtomicInteger opened = new AtomicInteger();
    private final AtomicInteger taken = new AtomicInteger();
    private final AtomicInteger closed = new AtomicInteger();

    private HandedHost(String name) {
        this.name = name;
    }

    @Override
    public Decision onConnect(ConnectRequest request) {
        return Decision.accept().user("ann").channels("news").attribute("by", name);
    }

    @Override
    public void onOpen(WsPushSession session) {
        opened.incrementAndGet();
    }

    @Override
    public void onTakenOver(WsPushSession session) {
        Check.equal(null, session.attribute("by"), "the former program's");
        Check.equal("ann", session.user(), "the user has come over");
        session.attribute("by", "taken over by " + name);
        taken.incrementAndGet();
    }

    @Override
    public void onText(WsPushSession session, String text) {
        session.reply(text + " " + session.attribute("by"));
    }

    @Override
    public void onClose(WsPushSession session, int code, String reason) {
        closed.incrementAndGet();
    }

    private static WsPushServer start(HandedHost host, Path socket) {
        return Check.builder()
                .listener(host)
                .set("handover", "unix:" + socket)
                .set("reactors", "2")
                .start();
    }

    public static void main(String[] arguments) throws Exception {
        Path folder = Files.createTempDirectory("wspush-handed");
        Path socket = folder.resolve("handover.sock");
        HandedHost one = new HandedHost("one");
        HandedHost two = new HandedHost("two");
        List<Client> clients = new ArrayList<>();
        try (WsPushServer first = start(one, socket)) {
            Check.equal(OptionalLong.empty(), first.handover(), "nobody was there");
            for (int n = 0; n < CLIENTS; n++) {
                clients.add(new Client(first, "/ws"));
                clients.get(n).send("hello");
                Check.equal("hello one", clients.get(n).next(), "the first one");
            }
            try (WsPushServer second = start(two, socket)) {
                Check.equal(OptionalLong.of(CLIENTS), second.handover(), "connections that have come over");
                Check.equal(first.port(), second.port(), "the port");
                Check.eventually("it takes nothing any more", () -> stopped(first));
                for (Client client : clients) {
                    client.send("hello");
                    Check.equal("hello taken over by two", client.next(), "the second one");
                }
                second.publish("news", "for all");
                for (Client client : clients) {
                    Check.equal("for all", client.next(), "a subscription has come over");
                }
                Check.equal(CLIENTS, two.taken.get(), "each is told once");
                Check.equal(0, two.opened.get(), "none has opened");
                Check.equal(0, one.closed.get(), "none has closed");
            }
            for (Client client : clients) {
                Check.equal(1001, client.closedWith(), "the end");
            }
            Check.equal(CLIENTS, two.closed.get(), "each is closed once");
        } finally {
            for (File file : folder.toFile().listFiles()) {
                Files.delete(file.toPath());
            }
            Files.delete(folder);
        }
        System.out.println("handed over");
    }

    private static boolean stopped(WsPushServer server) {
        try {
            server.broadcast("to nobody");
            return false;
        } catch (InboxFullException underWay) {
            return false;
        } catch (ServerStoppedException stopped) {
            return true;
        }
    }
}
