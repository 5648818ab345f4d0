import static java.nio.charset.StandardCharsets.UTF_8;

/** What a client has sent: a message, a piece of one, or a pong. */
public final class PushMessage {
    /** What it is. */
    public enum Kind {
        TEXT,
        BINARY,
        PONG
    }

    private final Kind kind;
    private final byte[] payload;
    private final boolean last;

    PushMessage(Kind kind, byte[] payload, boolean last) {
        this.kind = kind;
        this.payload = payload;
        this.last = last;
    }

    public Kind kind() {
        return kind;
    }

    public byte[] payload() {
        return payload;
    }

    /** A text; a piece of one has whole characters. */
    public String text() {
        return new String(payload, UTF_8);
    }

    /** Whether it is whole, or the last piece. */
    public boolean isLast() {
        return last;
    }
}
