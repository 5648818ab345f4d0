//! A moment, as an argument. Nothing here reads a clock: the reactor does, or the simulator makes it up.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

/// One moment on two clocks: the monotonic one for durations, the calendar for people and for the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Time {
    /// Microseconds on a clock that never goes back; its zero means nothing.
    pub mono_us: u64,
    /// Microseconds since 1970-01-01T00:00:00Z; an operator may set it back.
    pub unix_us: u64,
}

impl Time {
    /// The monotonic clock in milliseconds.
    pub const fn mono_ms(self) -> u64 {
        self.mono_us / 1_000
    }

    /// Milliseconds since 1970.
    pub const fn unix_ms(self) -> u64 {
        self.unix_us / 1_000
    }

    /// Microseconds on the monotonic clock since `earlier`; 0 where `earlier` is later.
    pub const fn us_since(self, earlier: Time) -> u64 {
        self.mono_us.saturating_sub(earlier.mono_us)
    }

    /// This moment and `us` microseconds.
    pub const fn plus_us(self, us: u64) -> Time {
        Time { mono_us: self.mono_us.saturating_add(us), unix_us: self.unix_us.saturating_add(us) }
    }

    /// The calendar in RFC 3339, UTC, to the millisecond: `2026-11-21T10:00:00.123Z`.
    pub const fn rfc3339(self) -> Rfc3339 {
        Rfc3339 { unix_us: self.unix_us }
    }
}

/// See [`Time::rfc3339`].
#[derive(Clone, Copy, Debug)]
pub struct Rfc3339 {
    unix_us: u64,
}

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Five digits are no year in RFC 3339: a broken clock shows the last moment that there is.
        const LAST: u64 = 253_402_300_799_999_999;
        let moment = UNIX_EPOCH + Duration::from_micros(self.unix_us.min(LAST));
        humantime::format_rfc3339_millis(moment).fmt(f)
    }
}

/// A duration in microseconds, in the width that times have here.
pub const fn micros(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000).saturating_add(duration.subsec_micros() as u64)
}

/// The earliest of several times, of which any may not be set. Comparing `Option`s does as well, but the optimiser
/// has it look at the number before it looks whether there is one, and valgrind reports that to every embedder, each
/// turn.
pub fn earliest(times: impl IntoIterator<Item = Option<u64>>) -> Option<u64> {
    const NEVER: u64 = u64::MAX;
    let first = times.into_iter().fold(NEVER, |first, time| first.min(time.unwrap_or(NEVER)));
    (first != NEVER).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_that_there_is() {
        assert_eq!(earliest([]), None);
        assert_eq!(earliest([None, None]), None);
        assert_eq!(earliest([None, Some(2), Some(0), None, Some(1)]), Some(0));
    }

    fn shown(unix_us: u64) -> String {
        Time { mono_us: 0, unix_us }.rfc3339().to_string()
    }

    #[test]
    fn the_calendar_at_its_corners() {
        assert_eq!(shown(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(shown(951_782_399_999_999), "2000-02-28T23:59:59.999Z");
        assert_eq!(shown(951_782_400_000_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(shown(951_868_800_000_000), "2000-03-01T00:00:00.000Z");
        assert_eq!(shown(1_795_255_200_123_456), "2026-11-21T10:00:00.123Z");
        assert_eq!(shown(4_107_542_399_000_000), "2100-02-28T23:59:59.000Z");
        assert_eq!(shown(4_107_542_400_000_000), "2100-03-01T00:00:00.000Z");
        assert_eq!(shown(253_402_300_799_999_000), "9999-12-31T23:59:59.999Z");
        // Nothing overflows, however broken the clock is.
        assert!(shown(u64::MAX).ends_with('Z'));
    }

    #[test]
    fn durations_never_go_back() {
        let start = Time { mono_us: 5_000_500, unix_us: 9 };
        let end = start.plus_us(2_000);
        assert_eq!((end.mono_us, end.unix_us), (5_002_500, 2_009));
        assert_eq!((end.us_since(start), start.us_since(end), start.mono_ms()), (2_000, 0, 5_000));
        assert_eq!(start.plus_us(u64::MAX).mono_us, u64::MAX);
    }
}
