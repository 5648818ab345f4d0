package io.wspush;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Memory that both sides see. What a small message consists of is put there, and its receipt comes back there, so that
 * the native side needs to ask nothing of the JVM: each such question costs more than the copy.
 *
 * <p>The buffers are shared by all threads and not kept in thread locals, which would hold on to this class from the
 * threads of a container.
 */
final class Crossing {
    /** What fits behind {@link #AT}: name and message. */
    static final int BYTES_MAX = 1024;

    /** Where a receipt's epoch, offset and id are put. */
    private static final int RECEIPT = Long.BYTES;

    /** Where the name begins, and behind it the message. */
    static final int AT = RECEIPT + 3 * Long.BYTES;

    private static final int PLACES = 64;
    /** So far apart that two of them are in different cache lines. */
    private static final int APART = 16;

    private static final AtomicReferenceArray<ByteBuffer> FREE = new AtomicReferenceArray<>(PLACES * APART);

    private final ByteBuffer buffer;
    private final int place;

    private Crossing(ByteBuffer buffer, int place) {
        this.buffer = buffer;
        this.place = place;
    }

    /** Memory for one call. The JIT does away with the object. */
    static Crossing begin() {
        int place = ((int) Thread.currentThread().getId() & (PLACES - 1)) * APART;
        ByteBuffer free = FREE.getAndSet(place, null);
        return new Crossing(free == null ? make() : free, place);
    }

    private static ByteBuffer make() {
        ByteBuffer buffer = ByteBuffer.allocateDirect(AT + BYTES_MAX).order(ByteOrder.nativeOrder());
        return buffer.putLong(0, Native.address(buffer));
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

    /** Where the memory is. It must not be used after {@link #end}. */
    long address() {
        return buffer.getLong(0);
    }

    Receipt receipt(String channel) {
        return new Receipt(channel, buffer.getLong(RECEIPT), buffer.getLong(RECEIPT + Long.BYTES),
                buffer.getLong(RECEIPT + 2 * Long.BYTES));
    }

    /** The memory is free for another call. */
    void end() {
        FREE.lazySet(place, buffer);
    }
}
