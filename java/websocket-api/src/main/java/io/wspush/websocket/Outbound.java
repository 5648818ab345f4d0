package io.wspush.websocket;

import io.wspush.InboxFullException;
import io.wspush.WsPushException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import javax.websocket.CloseReason;

/**
 * What a session sends, for a caller that may block. A sender that is faster than the client waits for it once a window
 * of bytes is on its way, as it would for a socket.
 */
final class Outbound {
    /** How long a client may take for a window of bytes; Tomcat's value. */
    private static final long PATIENCE_MS = 20_000;
    private static final long RETRY_NANOS = 100_000;

    /** Bytes (characters of a text) on their way before a sender waits. */
    static final int WINDOW = 256 << 10;
    /** Longer messages are cut into frames of this size. */
    private static final int PIECE = 64 << 10;

    private Outbound() {}

    /** Does it as soon as the server takes it. */
    static void patiently(Runnable send) throws IOException {
        patiently(() -> {
            send.run();
            return null;
        });
    }

    static <T> T patiently(Supplier<T> send) throws IOException {
        long start = System.nanoTime();
        for (; ; ) {
            try {
                return send.get();
            } catch (InboxFullException behind) {
                if (System.nanoTime() - start > TimeUnit.MILLISECONDS.toNanos(PATIENCE_MS)) {
                    throw new SocketTimeoutException("the server has been behind for " + PATIENCE_MS + " ms; nothing was sent");
                }
                LockSupport.parkNanos(RETRY_NANOS);
            } catch (WsPushException problem) {
                throw new IOException(problem.getMessage(), problem);
            }
        }
    }

    static void text(PushSession session, String text) throws IOException {
        session.checkWhole();
        Wire wire = session.wire();
        if (text.length() > WINDOW) {
            Gathering.settle(session);
            synchronized (wire) {
                inPieces(session, text);
            }
        } else if (session.onItsWay + text.length() > WINDOW) {
            Gathering.settle(session);
            patiently(() -> wire.text(text));
            confirm(session);
        } else {
            session.onItsWay += text.length();
            if (text.isEmpty()) {
                Gathering.settle(session);
                patiently(() -> wire.text(text));
            } else if (!Gathering.mine().takes(session, text, session.container().timer())) {
                patiently(() -> wire.text(text));
            }
        }
    }

    static void binary(PushSession session, ByteBuffer data) throws IOException {
        session.checkWhole();
        Gathering.settle(session);
        Wire wire = session.wire();
        if (data.remaining() > WINDOW) {
            synchronized (wire) {
                inPieces(session, data);
            }
        } else if (session.onItsWay + data.remaining() > WINDOW) {
            patiently(() -> wire.binary(data));
            confirm(session);
        } else {
            session.onItsWay += data.remaining();
            patiently(() -> wire.binary(data));
        }
        data.position(data.limit());
    }

    private static void inPieces(PushSession session, String text) throws IOException {
        for (int from = 0, to; from < text.length(); from = to) {
            to = Math.min(text.length(), from + PIECE);
            if (to < text.length() && Character.isHighSurrogate(text.charAt(to - 1))) {
                to--;
            }
            String part = text.substring(from, to);
            boolean last = to == text.length();
            patiently(() -> session.wire().textPart(part, last));
            account(session, part.length());
        }
    }

    private static void inPieces(PushSession session, ByteBuffer data) throws IOException {
        while (data.hasRemaining()) {
            ByteBuffer part = data.slice();
            part.limit(Math.min(PIECE, part.remaining()));
            data.position(data.position() + part.limit());
            boolean last = !data.hasRemaining();
            patiently(() -> session.wire().binaryPart(part, last));
            account(session, part.limit());
        }
    }

    static void textPart(PushSession session, String part, boolean last) throws IOException {
        session.checkPart(PushSession.TEXT, last);
        Gathering.settle(session);
        patiently(() -> session.wire().textPart(part, last));
        account(session, part.length());
    }

    static void binaryPart(PushSession session, ByteBuffer part, boolean last) throws IOException {
        session.checkPart(PushSession.BINARY, last);
        Gathering.settle(session);
        patiently(() -> session.wire().binaryPart(part, last));
        account(session, part.remaining());
        part.position(part.limit());
    }

    /** Counts bytes that went out, and waits when a window of them may be on its way. */
    private static void account(PushSession session, int bytes) throws IOException {
        session.onItsWay += bytes;
        if (session.onItsWay > WINDOW) {
            confirm(session);
        }
    }

    /** Waits until the client has taken everything. */
    private static void confirm(PushSession session) throws IOException {
        CompletableFuture<Void> taken = patiently(session.wire()::drained);
        session.onItsWay = 0;
        try {
            taken.get(PATIENCE_MS, TimeUnit.MILLISECONDS);
        } catch (TimeoutException late) {
            String what = "the client has not taken what was sent to it for " + PATIENCE_MS + " ms";
            session.close(new CloseReason(CloseReason.CloseCodes.GOING_AWAY, what));
            throw new SocketTimeoutException(what);
        } catch (InterruptedException stop) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while the client takes what was sent to it");
        } catch (ExecutionException gone) {
            throw new IOException(gone.getCause().getMessage(), gone.getCause());
        }
    }
}
