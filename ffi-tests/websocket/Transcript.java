import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.websocket.OnMessage;
import javax.websocket.Session;
import javax.websocket.server.ServerEndpoint;

/** What happens on the probes' sessions, by the name that the client gives each; and an endpoint that tells it. */
@ServerEndpoint("/transcript")
public class Transcript {
    private static final Map<String, List<String>> EVENTS = new LinkedHashMap<>();

    static void note(String name, String event) {
        synchronized (EVENTS) {
            EVENTS.computeIfAbsent(name, any -> new ArrayList<>()).add(event);
            EVENTS.notifyAll();
        }
    }

    /**
     * {@code NAME PREFIX}: what was noted for a session, once there is an event that begins so; {@code NAME #N}: once there
     * are N. Waiting is what a thread is for here.
     */
    @OnMessage
    public void tell(String request, Session session) throws IOException, InterruptedException {
        String[] asked = request.split(" ", 2);
        long end = System.nanoTime() + 20_000_000_000L;
        String told;
        synchronized (EVENTS) {
            while (!isThere(asked[0], asked[1]) && System.nanoTime() < end) {
                EVENTS.wait(1000);
            }
            told = String.join("\n", EVENTS.getOrDefault(asked[0], List.of()));
        }
        session.getBasicRemote().sendText(told);
    }

    private static boolean isThere(String name, String what) {
        List<String> events = EVENTS.getOrDefault(name, List.of());
        return what.startsWith("#")
                ? events.size() >= Integer.parseInt(what.substring(1))
                : events.stream().anyMatch(event -> event.startsWith(what));
    }
}
