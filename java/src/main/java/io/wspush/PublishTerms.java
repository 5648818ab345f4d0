package io.wspush;

import java.util.Objects;

/** On which terms something is published to several channels. Immutable. */
public final class PublishTerms {
    /** Without any: what goes without saying. */
    public static final PublishTerms NONE = new PublishTerms(PushOptions.DEFAULT, null, -1);

    final PushOptions options;
    final String idempotencyKey;
    final long ifOffset;

    private PublishTerms(PushOptions options, String idempotencyKey, long ifOffset) {
        this.options = options;
        this.idempotencyKey = idempotencyKey;
        this.ifOffset = ifOffset;
    }

    /**
     * The terms with these options.
     *
     * @param options how it is pushed
     * @return the terms
     */
    public PublishTerms options(PushOptions options) {
        return new PublishTerms(Objects.requireNonNull(options), idempotencyKey, ifOffset);
    }

    /**
     * The terms with an idempotency key: a repetition of it within five minutes, with the same message to the same
     * channels, publishes nothing, and has the first receipts.
     *
     * @param key the key, of 1 to 128 bytes
     * @return the terms
     */
    public PublishTerms idempotencyKey(String key) {
        return new PublishTerms(options, Objects.requireNonNull(key), ifOffset);
    }

    /**
     * The terms with a newest offset: it is published if this is the offset of the newest publication of each channel,
     * and else there is an {@link OffsetDiffersException}.
     *
     * @param offset the offset; 0 if there is none yet
     * @return the terms
     */
    public PublishTerms ifOffset(long offset) {
        if (offset < 0) {
            throw new IllegalArgumentException("an offset is not negative: " + offset);
        }
        return new PublishTerms(options, idempotencyKey, offset);
    }
}
