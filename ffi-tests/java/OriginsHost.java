import io.wspush.ConnectRequest;
import io.wspush.Decision;
import io.wspush.WsPushListener;
import io.wspush.WsPushServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.util.List;

/** Which pages may connect, with a listener and without one, and how a page learns that it may not. */
final class OriginsHost implements WsPushListener {
    @Override
    public Decision onConnect(ConnectRequest request) {
        Check.equal(List.of("chat"), request.subprotocols(), "empty elements are none");
        return request.header("Cookie") == null ? Decision.refuse(401, "log in first") : Decision.accept();
    }

    /** The status of a handshake with these header fields. */
    private static int status(WsPushServer server, String fields) throws IOException {
        try (Socket socket = new Socket("127.0.0.1", server.port())) {
            socket.setSoTimeout((int) Check.PATIENCE.toMillis());
            String request = "GET /ws HTTP/1.1\r\nHost: app.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Protocol: ,chat,\r\nSec-WebSocket-Version: 13\r\n"
                    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + fields + "\r\n";
            socket.getOutputStream().write(request.getBytes());
            InputStream in = socket.getInputStream();
            return Integer.parseInt(new String(in.readNBytes(12)).substring(9));
        }
    }

    public static void main(String[] args) throws Exception {
        String foreign = "Origin: http://evil.example\r\n";
        String own = "Origin: http://app.example\r\n";
        String cookie = "Cookie: session=1\r\n";
        try (WsPushServer server = Check.builder().listener(new OriginsHost()).start()) {
            Check.equal(403, status(server, foreign + cookie), "a stranger's page");
            Check.equal(403, status(server, "Origin: null\r\n" + cookie), "a page without an origin");
            Check.equal(101, status(server, own + cookie), "its own page");
            Check.equal(101, status(server, cookie), "no page");
            Check.equal(401, status(server, own), "the listener's no");
        }
        try (WsPushServer server = Check.builder().start()) {
            Check.equal(101, status(server, foreign), "a stranger");
            Check.equal(403, status(server, foreign + cookie), "a stranger's page with a cookie");
            Check.equal(101, status(server, own + cookie), "its own page with a cookie");
        }
        try (WsPushServer server = Check.builder().listener(new OriginsHost()).origins("*").start()) {
            Check.equal(101, status(server, foreign + cookie), "where it was said");
        }
        WsPushListener says = new WsPushListener() {
            @Override
            public Decision onConnect(ConnectRequest request) {
                return Decision.refuse(429, "too often");
            }
        };
        try (WsPushServer server = Check.builder().listener(says).start()) {
            Check.equal(429, Client.refused(server, "/ws?mine=1"), "by the status");
            Client told = new Client(server, "/ws?mine=1&refusals=close");
            Check.equal(4429, told.closedWith(), "by a close frame");
            Check.equal("too often", told.closeReason, "and why");
            Check.equal(400, Client.refused(server, "/ws?channel="), "an empty channel");
        }
        try (WsPushServer server = Check.builder().start()) {
            Check.equal(400, Client.refused(server, "/ws?mine=1"), "nobody's parameter");
        }
    }
}
