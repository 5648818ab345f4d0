//! Values of options, from text.

use crate::payload;
use std::time::Duration;

/// `250ms`, `10s`, `2m`, `1h`; a bare number is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let unit_s = match &text[digits..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        unit => return Err(format!("unknown unit {unit:?}: expected us, ms, s, m or h")),
    };
    let number: f64 =
        text[..digits].parse().map_err(|_| "expected a number and a unit, such as 250ms".to_owned())?;
    let seconds = number * unit_s;
    if seconds > 7.0 * 86_400.0 {
        return Err("expected at most a week".into());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// A number that may end in `K`, `M`, `G` or `T`: thousands of thousands, as networks count and people do.
pub(super) fn amount(text: &str) -> Result<f64, String> {
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 'K' | 'k')) => (&text[..at], 1e3),
        Some((at, 'M')) => (&text[..at], 1e6),
        Some((at, 'G')) => (&text[..at], 1e9),
        Some((at, 'T')) => (&text[..at], 1e12),
        _ => (text, 1.0),
    };
    let is_good = |amount: f64| (0.0..=1e6).contains(&(amount * unit / 1e9));
    number(digits, "a number, such as 1000000, 64G or 1.5M, up to 1000T", is_good).map(|amount| amount * unit)
}

fn number(text: &str, expected: &str, is_good: impl Fn(f64) -> bool) -> Result<f64, String> {
    text.parse().ok().filter(|number: &f64| is_good(*number)).ok_or_else(|| format!("expected {expected}"))
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    number(text, "a number of connections per second, 0 for no limit", |rate| (0.0..=1e7).contains(&rate))
}

pub(super) fn percent(text: &str) -> Result<f64, String> {
    number(text, "per cent from 0 to 100", |percent| (0.0..=100.0).contains(&percent))
}

pub(super) fn size(text: &str) -> Result<usize, String> {
    let size = text.parse().ok().filter(|size| (payload::SIZE_MIN..=16 << 20).contains(size));
    size.ok_or_else(|| {
        format!("expected {} to 16777216 bytes (number, time and checksum take {0})", payload::SIZE_MIN)
    })
}

pub(super) fn header(text: &str) -> Result<String, String> {
    match text.split_once(':') {
        Some((name, _)) if !name.is_empty() && !text.contains(['\r', '\n']) => Ok(text.to_owned()),
        _ => Err("expected \"Name: value\"".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_with_and_without_units() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("1.5"), Ok(Duration::from_millis(1_500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for bad in ["", "s", "5 parsecs", "-1s", "1000h", "1.2.3s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn amounts_with_and_without_units() {
        assert_eq!([amount("1.5M"), amount("64G"), amount("7")], [Ok(1.5e6), Ok(64e9), Ok(7.0)]);
        for bad in ["", "M", "-1", "1P", "2000T", "NaN", "1e3M4"] {
            assert!(amount(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert!(size("31").is_err() && size("32").is_ok());
        assert!(percent("101").is_err() && percent("0.5").is_ok());
        assert!(rate("-1").is_err() && rate("NaN").is_err());
        assert!(header("Cookie").is_err() && header("Cookie: a=b").is_ok());
    }
}
