import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import javax.websocket.OnClose;
import javax.websocket.OnOpen;
import javax.websocket.Session;
import javax.websocket.server.ServerEndpoint;

/** Notices to everybody who is online: somebody sends a form, and all open pages show it. */
@ServerEndpoint("/notices")
public class Notices {
    private static final Set<Session> ONLINE = ConcurrentHashMap.newKeySet();

    @OnOpen
    public void open(Session session) {
        ONLINE.add(session);
    }

    @OnClose
    public void close(Session session) {
        ONLINE.remove(session);
    }

    /** Returns how many got it. */
    static int send(String notice) {
        int sent = 0;
        for (Session session : ONLINE) {
            try {
                session.getBasicRemote().sendText(notice);
                sent++;
            } catch (IOException | IllegalStateException gone) {
                ONLINE.remove(session);
            }
        }
        return sent;
    }

    /** The form, on a server of the JDK's: {@code POST /send} with {@code notice=}. Returns the server, on a free port. */
    static HttpServer form() throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange ->
                answer(exchange, 200, "<form method=post action=/send><input name=notice><button>Send</button></form>"));
        server.createContext("/send", exchange -> {
            String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
            if (!exchange.getRequestMethod().equals("POST") || !body.startsWith("notice=") || body.length() < 8) {
                answer(exchange, 400, "a notice is missing");
                return;
            }
            String notice = URLDecoder.decode(body.substring("notice=".length()), StandardCharsets.UTF_8);
            answer(exchange, 200, "sent to " + send(notice));
        });
        server.start();
        return server;
    }

    private static void answer(HttpExchange exchange, int status, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "text/html; charset=utf-8");
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }
}
