package io.wspush.websocket;

import java.io.IOException;
import java.io.Reader;
import java.io.StringReader;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import javax.websocket.DecodeException;
import javax.websocket.Decoder;
import javax.websocket.DeploymentException;
import javax.websocket.Encoder;
import javax.websocket.EndpointConfig;

/** The encoders and decoders of an endpoint. A connection that has any gets instances of its own. */
final class Coders {
    /** A coder's class, and the class of the objects that it is for. */
    static final class Entry<C> {
        final Class<? extends C> type;
        final Class<?> target;

        Entry(Class<? extends C> type, Class<?> target) {
            this.type = type;
            this.target = target;
        }
    }

    final List<Entry<Encoder>> encoders = new ArrayList<>();
    final List<Entry<Decoder>> decoders = new ArrayList<>();
    private final EndpointConfig config;

    Coders(EndpointConfig config, String where) throws DeploymentException {
        this.config = config;
        for (Class<? extends Encoder> type : config.getEncoders()) {
            encoders.add(new Entry<>(type, target(type, where, ENCODERS)));
        }
        for (Class<? extends Decoder> type : config.getDecoders()) {
            decoders.add(new Entry<>(type, target(type, where, DECODERS)));
        }
    }

    private static final List<Class<?>> ENCODERS =
            List.of(Encoder.Text.class, Encoder.TextStream.class, Encoder.Binary.class, Encoder.BinaryStream.class);
    private static final List<Class<?>> DECODERS =
            List.of(Decoder.Text.class, Decoder.TextStream.class, Decoder.Binary.class, Decoder.BinaryStream.class);

    private static Class<?> target(Class<?> type, String where, List<Class<?>> kinds) throws DeploymentException {
        for (Class<?> kind : kinds) {
            if (kind.isAssignableFrom(type)) {
                Class<?> target = Types.argument(type, kind);
                if (target == null) {
                    String what = kind.getEnclosingClass().getSimpleName() + '.' + kind.getSimpleName();
                    throw new DeploymentException(
                            where + ": " + type.getName() + " doesn't say of which type it is a " + what
                                    + ": implement " + what + "<SomeClass>");
                }
                make(type, where);
                return target;
            }
        }
        throw new DeploymentException(where + ": " + type.getName() + " implements none of " + kinds);
    }

    /** That it can be made is found out when the endpoint is deployed, and not by the first client. */
    private static <T> T make(Class<T> type, String where) throws DeploymentException {
        try {
            var constructor = type.getDeclaredConstructor();
            constructor.setAccessible(true);
            return constructor.newInstance();
        } catch (ReflectiveOperationException | RuntimeException problem) {
            throw new DeploymentException(
                    where + ": " + type.getName() + " can't be made; it needs a constructor without parameters", problem);
        }
    }

    boolean isEmpty() {
        return encoders.isEmpty() && decoders.isEmpty();
    }

    /** The decoders whose objects a method or handler for this type takes, of text or of binary messages. */
    int[] decodersOf(Class<?> target, boolean text) {
        return java.util.stream.IntStream.range(0, decoders.size())
                .filter(i -> target.isAssignableFrom(decoders.get(i).target))
                .filter(i -> text == isText(decoders.get(i).type))
                .toArray();
    }

    private static boolean isText(Class<? extends Decoder> type) {
        return Decoder.Text.class.isAssignableFrom(type) || Decoder.TextStream.class.isAssignableFrom(type);
    }

    /** Those of one connection. */
    Instances instances() throws DeploymentException {
        return new Instances();
    }

    final class Instances {
        private final Encoder[] mine = new Encoder[encoders.size()];
        private final Decoder[] theirs = new Decoder[decoders.size()];

        private Instances() throws DeploymentException {
            for (int i = 0; i < mine.length; i++) {
                mine[i] = make(encoders.get(i).type, "encoder");
                mine[i].init(config);
            }
            for (int i = 0; i < theirs.length; i++) {
                theirs[i] = make(decoders.get(i).type, "decoder");
                theirs[i].init(config);
            }
        }

        /** The encoder for an object; null if there is none. */
        Encoder encoderOf(Object object) {
            for (int i = 0; i < mine.length; i++) {
                if (encoders.get(i).target.isInstance(object)) {
                    return mine[i];
                }
            }
            return null;
        }

        Object decodeText(int[] which, String text) throws DecodeException, IOException {
            for (int i : which) {
                Decoder decoder = theirs[i];
                if (decoder instanceof Decoder.Text) {
                    Decoder.Text<?> whole = (Decoder.Text<?>) decoder;
                    if (whole.willDecode(text)) {
                        return whole.decode(text);
                    }
                } else {
                    try (Reader reader = new StringReader(text)) {
                        return ((Decoder.TextStream<?>) decoder).decode(reader);
                    }
                }
            }
            throw new DecodeException(text, "none of the endpoint's decoders takes this text (willDecode)");
        }

        Object decodeBinary(int[] which, byte[] data) throws DecodeException, IOException {
            for (int i : which) {
                Decoder decoder = theirs[i];
                if (decoder instanceof Decoder.Binary) {
                    Decoder.Binary<?> whole = (Decoder.Binary<?>) decoder;
                    if (whole.willDecode(ByteBuffer.wrap(data))) {
                        return whole.decode(ByteBuffer.wrap(data));
                    }
                } else {
                    return ((Decoder.BinaryStream<?>) decoder).decode(new java.io.ByteArrayInputStream(data));
                }
            }
            throw new DecodeException(ByteBuffer.wrap(data), "none of the endpoint's decoders takes these bytes (willDecode)");
        }

        void destroy() {
            for (Encoder encoder : mine) {
                quietly(encoder::destroy);
            }
            for (Decoder decoder : theirs) {
                quietly(decoder::destroy);
            }
        }

        private void quietly(Runnable end) {
            try {
                end.run();
            } catch (RuntimeException problem) {
                Log.failed("destroy", problem);
            }
        }
    }
}
