package io.wspush;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;

/**
 * The native side (libwspush/src/jni). A server is an id whose generation is checked, so none of this can crash on a
 * server that is gone.
 */
final class Native {
    static {
        NativeLibrary.load();
        NativeLibrary.checkVersion(new String(load(), UTF_8));
    }

    private Native() {}

    private static native byte[] load();

    static native long start(
            byte[] settings, Callbacks callbacks, boolean listens, byte[] routes, Callbacks[] routed);

    /** How many threads are to {@link #run} it. */
    static native int reactors(long server);

    /** Drives one of its reactors, by number from 0, to its end. */
    static native void run(long server, int reactor);

    static native void free(long server);

    static native long online(long server, int route);

    static native byte[] addresses(long server);

    /** The memory of a {@link Crossing}. */
    static native ByteBuffer crossing(int place);

    /** As {@link #publish}, with name and message in a {@link Crossing}; a name of -1 bytes is the default channel's. */
    static native void publishSmall(long server, int crossing, int name, int length, int kind);

    static native void sendSmall(long server, long conn, int crossing, int length, int kind);

    static native void replySmall(long conn, int crossing, int length, int kind);

    static native void publishUserSmall(long server, int crossing, int name, int length, int kind);

    static native void publish(
            long server,
            byte[] channel,
            byte[] array,
            ByteBuffer direct,
            int from,
            int length,
            int kind,
            long[] receipt);

    static native void send(
            long server, long conn, byte[] array, ByteBuffer direct, int from, int length, int kind);

    static native void reply(long conn, byte[] array, ByteBuffer direct, int from, int length, int kind);

    static native void sendNotified(
            long server, long conn, byte[] array, ByteBuffer direct, int from, int length, int kind);

    static native void sendAll(
            long server, long[] conns, byte[] array, ByteBuffer direct, int from, int length, int kind);

    static native void fragment(
            long server, long conn, byte[] array, ByteBuffer direct, int from, int length, int kind, boolean more);

    static native void pause(long server, long conn);

    static native void resume(long server, long conn);

    static native void notifyDrained(long server, long conn);

    static native void idleTimeout(long server, long conn, long ms);

    static native void maxMessage(long server, long conn, int bytes);

    static native void control(long server, long conn, byte[] payload, boolean ping);

    static native void decide(long server, long conn, byte[] decision);

    static native void authorize(long server, long conn, int number, byte[] authorized);

    static native void disconnect(long server, long conn, int code, byte[] reason);

    static native void subscribe(long server, long conn, byte[] channel, boolean on);

    static native void publishUser(
            long server, byte[] user, byte[] array, ByteBuffer direct, int from, int length, int kind);

    static native void disconnectUser(long server, byte[] user, int code, byte[] reason, boolean revoke);

    static native void subscribeUser(long server, byte[] user, byte[] channel, boolean on);

    static native void subscribeSince(long server, long conn, byte[] channel, byte[] since);

    static native void subscribeUserSince(long server, byte[] user, byte[] channel, byte[] since);

    static native int publishTo(
            long server,
            byte[] channels,
            byte[] array,
            ByteBuffer direct,
            int from,
            int length,
            int kind,
            byte[] terms,
            long[] receipts);

    static native int publishBatch(long server, byte[] terms, byte[] items, long[] places);

    static native void ask(long server, byte[] question, Reply<?> reply);

    static native void drain(long server);

    static native void saveState(long server);

    static native long handover(long server);

    static native byte[] stats(long server);

    static native boolean delivery(long server, long receipt, long[] numbers);
}
