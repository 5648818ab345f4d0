import io.wspush.ConnectRequest;
import io.wspush.Decision;
import io.wspush.WsPushListener;
import io.wspush.WsPushServer;
import io.wspush.WsPushUser;
import java.util.List;

/** What is done with all connections of a user, in its order among everything else that a thread asks for. */
final class UserHost implements WsPushListener {
    @Override
    public Decision onConnect(ConnectRequest request) {
        return Decision.accept().user(String.valueOf(request.query("as")));
    }

    public static void main(String[] args) throws Exception {
        try (WsPushServer server = Check.builder().listener(new UserHost()).start()) {
            WsPushUser ann = server.user("ann");
            for (int round = 0; round < 10; round++) {
                try (Breath first = new Breath(server, "/ws?as=ann", "");
                        Breath second = new Breath(server, "/ws?as=ann", "");
                        Breath bob = new Breath(server, "/ws?as=bob", "")) {
                    server.publish("news", "nobody is there yet");
                    ann.send("one");
                    ann.subscribe("news");
                    server.publish("news", "two");
                    ann.unsubscribe("news");
                    server.publish("news", "nobody is there any more");
                    server.user("eve").send("she is away");
                    server.broadcast("three");
                    ann.disconnect(4002, "enough");
                    server.broadcast("four");
                    server.user("bob").disconnect(4003, "");
                    Check.equal(List.of("one", "two", "three", "4002"), first.rest(), "a user's connection");
                    Check.equal(List.of("one", "two", "three", "4002"), second.rest(), "its other one");
                    Check.equal(List.of("three", "four", "4003"), bob.rest(), "another user");
                }
            }
            for (WsPushUser nobody : List.of(server.user(""), server.user("a".repeat(257)))) {
                Check.thrown(IllegalArgumentException.class, "nobody", () -> nobody.send("hi"));
                Check.thrown(IllegalArgumentException.class, "nobody", () -> nobody.disconnect(1000, ""));
                Check.thrown(IllegalArgumentException.class, "nobody", () -> nobody.subscribe("news"));
                Check.thrown(IllegalArgumentException.class, "nobody", () -> nobody.unsubscribe("news"));
            }
            Check.thrown(IllegalArgumentException.class, "nobody", () -> ann.subscribe(""));
            Check.thrown(IllegalArgumentException.class, "nobody", () -> ann.disconnect(1005, ""));
        }
    }
}
