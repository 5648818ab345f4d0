import static java.nio.charset.StandardCharsets.UTF_8;

import io.wspush.ConnectRequest;
import io.wspush.Decision;
import io.wspush.WsPushListener;
import io.wspush.WsPushServer;
import io.wspush.WsPushSession;
import java.util.Base64;
import java.util.List;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** What a host is told of the token that a client shows, and how it takes a user's tokens back. */
final class TokenHost implements WsPushListener {
    private static final String SECRET = "a_secret_of_more_than_32_bytes_0123456";

    /** onOpen of the same client comes right behind its onConnect. */
    private String told;

    @Override
    public Decision onConnect(ConnectRequest request) {
        told = request.user() + "|" + request.info() + "|" + request.claims();
        return request.byConfig();
    }

    @Override
    public void onOpen(WsPushSession session) {
        session.send(told);
    }

    private static String token(String claims) throws Exception {
        Base64.Encoder base64 = Base64.getUrlEncoder().withoutPadding();
        String signed = base64.encodeToString("{\"alg\":\"HS256\"}".getBytes(UTF_8)) + "."
                + base64.encodeToString(claims.getBytes(UTF_8));
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(SECRET.getBytes(UTF_8), "HmacSHA256"));
        return "/ws?token=" + signed + "." + base64.encodeToString(mac.doFinal(signed.getBytes(UTF_8)));
    }

    public static void main(String[] args) throws Exception {
        String claims = "{\"sub\":\"\u00e4nn\",\"info\":[1],\"plan\":\"gold\"}";
        try (WsPushServer server = Check.builder()
                .set("auth", "optional")
                .set("auth_secret", SECRET)
                .listener(new TokenHost())
                .start()) {
            Breath ann = new Breath(server, token(claims), "");
            Check.equal("\u00e4nn|[1]|" + claims, new String(ann.frame(), UTF_8), "a token");
            Breath nobody = new Breath(server, token("{}"), "");
            Check.equal("null|null|{}", new String(nobody.frame(), UTF_8), "a token that names nobody");
            Breath stranger = new Breath(server, "/ws", "");
            Check.equal("null|null|null", new String(stranger.frame(), UTF_8), "no token");
            server.user("\u00e4nn").revoke(4001, "out");
            Check.equal(List.of("4001"), ann.rest(), "the token's user");
            Check.thrown(AssertionError.class, "a token that was revoked", () -> new Breath(server, token(claims), ""));
            Check.thrown(IllegalArgumentException.class, "nobody", () -> server.user("").revoke(4001, ""));
            ann.close();
            nobody.close();
            stranger.close();
        }
    }
}
