//! How long something took, in classes: a few for every scrape, and many fine ones for whoever reads those.

use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::fine::Fine;

/// Upper bounds of the classes in microseconds, and as the exposition writes them, in seconds. What is longer is in the
/// last class, which has none.
const BOUNDS: [(u64, &str); 17] = [
    (50, "0.00005"),
    (100, "0.0001"),
    (250, "0.00025"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (5_000_000, "5"),
    (10_000_000, "10"),
];

/// Durations, counted by class.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    classes: [u64; BOUNDS.len() + 1],
    sum_us: u64,
    /// Made with the first duration. A copy has the same ones, and sees what is noted afterwards: the numbers are
    /// copied in every turn, and these are too many for that.
    fine: Option<Arc<Fine>>,
}

impl Histogram {
    /// Notes a duration in microseconds.
    pub fn note(&mut self, us: u64) {
        self.note_all(us, 1);
    }

    /// Notes so many of the same length.
    pub fn note_all(&mut self, us: u64, count: u64) {
        let class = BOUNDS.iter().position(|&(bound, _)| us <= bound).unwrap_or(BOUNDS.len());
        self.classes[class] += count;
        self.sum_us = self.sum_us.saturating_add(us.saturating_mul(count));
        self.fine.get_or_insert_default().add(us, count);
    }

    /// Adds those that were noted elsewhere.
    pub(crate) fn add(&mut self, other: &Histogram) {
        self.classes.iter_mut().zip(other.classes).for_each(|(count, more)| *count += more);
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.fine = match (self.fine.take(), &other.fine) {
            // The classes that it shares with another copy must not grow by what is added to this one.
            (Some(own), Some(other)) => Some(Arc::new(own.with(other))),
            (own, other) => own.or_else(|| other.clone()),
        };
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.classes.iter().sum()
    }

    /// All of them together, in microseconds.
    pub fn sum_us(&self) -> u64 {
        self.sum_us
    }

    /// For each bound, in seconds, how many took no longer.
    pub fn buckets(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let bounds = BOUNDS.iter().map(|&(_, seconds)| seconds).chain(["+Inf"]);
        let mut sum = 0;
        bounds.zip(self.classes).map(move |(bound, count)| {
            sum += count;
            (bound, sum)
        })
    }

    /// The same without the last one, in microseconds.
    pub(super) fn bounded(&self) -> impl Iterator<Item = (u64, u64)> {
        BOUNDS.iter().map(|&(us, _)| us).zip(self.buckets().map(|(_, count)| count))
    }

    /// The fine classes, once there was anything.
    pub(super) fn fine(&self) -> Option<&Fine> {
        self.fine.as_deref()
    }
}

/// The fine classes count the same once more.
impl PartialEq for Histogram {
    fn eq(&self, other: &Histogram) -> bool {
        (self.classes, self.sum_us) == (other.classes, other.sum_us)
    }
}

impl Eq for Histogram {}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (bound, count) in self.buckets() {
            map.serialize_entry(bound, &count)?;
        }
        map.serialize_entry("sum_us", &self.sum_us)?;
        map.serialize_entry("count", &self.count())?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_in_its_class_and_those_above() {
        let mut histogram = Histogram::default();
        for us in [0, 50, 51, 4_000, 30_000_000] {
            histogram.note(us);
        }
        histogram.note_all(2_000_000, 3);
        let buckets: Vec<_> = histogram.buckets().collect();
        assert_eq!((buckets[0], buckets[1], buckets[5]), (("0.00005", 2), ("0.0001", 3), ("0.0025", 3)));
        assert_eq!((buckets[6], buckets[13], buckets[14]), (("0.005", 4), ("1", 4), ("2.5", 7)));
        assert_eq!((buckets[16], buckets[17]), (("10", 7), ("+Inf", 8)));
        assert_eq!((histogram.count(), histogram.sum_us()), (8, 36_004_101));
        for (us, seconds) in BOUNDS {
            assert_eq!((seconds.parse::<f64>().unwrap() * 1e6).round(), us as f64);
        }
    }

    #[test]
    fn what_is_added_to_a_copy_stays_there() {
        let (mut own, mut others) = (Histogram::default(), Histogram::default());
        own.note(7);
        others.note_all(9, 2);
        let mut sum = own.clone();
        sum.add(&others);
        sum.add(&Histogram::default());
        let fine = |histogram: &Histogram| histogram.fine().unwrap().count();
        assert_eq!((fine(&own), fine(&others), fine(&sum)), (1, 2, 3));
        assert_eq!((own.count(), sum.count(), sum.sum_us()), (1, 3, 25));
        let mut none = Histogram::default();
        none.add(&own);
        assert_eq!((fine(&none), none == own), (1, true));
    }
}
