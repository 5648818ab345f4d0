import java.nio.ByteBuffer;

/** The programs of examples/websocket, each with clients of the JDK's. */
final class Programs {
    private Programs() {}

    static void addTo(java.util.Map<String, Cases.Steps> all) {
        all.put("EchoMessages", talk -> {
            JdkClient client = new JdkClient(talk.base, "/echo/messages");
            talk.lines.add(client.ask("hello"));
            talk.lines.add("empty: " + client.ask(""));
            talk.lines.add(client.ask("x".repeat(100_000)));
            client.socket.sendBinary(ByteBuffer.allocate(300_000), true).join();
            talk.lines.add(client.next());
            client.socket.sendBinary(ByteBuffer.allocate(0), true).join();
            talk.lines.add(client.next());
            talk.lines.add(client.close());
            JdkClient greedy = new JdkClient(talk.base, "/echo/messages");
            greedy.socket.sendText("x".repeat(2 * 1024 * 1024 + 1), true);
            talk.lines.add(greedy.next());
        });
        all.put("EchoStreams", talk -> {
            JdkClient client = new JdkClient(talk.base, "/echo/streams");
            talk.lines.add(client.ask("ü".repeat(50_000)));
            for (int i = 0; i < 64; i++) {
                client.socket.sendBinary(ByteBuffer.allocate(64 << 10), i == 63).join();
            }
            talk.lines.add(client.next());
            talk.lines.add(client.ask("behind it"));
            talk.lines.add(client.close());
        });
        all.put("GuestChat", talk -> {
            JdkClient one = new JdkClient(talk.base, "/chat");
            talk.lines.add(one.next());
            JdkClient two = new JdkClient(talk.base, "/chat");
            talk.lines.add(one.next() + " = " + two.next());
            two.send("<b>hello</b>");
            talk.lines.add(one.next() + " = " + two.next());
            talk.lines.add(two.close());
            talk.lines.add(one.next());
            JdkClient three = new JdkClient(talk.base, "/chat");
            talk.lines.add(one.next() + " = " + three.next());
            three.socket.abort();
            talk.lines.add(one.next());
            talk.lines.add(one.close());
        });
        all.put("RoomChat", talk -> {
            JdkClient ada = new JdkClient(talk.base, "/room/red/ada");
            talk.lines.add(ada.next());
            JdkClient eve = new JdkClient(talk.base, "/room/blue/eve");
            talk.lines.add(eve.next());
            JdkClient bob = new JdkClient(talk.base, "/room/red/bob");
            talk.lines.add(bob.next() + " = " + ada.next());
            ada.send("hello room");
            talk.lines.add(ada.next() + " = " + bob.next());
            ada.send("@bob only you");
            talk.lines.add(bob.next());
            talk.lines.add(ada.ask("@eve are you there"));
            talk.lines.add(eve.ask("ping"));
            talk.lines.add(bob.close());
            talk.lines.add(ada.next());
            talk.lines.add(ada.close());
            talk.lines.add(eve.close());
        });
        all.put("Desks", talk -> {
            JdkClient ada = new JdkClient(talk.base, "/desks/orders?name=ada", "desk.v2", "desk.v1");
            talk.lines.add(ada.socket.getSubprotocol());
            talk.lines.add(ada.ask("two books"));
            JdkClient bob = new JdkClient(talk.base, "/desks/orders?name=bob");
            talk.lines.add(bob.ask("who"));
            JdkClient cyd = new JdkClient(talk.base, "/desks/support");
            talk.lines.add(cyd.ask("help"));
            talk.lines.add(cyd.ask("who"));
            talk.lines.add(bob.close());
            talk.lines.add(ada.ask("who"));
            talk.lines.add(ada.close());
            talk.lines.add(cyd.close());
            try (RawClient raw = new RawClient(talk.base, "/desks/support")) {
                talk.lines.add(raw.status + " " + raw.headers.get("X-Desk"));
            }
        });
    }
}
