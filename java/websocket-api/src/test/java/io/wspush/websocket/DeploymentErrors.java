package io.wspush.websocket;

import java.io.Reader;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.websocket.CloseReason;
import javax.websocket.Decoder;
import javax.websocket.DeploymentException;
import javax.websocket.Endpoint;
import javax.websocket.EndpointConfig;
import javax.websocket.Extension;
import javax.websocket.OnClose;
import javax.websocket.OnError;
import javax.websocket.OnMessage;
import javax.websocket.OnOpen;
import javax.websocket.PongMessage;
import javax.websocket.Session;
import javax.websocket.server.PathParam;
import javax.websocket.server.ServerEndpoint;
import javax.websocket.server.ServerEndpointConfig;

/** What can't be deployed, and that it is said why and where. */
final class DeploymentErrors {
    private DeploymentErrors() {}

    static class NoAnnotation {}

    abstract static class OnlyEndpoint extends Endpoint {}

    @ServerEndpoint("chat")
    static class NoSlash {}

    @ServerEndpoint("/a//b")
    static class EmptySegment {}

    @ServerEndpoint("/a/x{b}")
    static class HalfName {}

    @ServerEndpoint("/a/*")
    static class Star {}

    @ServerEndpoint("/{a}/{a}")
    static class NameTwice {}

    @ServerEndpoint("/a")
    static class OpenTwice {
        @OnOpen
        public void one() {}

        @OnOpen
        public void two() {}
    }

    @ServerEndpoint("/a")
    static class NotPublic {
        @OnOpen
        void open() {}
    }

    @ServerEndpoint("/a")
    static class StrangeParameter {
        @OnOpen
        public void open(Session session, CloseReason reason) {}
    }

    @ServerEndpoint("/a")
    static class NoThrowable {
        @OnError
        public void error(Session session) {}
    }

    @ServerEndpoint("/{a}")
    static class NoSuchName {
        @OnClose
        public void close(@PathParam("b") int b) {}
    }

    @ServerEndpoint("/{a}")
    static class ParameterOfStrangeType {
        @OnClose
        public void close(@PathParam("a") StringBuilder a) {}
    }

    @ServerEndpoint("/a")
    static class TwoTexts {
        @OnMessage
        public void one(String text) {}

        @OnMessage
        public void two(Reader text) {}
    }

    @ServerEndpoint("/a")
    static class TwoMessages {
        @OnMessage
        public void one(String text, ByteBuffer bytes) {}
    }

    @ServerEndpoint("/a")
    static class NoMessage {
        @OnMessage
        public void one(Session session) {}
    }

    @ServerEndpoint("/a")
    static class NoDecoder {
        @OnMessage
        public void one(StringBuilder text) {}
    }

    @ServerEndpoint("/a")
    static class PartialReader {
        @OnMessage
        public void one(Reader text, boolean last) {}
    }

    @ServerEndpoint("/a")
    static class PartialPong {
        @OnMessage
        public void one(PongMessage pong, boolean last) {}
    }

    /** Has no constructor for a container. */
    static class Unmakeable implements Decoder.Text<StringBuilder> {
        Unmakeable(int unused) {}

        @Override
        public StringBuilder decode(String text) {
            return new StringBuilder(text);
        }

        @Override
        public boolean willDecode(String text) {
            return true;
        }

        @Override
        public void init(EndpointConfig config) {}

        @Override
        public void destroy() {}
    }

    @ServerEndpoint(value = "/a", decoders = Unmakeable.class)
    static class UnmakeableDecoder {}

    @ServerEndpoint("/a")
    static class OpenOnce {
        @OnOpen
        public void open() {}
    }

    static void check() throws DeploymentException {
        Map<Class<?>, String> said = new LinkedHashMap<>();
        said.put(NoAnnotation.class, "has no @ServerEndpoint");
        said.put(OnlyEndpoint.class, "an Endpoint needs a ServerEndpointConfig");
        said.put(NoSlash.class, "\"chat\" doesn't begin with a slash");
        said.put(EmptySegment.class, "has an empty segment");
        said.put(HalfName.class, "has braces in \"x{b}\"");
        said.put(Star.class, "has a *");
        said.put(NameTwice.class, "has the name {a} twice");
        said.put(OpenTwice.class, "has @OnOpen twice");
        said.put(NotPublic.class, "NotPublic.open is not public");
        said.put(StrangeParameter.class, "StrangeParameter.open: parameter 2 (CloseReason) is neither");
        said.put(NoThrowable.class, "no parameter of type Throwable");
        said.put(NoSuchName.class, "the path has no such name but [a]");
        said.put(ParameterOfStrangeType.class, "its type is to be String");
        said.put(TwoTexts.class, "there is a handler for text messages already");
        said.put(TwoMessages.class, "parameter 2 (ByteBuffer) is a second one for the message");
        said.put(NoMessage.class, "no parameter for the message");
        said.put(NoDecoder.class, "(StringBuilder) isn't what a message can come as");
        said.put(PartialReader.class, "can't come in parts");
        said.put(PartialPong.class, "can't come in parts");
        said.put(UnmakeableDecoder.class, "needs a constructor without parameters");
        for (Map.Entry<Class<?>, String> one : said.entrySet()) {
            DeploymentException problem =
                    AdapterTest.thrown(DeploymentException.class, () -> Deployment.of(one.getKey()));
            String message = problem.getMessage();
            AdapterTest.that(message.contains(one.getValue()), "expected " + one.getValue() + " in: " + message);
            AdapterTest.that(message.contains(one.getKey().getSimpleName()), "where is it? " + message);
        }
        DeploymentException extension = AdapterTest.thrown(
                DeploymentException.class,
                () -> Deployment.of(ServerEndpointConfig.Builder.create(OpenOnce.class, "/a")
                        .extensions(List.of(new Unknown()))
                        .build()));
        AdapterTest.that(extension.getMessage().contains("there is no extension x-unknown"), extension.getMessage());
        DeploymentException twice = AdapterTest.thrown(
                DeploymentException.class,
                () -> WsPushContainer.serve("127.0.0.1:0", OpenOnce.class, UnnamedTwin.class, Twin.class));
        AdapterTest.that(twice.getMessage().contains("are for the same paths"), twice.getMessage());
    }

    /** Nobody has it. */
    static class Unknown implements Extension {
        @Override
        public String getName() {
            return "x-unknown";
        }

        @Override
        public List<Parameter> getParameters() {
            return List.of();
        }
    }

    @ServerEndpoint("/b/{x}")
    static class UnnamedTwin {}

    @ServerEndpoint("/b/{y}")
    static class Twin {}
}
