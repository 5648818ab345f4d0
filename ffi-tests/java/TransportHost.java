import io.wspush.ConfigException;
import io.wspush.ConnectRequest;
import io.wspush.Decision;
import io.wspush.Transport;
import io.wspush.WsPushListener;
import io.wspush.WsPushServer;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/** A host that serves some transports, and is told by which of them a client wants to be pushed to. */
final class TransportHost implements WsPushListener {
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    @Override
    public Decision onConnect(ConnectRequest request) {
        return request.transport() == Transport.WEBSOCKET
                ? request.byConfig()
                : Decision.refuse(403, request.transport().name());
    }

    private static String asked(WsPushServer server, String path) throws Exception {
        URI uri = URI.create("http://127.0.0.1:" + server.port() + path);
        HttpResponse<String> answer =
                HTTP.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString());
        return answer.statusCode() + " " + answer.body().trim();
    }

    public static void main(String[] args) throws Exception {
        try (WsPushServer server = Check.builder()
                .transports(Transport.WEBSOCKET, Transport.SSE, Transport.STREAM)
                .listener(new TransportHost())
                .start()) {
            Check.equal("403 SSE", asked(server, "/sse"), "events");
            Check.equal("403 STREAM", asked(server, "/stream"), "lines");
            Check.equal("404 /poll is not served here (transports)", asked(server, "/poll"), "polls");
            try (Client client = new Client(server, "/ws")) {
                Check.eventually("it counts", () -> server.stats().connections(Transport.WEBSOCKET) == 1);
                Check.equal(0L, server.stats().connections(Transport.SSE), "streams");
                Check.equal(1L, client.over.getCount(), "the end of a client that is still connected");
            }
        }
        Check.thrown(ConfigException.class, "no transport", () -> Check.builder().transports().start());
    }
}
