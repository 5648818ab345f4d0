package io.wspush;

import java.time.Duration;
import java.util.Objects;

/** On which terms something is published to several channels, or a batch. Immutable. */
public final class PublishTerms {
    /** Without any: what goes without saying. */
    public static final PublishTerms NONE = new PublishTerms(PushOptions.DEFAULT, null, -1, Pace.NONE, "");

    final PushOptions options;
    final String idempotencyKey;
    final long ifOffset;
    final Pace pace;
    final String traceparent;

    private PublishTerms(
            PushOptions options, String idempotencyKey, long ifOffset, Pace pace, String traceparent) {
        this.options = options;
        this.idempotencyKey = idempotencyKey;
        this.ifOffset = ifOffset;
        this.pace = pace;
        this.traceparent = traceparent;
    }

    /**
     * The terms with these options.
     *
     * @param options how it is pushed
     * @return the terms
     */
    public PublishTerms options(PushOptions options) {
        return new PublishTerms(Objects.requireNonNull(options), idempotencyKey, ifOffset, pace, traceparent);
    }

    /**
     * The terms with an idempotency key: a repetition of it within five minutes, with the same message to the same
     * channels, publishes nothing, and has the first receipts.
     *
     * @param key the key, of 1 to 128 bytes
     * @return the terms
     */
    public PublishTerms idempotencyKey(String key) {
        return new PublishTerms(options, Objects.requireNonNull(key), ifOffset, pace, traceparent);
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
        return new PublishTerms(options, idempotencyKey, offset, pace, traceparent);
    }

    /**
     * The terms with a pace: so many subscribers of each channel are written to a second, so that they don't all answer
     * at once. A later publication of the channel without a pace, or with a faster one, takes along what lies before it.
     * It takes the place of a {@link #deadline deadline}.
     *
     * @param perSecond the rate, 1 to 1,000,000
     * @return the terms
     */
    public PublishTerms rate(int perSecond) {
        return new PublishTerms(options, idempotencyKey, ifOffset, Pace.rate(perSecond), traceparent);
    }

    /**
     * The terms with a pace: all subscribers are written to within this time, evenly. It takes the place of a {@link #rate
     * rate}.
     *
     * @param time from a millisecond to an hour
     * @return the terms
     */
    public PublishTerms deadline(Duration time) {
        return new PublishTerms(options, idempotencyKey, ifOffset, Pace.deadline(time), traceparent);
    }

    /**
     * The terms with the request that it is part of ({@code traceparent} of W3C Trace Context). It comes back in {@link
     * Published#traceparent} or {@link PublishedBatch#traceparent}, and is logged with the receipts if its flags say that
     * it is sampled. One that is not valid is left out.
     *
     * @param traceparent the field as the request has it
     * @return the terms
     */
    public PublishTerms traceparent(String traceparent) {
        return new PublishTerms(options, idempotencyKey, ifOffset, pace, Objects.requireNonNull(traceparent));
    }

    /** For the native side. */
    byte[] packed() {
        return new Packed()
                .put(idempotencyKey == null ? "" : "=" + idempotencyKey)
                .put(Long.toString(ifOffset))
                .put(pace.packed)
                .put(traceparent)
                .bytes();
    }
}
