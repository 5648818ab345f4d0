package io.wspush;

import java.util.stream.Stream;

/** The ways that publications go to a client: which of them there are, {@link WsPushServerBuilder#transports} says. */
public enum Transport {
    /** WebSocket, at {@code /ws}. */
    WEBSOCKET("ws"),
    /** Server-Sent Events, at {@code /sse}. */
    SSE("sse"),
    /** Envelopes of {@code wspush.v1}, one a line, at {@code /stream}. */
    STREAM("stream"),
    /** The same envelopes, by long polling, at {@code /poll}. */
    POLL("poll");

    private final String name;

    Transport(String name) {
        this.name = name;
    }

    /** Null: a newer library has one more. */
    static Transport named(String name) {
        for (Transport transport : values()) {
            if (transport.name.equals(name)) {
                return transport;
            }
        }
        return null;
    }

    /** Their names as the setting has them. */
    static String[] names(Transport... transports) {
        return Stream.of(transports).map(transport -> transport.name).toArray(String[]::new);
    }

    /**
     * Its name in the settings, in {@code /connections} and in the metrics.
     *
     * @return {@code ws}, {@code sse}, {@code stream} or {@code poll}
     */
    @Override
    public String toString() {
        return name;
    }
}
