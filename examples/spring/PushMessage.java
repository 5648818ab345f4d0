import java.nio.charset.StandardCharsets;

/** A message as a {@link PushHandler} gets it: whole, or a piece of one. */
public final class PushMessage {
    /** What there is to tell apart. */
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

    /** The payload of a text. */
    public String text() {
        return new String(payload, StandardCharsets.UTF_8);
    }

    /** False: the message goes on. Only a handler that takes pieces sees such. */
    public boolean isLast() {
        return last;
    }
}
