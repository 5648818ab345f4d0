package io.wspush;

import java.util.List;
import java.util.Optional;

/** Where the items of a batch stand ({@link WsPushServer#publishBatch}). */
public final class PublishedBatch {
    private final List<Optional<Receipt>> receipts;
    private final boolean duplicate;
    private final String traceparent;

    PublishedBatch(List<Optional<Receipt>> receipts, boolean duplicate, String traceparent) {
        this.receipts = receipts;
        this.duplicate = duplicate;
        this.traceparent = traceparent;
    }

    /**
     * The receipts.
     *
     * @return one for each item, in their order; none for what goes to a user or a connection, which has no place in a
     *     log
     */
    public List<Optional<Receipt>> receipts() {
        return receipts;
    }

    /**
     * Whether the batch was published before, under the same idempotency key: then these are the receipts of that.
     *
     * @return whether it was
     */
    public boolean isDuplicate() {
        return duplicate;
    }

    /**
     * The request that it is part of.
     *
     * @return the one of the terms; none as well if that is not valid
     */
    public Optional<String> traceparent() {
        return Optional.ofNullable(traceparent);
    }
}
