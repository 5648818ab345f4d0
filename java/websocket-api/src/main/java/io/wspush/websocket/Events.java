package io.wspush.websocket;

import javax.websocket.CloseReason;
import javax.websocket.Endpoint;
import javax.websocket.server.ServerEndpointConfig;

/** What an endpoint hears beside messages, whether it is annotated or programmatic. */
interface Events {
    /** The object that stands for the endpoint on one connection. */
    Object instance(ServerEndpointConfig config) throws InstantiationException;

    /** Its receivers from the beginning. */
    Receivers receivers();

    void open(PushSession session) throws Throwable;

    void close(PushSession session, CloseReason reason) throws Throwable;

    void error(PushSession session, Throwable problem) throws Throwable;

    /** Of an endpoint that extends {@link Endpoint}, and adds its handlers when it is opened. */
    final class Programmatic implements Events {
        @Override
        public Object instance(ServerEndpointConfig config) throws InstantiationException {
            return config.getConfigurator().getEndpointInstance(config.getEndpointClass());
        }

        @Override
        public Receivers receivers() {
            return Receivers.NONE;
        }

        @Override
        public void open(PushSession session) {
            ((Endpoint) session.endpoint()).onOpen(session, session.config());
        }

        @Override
        public void close(PushSession session, CloseReason reason) {
            ((Endpoint) session.endpoint()).onClose(session, reason);
        }

        @Override
        public void error(PushSession session, Throwable problem) {
            ((Endpoint) session.endpoint()).onError(session, problem);
        }
    }
}
