package io.wspush.websocket;

import javax.websocket.MessageHandler;

/** Hands messages to a handler that was added to a session. */
final class HandlerReceiver implements Receiver {
    final MessageHandler handler;
    private final Conversion conversion;

    HandlerReceiver(MessageHandler handler, Conversion conversion) {
        this.handler = handler;
        this.conversion = conversion;
    }

    /** The type of the messages that it takes, as its class says; null if it doesn't, as a lambda's. */
    static Class<?> target(MessageHandler handler) {
        Class<?> generic =
                handler instanceof MessageHandler.Whole ? MessageHandler.Whole.class : MessageHandler.Partial.class;
        return Types.argument(handler.getClass(), generic);
    }

    @Override
    public boolean isPartial() {
        return handler instanceof MessageHandler.Partial;
    }

    @Override
    public long sizeMax() {
        return -1;
    }

    @Override
    @SuppressWarnings("unchecked")
    public void accept(PushSession session, Object payload, boolean last) throws Throwable {
        Object message = conversion.from(session, payload);
        if (handler instanceof MessageHandler.Partial) {
            ((MessageHandler.Partial<Object>) handler).onMessage(message, last);
        } else {
            ((MessageHandler.Whole<Object>) handler).onMessage(message);
        }
    }

    @Override
    public String toString() {
        return handler.toString();
    }
}
