package io.wspush;

import java.util.OptionalLong;

/**
 * How far a publication has come. {@code recipients = written + lagging + skipped + gone}; times are microseconds after
 * the publication. With several reactors one that has still to take the publication in counts as a recipient that
 * lags, so that it is not taken for done.
 */
public final class Delivery {
    /** How many numbers the native side gives. */
    static final int NUMBERS = 9;

    private final long[] numbers;

    Delivery(long[] numbers) {
        this.numbers = numbers;
    }

    /**
     * Subscribers at the time of the publication, and those who have come back for it since.
     *
     * @return how many
     */
    public long recipients() {
        return numbers[0];
    }

    /**
     * Subscribers for whom all of it was handed to the kernel.
     *
     * @return how many
     */
    public long written() {
        return numbers[1];
    }

    /**
     * Subscribers that still have to get it.
     *
     * @return how many
     */
    public long lagging() {
        return numbers[2];
    }

    /**
     * Slow consumers that were moved past it.
     *
     * @return how many
     */
    public long skipped() {
        return numbers[3];
    }

    /**
     * Subscribers that left, or were closed, before they had it.
     *
     * @return how many
     */
    public long gone() {
        return numbers[4];
    }

    /**
     * Those of the recipients who have come back for it, or came later and asked for what was there.
     *
     * @return how many
     */
    public long recovered() {
        return numbers[5];
    }

    /**
     * When the first subscriber had it.
     *
     * @return microseconds, or nothing if none has
     */
    public OptionalLong firstMicros() {
        return time(6);
    }

    /**
     * When half of the subscribers had it; with several reactors up to an eighth more of them.
     *
     * @return microseconds, or nothing if they haven't
     */
    public OptionalLong medianMicros() {
        return time(7);
    }

    /**
     * When the last one had it.
     *
     * @return microseconds, or nothing if some lag still
     */
    public OptionalLong lastMicros() {
        return time(8);
    }

    private OptionalLong time(int index) {
        return numbers[index] < 0 ? OptionalLong.empty() : OptionalLong.of(numbers[index]);
    }

    @Override
    public String toString() {
        return written() + " of " + recipients() + " have it, " + lagging() + " lag";
    }
}
