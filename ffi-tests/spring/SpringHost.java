import io.wspush.WsPushSession;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.stereotype.Component;

/** The Spring example in an application context: its beans are found, the five callbacks come, and the end is its end. */
final class SpringHost {
    private static final BlockingQueue<String> SEEN = new LinkedBlockingQueue<>();

    private SpringHost() {}

    /** Takes messages in pieces, and hears of what goes wrong. */
    @Component
    public static class Pieces implements PushHandler {
        private int bytes;

        @Bean
        public PushEndpoint piecesEndpoint() {
            return new PushEndpoint("/pieces", this);
        }

        @Override
        public boolean supportsPartialMessages() {
            return true;
        }

        @Override
        public void handleMessage(WsPushSession session, PushMessage message) {
            bytes += message.payload().length;
            if (message.kind() == PushMessage.Kind.BINARY) {
                throw new IllegalStateException("no bytes");
            }
            if (message.isLast()) {
                session.reply("all " + bytes);
            }
        }

        @Override
        public void handleTransportError(WsPushSession session, Throwable problem) {
            SEEN.add(problem.getMessage());
        }

        @Override
        public void afterConnectionClosed(WsPushSession session, int code, String reason) {
            SEEN.add("closed " + code);
        }
    }

    private static String seen() throws InterruptedException {
        String seen = SEEN.poll(Check.PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
        Check.that(seen != null, "a callback is missing");
        return seen;
    }

    public static void main(String[] args) throws Exception {
        System.setProperty("push.listen", "127.0.0.1:0");
        AnnotationConfigApplicationContext context = new AnnotationConfigApplicationContext();
        context.register(PushServer.class, Notifications.class, Notifications.Controller.class, Pieces.class);
        context.refresh();
        PushServer push = context.getBean(PushServer.class);
        Check.equal(401, Client.refused(push.server(), "/notifications/news"), "the interceptor refuses");
        Client client = new Client(push.server(), "/notifications/news", of -> of.header("Cookie", "name=ada"));
        Check.equal("welcome, ada: 1 online", client.next(), "an attribute");
        client.send("hello");
        Check.equal("you said hello", client.next(), "a message");
        context.getBean(Notifications.Controller.class).notifyTopic("news", "rain");
        Check.equal("rain", client.next(), "of the controller");
        Client pieces = new Client(push.server(), "/pieces");
        pieces.send("x".repeat(100_000));
        Check.equal("all 100000", pieces.next(), "in pieces");
        pieces.send(new byte[] {1});
        Check.equal("no bytes", seen(), "the handler hears of it");
        Check.equal(1011, pieces.closedWith(), "and the session is closed");
        Check.equal("closed 1011", seen(), "with the code that it was closed with");
        Client lost = new Client(push.server(), "/pieces");
        lost.vanish();
        Check.that(seen().startsWith("the connection ended without a close"), "a transport error");
        Check.equal("closed 1006", seen(), "and the end");
        context.close();
        Check.equal(1001, client.closedWith(), "the context's end");
        Check.that(!push.isRunning(), "it has stopped");
    }
}
