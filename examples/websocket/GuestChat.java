import java.io.IOException;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArraySet;
import java.util.concurrent.atomic.AtomicInteger;
import javax.websocket.OnClose;
import javax.websocket.OnError;
import javax.websocket.OnMessage;
import javax.websocket.OnOpen;
import javax.websocket.Session;
import javax.websocket.server.ServerEndpoint;

/** A chat of guests, who are numbered as they come. Everybody sees who comes, who goes, and what is said. */
@ServerEndpoint("/chat")
public class GuestChat {
    private static final Set<GuestChat> GUESTS = new CopyOnWriteArraySet<>();
    private static final AtomicInteger NUMBERS = new AtomicInteger();

    private final String nickname = "Guest" + NUMBERS.incrementAndGet();
    private Session session;

    @OnOpen
    public void start(Session session) {
        this.session = session;
        GUESTS.add(this);
        broadcast("* " + nickname + " has joined.");
    }

    @OnClose
    public void end() {
        GUESTS.remove(this);
        broadcast("* " + nickname + " has disconnected.");
    }

    @OnMessage
    public void incoming(String message) {
        // What a guest says is shown in other guests' pages.
        broadcast(nickname + ": " + message.replace("&", "&amp;").replace("<", "&lt;"));
    }

    @OnError
    public void onError(Throwable problem) {
        // A guest who vanishes is told to @OnClose as well.
    }

    private static void broadcast(String message) {
        for (GuestChat guest : GUESTS) {
            try {
                synchronized (guest) {
                    guest.session.getBasicRemote().sendText(message);
                }
            } catch (IOException | IllegalStateException gone) {
                if (GUESTS.remove(guest)) {
                    broadcast("* " + guest.nickname + " has been disconnected.");
                }
            }
        }
    }
}
