import io.wspush.ConfigException;
import io.wspush.Decision;
import io.wspush.ListenException;
import io.wspush.MessageTooLargeException;
import io.wspush.PushOptions;
import io.wspush.TooManyChannelsException;
import io.wspush.WsPushServer;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Arguments that are wrong: exceptions with a reason, also where the native methods are called behind the API's back. */
final class Arguments {
    private static void settings() {
        for (String[] wrong : new String[][] {
            {"no_such_setting", "1"}, {"max_connections", "many"}, {"listen", "everywhere"}, {"slow_consumer", "maybe"},
        }) {
            ConfigException problem = Check.thrown(ConfigException.class, wrong[0],
                    () -> WsPushServer.builder().set(wrong[0], wrong[1]).start());
            Check.that(problem.getMessage().contains(wrong[0]), problem.getMessage());
        }
        Check.thrown(NullPointerException.class, "null", () -> WsPushServer.builder().set(null, "1"));
        Check.thrown(NullPointerException.class, "null", () -> WsPushServer.builder().listener(null));
        try (WsPushServer server = Check.builder().admin("127.0.0.1:0").listen("127.0.0.1:0", "[::1]:0").start()) {
            Check.equal(2, server.addresses().size(), "listeners");
            try (WsPushServer unasked = Check.builder().start()) {
                Check.that(unasked.adminAddress().isEmpty(), "a port that nobody asked for");
            }
            Check.that(server.adminAddress().isPresent(), "admin");
            ListenException taken = Check.thrown(ListenException.class, "a taken port",
                    () -> Check.builder().listen("127.0.0.1:" + server.port()).start());
            Check.that(taken.getMessage().contains(":" + server.port()), taken.getMessage());
        }
    }

    /** What the channels keep is written while the server goes on. */
    private static void state() throws Exception {
        Path folder = Files.createTempDirectory("wspush");
        Path file = folder.resolve("state");
        try (WsPushServer server = Check.builder().set("state_file", file.toString()).start()) {
            server.publish("news", "kept");
            server.saveState();
            Check.eventually("a state", () -> Files.exists(file));
            Check.that(new String(Files.readAllBytes(file), "ISO-8859-1").contains("kept"), "a state without what it is of");
            server.broadcast("it goes on");
        } finally {
            Files.deleteIfExists(file);
            Files.delete(folder);
        }
    }

    /** No exception has a piece of a key in it, nor of a token. */
    private static void secrets() throws Exception {
        String body = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp";
        String key = "-----BEGIN PRIVATE KEY-----\\n" + body + "\\n-----END PRIVATE KEY-----";
        Path file = Files.createTempFile("wspush", ".pem");
        try {
            Files.writeString(file, key);
            for (String[] wrong : new String[][] {
                {"tls_key", file.toString()}, {"tls_key", key}, {"tls_key", body}, {"admin_token", body + " "}, {"listen", key},
                {body, "admin_token"}, {"origins", "https://me:" + body + "@example.com"}, {"admin_token", ""},
            }) {
                ConfigException problem = Check.thrown(ConfigException.class, wrong[0], () -> Check.builder()
                        .listen("tls://127.0.0.1:0").set("tls_cert", file.toString()).set(wrong[0], wrong[1]).start());
                String said = problem.toString();
                Check.that(!said.contains(body.substring(0, 8)) && !said.contains("77, 67, 52"), said);
            }
        } finally {
            Files.delete(file);
        }
    }

    private static void channels() throws Exception {
        try (WsPushServer server = Check.builder().set("channels_max", 3).start()) {
            server.publish("public.a", "x");
            server.publish("public.b", "x");
            try (Client client = new Client(server, "/ws?channel=public.a&channel=public.b")) {
                Check.thrown(TooManyChannelsException.class, "channels", () -> server.publish("c", "x"));
                server.publish("public.a", "y");
                Check.equal("y", client.next(), "a channel that is there");
            }
        }
    }

