import java.io.IOException;
import javax.websocket.CloseReason;
import javax.websocket.OnClose;
import javax.websocket.OnError;
import javax.websocket.OnMessage;
import javax.websocket.OnOpen;
import javax.websocket.Session;
import javax.websocket.server.PathParam;
import javax.websocket.server.ServerEndpoint;

/**
 * Rooms: {@code /room/ROOM/NAME}. A text goes to the room, {@code @bob text} to Bob alone, {@code ping} is the page's own
 * heartbeat, and everybody is told how many are there.
 */
@ServerEndpoint("/room/{room}/{name}")
public class RoomChat {
    private String room;
    private String name;

    @OnOpen
    public void open(Session session, @PathParam("room") String room, @PathParam("name") String name) throws IOException {
        this.room = room;
        this.name = name;
        session.getUserProperties().put("room", room);
        session.getUserProperties().put("name", name);
        session.setMaxIdleTimeout(60_000);
        // The session itself is not among the open ones before this returns.
        String online = "online " + (count(session) + 1);
        session.getBasicRemote().sendText(online);
        toRoom(session, online);
    }

    @OnMessage
    public void text(Session session, String text) throws IOException {
        if (text.equals("ping")) {
            session.getBasicRemote().sendText("pong");
        } else if (text.startsWith("@")) {
            int space = text.indexOf(' ');
            String to = space < 0 ? text.substring(1) : text.substring(1, space);
            if (!toOne(session, to, name + " whispers:" + text.substring(1 + to.length()))) {
                session.getBasicRemote().sendText(to + " is not here");
            }
        } else {
            toRoom(session, name + ": " + text);
        }
    }

    @OnClose
    public void close(Session session, CloseReason reason) {
        toRoom(session, "online " + count(session));
    }

    @OnError
    public void error(Session session, Throwable problem) {
        session.getUserProperties().put("problem", String.valueOf(problem));
    }

    private boolean isHere(Session other) {
        return room.equals(other.getUserProperties().get("room"));
    }

    private int count(Session session) {
        int count = 0;
        for (Session other : session.getOpenSessions()) {
            if (isHere(other)) {
                count++;
            }
        }
        return count;
    }

    private void toRoom(Session session, String text) {
        for (Session other : session.getOpenSessions()) {
            if (isHere(other)) {
                send(other, text);
            }
        }
    }

    private boolean toOne(Session session, String to, String text) {
        for (Session other : session.getOpenSessions()) {
            if (isHere(other) && to.equals(other.getUserProperties().get("name"))) {
                send(other, text);
                return true;
            }
        }
        return false;
    }

    /** Rooms are used by several threads, and a session takes one message at a time. */
    private static void send(Session session, String text) {
        synchronized (session) {
            try {
                if (session.isOpen()) {
                    session.getBasicRemote().sendText(text);
                }
            } catch (IOException | IllegalStateException gone) {
                // Its own @OnClose says so to the room.
            }
        }
    }
}
