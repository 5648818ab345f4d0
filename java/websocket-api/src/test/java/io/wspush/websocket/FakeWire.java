package io.wspush.websocket;

import io.wspush.InboxFullException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** A connection that writes down what is sent. */
final class FakeWire implements Wire {
    private final long id;
    /** Shared by all connections of a test, so that their order is seen as well. */
    private final List<String> sent;
    /** So many calls are refused first. */
    int refusals;

    CompletableFuture<Void> taken = CompletableFuture.completedFuture(null);

    FakeWire(long id, List<String> sent) {
        this.id = id;
        this.sent = sent;
    }

    static List<String> log() {
        return Collections.synchronizedList(new ArrayList<>());
    }

    private void note(String what) {
        if (refusals > 0) {
            refusals--;
            throw full();
        }
        sent.add(what);
    }

    /** Only the server makes them, so the test does as it does. */
    private static InboxFullException full() {
        try {
            var constructor = InboxFullException.class.getDeclaredConstructors()[0];
            constructor.setAccessible(true);
            return (InboxFullException) constructor.newInstance(new Object[constructor.getParameterCount()]);
        } catch (ReflectiveOperationException problem) {
            throw new AssertionError(problem);
        }
    }

    static String shown(ByteBuffer data) {
        byte[] bytes = new byte[data.remaining()];
        data.duplicate().get(bytes);
        return bytes.length > 8 ? bytes.length + " bytes" : Arrays.toString(bytes);
    }

    private static String shown(String text) {
        return text.length() > 20 ? text.length() + " characters" : text;
    }

    @Override
    public long id() {
        return id;
    }

    @Override
    public void text(String text) {
        note(id + ": " + shown(text));
    }

    @Override
    public void binary(ByteBuffer data) {
        note(id + ": " + shown(data));
    }

    @Override
    public CompletableFuture<Void> textAsync(String text) {
        note(id + ": " + shown(text) + ", drained?");
        return taken;
    }

    @Override
    public CompletableFuture<Void> binaryAsync(ByteBuffer data) {
        note(id + ": " + shown(data) + ", drained?");
        return taken;
    }

    @Override
    public void textPart(String part, boolean last) {
        note(id + (last ? ": last " : ": part ") + shown(part));
    }

    @Override
    public void binaryPart(ByteBuffer part, boolean last) {
        note(id + (last ? ": last " : ": part ") + shown(part));
    }

    @Override
    public CompletableFuture<Void> drained() {
        note(id + ": drained?");
        return taken;
    }

    @Override
    public void textToAll(long[] ids, String text) {
        note(Arrays.toString(ids) + ": " + shown(text));
    }

    @Override
    public void ping(byte[] data) {
        note(id + ": ping " + data.length);
    }

    @Override
    public void pong(byte[] data) {
        note(id + ": pong " + data.length);
    }

    @Override
    public void close(int code, String reason) {
        note(id + ": close " + code + " " + reason);
    }
}
