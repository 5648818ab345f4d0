import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.BufferedReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** The agent for java.net.http.WebSocket: {@code java Agent.java ADDRESS}. */
public final class Agent {
    private final String address;
    private final HttpClient http = HttpClient.newBuilder().proxy(HttpClient.Builder.NO_PROXY).build();
    private WebSocket socket;
    private Events events;

    private Agent(String address) {
        this.address = address;
    }

    /** What arrived: a String, a byte[], or how it closed. */
    private static final class Events implements WebSocket.Listener {
        record Closed(int code, String reason) {}

        record Failed(Throwable error) {}

        final BlockingQueue<Object> queue = new LinkedBlockingQueue<>();
        private final StringBuilder text = new StringBuilder();
        private final ByteArrayOutputStream binary = new ByteArrayOutputStream();

        @Override
        public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean last) {
            text.append(part);
            if (last) {
                queue.add(text.toString());
                text.setLength(0);
            }
            socket.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onBinary(WebSocket socket, ByteBuffer part, boolean last) {
            byte[] bytes = new byte[part.remaining()];
            part.get(bytes);
            binary.writeBytes(bytes);
            if (last) {
                queue.add(binary.toByteArray());
                binary.reset();
            }
            socket.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
            queue.add(new Closed(code, reason));
            return null;
        }

        @Override
        public void onError(WebSocket socket, Throwable error) {
            queue.add(new Failed(error));
        }
    }

    private static String text(int bytes) {
        return "\u00e9".repeat(bytes >> 1) + "x".repeat(bytes & 1);
    }

    private static byte[] binary(int bytes) {
        byte[] sample = new byte[bytes];
        for (int i = 0; i < bytes; i++) {
            sample[i] = (byte) (i * 7);
        }
        return sample;
    }

    private Object next() throws InterruptedException {
        return events.queue.poll(30, TimeUnit.SECONDS);
    }

    private String open(String path) {
        events = new Events();
        socket = http.newWebSocketBuilder().buildAsync(URI.create(address + path), events).join();
        return "open";
    }

    private void send(String kind, int bytes) {
        if (kind.equals("text")) {
            socket.sendText(text(bytes), true).join();
        } else {
            socket.sendBinary(ByteBuffer.wrap(binary(bytes)), true).join();
        }
    }

    private String receive(String kind, int bytes) throws InterruptedException {
        Object got = next();
        if (got instanceof String data && kind.equals("text")) {
            return data.equals(text(bytes)) ? "ok" : "a different message";
        }
        if (got instanceof byte[] data && kind.equals("binary")) {
            return Arrays.equals(data, binary(bytes)) ? "ok" : "a different message";
        }
        return "not a " + kind + " message: " + got;
    }

    private String closed() throws InterruptedException {
        Object got = next();
        if (got instanceof Events.Closed closed) {
            return "closed " + closed.code() + " clean " + closed.reason();
        }
        return "not closed: " + got;
    }

    private String answer(String[] words) throws InterruptedException {
        return switch (words[0]) {
            case "open" -> open(words[1]);
            case "receive" -> receive(words[1], Integer.parseInt(words[2]));
            case "send" -> {
                send(words[1], Integer.parseInt(words[2]));
                yield "sent";
            }
            case "echo" -> {
                send(words[1], Integer.parseInt(words[2]));
                yield receive(words[1], Integer.parseInt(words[2]));
            }
            case "close" -> {
                socket.sendClose(Integer.parseInt(words[1]), words[2]).join();
                yield closed();
            }
            case "closed" -> closed();
            // It knows of none.
            case "extensions" -> "extensions";
            default -> "no command " + words[0];
        };
    }

    public static void main(String[] args) throws Exception {
        Agent agent = new Agent(args[0]);
        System.out.println("ready " + System.getProperty("java.version"));
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String said;
            try {
                said = agent.answer(line.split(" "));
            } catch (RuntimeException error) {
                said = error.toString().replace('\n', ' ');
            }
            System.out.println(said);
        }
        System.exit(0);
    }
}
