import java.io.IOException;
import java.io.InputStream;
import java.io.Reader;
import java.util.ArrayList;
import java.util.List;
import javax.websocket.CloseReason;
import javax.websocket.Endpoint;
import javax.websocket.EndpointConfig;
import javax.websocket.MessageHandler;
import javax.websocket.OnClose;
import javax.websocket.OnError;
import javax.websocket.OnMessage;
import javax.websocket.OnOpen;
import javax.websocket.Session;
import javax.websocket.server.PathParam;
import javax.websocket.server.ServerEndpoint;

/** Endpoints that take messages in parts, as streams, as primitive values, and by handlers. */
public final class Parts {
    private Parts() {}

    /** In parts, of whatever size; what matters is what they make together. */
    @ServerEndpoint("/partial/{name}")
    public static class Partial {
        private final StringBuilder text = new StringBuilder();
        private int bytes;

        @OnMessage
        public void text(String part, boolean last, Session session, @PathParam("name") String name) throws IOException {
            text.append(part);
            if (last) {
                Transcript.note(name, "text " + text.length() + " " + text.toString().hashCode());
                session.getBasicRemote().sendText("text of " + text.length());
                text.setLength(0);
            }
        }

        @OnMessage
        public void binary(byte[] part, boolean last, Session session, @PathParam("name") String name) throws IOException {
            bytes += part.length;
            if (last) {
                Transcript.note(name, "binary " + bytes);
                session.getBasicRemote().sendText("binary of " + bytes);
                bytes = 0;
            }
        }

        @OnClose
        public void close(CloseReason reason, @PathParam("name") String name) {
            Transcript.note(name, "close " + reason.getCloseCode().getCode());
        }
    }

    /** As streams, up to what the annotation says. */
    @ServerEndpoint("/streams/{name}")
    public static class Streams {
        @OnMessage(maxMessageSize = 20_000)
        public void text(Reader reader, Session session, @PathParam("name") String name) throws IOException {
            int characters = 0;
            while (reader.read() >= 0) {
                characters++;
            }
            Transcript.note(name, "characters " + characters);
            try (java.io.Writer writer = session.getBasicRemote().getSendWriter()) {
                for (int i = 0; i < characters; i++) {
                    writer.write('x');
                }
            }
        }

        @OnMessage(maxMessageSize = 100)
        public void binary(InputStream stream, Session session, @PathParam("name") String name) throws IOException {
            byte[] all = stream.readAllBytes();
            Transcript.note(name, "bytes " + all.length);
            try (java.io.OutputStream out = session.getBasicRemote().getSendStream()) {
                out.write(all);
                out.flush();
                out.write(all);
            }
        }

        @OnError
        public void error(Throwable problem, @PathParam("name") String name) {
            Transcript.note(name, "error " + problem.getClass().getSimpleName());
        }

        @OnClose
        public void close(CloseReason reason, @PathParam("name") String name) {
            Transcript.note(name, "close " + reason.getCloseCode().getCode());
        }
    }

    /** A number. */
    @ServerEndpoint("/number/{name}")
    public static class Number {
        @OnMessage
        public long twice(int number, @PathParam("name") String name) {
            Transcript.note(name, "number " + number);
            return 2L * number;
        }

        @OnError
        public void error(Throwable problem, @PathParam("name") String name) {
            Transcript.note(name, "error " + problem.getClass().getSimpleName());
        }

        @OnClose
        public void close(CloseReason reason, @PathParam("name") String name) {
            Transcript.note(name, "close " + reason.getCloseCode().getCode());
        }
    }

    /** A boolean alone is the message. */
    @ServerEndpoint("/truth/{name}")
    public static class Truth {
        @OnMessage
        public boolean not(boolean truth) {
            return !truth;
        }
    }

    /** No method for messages: what comes is read and dropped. */
    @ServerEndpoint("/deaf/{name}")
    public static class Deaf {
        @OnOpen
        public void open(Session session) throws IOException {
            session.getBasicRemote().sendText("I don't listen");
        }

        @OnClose
        public void close(CloseReason reason, @PathParam("name") String name) {
            Transcript.note(name, "close " + reason.getCloseCode().getCode());
        }
    }

    /** Handlers that are added when it opens, and one that is taken away. */
    public static class Programmatic extends Endpoint {
        private String name;

        @Override
        public void onOpen(Session session, EndpointConfig config) {
            name = session.getPathParameters().get("name");
            Transcript.note(name, "open " + config.getUserProperties().get("greeting"));
            MessageHandler.Whole<String> text = new MessageHandler.Whole<String>() {
                @Override
                public void onMessage(String message) {
                    Transcript.note(name, "whole " + message);
                    try {
                        session.getBasicRemote().sendText("whole " + message);
                    } catch (IOException problem) {
                        throw new IllegalStateException(problem);
                    }
                    if (message.equals("remove")) {
                        List<MessageHandler> handlers = new ArrayList<>(session.getMessageHandlers());
                        Transcript.note(name, "handlers " + handlers.size());
                        session.removeMessageHandler(this);
                        Transcript.note(name, "removed twice: " + Probe.attempt(() -> {
                            session.removeMessageHandler(this);
                            return "yes";
                        }));
                    }
                    if (message.equals("throw")) {
                        throw new UnsupportedOperationException("in a handler");
                    }
                }
            };
            session.addMessageHandler(text);
            session.addMessageHandler(byte[].class, (part, last) -> {
                if (last) {
                    Transcript.note(name, "last part");
                }
            });
        }

        @Override
        public void onClose(Session session, CloseReason reason) {
            Transcript.note(name, "close " + reason.getCloseCode().getCode() + ", isOpen " + session.isOpen());
        }

        @Override
        public void onError(Session session, Throwable problem) {
            Transcript.note(name, "error " + problem.getClass().getSimpleName() + ", isOpen " + session.isOpen());
        }
    }
}
