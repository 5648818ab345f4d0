//! Events per second, over the last ten.

use std::collections::VecDeque;

use crate::endpoint::control::Rates;
use crate::metrics::Metrics;

const SECONDS: usize = 10;

#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    at_ms: u64,
    counts: [u64; 4],
}

/// Samples of the counters, one a second.
#[derive(Debug)]
pub(super) struct RateWindow(VecDeque<Sample>);

fn counts(metrics: &Metrics) -> [u64; 4] {
    [metrics.accepted, metrics.publications, metrics.deliveries, metrics.messages_in]
}

impl RateWindow {
    pub(super) fn new(now_ms: u64) -> RateWindow {
        RateWindow(VecDeque::from([Sample { at_ms: now_ms, ..Sample::default() }]))
    }

    /// Takes a sample if the last one is a second old.
    pub(super) fn sample(&mut self, now_ms: u64, metrics: &Metrics) {
        if self.0.back().is_some_and(|last| now_ms < last.at_ms + 1000) {
            return;
        }
        self.0.push_back(Sample { at_ms: now_ms, counts: counts(metrics) });
        while self.0.len() > SECONDS + 1 {
            self.0.pop_front();
        }
    }

    /// The rates between the oldest sample and now.
    pub(super) fn rates(&self, now_ms: u64, metrics: &Metrics) -> Rates {
        // Samples are only taken while something goes on; one from long ago says nothing about now.
        let fresh = |sample: &&Sample| sample.at_ms + 1000 * (SECONDS as u64 + 1) >= now_ms;
        let Some(oldest) = self.0.iter().find(fresh) else { return Rates::default() };
        let seconds = (now_ms.saturating_sub(oldest.at_ms)).max(1) as f64 / 1000.0;
        let now = counts(metrics);
        let rate = |i: usize| (now[i].saturating_sub(oldest.counts[i])) as f64 / seconds;
        Rates { accepts: rate(0), publications: rate(1), deliveries: rate(2), messages_in: rate(3) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_ten_seconds() {
        let mut metrics = Metrics::default();
        let mut window = RateWindow::new(0);
        for second in 1..=20 {
            metrics.publications += 5;
            window.sample(second * 1000, &metrics);
            window.sample(second * 1000 + 1, &metrics);
        }
        assert_eq!(window.0.len(), SECONDS + 1);
        assert_eq!(window.rates(20_000, &metrics).publications, 5.0);
        assert_eq!(window.rates(90_000, &metrics), Rates::default());
    }
}
