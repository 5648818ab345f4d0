package io.wspush;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;

/** A message on its way to the native side: part of an array, or of a direct buffer. The JIT does away with it. */
final class Payload {
    final byte[] array;
    final ByteBuffer direct;
    final int from;
    final int length;
    final boolean text;

    private Payload(byte[] array, ByteBuffer direct, int from, int length, boolean text) {
        this.array = array;
        this.direct = direct;
        this.from = from;
        this.length = length;
        this.text = text;
    }

    /** Whether it fits a {@link Crossing} together with a name. */
    boolean isSmall(int nameLength) {
        return length <= Crossing.BYTES_MAX - nameLength;
    }

    void putInto(ByteBuffer buffer) {
        if (array != null) {
            buffer.put(array, from, length);
        } else {
            // Another thread may be reading it, too, so its position stays.
            ByteBuffer source = direct.duplicate();
            source.limit(from + length).position(from);
            buffer.put(source);
        }
    }

    static Payload of(String text) {
        byte[] bytes = text.getBytes(UTF_8);
        return new Payload(bytes, null, 0, bytes.length, true);
    }

    static Payload of(byte[] data) {
        return new Payload(data, null, 0, data.length, false);
    }

    static Payload of(MessageKind kind, byte[] data) {
        return new Payload(data, null, 0, data.length, kind == MessageKind.TEXT);
    }

    static Payload of(ByteBuffer data) {
        int length = data.remaining();
        if (data.isDirect()) {
            return new Payload(null, data, data.position(), length, false);
        }
        if (data.hasArray()) {
            return new Payload(data.array(), null, data.arrayOffset() + data.position(), length, false);
        }
        byte[] copy = new byte[length];
        data.duplicate().get(copy);
        return of(copy);
    }
}
