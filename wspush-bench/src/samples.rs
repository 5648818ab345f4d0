//! A histogram that can be sent to another process and summed up.

use hdrhistogram::Histogram;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const LOWEST_NS: u64 = 1_000;
const HIGHEST_NS: u64 = 3_600_000_000_000;

/// Durations in nanoseconds, kept to three digits between a microsecond and an hour.
#[derive(Clone)]
pub(crate) struct Samples(Histogram<u64>);

impl Default for Samples {
    fn default() -> Self {
        // The bounds are constants that the histogram accepts.
        Self(Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, 3).expect("constant bounds"))
    }
}

impl Samples {
    pub(crate) fn record(&mut self, value_ns: u64) {
        self.0.saturating_record(value_ns);
    }

    pub(crate) fn clear(&mut self) {
        self.0.reset();
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for step in other.0.iter_recorded() {
            self.0.saturating_record_n(step.value_iterated_to(), step.count_at_value());
        }
    }

    pub(crate) fn summary(&self) -> Summary {
        let at = |quantile: f64| self.0.value_at_quantile(quantile) as f64 / 1e3;
        if self.0.is_empty() {
            return Summary::default();
        }
        Summary {
            count: self.0.len(),
            min: self.0.min() as f64 / 1e3,
            mean: self.0.mean() / 1e3,
            stddev: self.0.stdev() / 1e3,
            median: at(0.5),
            p75: at(0.75),
            p95: at(0.95),
            p98: at(0.98),
            p99: at(0.99),
            p999: at(0.999),
            max: self.0.max() as f64 / 1e3,
        }
    }

    /// `(quantile, microseconds)`, denser towards the tail, for a percentile plot.
    pub(crate) fn spectrum(&self) -> Vec<(f64, f64)> {
        if self.0.is_empty() {
            return Vec::new();
        }
        self.0
            .iter_quantiles(8)
            .map(|step| (step.quantile(), step.value_iterated_to() as f64 / 1e3))
            .collect()
    }

    /// `(from, to, count)` in microseconds over `bins` equal parts of what was recorded, for a bar plot.
    pub(crate) fn bins(&self, bins: usize) -> Vec<(f64, f64, u64)> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let (low, high) = (self.0.min() as f64 / 1e3, self.0.value_at_quantile(0.9995) as f64 / 1e3);
        let width = ((high - low) / bins as f64).max(1.0);
        let mut parts: Vec<_> =
            (0..bins).map(|bin| (low + width * bin as f64, low + width * (bin + 1) as f64, 0)).collect();
        for step in self.0.iter_recorded() {
            let bin = ((step.value_iterated_to() as f64 / 1e3 - low) / width) as usize;
            parts[bin.min(bins - 1)].2 += step.count_at_value();
        }
        parts
    }
}

impl Serialize for Samples {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer
            .collect_seq(self.0.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())))
    }
}

impl<'de> Deserialize<'de> for Samples {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut samples = Self::default();
        for (value, count) in Vec::<(u64, u64)>::deserialize(deserializer)? {
            samples.0.record_n(value, count).map_err(D::Error::custom)?;
        }
        Ok(samples)
    }
}

/// The figures of the classic articles, in microseconds.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Summary {
    pub(crate) count: u64,
    pub(crate) min: f64,
    pub(crate) mean: f64,
    pub(crate) stddev: f64,
    pub(crate) median: f64,
    pub(crate) p75: f64,
    pub(crate) p95: f64,
    pub(crate) p98: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journey_through_json_keeps_the_figures() {
        let mut samples = Samples::default();
        for value in 1..=1_000 {
            samples.record(value * 10_000);
        }
        let copy: Samples = serde_json::from_str(&serde_json::to_string(&samples).unwrap()).unwrap();
        let (ours, theirs) = (samples.summary(), copy.summary());
        assert_eq!((ours.count, ours.median, ours.p999), (theirs.count, theirs.median, theirs.p999));
        assert!((ours.median - 5_000.0).abs() < 10.0);
        assert_eq!(samples.bins(10).iter().map(|bin| bin.2).sum::<u64>(), 1_000);
    }
}
