package io.wspush;

import java.util.List;
import java.util.Optional;

/** Where a publication to several channels stands. */
public final class Published {
    private final List<Receipt> receipts;
    private final boolean duplicate;
    private final String traceparent;

    Published(List<Receipt> receipts, boolean duplicate, String traceparent) {
        this.receipts = receipts;
        this.duplicate = duplicate;
        this.traceparent = traceparent;
    }

    /**
     * The receipts.
     *
     * @return one for each channel, in the order in which they were named
     */
    public List<Receipt> receipts() {
        return receipts;
    }

    /**
     * Whether it was published before, under the same idempotency key: then these are the receipts of that.
     *
     * @return whether it was
     */
    public boolean isDuplicate() {
        return duplicate;
    }

    /**
     * The request that it is part of, as the terms have it.
     *
     * @return the text; nothing as well if that is not valid
     */
    public Optional<String> traceparent() {
        return Optional.ofNullable(traceparent);
    }
}
