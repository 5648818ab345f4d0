import io.wspush.BatchItem;
import io.wspush.Delivery;
import io.wspush.NodeInfo;
import io.wspush.PublishTerms;
import io.wspush.Receipt;
import io.wspush.TooManyChannelsException;
import io.wspush.WsPushServer;
import io.wspush.WsPushServerBuilder;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionException;

/** The same as settings.c; the CPUs of the reactors are set by the builder's own method. */
final class SettingsHost {
    private SettingsHost() {}

    private static WsPushServerBuilder with(WsPushServerBuilder builder, String setting) {
        String name = setting.substring(0, setting.indexOf('='));
        String value = setting.substring(name.length() + 1);
        switch (name) {
            case "reactors":
                return builder.reactors(Integer.parseInt(value));
            case "reactor_cpus":
                String[] cpus = value.split(",");
                int[] numbers = new int[cpus.length];
                for (int n = 0; n < cpus.length; n++) {
                    numbers[n] = Integer.parseInt(cpus[n]);
                }
                return builder.reactorCpus(numbers);
            case "reactor_incoming_cpu":
                return builder.reactorIncomingCpu(Boolean.parseBoolean(value));
            default:
                return builder.set(name, value);
        }
    }

    /** Whether there is room for the channel is known at once; that this connection has gone is no error. */
    private static String subscribed(WsPushServer server, String channel) {
        try {
            server.subscribe(77, channel);
            server.user("ann").subscribe(channel);
            return "taken";
        } catch (TooManyChannelsException full) {
            return "full";
        }
    }

    private static String told(Optional<Delivery> delivery) {
        return delivery.map(now -> now.recipients() + " " + now.written() + " " + now.lagging()).orElse("0 0 0");
    }

    private static String nodes(WsPushServer server) {
        try {
            StringBuilder said = new StringBuilder("nodes");
            for (NodeInfo node : server.nodes().join()) {
                Check.that(node.sinceMs() > 0 && node.leaseMs() <= 10_000 && node.lagMs() >= 0, "a node that is there");
                Check.that(!node.run().isEmpty() && !node.version().isEmpty() && node.connections() >= 0, "what it is");
                said.append(' ').append(node.name());
            }
            return said.toString();
        } catch (IllegalArgumentException alone) {
            return "nodes none";
        } catch (CompletionException away) {
            return "nodes away";
        }
    }

    public static void main(String[] settings) throws IOException {
        WsPushServerBuilder builder = Check.builder().maxConnections(1_000);
        for (String setting : settings) {
            with(builder, setting);
        }
        Check.thrown(IllegalArgumentException.class, "no CPU", () -> Check.builder().reactorCpus(-1));
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        try (WsPushServer server = builder.start()) {
            System.out.println("port " + server.port());
            Optional<Receipt> receipt = Optional.empty();
            for (String line = input.readLine(); line != null; line = input.readLine()) {
                switch (line) {
                    case "nodes":
                        System.out.println(nodes(server));
                        break;
                    case "both":
                        server.publishBatch(List.of(BatchItem.channel("later", "2"), BatchItem.channel("urgent", "1")));
                        System.out.println("both");
                        break;
                    case "slowly":
                        PublishTerms slowly = PublishTerms.NONE.rate(1);
                        receipt = Optional.of(server.publish(List.of("broadcast"), "slowly", slowly).receipts().get(0));
                        System.out.println("slowly");
                        break;
                    case "delivery":
                        System.out.println(told(receipt.flatMap(server::delivery)));
                        break;
                    case "subscribe a":
                    case "subscribe b":
                        System.out.println(subscribed(server, line.substring(10)));
                        break;
                    default:
                        server.broadcast(line);
                }
            }
        }
    }
}
