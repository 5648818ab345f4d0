package io.wspush.websocket;

import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.util.List;
import javax.websocket.DeploymentException;
import javax.websocket.OnMessage;
import javax.websocket.Session;

/** A method with {@code @OnMessage}. */
final class MessageMethod {
    private final Method method;
    private final Call.Source[] sources;
    private final Class<?> target;
    private final boolean isPartial;
    private final long sizeMax;
    private final int payloadAt;

    MessageMethod(Method method, List<String> names, Coders coders) throws DeploymentException {
        Call.checkPublic(method);
        this.method = method;
        sizeMax = method.getAnnotation(OnMessage.class).maxMessageSize();
        Class<?>[] types = method.getParameterTypes();
        sources = new Call.Source[types.length];
        int payload = -1;
        int flag = -1;
        for (int i = 0; i < types.length; i++) {
            sources[i] = Call.pathParameter(method, i, names);
            if (sources[i] != null) {
                continue;
            }
            if (types[i] == Session.class) {
                sources[i] = Call.SESSION;
            } else if (types[i] == boolean.class && flag < 0) {
                flag = i;
            } else if (payload < 0) {
                payload = i;
            } else {
                throw Call.wrong(method, i, "is a second one for the message, beside parameter " + (payload + 1));
            }
        }
        if (payload < 0) {
            // A boolean alone is the message, as any primitive type may be.
            payload = flag;
            flag = -1;
        }
        if (payload < 0) {
            throw new DeploymentException(Call.where(method) + " has @OnMessage and no parameter for the message");
        }
        payloadAt = payload;
        target = types[payload];
        isPartial = flag >= 0;
        if (isPartial) {
            sources[flag] = Call.LAST;
            if (target != String.class && target != byte[].class && target != ByteBuffer.class) {
                throw Call.wrong(method, payload, "can't come in parts: beside a boolean it is to be String, byte[] or ByteBuffer");
            }
        }
        if (receivers(Receivers.NONE, coders) == null) {
            throw Call.wrong(method, payload, "isn't what a message can come as, and the endpoint has no decoder for it");
        }
    }

    /** This method's receivers beside those that are there; null: its type is nothing that a message comes as. */
    private Receivers receivers(Receivers there, Coders coders) {
        try {
            return there.with(target, coders, Taker::new);
        } catch (IllegalArgumentException noSuchMessage) {
            return null;
        }
    }

    /** With this method's receivers; a second one for the same kind of message is an error. */
    Receivers addTo(Receivers there, Coders coders) throws DeploymentException {
        try {
            return receivers(there, coders);
        } catch (IllegalStateException second) {
            throw new DeploymentException(Call.where(method) + ": " + second.getMessage());
        }
    }

    /** The method for one kind of message. */
    private final class Taker implements Receiver {
        private final Call call;

        Taker(Conversion conversion) {
            Call.Source[] complete = sources.clone();
            complete[payloadAt] = (session, event) -> conversion.from(session, event.subject);
            call = new Call(method, complete);
        }

        @Override
        public boolean isPartial() {
            return isPartial;
        }

        @Override
        public long sizeMax() {
            return sizeMax;
        }

        @Override
        public void accept(PushSession session, Object payload, boolean last) throws Throwable {
            Object answer = call.on(session.endpoint(), session, new Call.Event(payload, last));
            if (answer == null) {
                return;
            }
            if (answer instanceof byte[]) {
                session.getBasicRemote().sendBinary(ByteBuffer.wrap((byte[]) answer));
            } else if (answer instanceof ByteBuffer) {
                session.getBasicRemote().sendBinary((ByteBuffer) answer);
            } else {
                session.getBasicRemote().sendObject(answer);
            }
        }

        @Override
        public String toString() {
            return call.toString();
        }
    }
}
