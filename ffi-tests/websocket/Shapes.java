import java.io.IOException;
import java.io.Reader;
import java.io.Writer;
import java.nio.ByteBuffer;
import javax.websocket.CloseReason;
import javax.websocket.DecodeException;
import javax.websocket.Decoder;
import javax.websocket.Encoder;
import javax.websocket.EndpointConfig;
import javax.websocket.OnClose;
import javax.websocket.OnError;
import javax.websocket.OnMessage;
import javax.websocket.OnOpen;
import javax.websocket.Session;
import javax.websocket.server.PathParam;
import javax.websocket.server.ServerEndpoint;

/** Objects over the wire: a circle is a text, a square is bytes, and a number that is negative is refused. */
@ServerEndpoint(
        value = "/shapes/{name}/{scale}",
        encoders = {Shapes.CircleCoder.class, Shapes.SquareCoder.class, Shapes.LineCoder.class},
        decoders = {Shapes.Refuses.class, Shapes.CircleCoder.class, Shapes.SquareCoder.class})
public class Shapes {
    /** A shape of one number. */
    public static class Circle {
        final int radius;

        Circle(int radius) {
            this.radius = radius;
        }
    }

    /** A shape of one number. */
    public static class Square {
        final int side;

        Square(int side) {
            this.side = side;
        }
    }

    /** A shape of one number. */
    public static class Line {
        final int length;

        Line(int length) {
            this.length = length;
        }
    }

    /** Notes its life under the name of its endpoint's session, which a coder can't know: so one name for all. */
    abstract static class Noting {
        public void init(EndpointConfig config) {
            Transcript.note("coders", getClass().getSimpleName() + " init");
        }

        public void destroy() {
            Transcript.note("coders", getClass().getSimpleName() + " destroy");
        }
    }

    /** Has the first word, and wants nothing. */
    public static class Refuses extends Noting implements Decoder.Text<Circle> {
        @Override
        public boolean willDecode(String text) {
            return false;
        }

        @Override
        public Circle decode(String text) {
            throw new AssertionError("willDecode said no");
        }
    }

    /** Text both ways. */
    public static class CircleCoder extends Noting implements Decoder.Text<Circle>, Encoder.Text<Circle> {
        @Override
        public boolean willDecode(String text) {
            return true;
        }

        @Override
        public Circle decode(String text) throws DecodeException {
            try {
                return new Circle(Integer.parseInt(text.replace("circle ", "")));
            } catch (NumberFormatException problem) {
                throw new DecodeException(text, "no circle");
            }
        }

        @Override
        public String encode(Circle circle) {
            return "circle " + circle.radius;
        }
    }

    /** Bytes both ways. */
    public static class SquareCoder extends Noting implements Decoder.Binary<Square>, Encoder.Binary<Square> {
        @Override
        public boolean willDecode(ByteBuffer bytes) {
            return true;
        }

        @Override
        public Square decode(ByteBuffer bytes) throws DecodeException {
            if (bytes.remaining() != 1) {
                throw new DecodeException(bytes, "no square");
            }
            return new Square(bytes.get());
        }

        @Override
        public ByteBuffer encode(Square square) {
            return ByteBuffer.wrap(new byte[] {(byte) square.side});
        }
    }

    /** A stream of characters. */
    public static class LineCoder extends Noting implements Encoder.TextStream<Line>, Decoder.TextStream<Line> {
        @Override
        public void encode(Line line, Writer to) throws IOException {
            to.write("line " + line.length);
        }

        @Override
        public Line decode(Reader from) {
            return new Line(0);
        }
    }

    private String name;
    private int scale;

    @OnOpen
    public void open(@PathParam("name") String name, @PathParam("scale") int scale) {
        this.name = name;
        this.scale = scale;
        Transcript.note(name, "open scale " + scale);
    }

    @OnMessage
    public Object circle(Circle circle, Session session, @PathParam("scale") Integer again) {
        Transcript.note(name, "circle " + circle.radius + " scale " + again);
        return circle.radius == 7 ? new Line(7) : new Circle(circle.radius * scale);
    }

    @OnMessage
    public Square square(Square square) {
        Transcript.note(name, "square " + square.side);
        return new Square(square.side * scale);
    }

    @OnError
    public void error(Throwable problem, Session session) {
        Transcript.note(name == null ? session.getPathParameters().get("name") : name,
                "error " + problem.getClass().getSimpleName() + ", isOpen " + session.isOpen());
    }

    @OnClose
    public void close(CloseReason reason, @PathParam("name") String name) {
        Transcript.note(name, "close " + reason.getCloseCode().getCode());
    }
}
