import io.wspush.ConnectRequest;
import io.wspush.Decision;
import io.wspush.WsPushListener;
import io.wspush.WsPushServer;
import io.wspush.WsPushSession;
import java.nio.ByteBuffer;

/** Sends back what it is sent, in all the ways that there are. */
final class EchoHost implements WsPushListener {
    @Override
    public Decision onConnect(ConnectRequest request) {
        Check.equal("/ws", request.path(), "path");
        Check.that(request.peer().startsWith("127.0.0.1:"), "peer " + request.peer());
        Check.equal("websocket", request.header("upgrade").toLowerCase(), "a header");
        Check.equal(null, request.header("no-such"), "no header");
        Check.equal(null, request.clientSubject(), "no certificate");
        // It isn't interested in broadcasts.
        return Decision.accept().broadcast(false).user(request.query("how"));
    }

    @Override
    public void onText(WsPushSession session, String text) {
        if (session.user().equals("reply")) {
            session.reply(text);
        } else {
            session.send(text);
        }
    }

    @Override
    public void onBinary(WsPushSession session, byte[] data) {
        ByteBuffer direct = ByteBuffer.allocateDirect(data.length + 7);
        direct.position(3);
        direct.put(data).limit(3 + data.length).position(3);
        ByteBuffer heap = ByteBuffer.allocate(data.length + 7);
        heap.position(5);
        heap.put(data).limit(5 + data.length).position(5);
        boolean reply = session.user().equals("reply");
        for (ByteBuffer buffer : new ByteBuffer[] {direct, direct.slice(), heap.slice(), heap.asReadOnlyBuffer()}) {
            int position = buffer.position();
            if (reply) {
                session.reply(buffer);
            } else {
                session.send(buffer);
            }
            Check.equal(position, buffer.position(), "the buffer's position");
        }
        if (reply) {
            session.reply(data);
        } else {
            session.send(data);
        }
    }

    public static void main(String[] args) throws Exception {
        try (WsPushServer server = Check.builder().listener(new EchoHost()).start()) {
            for (String how : new String[] {"reply", "send"}) {
                try (Client client = new Client(server, "/ws?how=" + how)) {
                    String[] texts = {"a", "gr\u00fc\u00dfe", "\u20ac \ud83d\ude00", "nul \0 inside", "x".repeat(255),
                        "x".repeat(257), "\u00e9".repeat(20_000)};
                    for (String text : texts) {
                        client.send(text);
                        Check.equal(text, client.next(), how);
                    }
                    for (int length : new int[] {1, 125, 126, 256, 257, 60_000}) {
                        byte[] data = new byte[length];
                        for (int i = 0; i < length; i++) {
                            data[i] = (byte) (i * 31);
                        }
                        client.send(data);
                        for (int i = 0; i < 5; i++) {
                            Check.equal(Client.hex(data), client.next(), how + " " + length);
                        }
                    }
                    server.broadcast("not for it");
                    client.send("last");
                    Check.equal("last", client.next(), how);
                }
            }
        }
    }
}
