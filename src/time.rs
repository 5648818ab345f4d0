//! A moment, as an argument. Nothing here reads a clock: the reactor does, or the simulator makes it up.

use std::fmt;

/// One moment on two clocks: the monotonic one for durations, the calendar for people and for the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

    /// The monotonic clock in seconds.
    pub const fn mono_s(self) -> u64 {
        self.mono_us / 1_000_000
    }

    /// Milliseconds since 1970.
    pub const fn unix_ms(self) -> u64 {
        self.unix_us / 1_000
    }

    /// Microseconds on the monotonic clock since `earlier`; 0 where `earlier` is later.
    pub const fn us_since(self, earlier: Time) -> u64 {
        self.mono_us.saturating_sub(earlier.mono_us)
    }

    /// Milliseconds on the monotonic clock since `earlier`; 0 where `earlier` is later.
    pub const fn ms_since(self, earlier: Time) -> u64 {
        self.us_since(earlier) / 1_000
    }

    /// This moment and `us` microseconds.
    pub const fn plus_us(self, us: u64) -> Time {
        Time { mono_us: self.mono_us.saturating_add(us), unix_us: self.unix_us.saturating_add(us) }
    }

    /// This moment and `ms` milliseconds.
    pub const fn plus_ms(self, ms: u64) -> Time {
        self.plus_us(ms.saturating_mul(1_000))
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
        let ms = self.unix_us / 1_000;
        let (days, ms_of_day) = (ms / 86_400_000, ms % 86_400_000);
        let (year, month, day) = civil_from_days(days);
        let (hour, minute) = (ms_of_day / 3_600_000, ms_of_day / 60_000 % 60);
        let (second, milli) = (ms_of_day / 1_000 % 60, ms_of_day % 1_000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

/// Year, month and day of the proleptic Gregorian calendar, `days` after 1970-01-01. The year is taken to
/// begin in March, so that the leap day is its last one (Howard Hinnant's `civil_from_days`).
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    // Days from 0000-03-01 to 1970-01-01, and days in the 400 years after which the calendar repeats.
    const SHIFT: u64 = 719_468;
    const ERA: u64 = 146_097;
    let days = days + SHIFT;
    let (era, day_of_era) = (days / ERA, days % ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn every_day_follows_the_one_before() {
        let leap =
            |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let length = |year, month| match month {
            2 if leap(year) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..200_000 {
            assert_eq!(civil_from_days(days), (year, month, day));
            day += 1;
            if day > length(year, month) {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }

    #[test]
    fn durations_never_go_back() {
        let start = Time { mono_us: 5_000_500, unix_us: 9 };
        let end = start.plus_ms(2);
        assert_eq!((end.mono_us, end.unix_us), (5_002_500, 2_009));
        assert_eq!((end.us_since(start), end.ms_since(start), start.us_since(end)), (2_000, 2, 0));
        assert_eq!((start.mono_ms(), start.mono_s(), end.unix_ms()), (5_000, 5, 2));
        assert_eq!(start.plus_ms(u64::MAX).mono_us, u64::MAX);
    }
}
