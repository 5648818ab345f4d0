package io.wspush;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Several texts in one array, to cross the border at once: each is its length, big endian, and its UTF-8 bytes. */
final class Packed {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    Packed put(String part) {
        return put(part.getBytes(UTF_8));
    }

    Packed put(byte[] bytes) {
        byte[] length = ByteBuffer.allocate(Integer.BYTES).putInt(bytes.length).array();
        out.write(length, 0, length.length);
        out.write(bytes, 0, bytes.length);
        return this;
    }

    byte[] bytes() {
        return out.toByteArray();
    }

    /** Takes the parts out again, one after the other. */
    static final class Reader {
        private final ByteBuffer in;

        Reader(byte[] packed) {
            in = ByteBuffer.wrap(packed);
        }

        boolean hasMore() {
            return in.hasRemaining();
        }

        byte[] bytes() {
            byte[] part = new byte[in.getInt()];
            in.get(part);
            return part;
        }

        String text() {
            return new String(bytes(), UTF_8);
        }

        long number() {
            return Long.parseLong(text());
        }
    }

    static List<String> unpack(byte[] packed) {
        List<String> parts = new ArrayList<>();
        ByteBuffer in = ByteBuffer.wrap(packed);
        while (in.hasRemaining()) {
            int length = in.getInt();
            parts.add(new String(packed, in.position(), length, UTF_8));
            in.position(in.position() + length);
        }
        return parts;
    }
}
