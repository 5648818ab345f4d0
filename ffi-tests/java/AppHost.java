import io.wspush.WsPushServer;
import java.util.concurrent.TimeUnit;

/** An app of the Pusher Channels protocol, whose events its host publishes itself. */
final class AppHost {
    private static String next(Client client) throws InterruptedException {
        return client.messages.poll(Check.PATIENCE.toSeconds(), TimeUnit.SECONDS);
    }

    public static void main(String[] args) throws Exception {
        try (WsPushServer server = Check.builder().set("pusher_app", "3 key=k secret=s client_events=true").start()) {
            Client client = new Client(server, "/app/k?protocol=7");
            Check.that(next(client).startsWith("{\"event\":\"pusher:connection_established\""), "its first words");
            client.send("{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"news\",\"auth\":\"\"}}");
            String subscribed =
                    "{\"event\":\"pusher_internal:subscription_succeeded\",\"channel\":\"news\",\"data\":\"{}\"}";
            Check.equal(subscribed, next(client), "a subscription");
            String event = "{\"event\":\"greet\",\"channel\":\"news\",\"data\":\"hello\"}";
            server.publish("pusher/3/news", event);
            Check.equal(event, next(client), "an event");
            Check.thrown(IllegalArgumentException.class, "event", () -> server.publish("pusher/3/news", "no event"));
        }
    }
}
