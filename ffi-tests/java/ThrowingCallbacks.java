import io.wspush.ConnectRequest;
import io.wspush.Decision;
import io.wspush.WsPushListener;
import io.wspush.WsPushServer;
import io.wspush.WsPushSession;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicInteger;

/** Exceptions in each callback: they end one connection, and the server goes on. */
final class ThrowingCallbacks implements WsPushListener {
    private final AtomicInteger closed = new AtomicInteger();
    private volatile String where = "";

    private void at(String callback) throws Exception {
        switch (where) {
            case "checked":
                throw new IOException(callback + " can't \ud83d\ude00");
            case "unchecked":
                throw new IllegalStateException(callback);
            case "error":
                throw new AssertionError(callback);
            case "deep":
                deeper(0);
                break;
            default:
                break;
        }
    }

    private static int deeper(int depth) {
        return deeper(depth + 1) + 1;
    }

    @Override
    public Decision onConnect(ConnectRequest request) throws Exception {
        if (request.query("at").equals("connect")) {
            at("onConnect");
        }
        return request.query("at").equals("null") ? null : Decision.accept().user(request.query("at"));
    }

    @Override
    public void onOpen(WsPushSession session) throws Exception {
        if (session.user().equals("open")) {
            at("onOpen");
        }
    }

    @Override
    public void onText(WsPushSession session, String text) throws Exception {
        session.reply("before");
        at("onText");
    }

    @Override
    public void onBinary(WsPushSession session, byte[] data) throws Exception {
        session.send("before");
        at("onBinary");
    }

    @Override
    public void onClose(WsPushSession session, int code, String reason) throws Exception {
        closed.incrementAndGet();
        at("onClose");
    }

    public static void main(String[] args) throws Exception {
        ThrowingCallbacks host = new ThrowingCallbacks();
        try (WsPushServer server = Check.builder().listener(host).start()) {
            Client witness = new Client(server, "/ws?at=nothing");
            int ended = 0;
            for (String kind : new String[] {"checked", "unchecked", "error", "deep"}) {
                host.where = kind;
                Check.equal(500, Client.refused(server, "/ws?at=connect"), kind + " in onConnect");
                Check.equal(1011, new Client(server, "/ws?at=open").closedWith(), kind + " in onOpen");
                Client text = new Client(server, "/ws?at=text");
                text.send("x");
                Check.equal("before", text.next(), kind + ", what was replied");
                Check.equal(1011, text.closedWith(), kind + " in onText");
                Client binary = new Client(server, "/ws?at=binary");
                binary.send(new byte[] {1, 2});
                Check.equal(1011, binary.closedWith(), kind + " in onBinary");
                Check.equal("internal error", binary.closeReason, "no details for strangers");
                ended += 3;
                int expected = ended;
                Check.eventually("onClose", () -> host.closed.get() == expected);
            }
            host.where = "";
            Check.equal(500, Client.refused(server, "/ws?at=null"), "null from onConnect");
            server.broadcast("still here");
            Check.equal("still here", witness.next(), "the server goes on");
            witness.close();
        }
        Check.eventually("the last onClose", () -> host.closed.get() == 13);
    }
}
