package io.wspush;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** One of the servers of a cluster. */
public final class NodeInfo {
    private final String name;
    private final String run;
    private final String version;
    private final long sinceMs;
    private final long connections;
    private final long lagMs;
    private final long leaseMs;

    private NodeInfo(Packed.Reader in) {
        name = in.text();
        run = in.text();
        version = in.text();
        sinceMs = in.number();
        connections = in.number();
        lagMs = in.number();
        leaseMs = in.number();
    }

    static List<NodeInfo> all(Packed.Reader in) {
        List<NodeInfo> all = new ArrayList<>();
        while (in.hasMore()) {
            all.add(new NodeInfo(in));
        }
        return Collections.unmodifiableList(all);
    }

    /**
     * The server.
     *
     * @return its name (setting {@code node})
     */
    public String name() {
        return name;
    }

    /**
     * This run of it.
     *
     * @return a text that no other run has
     */
    public String run() {
        return run;
    }

    /**
     * The version that it is of.
     *
     * @return the version
     */
    public String version() {
        return version;
    }

    /**
     * When it started.
     *
     * @return milliseconds since 1970
     */
    public long sinceMs() {
        return sinceMs;
    }

    /**
     * How many connections it had, three seconds ago at the most.
     *
     * @return the connections
     */
    public long connections() {
        return connections;
    }

    /**
     * How far it was behind the streams then.
     *
     * @return milliseconds
     */
    public long lagMs() {
        return lagMs;
    }

    /**
     * For how long its lease is still good: it is gone then, unless it is heard of.
     *
     * @return milliseconds
     */
    public long leaseMs() {
        return leaseMs;
    }
}
