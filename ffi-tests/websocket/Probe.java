import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Future;
import javax.websocket.CloseReason;
import javax.websocket.EncodeException;
import javax.websocket.EndpointConfig;
import javax.websocket.MessageHandler;
import javax.websocket.OnClose;
import javax.websocket.OnError;
import javax.websocket.OnMessage;
import javax.websocket.OnOpen;
import javax.websocket.PongMessage;
import javax.websocket.Session;
import javax.websocket.server.PathParam;
import javax.websocket.server.ServerEndpoint;

/** Does what its client says, and notes everything that it sees. */
@ServerEndpoint(value = "/probe/{name}", subprotocols = {"two", "one"})
public class Probe {
    private String name;

    private void note(String event) {
        Transcript.note(name, event);
    }

    @OnOpen
    public void open(Session session, EndpointConfig config, @PathParam("name") String name) throws Exception {
        this.name = name;
        note("open, isOpen " + session.isOpen() + ", a member " + session.getOpenSessions().contains(session));
        if (name.startsWith("openThrows")) {
            throw new IllegalStateException("in onOpen");
        }
        if (name.startsWith("openCloses")) {
            session.close(new CloseReason(CloseReason.CloseCodes.TRY_AGAIN_LATER, "full"));
        }
        if (name.startsWith("openSends")) {
            session.getBasicRemote().sendText("welcome");
        }
        if (name.startsWith("idle")) {
            session.setMaxIdleTimeout(300);
        }
    }

    @OnClose
    public void close(Session session, CloseReason reason) {
        CloseReason.CloseCode known = reason.getCloseCode();
        String code = (known instanceof Enum ? known + " " : "") + known.getCode();
        // The words of errors are each container's own.
        boolean isOurs = reason.getCloseCode().getCode() == 1000 || reason.getCloseCode().getCode() >= 4000;
        String phrase = reason.getReasonPhrase() == null ? "" : reason.getReasonPhrase();
        note("close " + code + (isOurs ? " \"" + phrase + '"' : "") + ", isOpen " + session.isOpen()
                + ", a member " + attempt(() -> String.valueOf(session.getOpenSessions().contains(session))));
        note("to send in onClose: " + attempt(() -> {
            session.getBasicRemote().sendText("too late");
            return "sent";
        }));
        if (name.startsWith("closeThrows")) {
            throw new IllegalStateException("in onClose");
        }
        note("closed");
    }

    @OnError
    public void error(Session session, Throwable problem) {
        // Tomcat 9 hands over what onClose has thrown as reflection had it.
        Throwable thrown = problem instanceof InvocationTargetException ? problem.getCause() : problem;
        note("error " + (thrown instanceof IOException ? "IOException" : thrown.toString())
                + ", isOpen " + session.isOpen());
    }

    interface Attempt {
        String make() throws Exception;
    }

    /** What comes of it, or the kind of exception. */
    static String attempt(Attempt attempt) {
        try {
            return attempt.make();
        } catch (IOException | IllegalStateException problem) {
            // A closed session is an IOException or an IllegalStateException, depending on how far it has gone.
            return "refused";
        } catch (Exception problem) {
            return problem.getClass().getSimpleName();
        }
    }

    @OnMessage
    public String text(String text, Session session) throws Exception {
        note("text " + (text.length() > 60 ? text.length() + " characters" : text));
        switch (text.split(" ")[0]) {
            case "throw":
                throw new IllegalArgumentException("in onMessage");
            case "throwChecked":
                throw new Exception("checked");
            case "close":
                session.close();
                note("behind the close: " + attempt(() -> {
                    session.getBasicRemote().sendText("too late");
                    return "sent";
                }));
                return null;
            case "closeWith":
                session.close(new CloseReason(CloseReason.CloseCodes.getCloseCode(4321), "as you like"));
                note("after close, isOpen " + session.isOpen());
                session.close();
                return null;
            case "ping":
                session.getBasicRemote().sendPing(ByteBuffer.wrap("are you there".getBytes()));
                return null;
            case "pingTooLong":
                return attempt(() -> {
                    session.getBasicRemote().sendPing(ByteBuffer.allocate(126));
                    return "sent";
                });
            case "about":
                return about(session);
            case "grow":
                session.setMaxTextMessageBufferSize(20_000);
                session.setMaxBinaryMessageBufferSize(20_000);
                return "up to " + session.getMaxTextMessageBufferSize() + ", " + session.getMaxBinaryMessageBufferSize();
            case "parts":
                session.getBasicRemote().sendText("one ", false);
                note("whole between parts: " + attempt(() -> {
                    session.getBasicRemote().sendText("whole");
                    return "sent";
                }));
                session.getBasicRemote().sendText("two ", false);
                session.getBasicRemote().sendText("three", true);
                return null;
            case "future":
                Future<Void> sent = session.getAsyncRemote().sendText("by future");
                sent.get();
                return "done " + sent.isDone();
            case "handler":
                session.getAsyncRemote().sendText("by handler", result -> {
                    note("result " + result.isOK() + " " + result.getException());
                });
                return null;
            case "object":
                return attempt(() -> {
                    try {
                        session.getBasicRemote().sendObject(new StringBuilder("no encoder"));
                        return "sent";
                    } catch (EncodeException problem) {
                        return "EncodeException";
                    }
                });
            case "number":
                session.getBasicRemote().sendObject(42);
                return null;
            case "null":
                return attempt(() -> {
                    session.getBasicRemote().sendText(null);
                    return "sent";
                });
            case "second":
                return attempt(() -> {
                    session.addMessageHandler(String.class, (MessageHandler.Whole<String>) message -> {});
                    return "added";
                });
            case "properties":
                session.getUserProperties().put("seen", "before");
                return null;
            case "recall":
                return String.valueOf(session.getUserProperties().get("seen"));
            case "silent":
                return null;
            default:
                return "echo " + (text.length() > 60 ? text.length() + " characters" : text);
        }
    }

    private static String about(Session session) {
        Map<String, Object> sorted = new TreeMap<>(session.getRequestParameterMap());
        String uri = session.getRequestURI().toString();
        return String.join("; ",
                "uri " + uri.replaceAll("//127.0.0.1:[0-9]+", "//HOST"),
                "query " + session.getQueryString(),
                "parameters " + sorted,
                "path " + session.getPathParameters(),
                "subprotocol " + session.getNegotiatedSubprotocol(),
                "version " + session.getProtocolVersion(),
                "secure " + session.isSecure(),
                "principal " + session.getUserPrincipal(),
                "idle " + session.getMaxIdleTimeout(),
                "sizes " + session.getMaxTextMessageBufferSize() + " " + session.getMaxBinaryMessageBufferSize(),
                "timeout " + session.getAsyncRemote().getSendTimeout(),
                "batching " + session.getBasicRemote().getBatchingAllowed(),
                "members " + session.getOpenSessions().contains(session));
    }

    @OnMessage
    public byte[] binary(byte[] data) {
        note("binary " + data.length);
        return data.length > 100 ? new byte[] {(byte) (data.length >> 8), (byte) data.length} : data;
    }

    @OnMessage
    public void pong(PongMessage pong, Session session) throws IOException {
        ByteBuffer data = pong.getApplicationData();
        byte[] bytes = new byte[data.remaining()];
        data.get(bytes);
        note("pong " + new String(bytes));
        session.getBasicRemote().sendText("pong came");
    }
}
