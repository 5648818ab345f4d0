//! The classes of a native histogram, as Prometheus has them: eight between a duration and twice that, so a quantile
//! is off by no more than 5 %, whatever durations there are. One thread notes, and others read meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};

/// Eight classes up to twice the duration: class `i` ends at 2 to the power of `i / 8` seconds, with that.
pub(super) const SCHEMA: i32 = 3;
/// The class of a microsecond.
const FIRST: i32 = -159;
/// The class of 128 seconds and whatever is longer.
const LAST: i32 = 56;
const CLASSES: usize = (LAST - FIRST + 1) as usize;

/// Durations up to this are none at all, in seconds: what took less than a microsecond.
pub(super) const ZERO_SECONDS: f64 = 1.0 / (1 << 20) as f64;

/// 2 to the power of `n / 8`, with 63 bits behind the point.
const ENDS: [u64; 1 << SCHEMA] = [
    0x8000_0000_0000_0000,
    0x8b95_c1e3_ea8b_d6e7,
    0x9837_f051_8db8_a96f,
    0xa5fe_d6a9_b151_38ea,
    0xb504_f333_f9de_6484,
    0xc567_2a11_5506_dadd,
    0xd744_fcca_d69d_6af4,
    0xeac0_c6e7_dd24_392f,
];

/// Counts by class.
#[derive(Debug)]
pub(super) struct Fine {
    none: AtomicU64,
    classes: [AtomicU64; CLASSES],
}

impl Default for Fine {
    fn default() -> Fine {
        Fine { none: AtomicU64::new(0), classes: [const { AtomicU64::new(0) }; CLASSES] }
    }
}

/// One writer needs no more than that.
fn grow(count: &AtomicU64, by: u64) {
    count.store(count.load(Ordering::Relaxed) + by, Ordering::Relaxed);
}

/// The class of a duration; None: it is none.
fn class(us: u64) -> Option<i32> {
    if us == 0 {
        return None;
    }
    // In seconds, with 32 bits behind the point.
    let seconds = (us.min(u64::from(u32::MAX)) << 32) / 1_000_000;
    let doublings = 31 - seconds.leading_zeros().cast_signed();
    let mantissa = seconds << seconds.leading_zeros();
    let part: i32 = ENDS.iter().map(|&end| i32::from(end < mantissa)).sum();
    let class = (doublings << SCHEMA) + part;
    Some(class.clamp(FIRST, LAST))
}

impl Fine {
    /// Notes so many of this length.
    pub(super) fn add(&self, us: u64, count: u64) {
        match class(us) {
            None => grow(&self.none, count),
            Some(class) => grow(&self.classes[(class - FIRST).cast_unsigned() as usize], count),
        }
    }

    /// These and those.
    pub(super) fn with(&self, other: &Fine) -> Fine {
        let sum = Fine::default();
        for more in [self, other] {
            grow(&sum.none, more.none());
            for (count, more) in sum.classes.iter().zip(&more.classes) {
                grow(count, more.load(Ordering::Relaxed));
            }
        }
        sum
    }

    /// Those that took no time.
    pub(super) fn none(&self) -> u64 {
        self.none.load(Ordering::Relaxed)
    }

    /// Each class that has any, with how many.
    pub(super) fn classes(&self) -> Vec<(i32, u64)> {
        let counts = self.classes.iter().map(|count| count.load(Ordering::Relaxed));
        (FIRST..).zip(counts).filter(|&(_, count)| count > 0).collect()
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> u64 {
        self.none() + self.classes().iter().map(|(_, count)| count).sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_ends_where_prometheus_ends_it() {
        for (n, &end) in ENDS.iter().enumerate() {
            let exact = (n as f64 / 8.0).exp2();
            assert!((end as f64 / (1_u64 << 63) as f64 - exact).abs() < 1e-15, "{n}");
        }
        let (mut us, mut last) = (1_u64, FIRST);
        while us < 128_000_000 {
            let class = class(us).unwrap();
            let seconds = us as f64 / 1e6;
            let end = |class: i32| (f64::from(class) / 8.0).exp2();
            // A microsecond has 12 bits in the fixed point.
            assert!(seconds <= end(class) * 1.0003 && seconds >= end(class - 1) * 0.9997, "{us}: {class}");
            assert!(class >= last);
            (us, last) = (us + us / 97 + 1, class);
        }
        assert_eq!((class(0), class(1), class(1_000_000)), (None, Some(FIRST), Some(0)));
        assert_eq!((class(128_000_000), class(u64::MAX)), (Some(LAST), Some(LAST)));
    }

    #[test]
    fn counts_are_by_class() {
        let fine = Fine::default();
        for (us, count) in [(0, 2), (1, 1), (1_000_000, 3), (1_000_001, 1), (u64::MAX, 5)] {
            fine.add(us, count);
        }
        assert_eq!((fine.none(), fine.classes()), (2, vec![(FIRST, 1), (0, 3), (1, 1), (LAST, 5)]));
        assert_eq!((fine.count(), fine.with(&fine).count()), (12, 24));
    }
}
