import io.wspush.ConnectRequest;
import io.wspush.Decision;
import io.wspush.WsPushListener;
import io.wspush.WsPushServer;
import io.wspush.WsPushSession;

/** Everyone in a room hears everyone else there; who says "/room NAME" goes to another. */
final class ChatHost implements WsPushListener {
    private volatile WsPushServer server;

    @Override
    public Decision onConnect(ConnectRequest request) {
        String name = request.query("name");
        if (name == null || name.isBlank()) {
            return Decision.refuse(401, "who are you? connect to /ws?name=YOU");
        }
        if (request.query("later") != null) {
            // Somebody else is asked first, and takes as long as that takes.
            new Thread(() -> server.decide(request.conn(), decision(name))).start();
            return Decision.pending();
        }
        return decision(name);
    }

    private static Decision decision(String name) {
        if (name.equals("Eve")) {
            return Decision.refuse(403, "not today");
        }
        return Decision.accept().broadcast(false).user(name).channels("room.lobby");
    }

    @Override
    public void onOpen(WsPushSession session) {
        session.reply("welcome, " + session.user());
    }

    @Override
    public void onText(WsPushSession session, String text) {
        String[] words = text.split(" ", 3);
        if (words[0].equals("/room")) {
            session.unsubscribe("room." + words[1]);
            session.subscribe("room." + words[2]);
            session.send("you are in " + words[2]);
        } else if (words[0].equals("/leave")) {
            session.close(3000, "as you like");
        } else {
            session.server().publish("room." + words[0], session.user() + ": " + words[1]);
        }
    }

    @Override
    public void onBinary(WsPushSession session, byte[] data) {
        session.close(1003, "this chat is text");
    }

    @Override
    public void onClose(WsPushSession session, int code, String reason) {
        if (session.server().isRunning() && !session.server().stats().draining()) {
            session.server().publish("room.lobby", session.user() + " left: " + code);
        }
    }

    public static void main(String[] args) throws Exception {
        ChatHost host = new ChatHost();
        try (WsPushServer server = Check.builder().listener(host).start()) {
            host.server = server;
            Check.equal(401, Client.refused(server, "/ws"), "without a name");
            Client ada = new Client(server, "/ws?name=Ada");
            Client bob = new Client(server, "/ws?name=Bob%20%C3%9F");
            Check.equal("welcome, Ada", ada.next(), "greeting");
            Check.equal("welcome, Bob \u00df", bob.next(), "greeting");
            Check.equal(403, Client.refused(server, "/ws?name=Eve&later=1"), "refused later");
            Client cid = new Client(server, "/ws?name=Cid&later=1");
            Check.equal("welcome, Cid", cid.next(), "let in later");
            cid.send("/leave");
            Check.equal(3000, cid.closedWith(), "closed by the host");
            Check.equal("Cid left: 3000", ada.next(), "he left");
            Check.equal("Cid left: 3000", bob.next(), "he left");
            ada.send("lobby hello");
            Check.equal("Ada: hello", ada.next(), "own words");
            Check.equal("Ada: hello", bob.next(), "her words");
            bob.send("/room lobby attic");
            Check.equal("you are in attic", bob.next(), "moved");
            ada.send("attic secret");
            Check.equal("Ada: secret", bob.next(), "in the attic");
            ada.send("lobby again");
            Check.equal("Ada: again", ada.next(), "she didn't hear the attic");
            bob.send(new byte[] {1});
            Check.equal(1003, bob.closedWith(), "bytes");
            Check.equal("this chat is text", bob.closeReason, "bytes");
            Check.that(bob.messages.isEmpty(), "he didn't hear the lobby");
            Check.equal("Bob \u00df left: 1003", ada.next(), "he left");
            ada.send("/leave");
            Check.equal(3000, ada.closedWith(), "closed by the host");
        }
    }
}
