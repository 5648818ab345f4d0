package io.wspush.websocket;

import io.wspush.WsPushException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import javax.websocket.DeploymentException;

/**
 * Serves endpoint classes that are on the class path:
 *
 * <pre>
 * java -cp wspush.jar:wspush-websocket.jar:websocket-api.jar:. io.wspush.websocket.Main --listen 127.0.0.1:8080 Chat Echo
 * </pre>
 */
public final class Main {
    private static final String USAGE =
            "usage: java -cp .. io.wspush.websocket.Main [--SETTING VALUE].. CLASS..\n\n"
                    + "  CLASS             a class with @ServerEndpoint, whose annotation says the path, or a\n"
                    + "                    ServerApplicationConfig\n"
                    + "  --listen ADDRESS  where clients connect; 127.0.0.1:8080 unless it is given\n"
                    + "  --threads N       most threads for callbacks; 200\n"
                    + "  --help            this\n\n"
                    + "Any setting of wspushd is a flag here as well (--heartbeat-ms 30000, --origins https://example.com,\n"
                    + "--tls-cert FILE, --log-level warn): docs/settings.md has them all.\n";

    private Main() {}

    /**
     * Serves until the process is told to end.
     *
     * @param arguments flags, and names of classes
     * @throws InterruptedException if the main thread is interrupted
     */
    public static void main(String[] arguments) throws InterruptedException {
        if (List.of(arguments).contains("--help")) {
            System.out.print(USAGE);
            return;
        }
        WsPushContainer container;
        try {
            container = parse(arguments).start();
        } catch (DeploymentException | WsPushException | IllegalArgumentException problem) {
            System.err.println("wspush: " + problem.getMessage());
            System.exit(2);
            return;
        }
        CountDownLatch ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            container.close();
            ended.countDown();
        }));
        container.addresses().forEach(address ->
                container.deployments().forEach(deployment -> {
                    String host = address.getAddress().getHostAddress();
                    String authority = (host.contains(":") ? "[" + host + "]" : host) + ":" + address.getPort();
                    System.out.println("ws://" + authority + deployment.template().path() + " "
                            + deployment.config().getEndpointClass().getName());
                }));
        System.out.flush();
        ended.await();
    }

    /** The container that the arguments ask for. */
    static WsPushContainerBuilder parse(String[] arguments) {
        WsPushContainerBuilder builder = WsPushContainer.builder();
        List<Class<?>> classes = new ArrayList<>();
        for (int i = 0; i < arguments.length; i++) {
            String argument = arguments[i];
            if (!argument.startsWith("--")) {
                classes.add(named(argument));
                continue;
            }
            int equals = argument.indexOf('=');
            String flag = equals < 0 ? argument : argument.substring(0, equals);
            if (equals < 0 && i + 1 == arguments.length) {
                throw new IllegalArgumentException(flag + " has no value; see --help");
            }
            String value = equals < 0 ? arguments[++i] : argument.substring(equals + 1);
            if (flag.equals("--threads")) {
                builder.threads(number(flag, value));
            } else {
                builder.set(flag.substring(2).replace('-', '_'), value);
            }
        }
        return builder.endpoints(classes.toArray(new Class<?>[0]));
    }

    private static int number(String flag, String value) {
        try {
            return Integer.parseInt(value);
        } catch (NumberFormatException problem) {
            throw new IllegalArgumentException(flag + " takes a number, not \"" + value + '"');
        }
    }

    private static Class<?> named(String name) {
        try {
            return Class.forName(name);
        } catch (ClassNotFoundException | LinkageError problem) {
            throw new IllegalArgumentException(
                    "there is no class " + name + " on the class path, or it can't be loaded: " + problem);
        }
    }
}
