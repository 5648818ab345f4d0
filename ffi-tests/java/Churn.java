import io.wspush.ConnectRequest;
import io.wspush.Decision;
import io.wspush.WsPushListener;
import io.wspush.WsPushRoute;
import io.wspush.WsPushServer;
import io.wspush.WsPushSession;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.LongStream;
import javax.management.ObjectName;

/**
 * Connections with attributes come at a route, say something and go, round after round: heap, global references and memory
 * stay flat. With a third argument the callbacks block, on threads of the route's.
 */
final class Churn implements WsPushListener {
    private static final int AT_ONCE = 200;
    private static final byte[] REQUEST = ("GET /churn/one?channel=public.a HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            + "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
            .getBytes();

    private final AtomicInteger opened = new AtomicInteger();
    private final AtomicInteger closed = new AtomicInteger();
    /** Callbacks run on threads of the route's, and wait for their client. */
    private final boolean blocks;

    private Churn(boolean blocks) {
        this.blocks = blocks;
    }

    @Override
    public Decision onConnect(ConnectRequest request) {
        request.attributes().put("request", new byte[1_000]);
        return request.byConfig().channels("public.a").broadcast(true);
    }

    @Override
    public void onOpen(WsPushSession session) {
        Check.that(session.attribute("request") != null, "an attribute");
        session.attribute("open", new byte[1_000]);
        opened.incrementAndGet();
    }

    @Override
    public void onText(WsPushSession session, String text) {
        if (blocks) {
            session.pause();
            session.sendAsync(text).join();
            session.resume();
        } else {
            session.reply(text);
        }
    }

    @Override
    public void onClose(WsPushSession session, int code, String reason) {
        Check.equal(2, session.attributes().size(), "attributes");
        closed.incrementAndGet();
    }

    private static Socket connect(WsPushServer server) throws IOException {
        Socket socket = new Socket("127.0.0.1", server.port());
        OutputStream out = socket.getOutputStream();
        out.write(REQUEST);
        // "hello" as a client sends it: masked, here with zeros.
        out.write(new byte[] {(byte) 0x81, (byte) 0x85, 0, 0, 0, 0, 'h', 'e', 'l', 'l', 'o'});
        DataInputStream in = new DataInputStream(socket.getInputStream());
        int ends = 0;
        while (ends < 4) {
            ends = in.readByte() == "\r\n\r\n".charAt(ends) ? ends + 1 : 0;
        }
        byte[] echo = new byte[7];
        in.readFully(echo);
        Check.equal("hello", new String(echo, 2, 5), "echo");
        return socket;
    }

    private static void leave(Socket socket, boolean politely) throws IOException {
        if (politely) {
            socket.getOutputStream().write(new byte[] {(byte) 0x88, (byte) 0x82, 0, 0, 0, 0, 3, (byte) 0xe8});
            socket.getInputStream().readAllBytes();
        }
        socket.close();
    }

    static String diagnose(String command) throws Exception {
        return (String) ManagementFactory.getPlatformMBeanServer().invoke(
                new ObjectName("com.sun.management:type=DiagnosticCommand"), command,
                new Object[] {new String[0]}, new String[] {String[].class.getName()});
    }

    static int globalReferences() throws Exception {
        Matcher count = Pattern.compile("JNI global refs: (\\d+)").matcher(diagnose("threadPrint"));
        Check.that(count.find(), "no count of global references");
        return Integer.parseInt(count.group(1));
    }

    private static long heapBytes() {
        System.gc();
        System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }

    static long residentKib() throws IOException {
        Matcher size = Pattern.compile("VmRSS:\\s+(\\d+)").matcher(Files.readString(Path.of("/proc/self/status")));
        return size.find() ? Long.parseLong(size.group(1)) : 0;
    }

    public static void main(String[] args) throws Exception {
        int connections = args.length > 0 ? Integer.parseInt(args[0]) : 1_000;
        int rounds = args.length > 1 ? Integer.parseInt(args[1]) : 6;
        Churn host = new Churn(args.length > 2);
        WsPushRoute route = WsPushRoute.at("/churn/{name}");
        try (WsPushServer server =
                Check.builder().endpoint(host.blocks ? route.blocking(4) : route, host).start()) {
            long[] heap = new long[rounds];
            long[] resident = new long[rounds];
            int[] references = new int[rounds];
            for (int round = 0; round < rounds; round++) {
                Deque<Socket> open = new ArrayDeque<>();
                for (int n = 0; n < connections; n++) {
                    open.add(connect(server));
                    if (open.size() == AT_ONCE) {
                        leave(open.remove(), n % 2 == 0);
                    }
                }
                server.broadcast("goodbye");
                while (!open.isEmpty()) {
                    leave(open.remove(), false);
                }
                Check.eventually("everybody to be gone", () -> server.stats().connections() == 0);
                heap[round] = heapBytes();
                resident[round] = residentKib();
                references[round] = globalReferences();
                System.out.printf("round %d: heap %d KiB, resident %d KiB, global references %d%n",
                        round, heap[round] >> 10, resident[round], references[round]);
            }
            // The first rounds fill caches and compile.
            int settled = Math.min(2, rounds - 1);
            Check.that(heap[rounds - 1] < heap[settled] + (1 << 20), "the heap grows");
            // The JVM's own come and go; of ours there would be one for each connection.
            Check.that(references[rounds - 1] < references[settled] + connections / 10, "global references grow");
            // The collector's spare pages come and go, so the least of each half is compared.
            long early = LongStream.of(resident).limit(rounds / 2).skip(rounds / 4).min().orElse(resident[0]);
            long late = LongStream.of(resident).skip(rounds / 2).min().orElse(0);
            Check.that(late < early + (16 << 10), "the process grows from " + early + " to " + late + " KiB");
        }
        // The reactor has ended, so its numbers can be read here.
        Check.equal(connections * rounds, host.opened.get(), "opened");
        Check.equal(connections * rounds, host.closed.get(), "closed");
    }
}
