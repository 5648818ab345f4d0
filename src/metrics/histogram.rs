//! How long something took, in classes.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// Upper bounds of the classes in microseconds, and as the exposition writes them, in seconds. What is longer is in the
/// last class, which has none.
const BOUNDS: [(u64, &str); 12] = [
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
    (1_000_000, "1"),
];

/// Durations, counted by class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    classes: [u64; BOUNDS.len() + 1],
    sum_us: u64,
}

impl Histogram {
    /// Notes a duration in microseconds.
    pub fn note(&mut self, us: u64) {
        let class = BOUNDS.iter().position(|&(bound, _)| us <= bound).unwrap_or(BOUNDS.len());
        self.classes[class] += 1;
        self.sum_us += us;
    }

    /// Adds those that were noted elsewhere.
    pub(super) fn add(&mut self, other: &Histogram) {
        self.classes.iter_mut().zip(other.classes).for_each(|(count, more)| *count += more);
        self.sum_us += other.sum_us;
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
}

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
        for us in [0, 50, 51, 4_000, 3_000_000] {
            histogram.note(us);
        }
        let buckets: Vec<_> = histogram.buckets().collect();
        assert_eq!((buckets[0], buckets[1], buckets[5]), (("0.00005", 2), ("0.0001", 3), ("0.0025", 3)));
        assert_eq!((buckets[6], buckets[11], buckets[12]), (("0.005", 4), ("1", 4), ("+Inf", 5)));
        assert_eq!((histogram.count(), histogram.sum_us()), (5, 3_004_101));
        for (us, seconds) in BOUNDS {
            assert_eq!(seconds.parse::<f64>().unwrap() * 1e6, us as f64);
        }
    }
}
