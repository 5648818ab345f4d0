import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import javax.websocket.OnError;
import javax.websocket.OnMessage;
import javax.websocket.OnOpen;
import javax.websocket.Session;
import javax.websocket.server.ServerEndpoint;

/** An endpoint as a tutorial has it: everybody who is there gets what is pushed, by a loop over all open sessions. */
@ServerEndpoint("/crowd")
public class Crowd {
    /** Any open session, from which the others are found. */
    private static volatile Session any;

    @OnOpen
    public void open(Session session) {
        any = session;
    }

    @OnMessage
    public String echo(String text) {
        return text;
    }

    @OnError
    public void error(Throwable gone) {
        // Clients end without a word.
    }

    /** One push, to all sessions that are open. */
    interface Push {
        void go(Session any, String text) throws IOException;
    }

    static void loop(Session any, String text) throws IOException {
        for (Session session : any.getOpenSessions()) {
            session.getBasicRemote().sendText(text);
        }
    }

    /** {@code POST /push} of the text; returns the port. */
    static int listen(Push push) throws IOException {
        HttpServer http = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        http.createContext("/push", exchange -> {
            String text = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
            push.go(any, text);
            answer(exchange);
        });
        http.start();
        return http.getAddress().getPort();
    }

    private static void answer(HttpExchange exchange) throws IOException {
        exchange.sendResponseHeaders(200, -1);
        exchange.close();
    }
}
