package io.wspush.websocket;

import java.io.EOFException;
import java.io.IOException;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;
import javax.websocket.CloseReason;
import javax.websocket.CloseReason.CloseCodes;
import javax.websocket.DecodeException;
import javax.websocket.DeploymentException;
import javax.websocket.MessageHandler;
import javax.websocket.RemoteEndpoint;
import javax.websocket.server.ServerEndpointConfig;

/** A connection, as an endpoint has it. What is rarely set stands in {@link Extras}, which isn't made before. */
final class PushSession extends SessionProperties {
    /** What a message that is sent in parts consists of. */
    static final int TEXT = 1;

    static final int BINARY = 2;

    private static final int OPEN = 0;
    /** {@code onClose} runs; the session's properties can still be read. */
    private static final int CLOSING = 1;

    private static final int CLOSED = 2;
    private static final AtomicIntegerFieldUpdater<PushSession> STATE =
            AtomicIntegerFieldUpdater.newUpdater(PushSession.class, "state");

    private final Wire wire;
    private Object endpoint;
    private Coders.Instances coders;
    private Assembly assembly;
    private volatile Receivers receivers = Receivers.NONE;
    private volatile int state = OPEN;
    private int sending;

    /** What a thread has gathered for it. */
    volatile Gathering gathering;
    /** Where it stands among the members, who own this; negative: it is none. */
    int memberAt = -1;
    /** Bytes sent since the client was known to have taken all. */
    volatile int onItsWay;
    /** When it last received or sent, for the idle time-out. */
    private volatile long activeNanos = System.nanoTime();

    PushSession(Deployment deployment, Wire wire, Opening opening, Map<String, Object> properties) {
        super(deployment, opening);
        this.wire = wire;
        if (!properties.isEmpty()) {
            getUserProperties().putAll(properties);
        }
    }

    // ------------------------------------------------------------------ what happens on the connection

    /** The connection is open. */
    void opened() {
        Events events = deployment().events();
        try {
            if (deployment().hasCoders()) {
                coders = deployment().coders().instances();
            }
            endpoint = events.instance(config());
        } catch (DeploymentException | InstantiationException | RuntimeException problem) {
            Log.failed("making an instance for " + deployment(), problem);
            wire.close(CloseCodes.UNEXPECTED_CONDITION.getCode(), "");
            state = CLOSED;
            return;
        }
        receivers = events.receivers();
        grow(receivers);
        try {
            events.open(this);
        } catch (Throwable problem) {
            checkFatal(problem);
            error(problem);
            close();
        }
        if (isOpen()) {
            deployment().members().add(this);
            // Another thread may have closed it in between.
            if (!isOpen()) {
                deployment().members().remove(this);
            }
        }
    }

    /** A message, or a piece of one, has come: a {@link String} or a {@code byte[]}. */
    void received(Object piece, boolean isLast) {
        boolean isText = piece instanceof String;
        Receiver receiver = isText ? receivers.text : receivers.binary;
        if (!isOpen() || receiver == null) {
            return;
        }
        active();
        Object message = piece;
        if (!receiver.isPartial()) {
            int length = Assembly.length(piece) + (assembly == null ? 0 : assembly.length());
            int sizeMax = isText ? getMaxTextMessageBufferSize() : getMaxBinaryMessageBufferSize();
            if (length > sizeMax) {
                tooBig("a message of more than " + sizeMax + (isText ? " characters" : " bytes"));
                return;
            }
            if (!isLast) {
                assembly = assembly == null ? new Assembly() : assembly;
                assembly.add(piece);
                return;
            }
            if (assembly != null) {
                message = assembly.whole(piece);
                assembly = null;
            }
        }
        long sizeMax = receiver.sizeMax();
        if (sizeMax >= 0 && Assembly.length(message) > sizeMax) {
            tooBig(Assembly.length(message) + " are more than maxMessageSize = " + sizeMax);
            return;
        }
        handOver(receiver, message, isLast);
    }

