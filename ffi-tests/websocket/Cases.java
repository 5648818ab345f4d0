import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What containers are compared by. */
final class Cases {
    interface Steps {
        void go(Talk talk) throws Exception;
    }

    static final Map<String, Steps> ALL = new LinkedHashMap<>();

    private Cases() {}

    /** With a probe whose end is noted. */
    private static void probe(String name, Steps steps) {
        probe(name, "closed", steps);
    }

    /** With a probe that has noted everything when there is an event that begins so. */
    private static void probe(String name, String last, Steps steps) {
        ALL.put(name, talk -> {
            talk.open("/probe/NAME");
            steps.go(talk);
            talk.notes(last);
        });
    }

    private static String many(int length) {
        return "x".repeat(length);
    }

    static {
        probe("echo", talk -> {
            talk.ask("hello", "grüße 🎈", "null", "number", "object", "pingTooLong");
            talk.client.text("silent");
            talk.client.binary(new byte[] {1, 2, 3});
            talk.sees(1);
            talk.close();
        });
        ALL.put("about", talk -> {
            talk.open("/probe/NAME?b=2&a=1&a=%C3%BC+x", "Sec-WebSocket-Protocol: zero, one, two");
            talk.lines.add("protocol " + talk.client.headers.get("Sec-WebSocket-Protocol"));
            talk.ask("about");
            talk.client.text("properties");
            talk.ask("recall");
            talk.close();
            talk.notes("closed");
        });
        ALL.put("no protocol in common", talk -> {
            talk.open("/probe/NAME", "Sec-WebSocket-Protocol: zero");
            talk.lines.add("protocol " + talk.client.headers.get("Sec-WebSocket-Protocol"));
            talk.ask("about");
            talk.close();
        });
        probe("client closes without a code", talk -> {
            talk.client.frame(RawClient.CLOSE, true, new byte[0]);
            // Tomcat answers 1000; RFC 6455 has the code sent back, if there is one (5.5.1).
            talk.lines.add(String.valueOf(talk.client.next().startsWith("close frame")));
        });
        probe("client closes with 4001", talk -> {
            talk.client.close(4001, "mine");
            talk.seesTheEnd();
        });
        probe("client vanishes", talk -> {
            talk.ask("hello");
            talk.client.close();
        });
        probe("endpoint closes", "behind the close", talk -> {
            talk.client.text("close");
            talk.seesTheEnd();
        });
        probe("endpoint closes with a code", "after close", talk -> {
            talk.client.text("closeWith");
            talk.seesTheEnd();
        });
        for (String how : List.of("throw", "throwChecked")) {
            probe(how, talk -> {
                talk.client.text(how);
                talk.client.text("behind it");
                talk.seesTheEnd();
            });
        }
        probe("openThrows", talk -> {
            talk.seesTheEnd();
        });
        probe("openCloses", talk -> {
            talk.seesTheEnd();
        });
        probe("openSends", talk -> {
            talk.sees(1);
            talk.close();
        });
        ALL.put("closeThrows", talk -> {
            talk.open("/probe/NAME");
            talk.close();
            talk.notes("error");
        });
        probe("idle", talk -> {
            talk.seesTheEnd();
        });
        limits();
        pieces();
        violations();
        coders();
        others();
    }

    private static void limits() {
        probe("a text as long as may be", talk -> {
            talk.ask(many(8192));
            talk.close();
        });
        probe("a text that is too long", talk -> {
            talk.client.text(many(8193));
            talk.seesTheEnd();
        });
        probe("bytes as long as may be", talk -> {
            talk.client.binary(new byte[8192]);
            talk.sees(1);
            talk.close();
        });
        probe("bytes that are too long", talk -> {
            talk.client.binary(new byte[8193]);
            talk.seesTheEnd();
        });
        probe("a text that is too long in fragments", talk -> {
            talk.client.frame(RawClient.TEXT, false, many(5000).getBytes());
            talk.client.frame(0, true, many(5000).getBytes());
            talk.seesTheEnd();
        });
        probe("limits that grow", talk -> {
            talk.ask("grow", many(20_000));
            talk.client.binary(new byte[20_000]);
            talk.sees(1);
            talk.client.text(many(20_001));
            talk.seesTheEnd();
        });
        ALL.put("a stream as long as the annotation says", talk -> {
            talk.open("/streams/NAME");
            talk.ask(many(20_000), many(1));
            talk.client.text(many(20_001));
            talk.seesTheEnd();
            talk.notes("close");
        });
        ALL.put("bytes longer than the annotation says", talk -> {
            talk.open("/streams/NAME");
            talk.client.binary(new byte[100]);
            talk.sees(1);
            talk.client.binary(new byte[101]);
            talk.seesTheEnd();
            talk.notes("close");
        });
    }

