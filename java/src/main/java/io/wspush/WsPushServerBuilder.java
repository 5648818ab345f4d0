package io.wspush;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.StringJoiner;

/**
 * Settings of a server to be. {@link #set} takes every setting that there is, by its name in the configuration file; the
 * other methods are for those that are set most often.
 */
public final class WsPushServerBuilder {
    private final Map<String, String> settings = new LinkedHashMap<>();
    private final List<Callbacks> routes = new ArrayList<>();
    private WsPushListener listener;

    WsPushServerBuilder() {}

    /**
     * Any setting.
     *
     * @param name its name, {@code heartbeat_ms} for instance
     * @param value its value, as it would be given in the environment: a list's entries are separated by commas
     * @return this
     */
    public WsPushServerBuilder set(String name, String value) {
        settings.put(Objects.requireNonNull(name), Objects.requireNonNull(value));
        return this;
    }

    /**
     * A setting that is a number.
     *
     * @param name its name
     * @param value its value
     * @return this
     */
    public WsPushServerBuilder set(String name, long value) {
        return set(name, Long.toString(value));
    }

    /**
     * A setting that is true or false.
     *
     * @param name its name
     * @param value its value
     * @return this
     */
    public WsPushServerBuilder set(String name, boolean value) {
        return set(name, Boolean.toString(value));
    }

    /**
     * Where clients connect: {@code 127.0.0.1:8080} unless it is set.
     *
     * @param addresses IP addresses with ports; port 0 is any free one, see {@link WsPushServer#port()}
     * @return this
     */
    public WsPushServerBuilder listen(String... addresses) {
        return set("listen", String.join(",", addresses));
    }

    /**
     * The certificate and its key for listeners whose address begins with {@code tls://}.
     *
     * @param certificateFile a PEM file: the certificate, and what certifies it
     * @param keyFile a PEM file: its private key
     * @return this
     */
    public WsPushServerBuilder tls(String certificateFile, String keyFile) {
        return set("tls_cert", certificateFile).set("tls_key", keyFile);
    }

    /**
     * Where the admin API listens; without this, nowhere.
     *
     * @param address an IP address with port, or {@code unix:} and a path
     * @return this
     */
    public WsPushServerBuilder admin(String address) {
        return set("admin", address);
    }

    /**
     * Most open connections.
     *
     * @param connections how many
     * @return this
     */
    public WsPushServerBuilder maxConnections(int connections) {
        return set("max_connections", connections);
    }

    /**
     * How many threads serve connections, each its own: 1 unless it is set. More of them are to the outside one server, with
     * one order of publications, and the {@link WsPushListener listener} is called on each of them; the callbacks of one
     * session always come from the same one. {@code set("reactors", "auto")} is one for each core.
     *
     * @param count 1 to 64
     * @return this
     */
    public WsPushServerBuilder reactors(int count) {
        return set("reactors", count);
    }

    /**
     * The CPUs that the reactors stay on, one for each; without this they run where the kernel lets them.
     *
     * @param cpus their numbers, as many as there are {@link #reactors reactors}
     * @return this
     * @throws IllegalArgumentException if one of them is negative
     */
    public WsPushServerBuilder reactorCpus(int... cpus) {
        StringJoiner list = new StringJoiner(",");
        for (int cpu : cpus) {
            if (cpu < 0) {
                throw new IllegalArgumentException("there is no CPU " + cpu);
            }
            list.add(Integer.toString(cpu));
        }
        return set("reactor_cpus", list.toString());
    }

    /**
     * Whether a newcomer goes to the reactor on whose CPU the kernel has received it, as far as they stay even. It takes
     * {@link #reactorCpus}.
     *
     * @param isOn whether it does
     * @return this
     */
    public WsPushServerBuilder reactorIncomingCpu(boolean isOn) {
        return set("reactor_incoming_cpu", isOn);
    }

    /**
     * The channels that clients may choose themselves, {@code public.*} unless it is set.
     *
     * @param patterns names, or beginnings of names followed by {@code *}
     * @return this
     */
    public WsPushServerBuilder channels(String... patterns) {
        return set("channels", String.join(",", patterns));
    }

    /**
     * The ways that clients may be pushed to, all of them unless it is set. A request for another one is answered 404.
     *
     * @param transports at least one, each once
     * @return this
     */
    public WsPushServerBuilder transports(Transport... transports) {
        return set("transports", String.join(",", Transport.names(transports)));
    }

    /**
     * The {@code Origin}s whose pages may connect. Unless it is set: with a {@link #listener} only those of the server's own
     * origin, which is that of the {@code Host} asked for (behind a proxy it has to be forwarded); without one any, but
     * where the handshake has a cookie. {@code *} allows any page in the visitor's name: say so only where no visitor is
     * known by a cookie. Whoever sends no {@code Origin} is no browser and passes.
     *
     * @param origins for instance {@code https://example.org}, {@code capacitor://localhost}, {@code auto} (what is there
     *     unless it is set) or {@code *}
     * @return this
     */
    public WsPushServerBuilder origins(String... origins) {
        return set("origins", String.join(",", origins));
    }

    /**
     * Longest time that the end may take.
     *
     * @param time how long
     * @return this
     */
    public WsPushServerBuilder drain(Duration time) {
        return set("drain_ms", time.toMillis());
    }

    /**
     * What decides on clients and hears them. Without one, everybody is accepted as the settings say and nobody heard.
     * With one, only pages of the server's own origin may connect unless {@link #origins} says more.
     *
     * @param listener the listener
     * @return this
     */
    public WsPushServerBuilder listener(WsPushListener listener) {
        this.listener = Objects.requireNonNull(listener);
        return this;
    }

    /**
     * Adds a route: a path of the host's own, with a listener of its own.
     *
     * @param path the path, for instance {@code /echo}, {@code /chat/{room}} or {@code /files/*}; see {@link WsPushRoute}
     * @param listener what decides on its clients and hears them
     * @return this
     */
    public WsPushServerBuilder endpoint(String path, WsPushListener listener) {
        return endpoint(WsPushRoute.at(path), listener);
    }

    /**
     * Adds a route. There may be 250 of them.
     *
     * @param route its path, and what differs there from the settings
     * @param listener what decides on its clients and hears them; it may be another route's as well
     * @return this
     */
    public WsPushServerBuilder endpoint(WsPushRoute route, WsPushListener listener) {
        routes.add(route.callbacks(Objects.requireNonNull(listener)));
        return this;
    }

    /**
     * Whether the server has {@code /ws}, {@code /sse}, {@code /stream} and {@code /poll}, as it has unless this is called.
     *
     * @param on whether it has
     * @return this
     */
    public WsPushServerBuilder builtinPaths(boolean on) {
        return set("endpoints", on);
    }

    /**
     * Starts a server; when this returns it takes connections. The builder may be used again.
     *
     * @return the server
     * @throws ConfigException if a setting or a route is wrong
     * @throws ListenException if an address can't be listened on
     * @throws WsPushException if the system refuses something else
     */
    public WsPushServer start() {
        Packed packed = new Packed();
        settings.forEach((name, value) -> packed.put(name).put(value));
        // Callbacks belong to one server, and the builder may be used again.
        List<Callbacks> own = new ArrayList<>();
        own.add(new Callbacks(listener == null ? new WsPushListener() {} : listener, null));
        routes.forEach(endpoint -> own.add(endpoint.copy()));
        return new WsPushServer(packed.bytes(), own, listener != null);
    }
}
