package io.wspush.websocket;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import javax.websocket.EncodeException;
import javax.websocket.RemoteEndpoint;
import javax.websocket.SendHandler;
import javax.websocket.SendResult;

/** Sends, and says later that the kernel has it. Several messages may be on their way. */
final class AsyncRemote extends Remote implements RemoteEndpoint.Async {
    AsyncRemote(PushSession session) {
        super(session);
    }

    @Override
    public long getSendTimeout() {
        return session.extras().sendTimeout;
    }

    @Override
    public void setSendTimeout(long timeoutMs) {
        session.extras().sendTimeout = timeoutMs;
    }

    @Override
    public Future<Void> sendText(String text) {
        checkMessage(text);
        return later(() -> session.wire().textAsync(text));
    }

    @Override
    public Future<Void> sendBinary(ByteBuffer data) {
        checkMessage(data);
        return later(() -> session.wire().binaryAsync(data));
    }

    @Override
    public Future<Void> sendObject(Object object) {
        return encodedLater(object);
    }

    @Override
    public void sendText(String text, SendHandler handler) {
        checkHandler(handler);
        checkMessage(text);
        tell(handler, later(() -> session.wire().textAsync(text)));
    }

    @Override
    public void sendBinary(ByteBuffer data, SendHandler handler) {
        checkHandler(handler);
        checkMessage(data);
        tell(handler, later(() -> session.wire().binaryAsync(data)));
    }

    @Override
    public void sendObject(Object object, SendHandler handler) {
        checkHandler(handler);
        tell(handler, encodedLater(object));
    }

    private CompletableFuture<Void> encodedLater(Object object) {
        Object encoded;
        try {
            encoded = encoded(object);
        } catch (IOException | EncodeException problem) {
            return CompletableFuture.failedFuture(problem);
        }
        return encoded instanceof String
                ? later(() -> session.wire().textAsync((String) encoded))
                : later(() -> session.wire().binaryAsync((ByteBuffer) encoded));
    }

    private CompletableFuture<Void> later(Supplier<CompletableFuture<Void>> send) {
        session.checkWhole();
        Gathering.settle(session);
        session.wrote();
        CompletableFuture<Void> sent;
        try {
            sent = Outbound.patiently(send);
        } catch (IOException problem) {
            return CompletableFuture.failedFuture(problem);
        }
        long timeoutMs = session.extras().sendTimeout;
        return timeoutMs > 0 ? sent.orTimeout(timeoutMs, TimeUnit.MILLISECONDS) : sent;
    }

    /** The handler is the application's and may block, so it runs where callbacks do. */
    private void tell(SendHandler handler, CompletableFuture<Void> sent) {
        sent.whenCompleteAsync(
                (nothing, problem) -> {
                    try {
                        handler.onResult(problem == null ? new SendResult() : new SendResult(cause(problem)));
                    } catch (RuntimeException failed) {
                        Log.failed("SendHandler.onResult", failed);
                    }
                },
                session.container().workers());
    }

    private static Throwable cause(Throwable problem) {
        return problem instanceof CompletionException && problem.getCause() != null ? problem.getCause() : problem;
    }

    private static void checkMessage(Object message) {
        if (message == null) {
            throw new IllegalArgumentException("the message is null");
        }
    }

    private static void checkHandler(SendHandler handler) {
        if (handler == null) {
            throw new IllegalArgumentException("the SendHandler is null; the other method returns a Future");
        }
    }
}
