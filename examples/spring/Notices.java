import io.wspush.ServerStoppedException;
import io.wspush.WsPushSession;

/** Who is online says something to all the others, and hears what the controller sends. */
public class Notices implements PushHandler {
    static final String CHANNEL = "notices";

    @Override
    public void afterConnectionEstablished(WsPushSession session) {
        session.subscribe(CHANNEL);
        session.send("welcome, " + session.attribute(GuestInterceptor.NAME));
    }

    @Override
    public void handleMessage(WsPushSession session, PushMessage message) {
        if (message.kind() == PushMessage.Kind.TEXT) {
            session.server().publish(CHANNEL, session.attribute(GuestInterceptor.NAME) + ": " + message.text());
        }
    }

    @Override
    public void afterConnectionClosed(WsPushSession session, int code, String reason) {
        try {
            session.server().publish(CHANNEL, session.attribute(GuestInterceptor.NAME) + " has gone");
        } catch (ServerStoppedException all) {
            // The context is closing, and nobody is left to hear it.
        }
    }
}