    /** A pong has come. */
    void pong(byte[] data) {
        Receiver receiver = receivers.pong;
        if (isOpen() && receiver != null) {
            active();
            handOver(receiver, data, true);
        }
    }

    private void handOver(Receiver receiver, Object message, boolean isLast) {
        try {
            receiver.accept(this, message, isLast);
        } catch (DecodeException problem) {
            error(problem);
        } catch (Throwable problem) {
            checkFatal(problem);
            boolean isChecked = problem instanceof Exception && !(problem instanceof RuntimeException);
            error(isChecked ? new RuntimeException(problem.getMessage(), problem) : problem);
            end(new CloseReason(CloseCodes.CLOSED_ABNORMALLY, "the endpoint has thrown"));
        }
    }

    private void tooBig(String what) {
        assembly = null;
        end(new CloseReason(CloseCodes.TOO_BIG, what));
    }

    /** The connection is over. It is the last that happens. */
    void gone(int code, String reason) {
        if (isOpen() && code == CloseCodes.CLOSED_ABNORMALLY.getCode()) {
            error(new EOFException("the connection ended without a close frame"));
        }
        if (STATE.compareAndSet(this, OPEN, CLOSING)) {
            deployment().members().remove(this);
            // As Tomcat has it: a close frame without a code is a normal closure.
            boolean hasCode = code != CloseCodes.NO_STATUS_CODE.getCode();
            fireClose(hasCode
                    ? new CloseReason(CloseCodes.getCloseCode(code), reason)
                    : new CloseReason(CloseCodes.NORMAL_CLOSURE, null));
        }
        state = CLOSED;
    }

    // ------------------------------------------------------------------ closing

    @Override
    public void close() {
        close(new CloseReason(CloseCodes.NORMAL_CLOSURE, ""));
    }

    @Override
    public void close(CloseReason reason) {
        close(reason, reason);
    }

    /** As after an error: the session is over at once, also for the endpoint. */
    private void end(CloseReason reason) {
        close(reason, reason);
        state = CLOSED;
    }

    private void close(CloseReason told, CloseReason heard) {
        if (!STATE.compareAndSet(this, OPEN, CLOSING)) {
            return;
        }
        Gathering.settle(this);
        deployment().members().remove(this);
        String phrase = told.getReasonPhrase();
        try {
            Outbound.patiently(() -> wire.close(onTheWire(told.getCloseCode().getCode()), phrase == null ? "" : phrase));
        } catch (IOException problem) {
            error(problem);
        }
        fireClose(heard);
    }

    /** Codes that are not for a close frame (RFC 6455, 7.4.1) become those that Tomcat puts there. */
    private static int onTheWire(int code) {
        switch (code) {
            case 1005:
                return CloseCodes.NORMAL_CLOSURE.getCode();
            case 1004:
            case 1006:
            case 1015:
                return CloseCodes.PROTOCOL_ERROR.getCode();
            default:
                return code;
        }
    }

    private void fireClose(CloseReason reason) {
        try {
            deployment().events().close(this, reason);
        } catch (Throwable problem) {
            checkFatal(problem);
            error(problem);
        }
        if (coders != null) {
            coders.destroy();
        }
    }

    private void error(Throwable problem) {
        try {
            deployment().events().error(this, problem);
        } catch (Throwable failed) {
            checkFatal(failed);
            Log.failed("onError of " + deployment(), failed);
        }
    }

    private static void checkFatal(Throwable problem) {
        if (problem instanceof VirtualMachineError && !(problem instanceof StackOverflowError)) {
            throw (VirtualMachineError) problem;
        }
    }

    /** Whether it has been idle for longer than it may. */
    boolean isIdle(long nowNanos) {
        long timeoutMs = idleTimeoutMs();
        return timeoutMs > 0 && nowNanos - activeNanos > TimeUnit.MILLISECONDS.toNanos(timeoutMs) && isOpen();
    }

    void closeIdle() {
        String what = "idle for longer than " + idleTimeoutMs() + " ms";
        close(new CloseReason(CloseCodes.GOING_AWAY, what), new CloseReason(CloseCodes.CLOSED_ABNORMALLY, what));
    }

