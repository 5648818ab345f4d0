import io.wspush.WsPushServer;
import io.wspush.WsPushSession;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;

/** The beans of examples/spring in a context of their own, and a handler that tells what it hears. */
final class SpringHost {
    private static final BlockingQueue<String> HEARD = new LinkedBlockingQueue<>();

    private SpringHost() {}

    /** Takes pieces, and goes on behind an exception. */
    private static final class Tells implements PushHandler {
        @Override
        public void afterConnectionEstablished(WsPushSession session) {
            session.send("open");
        }

        @Override
        public void handleMessage(WsPushSession session, PushMessage message) {
            if (message.kind() == PushMessage.Kind.TEXT && message.text().equals("throw")) {
                throw new IllegalStateException("as it was asked to");
            }
            if (message.kind() == PushMessage.Kind.TEXT && message.text().equals("ping")) {
                session.ping(new byte[] {7});
            }
            HEARD.add(message.kind() + " " + message.payload().length + " " + message.isLast());
        }

        @Override
        public void handleTransportError(WsPushSession session, Throwable problem) {
            session.send(problem.getMessage());
        }

        @Override
        public void afterConnectionClosed(WsPushSession session, int code, String reason) {
            HEARD.add("closed " + code);
        }

        @Override
        public boolean supportsPartialMessages() {
            return true;
        }
    }

    private static String heard() throws InterruptedException {
        String heard = HEARD.poll(Check.PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
        Check.that(heard != null, "a callback is missing");
        return heard;
    }

    private static void example() throws Exception {
        System.setProperty("push.listen", "127.0.0.1:0");
        Client bob;
        try (AnnotationConfigApplicationContext context =
                new AnnotationConfigApplicationContext(NoticesConfiguration.class)) {
            WsPushServer server = context.getBean(PushServer.class).server();
            NoticeController controller = context.getBean(NoticeController.class);
            Check.equal(401, Client.refused(server, "/push/notices"), "without a name");
            Client ada = new Client(server, "/push/notices?name=ada");
            Check.equal("welcome, ada", ada.next(), "an attribute of the handshake");
            bob = new Client(server, "/push/notices?name=bob");
            Check.equal("welcome, bob", bob.next(), "a second guest");
            Check.eventually("both to be online", () -> controller.online() == 2);
            controller.send("dinner is ready");
            Check.equal("dinner is ready", ada.next(), "of the controller");
            Check.equal("dinner is ready", bob.next(), "for both");
            bob.send("coming");
            Check.equal("bob: coming", ada.next(), "of a guest");
            Check.equal("bob: coming", bob.next(), "for himself as well");
            ada.close();
            Check.equal("ada has gone", bob.next(), "the last callback");
        }
        Check.equal(1001, bob.closedWith(), "the context closes");
    }

    private static void callbacks() throws Exception {
        PushServer push = new PushServer().listen("127.0.0.1:0").map("/{name}", new Tells());
        Check.that(!push.isRunning(), "not yet");
        push.start();
        try (Client client = new Client(push.server(), "/x")) {
            Check.equal("open", client.next(), "established");
            client.send("hello");
            Check.equal("TEXT 5 true", heard(), "a text");
            client.send(new byte[] {1, 2});
            Check.equal("BINARY 2 true", heard(), "bytes");
            client.send("throw");
            Check.equal("as it was asked to", client.next(), "an exception is handled");
            client.send("ping");
            Check.equal("TEXT 4 true", heard(), "it goes on");
            Check.equal("PONG 1 true", heard(), "a pong");
        }
        Check.equal("closed 1000", heard(), "the end");
        push.stop();
        Check.that(!push.isRunning(), "no more");
    }

    public static void main(String[] args) throws Exception {
        example();
        callbacks();
    }
}
