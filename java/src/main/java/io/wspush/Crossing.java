package io.wspush;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Memory of the native library that both sides see. What a small message consists of is put there, and its receipt comes
 * back there, so that the native side needs to ask nothing of the JVM: each such question costs more than the copy. The
 * native side knows the places by number; Java has no addresses.
 *
 * <p>The places are shared by all threads and not kept in thread locals, which would hold on to this class from the
 * threads of a container.
 */
final class Crossing {
    /** What fits behind {@link #AT}: name and message. */
    static final int BYTES_MAX = 1024;

    /** Where the name begins, and behind it the message. In front of it are a receipt's epoch, offset and id. */
    private static final int AT = 3 * Long.BYTES;

    private static final int PLACES = 64;

    private static final AtomicReferenceArray<Crossing> FREE = new AtomicReferenceArray<>(PLACES);

    static {
        for (int place = 0; place < PLACES; place++) {
            FREE.set(place, new Crossing(place));
        }
    }

    private final int place;
    private final ByteBuffer buffer;

    private Crossing(int place) {
        this.place = place;
        this.buffer = Native.crossing(place).order(ByteOrder.nativeOrder());
    }

    /** Memory for one call, until {@link #end}; null: another thread has it, and the message goes the other way. */
    static Crossing begin() {
        return FREE.getAndSet((int) Thread.currentThread().getId() & (PLACES - 1), null);
    }

    /** Puts a name and a message, which have to fit. */
    void put(byte[] name, Payload payload) {
        buffer.position(AT);
        buffer.put(name);
        payload.putInto(buffer);
    }

    void put(Payload payload) {
        buffer.position(AT);
        payload.putInto(buffer);
    }

    /** Its number for the native side. */
    int place() {
        return place;
    }

    Receipt receipt(String channel) {
        return new Receipt(
                channel, buffer.getLong(0), buffer.getLong(Long.BYTES), buffer.getLong(2 * Long.BYTES));
    }

    /** The memory is free for another call. */
    void end() {
        FREE.lazySet(place, this);
    }
}
