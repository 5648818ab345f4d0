import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.wspush.InboxFullException;
import io.wspush.Receipt;
import io.wspush.WsPushServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;

/**
 * The classic online notification: a form posts, and everybody who is online gets it.
 *
 * <p>The pages come from the JDK's own HTTP server; the WebSockets are wspush's. Build the jar, run this, and open two
 * windows:
 *
 * <pre>
 * java/build
 * java -cp java/target/wspush.jar examples/java/OnlineNotification.java
 * </pre>
 *
 * <p>In Spring it is the same with a bean, which the container closes:
 *
 * <pre>{@code
 * @Component
 * public class Notifications {
 *     private final WsPushServer server = WsPushServer.builder()
 *             .listen("127.0.0.1:8080") // a proxy in front of it brings the visitors
 *             .origins("https://www.example.com") // where the pages come from
 *             .start();
 *
 *     public void tellEverybody(String text) {
 *         server.broadcast(text);
 *     }
 *
 *     @PreDestroy
 *     public void close() {
 *         server.close();
 *     }
 * }
 *
 * @RestController
 * class NotificationController {
 *     private final Notifications notifications;
 *
 *     NotificationController(Notifications notifications) {
 *         this.notifications = notifications;
 *     }
 *
 *     @PostMapping("/notify")
 *     void notify(@RequestParam String message) {
 *         notifications.tellEverybody(message);
 *     }
 * }
 * }</pre>
 */
public class OnlineNotification {
    private static final String PAGE = String.join("\n",
            "<!doctype html><meta charset=utf-8><title>Notifications</title>",
            "<form><input name=message autofocus required><button>Tell everybody</button></form>",
            "<ul id=list></ul>",
            "<script>",
            "const form = document.querySelector('form'), list = document.getElementById('list')",
            "const socket = new WebSocket('ws://' + location.hostname + ':%d/ws')",
            "socket.onmessage = event => {",
            "  const item = document.createElement('li')",
            "  item.textContent = event.data",
            "  list.prepend(item)",
            "}",
            "form.onsubmit = event => {",
            "  event.preventDefault()",
            "  fetch('/notify', {method: 'POST', body: new URLSearchParams(new FormData(form))})",
            "  form.reset()",
            "}",
            "</script>");

    public static void main(String[] ports) throws IOException {
        int httpPort = ports.length > 0 ? Integer.parseInt(ports[0]) : 8000;
        int pushPort = ports.length > 1 ? Integer.parseInt(ports[1]) : 8080;

        HttpServer http = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), httpPort), 0);
        String formPort = ":" + http.getAddress().getPort();
        // The page comes from another port, and so from another origin: without this a browser that has a cookie for
        // this host, of whatever program, would be refused.
        WsPushServer push = WsPushServer.builder()
                .listen("127.0.0.1:" + pushPort)
                .origins("http://127.0.0.1" + formPort, "http://localhost" + formPort)
                .start();
        // SIGTERM and Ctrl-C: everybody gets a close frame. In Spring this is @PreDestroy.
        Runtime.getRuntime().addShutdownHook(new Thread(push::close));

        http.createContext("/", exchange -> answer(exchange, 200, "text/html", String.format(PAGE, push.port())));
        http.createContext("/notify", exchange -> notify(exchange, push));
        http.start();
        System.out.println("open http://127.0.0.1" + formPort + "/ in two windows");
    }

    private static void notify(HttpExchange exchange, WsPushServer push) throws IOException {
        String form = new String(exchange.getRequestBody().readNBytes(10_000), StandardCharsets.UTF_8);
        if (!exchange.getRequestMethod().equals("POST") || !form.startsWith("message=")) {
            answer(exchange, 400, "text/plain", "POST a form with a message\n");
            return;
        }
        String message = URLDecoder.decode(form.substring("message=".length()), StandardCharsets.UTF_8);
        try {
            Receipt receipt = push.broadcast(message);
            answer(exchange, 200, "text/plain", "notification " + receipt.offset() + " is on its way\n");
        } catch (IllegalArgumentException empty) {
            answer(exchange, 400, "text/plain", empty.getMessage() + "\n");
        } catch (InboxFullException behind) {
            answer(exchange, 503, "text/plain", "too many notifications, try again\n");
        }
    }

    private static void answer(HttpExchange exchange, int status, String type, String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", type + "; charset=utf-8");
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }
}
