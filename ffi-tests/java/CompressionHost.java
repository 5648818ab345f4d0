import static io.wspush.PushOptions.DEFAULT;
import static io.wspush.PushOptions.UNCOMPRESSED;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.wspush.WsPushListener;
import io.wspush.WsPushServer;
import io.wspush.WsPushSession;
import java.nio.ByteBuffer;

/** Whatever can be said to a client can be said uncompressed. */
final class CompressionHost implements WsPushListener {
    private static final String SAID = "x".repeat(1_000);
    private static final byte[] BYTES = SAID.getBytes(UTF_8);
    private static final ByteBuffer DIRECT = ByteBuffer.allocateDirect(BYTES.length).put(BYTES).flip();

    /** How many ways there are, each of them first compressed and then not. */
    private static final int WAYS = 9;

    @Override
    public void onText(WsPushSession session, String text) {
        session.reply(SAID);
        session.reply(SAID, UNCOMPRESSED);
        session.reply(BYTES, DEFAULT);
        session.reply(BYTES, UNCOMPRESSED);
        session.reply(DIRECT);
        session.reply(DIRECT, UNCOMPRESSED);
        session.send(SAID);
        session.send(SAID, UNCOMPRESSED);
        session.send(BYTES, DEFAULT);
        session.send(BYTES, UNCOMPRESSED);
        session.send(DIRECT);
        session.send(DIRECT, UNCOMPRESSED);
        WsPushServer server = session.server();
        server.broadcast(SAID);
        server.publish(WsPushServer.DEFAULT_CHANNEL, SAID, UNCOMPRESSED);
        server.broadcast(BYTES);
        server.publish(WsPushServer.DEFAULT_CHANNEL, BYTES, UNCOMPRESSED);
        server.broadcast(DIRECT);
        server.publish(WsPushServer.DEFAULT_CHANNEL, DIRECT, UNCOMPRESSED);
    }

    public static void main(String[] args) throws Exception {
        String offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
        try (WsPushServer server = Check.builder().listener(new CompressionHost()).start();
                Breath client = new Breath(server, "/ws", offer, "go")) {
            for (int way = 0; way < WAYS; way++) {
                // RSV1 (RFC 7692 section 6).
                int compressed = client.frame().length;
                Check.equal(0x40, client.head & 0x40, "compressed, way " + way);
                Check.that(compressed < 100, compressed + " bytes");
                Check.equal(SAID, new String(client.frame(), UTF_8), "way " + way);
                Check.equal(0, client.head & 0x40, "not compressed, way " + way);
            }
        }
    }
}