    private static void pieces() {
        probe("fragments with a ping between", talk -> {
            talk.client.frame(RawClient.TEXT, false, "one ".getBytes());
            talk.client.frame(RawClient.PING, true, "?".getBytes());
            talk.sees(1);
            talk.client.frame(0, false, new byte[0]);
            talk.client.frame(0, true, "two".getBytes());
            talk.sees(1);
            talk.close();
        });
        probe("the endpoint sends in parts", talk -> {
            talk.ask("parts", "hello");
            talk.close();
        });
        probe("the endpoint pings", talk -> {
            talk.client.text("ping");
            talk.sees(1);
            talk.close();
        });
        probe("asynchronously", talk -> {
            talk.client.text("future");
            talk.sees(2);
            talk.client.text("handler");
            talk.sees(1);
            talk.lines.addAll(talk.noted(talk.name, "result"));
            talk.close();
        });
        probe("an unsolicited pong", talk -> {
            talk.client.frame(RawClient.PONG, true, "I am here".getBytes());
            talk.sees(1);
            talk.close();
        });
        probe("a second handler", talk -> {
            talk.ask("second");
            talk.close();
        });
        ALL.put("partial", talk -> {
            talk.open("/partial/NAME");
            talk.ask(many(3), "ü".repeat(30_000));
            talk.client.frame(RawClient.BINARY, false, new byte[10_000]);
            talk.client.frame(0, true, new byte[1]);
            talk.sees(1);
            talk.close();
            talk.notes("close");
        });
    }

    private static void violations() {
        probe("a reserved opcode", talk -> {
            talk.client.frame(3, true, new byte[0]);
            talk.seesTheEnd();
        });
        probe("text that is no UTF-8", talk -> {
            talk.client.frame(RawClient.TEXT, true, new byte[] {'a', (byte) 0xff});
            talk.seesTheEnd();
        });
        probe("a continuation of nothing", talk -> {
            talk.client.frame(0, true, new byte[1]);
            talk.seesTheEnd();
        });
        probe("a ping that is too long", talk -> {
            talk.client.frame(RawClient.PING, true, new byte[126]);
            talk.seesTheEnd();
        });
        ALL.put("no such path", talk -> talk.open("/nowhere"));
        ALL.put("a path with a segment too many", talk -> talk.open("/probe/NAME/more"));
    }

    private static void coders() {
        ALL.put("objects", talk -> {
            talk.open("/shapes/NAME/3");
            talk.ask("circle 5", "circle 7");
            talk.client.text("triangle");
            talk.client.binary(new byte[2]);
            talk.client.binary(new byte[] {9});
            talk.sees(1);
            talk.close();
            talk.notes("close");
            List<String> lives = talk.noted("coders", "#10");
            Collections.sort(lives);
            talk.lines.addAll(lives);
        });
        ALL.put("a path parameter that is no number", talk -> {
            talk.open("/shapes/NAME/three");
            talk.seesTheEnd();
            talk.notes("close");
        });
        ALL.put("numbers", talk -> {
            talk.open("/number/NAME");
            talk.ask("21", "-1");
            talk.client.text("many");
            talk.seesTheEnd();
            talk.notes("close");
        });
        ALL.put("truth", talk -> {
            talk.open("/truth/NAME");
            talk.ask("true", "false");
            talk.close();
        });
    }

    private static void others() {
        ALL.put("no method for messages", talk -> {
            talk.open("/deaf/NAME");
            talk.sees(1);
            talk.client.text("hello");
            talk.client.binary(new byte[1]);
            talk.close();
            talk.notes("close");
        });
        ALL.put("programmatic", talk -> {
            talk.open("/programmatic/NAME");
            talk.ask("hello");
            talk.client.binary(new byte[3]);
            talk.ask("remove");
            talk.client.text("nobody listens");
            talk.close();
            talk.notes("close");
        });
        ALL.put("a handler throws", talk -> {
            talk.open("/programmatic/NAME");
            talk.ask("throw");
            talk.seesTheEnd();
            talk.notes("close");
        });
        ALL.put("a configurator", talk -> {
            talk.open("/guarded?as=ada&x=1", "X-Agent: raw", "Sec-WebSocket-Protocol: v1.example, v2.example",
                    "Sec-WebSocket-Extensions: permessage-deflate", "Origin: http://friend.example");
            talk.lines.add("greeting " + talk.client.headers.get("X-Greeting"));
            talk.lines.add("protocol " + talk.client.headers.get("Sec-WebSocket-Protocol"));
            talk.ask("hello");
            talk.close();
        });
        ALL.put("a page that may not", talk -> talk.open("/guarded", "Origin: http://stranger.example"));
    }
}
