package io.wspush;

/** An item of a batch is not right, and nothing of the batch was published ({@link WsPushServer#publishBatch}). */
public final class BadItemException extends WsPushException {
    private static final long serialVersionUID = 1L;

    /** Which. */
    private final int index;

    BadItemException(int index, RuntimeException problem) {
        super(problem.getMessage());
        this.index = index;
        initCause(problem);
    }

    /**
     * The item's place in the batch.
     *
     * @return its index, from 0 on
     */
    public int index() {
        return index;
    }
}
