import io.wspush.AuthorizationRequest;
import io.wspush.Authorized;
import io.wspush.WsPushListener;
import io.wspush.WsPushServer;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;

/**
 * A club whose members are pages with pusher-js. The host decides who may have which private channel, in place of a
 * backend that signs. Build the jar, and run this:
 *
 * <pre>
 * java/build
 * java -cp java/target/wspush.jar examples/java/Club.java
 * </pre>
 *
 * <p>A page says who it is where a signature would stand: {@code new Pusher("club", {..., channelAuthorization:
 * {customHandler: ({channelName}, done) => done(null, {auth: "ada"})}})}. Members come to {@code private-hall} at once,
 * are seen in {@code presence-lounge}, and wait for the door of {@code private-vault}: type {@code yes ada} or {@code no
 * ada}. Argument: the address.
 */
public class Club implements WsPushListener {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9]{1,64}");

    /** Who waits for the vault. */
    private final Map<String, AuthorizationRequest> waiting = new ConcurrentHashMap<>();

    /** Here a token says who it is; an example believes everybody. */
    @Override
    public Authorized onAuthorize(AuthorizationRequest request) {
        String name = request.auth();
        if (!NAME.matcher(name).matches()) {
            // A backend may have signed it.
            return Authorized.bySignature();
        }
        switch (request.channel().orElse("")) {
            case "":
                return Authorized.as("{\"id\":\"" + name + "\"}");
            case "private-hall":
                return Authorized.yes();
            case "presence-lounge":
                return Authorized.as("{\"user_id\":\"" + name + "\",\"user_info\":{}}");
            case "private-vault":
                waiting.put(name, request);
                System.out.println(name + " asks for the vault");
                return Authorized.pending();
            default:
                return Authorized.no("there is no such room");
        }
    }

    public static void main(String[] args) throws Exception {
        Club club = new Club();
        String address = args.length > 0 ? args[0] : "127.0.0.1:8080";
        try (WsPushServer server = WsPushServer.builder()
                        .listen(address)
                        .set("pusher_app", "1 key=club secret=of-nobody")
                        .listener(club)
                        .start();
                BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            System.out.println("ws://127.0.0.1:" + server.port() + "/app/club");
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] parts = line.split(" ", 2);
                boolean yes = parts[0].equals("yes");
                boolean isAnswer = parts.length == 2 && (yes || parts[0].equals("no"));
                AuthorizationRequest asked = isAnswer ? club.waiting.remove(parts[1]) : null;
                if (asked == null) {
                    System.out.println("yes NAME or no NAME, of one who waits");
                } else {
                    Authorized answer = yes ? Authorized.yes() : Authorized.no("the vault is for few");
                    server.authorize(asked.conn(), asked.number(), answer);
                }
            }
        }
    }
}
