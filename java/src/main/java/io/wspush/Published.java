package io.wspush;

import java.util.List;

/** Where a publication to several channels stands. */
public final class Published {
    private final List<Receipt> receipts;
    private final boolean duplicate;

    Published(List<Receipt> receipts, boolean duplicate) {
        this.receipts = receipts;
        this.duplicate = duplicate;
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
}
