import io.wspush.ChannelHistory;
import io.wspush.ConnectRequest;
import io.wspush.Decision;
import io.wspush.HistoryQuery;
import io.wspush.WsPushException;
import io.wspush.WsPushListener;
import io.wspush.WsPushServer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Notifications for one user, kept while it is away. Build the jar, run this, connect to {@code
 * ws://127.0.0.1:8080/ws?as=ada} and type {@code ada: your parcel is here}; {@code ada?} shows what her inbox has:
 *
 * <pre>
 * java/build
 * java -cp java/target/wspush.jar examples/java/Inbox.java
 * </pre>
 *
 * <p>Each user has a channel, and all its connections receive it. A client that comes back says where it was ({@code
 * &since=E.O}: {@code Wspush-Position} and the envelopes of {@code wspush.v1} tell it), and gets what it has missed; a new
 * one gets all that is kept. Argument: the address to push on.
 */
public class Inbox implements WsPushListener {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9]{1,64}");
    private static final Pattern LINE = Pattern.compile("(" + NAME + ")(?:: *(.+)|\\?)");

    private static String inbox(String user) {
        return "inbox." + user;
    }

    /** Here a cookie or a token says who it is; an example believes everybody. */
    @Override
    public Decision onConnect(ConnectRequest request) {
        String user = request.query("as");
        if (user == null || !NAME.matcher(user).matches()) {
            return Decision.refuse(401, "who are you? connect to /ws?as=YOU");
        }
        String since = request.query("since");
        try {
            return Decision.accept()
                    .user(user)
                    .broadcast(false)
                    .channels(inbox(user))
                    .since(inbox(user), since == null ? "earliest" : since);
        } catch (IllegalArgumentException noPosition) {
            return Decision.refuse(400, noPosition.getMessage());
        }
    }

    /** The ten newest of an inbox. The answer comes on the server's thread. */
    private static void show(WsPushServer server, String user) {
        server.history(inbox(user), HistoryQuery.ALL.since("last:10")).whenComplete(Inbox::print);
    }

    private static void print(Optional<ChannelHistory> page, Throwable problem) {
        if (problem != null) {
            System.out.println("no answer: " + problem.getMessage());
        } else if (page.isEmpty()) {
            System.out.println("nothing was ever there");
        } else {
            page.get().publications().forEach(past -> System.out.println(past.offset() + ": " + past.text()));
        }
    }

    public static void main(String[] arguments) throws IOException {
        String address = arguments.length > 0 ? arguments[0] : "127.0.0.1:8080";
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (WsPushServer server = WsPushServer.builder().listen(address).listener(new Inbox()).start()) {
            System.out.println("ws://127.0.0.1:" + server.port() + "/ws?as=NAME");
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                Matcher parts = LINE.matcher(line);
                if (!parts.matches()) {
                    System.out.println("NAME: what there is to say, or NAME?");
                } else if (parts.group(2) == null) {
                    show(server, parts.group(1));
                } else {
                    publish(server, parts.group(1), parts.group(2));
                }
            }
        }
    }

    private static void publish(WsPushServer server, String user, String text) {
        try {
            System.out.println(user + " has " + server.publish(inbox(user), text).offset());
        } catch (WsPushException problem) {
            System.out.println("not pushed: " + problem.getMessage());
        }
    }
}
