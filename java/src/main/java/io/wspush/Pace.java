package io.wspush;

import java.time.Duration;

/** How writes are spread over time, as the native side has it. */
final class Pace {
    static final Pace NONE = new Pace("");

    private static final int RATE_MAX = 1_000_000;
    private static final Duration DEADLINE_MAX = Duration.ofHours(1);

    /** {@code rN} for a rate, {@code dN} for milliseconds, or nothing. */
    final String packed;

    private Pace(String packed) {
        this.packed = packed;
    }

    static Pace rate(int perSecond) {
        if (perSecond < 1 || perSecond > RATE_MAX) {
            throw new IllegalArgumentException("a rate is 1 to " + RATE_MAX + " a second, not " + perSecond);
        }
        return new Pace("r" + perSecond);
    }

    static Pace deadline(Duration time) {
        if (time.compareTo(Duration.ofMillis(1)) < 0 || time.compareTo(DEADLINE_MAX) > 0) {
            throw new IllegalArgumentException("a deadline is a millisecond to an hour, not " + time);
        }
        return new Pace("d" + time.toMillis());
    }
}