    private static void messages() {
        try (WsPushServer server = Check.builder().set("channels_max", 3).set("log_bytes", 100_000)
                .set("admin_body_bytes_max", 50_000).start()) {
            Check.thrown(IllegalArgumentException.class, "empty", () -> server.broadcast(""));
            Check.thrown(IllegalArgumentException.class, "empty", () -> server.broadcast(new byte[0]));
            Check.thrown(IllegalArgumentException.class, "empty", () -> server.broadcast(ByteBuffer.allocateDirect(0)));
            Check.thrown(NullPointerException.class, "null", () -> server.broadcast((String) null));
            Check.thrown(NullPointerException.class, "null", () -> server.broadcast((byte[]) null));
            Check.thrown(NullPointerException.class, "null", () -> server.broadcast((ByteBuffer) null));
            Check.thrown(NullPointerException.class, "null", () -> server.publish(null, "x"));
            Check.thrown(NullPointerException.class, "null", () -> server.close(1, 1000, null));
            Check.thrown(NullPointerException.class, "null", () -> server.delivery(null));
            for (String channel : List.of("", "a b", "a*", "\u00fc", "x".repeat(129), "\u20ac".repeat(60))) {
                Check.thrown(IllegalArgumentException.class, channel, () -> server.publish(channel, "x"));
                Check.thrown(IllegalArgumentException.class, channel, () -> server.subscribe(1, channel));
                Check.thrown(IllegalArgumentException.class, channel, () -> server.unsubscribe(1, channel));
            }
            Check.equal("x".repeat(128), server.publish("x".repeat(128), "x").channel(), "the longest name");
            server.publish("b", "x", PushOptions.UNCOMPRESSED);
            // Nobody listens on the others, so one of them makes room, as soon as what is on its way there has come.
            Check.patiently(() -> server.publish("c", "x"));
            byte[] large = new byte[100_001];
            Check.thrown(MessageTooLargeException.class, "large", () -> server.broadcast(large));
            for (int code : new int[] {-1, 0, 999, 1004, 1005, 1006, 1015, 2000, 5000, 65_536 + 1000}) {
                Check.thrown(IllegalArgumentException.class, "code " + code, () -> server.close(1, code, ""));
            }
            // Connections that are not there: nothing happens.
            for (long conn : new long[] {1, -1, Long.MIN_VALUE, Long.MAX_VALUE}) {
                server.send(conn, "x");
                server.close(conn, 1000, "x".repeat(1000));
                server.subscribe(conn, "a");
            }
            // 0 is none's id, and says that a field was never set.
            Check.thrown(IllegalArgumentException.class, "0", () -> server.send(0, "x"));
            Check.thrown(IllegalArgumentException.class, "0", () -> server.close(0, 1000, ""));
            Check.thrown(IllegalArgumentException.class, "0", () -> server.subscribe(0, "a"));
            Check.thrown(IllegalArgumentException.class, "0", () -> server.unsubscribe(0, "a"));
            Check.thrown(IllegalArgumentException.class, "user", () -> Decision.accept().user(""));
            Check.thrown(IllegalArgumentException.class, "channel", () -> Decision.accept().channels("a", ""));
            Decision.accept().user(null);
            // Half a surrogate pair is no character.
            server.broadcast("\ud83d");
            Check.thrown(IllegalArgumentException.class, "status", () -> Decision.refuse(200, ""));
            Check.thrown(IllegalArgumentException.class, "256", () -> Decision.accept().user("x".repeat(257)));
        }
    }

    /** Every native method with zeros and nulls, ids that don't exist, and sizes that are wrong. */
    private static void natives() throws Exception {
        Class<?> natives = Class.forName("io.wspush.Native");
        try (WsPushServer server = Check.builder().start()) {
            Object id = field(server, "id");
            long[] ids = {0, 1, -1, (long) id, (long) id + 1, (long) id ^ (1L << 32), Long.MIN_VALUE};
            int[] sizes = {0, 1, -1, 5, Integer.MAX_VALUE, Integer.MIN_VALUE};
            Object[] arrays = {null, new byte[0], new byte[] {-1, -2, -3, -4}};
            int calls = 0;
            for (Method method : natives.getDeclaredMethods()) {
                // Running it would take its thread, and freeing it its id: these two come last.
                boolean own = Modifier.isNative(method.getModifiers());
                if (!own || List.of("run", "free", "drain").contains(method.getName())) {
                    continue;
                }
                method.setAccessible(true);
                for (long wrong : ids) {
                    for (int size : sizes) {
                        for (Object array : arrays) {
                            call(method, wrong, size, array);
                            calls++;
                        }
                    }
                }
            }
            Check.that(calls > 1000, "calls " + calls);
            for (String name : List.of("run", "free", "drain")) {
                Method method = named(natives, name);
                for (long wrong : ids) {
                    if (wrong != (long) id) {
                        Check.that(call(method, wrong, 0, null) instanceof IllegalStateException, name);
                    }
                }
            }
            Method run = named(natives, "run");
            Check.that(call(run, (long) id, 0, null) instanceof IllegalStateException, "run twice");
            server.broadcast("it is well");
        }
    }

    private static Method named(Class<?> of, String name) {
        Method[] all = of.getDeclaredMethods();
        Method method = Stream.of(all).filter(one -> one.getName().equals(name)).findFirst().orElseThrow();
        method.setAccessible(true);
        return method;
    }

    private static Object field(Object object, String name) throws Exception {
        Class<?> of = object.getClass();
        while (Stream.of(of.getDeclaredFields()).noneMatch(field -> field.getName().equals(name))) {
            of = of.getSuperclass();
        }
        var field = of.getDeclaredField(name);
        field.setAccessible(true);
        return field.get(object);
    }

    private static Throwable call(Method method, long id, int size, Object array) throws Exception {
        List<Object> arguments = new ArrayList<>();
        for (Class<?> type : method.getParameterTypes()) {
            if (type == long.class) {
                arguments.add(id);
            } else if (type == int.class) {
                arguments.add(size);
            } else if (type == boolean.class) {
                arguments.add(size == 1);
            } else if (type == byte[].class) {
                arguments.add(array);
            } else if (type == long[].class) {
                arguments.add(array == null ? null : new long[2]);
            } else if (type == ByteBuffer.class) {
                arguments.add(size == 5 ? ByteBuffer.allocate(8) : ByteBuffer.allocateDirect(3));
            } else {
                arguments.add(null);
            }
        }
        try {
            method.invoke(null, arguments.toArray());
            return null;
        } catch (InvocationTargetException thrown) {
            Throwable problem = thrown.getCause();
            boolean bug = problem.getMessage() != null && problem.getMessage().contains("a bug in wspush");
            Check.that(problem instanceof RuntimeException && !bug, method + ": " + problem);
            return problem;
        }
    }

    public static void main(String[] args) throws Exception {
        settings();
        channels();
        secrets();
        state();
        messages();
        natives();
    }
}
