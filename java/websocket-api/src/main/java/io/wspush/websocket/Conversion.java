package io.wspush.websocket;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.Reader;
import java.io.StringReader;
import java.nio.ByteBuffer;
import javax.websocket.DecodeException;
import javax.websocket.PongMessage;

/** Makes of a message's text or bytes what the application's method wants. */
interface Conversion {
    Object from(PushSession session, Object payload) throws DecodeException, IOException;

    /** For a message's text; null: not for this type. */
    static Conversion ofText(Class<?> target, Coders coders) {
        if (target == String.class) {
            return (session, payload) -> payload;
        }
        if (target == Reader.class) {
            return (session, payload) -> new StringReader((String) payload);
        }
        int[] decoders = coders.decodersOf(Types.boxed(target), true);
        if (decoders.length > 0) {
            return (session, payload) -> session.coders().decodeText(decoders, (String) payload);
        }
        return Types.isPrimitive(target) ? (session, payload) -> Types.parse(target, (String) payload) : null;
    }

    /** For a message's bytes; null: not for this type. */
    static Conversion ofBinary(Class<?> target, Coders coders) {
        if (target == byte[].class) {
            return (session, payload) -> payload;
        }
        if (target == ByteBuffer.class) {
            return (session, payload) -> ByteBuffer.wrap((byte[]) payload);
        }
        if (target == InputStream.class) {
            return (session, payload) -> new ByteArrayInputStream((byte[]) payload);
        }
        int[] decoders = coders.decodersOf(target, false);
        return decoders.length == 0 ? null : (session, payload) -> session.coders().decodeBinary(decoders, (byte[]) payload);
    }

    /** For a pong's bytes; null: not for this type. */
    static Conversion ofPong(Class<?> target) {
        return target == PongMessage.class ? (session, payload) -> new Pong((byte[]) payload) : null;
    }

    /** A pong as applications see it. */
    final class Pong implements PongMessage {
        private final ByteBuffer data;

        Pong(byte[] data) {
            this.data = ByteBuffer.wrap(data);
        }

        @Override
        public ByteBuffer getApplicationData() {
            return data;
        }
    }
}
