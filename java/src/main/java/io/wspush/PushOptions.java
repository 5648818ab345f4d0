package io.wspush;

/**
 * How a message is pushed. Immutable.
 */
public final class PushOptions {
    /** What goes without saying: compressed for clients that negotiated it, where that makes it shorter. */
    public static final PushOptions DEFAULT = new PushOptions(true);

    /**
     * Never compressed: for a secret beside something that a stranger chose, since the compressed length would tell
     * about it (RFC 7692 section 8).
     */
    public static final PushOptions UNCOMPRESSED = new PushOptions(false);

    private final boolean compress;

    private PushOptions(boolean compress) {
        this.compress = compress;
    }

    /** The kind as the native side has it. */
    int kind(boolean text) {
        return (text ? 1 : 2) | (compress ? 0 : 0x100);
    }
}
