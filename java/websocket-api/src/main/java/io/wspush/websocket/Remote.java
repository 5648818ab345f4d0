package io.wspush.websocket;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import javax.websocket.EncodeException;
import javax.websocket.Encoder;
import javax.websocket.RemoteEndpoint;

/** What both remotes have. */
abstract class Remote implements RemoteEndpoint {
    /** The longest payload of a control frame (RFC 6455, 5.5). */
    private static final int CONTROL_BYTES_MAX = 125;

    final PushSession session;

    Remote(PushSession session) {
        this.session = session;
    }

    /**
     * A hint, as the specification has it: the server puts what waits for a connection together in any case, and nothing is
     * held back for a flush.
     */
    @Override
    public void setBatchingAllowed(boolean allowed) {
        session.extras().batching = allowed;
        flushBatch();
    }

    @Override
    public boolean getBatchingAllowed() {
        return session.extras().batching;
    }

    @Override
    public void flushBatch() {
        Gathering.settle(session);
    }

    @Override
    public void sendPing(ByteBuffer data) throws IOException {
        byte[] bytes = control(data);
        Outbound.patiently(() -> session.wire().ping(bytes));
    }

    @Override
    public void sendPong(ByteBuffer data) throws IOException {
        byte[] bytes = control(data);
        Outbound.patiently(() -> session.wire().pong(bytes));
    }

    private byte[] control(ByteBuffer data) {
        if (data.remaining() > CONTROL_BYTES_MAX) {
            throw new IllegalArgumentException(
                    "a ping or pong has " + CONTROL_BYTES_MAX + " bytes at the most, not " + data.remaining());
        }
        session.checkOpen();
        Gathering.settle(session);
        byte[] bytes = new byte[data.remaining()];
        data.get(bytes);
        return bytes;
    }

    /** An object as what goes over the wire: a {@link String}, or a {@link ByteBuffer}. */
    final Object encoded(Object object) throws IOException, EncodeException {
        if (object == null) {
            throw new IllegalArgumentException("the object to send is null");
        }
        Encoder encoder = session.coders() == null ? null : session.coders().encoderOf(object);
        if (encoder instanceof Encoder.Text) {
            return Remote.<Encoder.Text<Object>>as(encoder).encode(object);
        }
        if (encoder instanceof Encoder.TextStream) {
            StringWriter text = new StringWriter();
            Remote.<Encoder.TextStream<Object>>as(encoder).encode(object, text);
            return text.toString();
        }
        if (encoder instanceof Encoder.Binary) {
            return Remote.<Encoder.Binary<Object>>as(encoder).encode(object);
        }
        if (encoder != null) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            Remote.<Encoder.BinaryStream<Object>>as(encoder).encode(object, bytes);
            return ByteBuffer.wrap(bytes.toByteArray());
        }
        if (object instanceof String || Types.isPrimitive(object.getClass())) {
            return object.toString();
        }
        if (object instanceof byte[]) {
            return ByteBuffer.wrap((byte[]) object);
        }
        if (object instanceof ByteBuffer) {
            return object;
        }
        throw new EncodeException(object, "the endpoint has no encoder for " + object.getClass().getName());
    }

    @SuppressWarnings("unchecked")
    private static <T extends Encoder> T as(Encoder encoder) {
        return (T) encoder;
    }
}