    // ------------------------------------------------------------------ what the other classes of the adapter need

    ServerEndpointConfig config() {
        return deployment().config();
    }

    @Override
    Wire wire() {
        return wire;
    }

    Object endpoint() {
        return endpoint;
    }

    /** Null: the endpoint has none. */
    Coders.Instances coders() {
        return coders;
    }

    private void active() {
        activeNanos = System.nanoTime();
    }

    /** Something is sent. */
    void wrote() {
        active();
    }

    void checkOpen() {
        if (!isOpen()) {
            throw new IllegalStateException("session " + getId() + " is closed, and nothing can be sent any more");
        }
        active();
    }

    /** A whole message may be sent now. */
    void checkWhole() {
        checkOpen();
        if (sending != 0) {
            throw new IllegalStateException(
                    "a message is being sent in parts; the next one has to wait for its last part");
        }
    }

    /** A part of such a message may be sent now. */
    void checkPart(int kind, boolean isLast) {
        checkOpen();
        if (sending != 0 && sending != kind) {
            throw new IllegalStateException("a part of a message of the other kind; the last part is still to come");
        }
        sending = isLast ? 0 : kind;
    }

    @Override
    void checkNotClosed() {
        if (state == CLOSED) {
            throw new IllegalStateException(
                    "session " + getId() + " is closed: only isOpen(), getId() and close() may be called on it");
        }
    }

    @Override
    public boolean isOpen() {
        return state == OPEN;
    }

    @Override
    public RemoteEndpoint.Basic getBasicRemote() {
        checkNotClosed();
        return new BasicRemote(this);
    }

    @Override
    public RemoteEndpoint.Async getAsyncRemote() {
        checkNotClosed();
        return new AsyncRemote(this);
    }

    // ------------------------------------------------------------------ handlers

    @Override
    public void addMessageHandler(MessageHandler handler) {
        Class<?> target = HandlerReceiver.target(handler);
        if (target == null) {
            throw new IllegalArgumentException(
                    "what " + handler + " takes can't be seen from its class (a lambda?): "
                            + "say it, addMessageHandler(String.class, ..)");
        }
        add(target, handler);
    }

    @Override
    public <T> void addMessageHandler(Class<T> type, MessageHandler.Whole<T> handler) {
        add(type, handler);
    }

    @Override
    public <T> void addMessageHandler(Class<T> type, MessageHandler.Partial<T> handler) {
        add(type, handler);
    }

    private synchronized void add(Class<?> target, MessageHandler handler) {
        checkNotClosed();
        receivers = receivers.with(target, deployment().coders(), conversion -> new HandlerReceiver(handler, conversion));
    }

    @Override
    public Set<MessageHandler> getMessageHandlers() {
        checkNotClosed();
        Set<MessageHandler> handlers = new HashSet<>();
        for (Receiver receiver : receivers.all()) {
            if (receiver instanceof HandlerReceiver) {
                handlers.add(((HandlerReceiver) receiver).handler);
            }
        }
        return handlers;
    }

    @Override
    public synchronized void removeMessageHandler(MessageHandler handler) {
        checkNotClosed();
        Receivers left = receivers.without(
                there -> there instanceof HandlerReceiver && ((HandlerReceiver) there).handler.equals(handler));
        if (left.all().size() == receivers.all().size()) {
            throw new IllegalStateException("the session has no such handler: " + handler);
        }
        receivers = left;
    }

    /** A method that says it takes longer messages than the session does by default is believed. */
    private void grow(Receivers methods) {
        if (methods.text != null && methods.text.sizeMax() > getMaxTextMessageBufferSize()) {
            setMaxTextMessageBufferSize((int) Math.min(Integer.MAX_VALUE, methods.text.sizeMax()));
        }
        if (methods.binary != null && methods.binary.sizeMax() > getMaxBinaryMessageBufferSize()) {
            setMaxBinaryMessageBufferSize((int) Math.min(Integer.MAX_VALUE, methods.binary.sizeMax()));
        }
    }
}
