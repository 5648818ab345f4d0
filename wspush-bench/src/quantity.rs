//! Numbers as a person writes them.

/// 1234567 is 1,234,567.
pub(crate) fn count(number: u64) -> String {
    group(&number.to_string())
}

/// The same with so many digits behind the point.
pub(crate) fn decimal(number: f64, digits: usize) -> String {
    let text = format!("{:.digits$}", number.abs());
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let sign = if number < 0.0 { "-" } else { "" };
    format!("{sign}{}{rest}", group(whole))
}

/// `1 thread`, `2 threads`.
pub(crate) fn plural(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// Microseconds in the unit that fits.
pub(crate) fn time(value_us: f64) -> String {
    match value_us {
        value if value >= 1e6 => format!("{:.2} s", value / 1e6),
        value if value >= 1e4 => format!("{:.1} ms", value / 1e3),
        value if value >= 1e3 => format!("{:.2} ms", value / 1e3),
        value => format!("{value:.0} us"),
    }
}

pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.2} MiB", bytes as f64 / f64::from(1 << 20))
}

/// Puts a comma before each three digits from the end.
fn group(digits: &str) -> String {
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(decimal(137_636.2, 0), "137,636");
        assert_eq!(decimal(-1_234.5, 2), "-1,234.50");
        assert_eq!(
            (plural(1, "process", "processes"), plural(2, "thread", "threads")),
            ("1 process".into(), "2 threads".into())
        );
    }

    #[test]
    fn times_are_in_the_unit_that_fits() {
        let texts = [0.4, 999.0, 1_234.0, 12_340.0, 1_234_000.0].map(time);
        assert_eq!(texts, ["0 us", "999 us", "1.23 ms", "12.3 ms", "1.23 s"]);
    }
}
