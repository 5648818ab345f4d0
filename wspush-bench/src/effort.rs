//! How busy a thread of the client was while something was on its way to it. Where one has no time left, what is told
//! in elapsed time is the client's and not the server's.

use crate::sys;
use serde::{Deserialize, Serialize};

/// From this share on a thread counts as the limit.
const LIMIT: f64 = 0.9;

/// A thread's account at one moment.
#[derive(Clone, Copy, Default)]
struct Reading {
    clock_ns: u64,
    run_ns: u64,
    wait_ns: u64,
}

impl Reading {
    fn now() -> Self {
        let (clock_ns, run_ns) = (sys::monotonic_ns(), sys::thread_cpu_ns());
        Self { clock_ns, run_ns, wait_ns: waited_ns() }
    }
}

/// How long this thread was ready to run and had no processor, as the scheduler tells.
fn waited_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|field| field.parse().ok()).unwrap_or_default()
}

/// The time of a thread, by what it did with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Worked {
    pub(crate) elapsed_ns: u64,
    /// On a processor, without polls that found nothing.
    pub(crate) run_ns: u64,
    /// Ready to run, while others had the processors.
    pub(crate) wait_ns: u64,
}

impl Worked {
    /// The share of the time in which it could have taken nothing more.
    pub(crate) fn share(self) -> f64 {
        let busy_ns = (self.run_ns + self.wait_ns).min(self.elapsed_ns);
        if self.elapsed_ns == 0 { 0.0 } else { busy_ns as f64 / self.elapsed_ns as f64 }
    }

    /// Whether more could have come if it had been faster.
    pub(crate) fn is_limit(self) -> bool {
        self.share() >= LIMIT
    }
}

/// A thread's measure of itself, in stretches.
#[derive(Default)]
pub(crate) struct Effort {
    begun: Option<Reading>,
    /// Spent on polls that found nothing, in this stretch.
    idle_ns: u64,
    sum: Worked,
}

impl Effort {
    /// Begins a stretch, if none has begun.
    pub(crate) fn begin(&mut self) {
        if self.begun.is_none() {
            self.idle_ns = 0;
            self.begun = Some(Reading::now());
        }
    }

    /// Whether empty polls are of interest.
    pub(crate) const fn has_begun(&self) -> bool {
        self.begun.is_some()
    }

    /// A poll that was to wait for nothing has found nothing.
    pub(crate) const fn idled(&mut self, ns: u64) {
        self.idle_ns += ns;
    }

    /// Ends the stretch.
    pub(crate) fn end(&mut self) {
        if let Some(begun) = self.begun.take() {
            self.add(begun, Reading::now());
        }
    }

    fn add(&mut self, begun: Reading, ended: Reading) {
        let run_ns = ended.run_ns - begun.run_ns;
        let wait_ns = ended.wait_ns.saturating_sub(begun.wait_ns);
        self.sum.elapsed_ns += ended.clock_ns - begun.clock_ns;
        // A thread that polled for nothing was ready to run all the time, but had nothing to do.
        self.sum.run_ns += run_ns.saturating_sub(self.idle_ns);
        self.sum.wait_ns += wait_ns.saturating_sub(self.idle_ns.saturating_sub(run_ns));
    }

    /// All stretches until now. From here on it counts anew.
    pub(crate) fn take(&mut self) -> Worked {
        self.end();
        std::mem::take(&mut self.sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worked(idle_ns: u64, run_ns: u64, wait_ns: u64) -> Worked {
        let mut effort = Effort { idle_ns, ..Effort::default() };
        effort.add(Reading::default(), Reading { clock_ns: 1_000, run_ns, wait_ns });
        effort.take()
    }

    #[test]
    fn who_sleeps_or_polls_for_nothing_is_no_limit() {
        assert_eq!((worked(0, 300, 100).share(), worked(0, 300, 100).is_limit()), (0.4, false));
        assert!(worked(0, 950, 0).is_limit(), "it runs");
        assert!(worked(0, 500, 450).is_limit(), "it would, but others do");
        assert!(!worked(400, 1_000, 0).is_limit(), "it polls");
        assert!(!worked(700, 500, 500).is_limit(), "it is to poll, and others run");
        assert!(!worked(5_000, 1_000, 0).is_limit());
        assert_eq!(Worked::default().share(), 0.0);
    }

    #[test]
    fn only_stretches_count() {
        let mut effort = Effort::default();
        assert!(!effort.has_begun());
        effort.end();
        assert_eq!(effort.take(), Worked::default());
        effort.begin();
        let mut sum = 0u64;
        while sys::thread_cpu_ns() - effort.begun.unwrap().run_ns < 1_000_000 {
            sum = std::hint::black_box(sum + 1);
        }
        let worked = effort.take();
        assert!(worked.run_ns >= 1_000_000 && worked.elapsed_ns >= worked.run_ns, "{worked:?}");
        assert!(worked.share() > 0.0 && !effort.has_begun());
    }
}
