package io.wspush;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The server's numbers at one moment: those that everybody looks at as methods, and all of them by name. */
public final class Stats {
    private final Map<String, String> values = new TreeMap<>();

    Stats(List<String> parts) {
        for (int i = 0; i + 1 < parts.size(); i += 2) {
            values.put(parts.get(i), parts.get(i + 1));
        }
    }

    /**
     * Open connections, whatever their transport.
     *
     * @return how many
     */
    public long connections() {
        return (long) number("connections");
    }

    /**
     * Open connections of one transport; of polls those that wait.
     *
     * @param transport which
     * @return how many
     */
    public long connections(Transport transport) {
        return (long) number("transports." + transport);
    }

    /**
     * Connections whose socket takes nothing more for now.
     *
     * @return how many
     */
    public long blocked() {
        return (long) number("blocked");
    }

    /**
     * Channels.
     *
     * @return how many
     */
    public long channels() {
        return (long) number("channels");
    }

    /**
     * Messages and other commands that wait for the reactor.
     *
     * @return how many
     */
    public long inboxCommands() {
        return (long) number("inbox_commands");
    }

    /**
     * Publications since the start.
     *
     * @return how many
     */
    public long publications() {
        return (long) number("counters.publications");
    }

    /**
     * Publications written to subscribers since the start.
     *
     * @return how many
     */
    public long deliveries() {
        return (long) number("counters.deliveries");
    }

    /**
     * Whether the server is draining.
     *
     * @return whether it is
     */
    public boolean draining() {
        return Boolean.parseBoolean(values.get("draining"));
    }

    /**
     * One of {@link #asMap()}'s numbers.
     *
     * @param name its name, {@code rates.deliveries} for instance
     * @return the number; NaN if there is none of this name
     */
    public double number(String name) {
        try {
            return Double.parseDouble(values.getOrDefault(name, "NaN"));
        } catch (NumberFormatException notANumber) {
            return Double.NaN;
        }
    }

    /**
     * Everything there is, named as in the admin API's {@code GET /stats} with dots between the levels.
     *
     * @return names and values
     */
    public Map<String, String> asMap() {
        return Collections.unmodifiableMap(values);
    }

    @Override
    public String toString() {
        return values.toString();
    }
}
