//! The CPU time of the server's thread, by its purpose.
//!
//! Reading the thread's clock is a system call, so only one turn in eight is measured, and counts for all of them.
//! Nothing is measured within a walk: its time is the difference between two looks at the clock.

use crate::metrics::CpuPurpose;

use super::reactor::Reactor;
use super::socket::Socket;

/// One turn of so many is measured.
const TURNS: u8 = 8;

/// How far the measuring has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meter {
    /// The thread's clock, in nanoseconds; `None`: nothing is measured.
    clock: Option<fn() -> u64>,
    turns: u8,
    /// In a turn that is measured, until when it is accounted for.
    since_ns: Option<u64>,
}

impl<S: Socket> Reactor<S> {
    /// Has the CPU time measured by this clock.
    pub fn set_cpu_clock(&mut self, clock: fn() -> u64) {
        self.work.meter.clock = Some(clock);
    }

    /// A turn begins.
    #[inline]
    pub fn begin_cpu(&mut self) {
        let meter = &mut self.work.meter;
        meter.turns = (meter.turns + 1) % TURNS;
        meter.since_ns = if meter.turns == 0 { meter.clock.map(|clock| clock()) } else { None };
    }

    /// The time since the last look went to this.
    #[inline]
    pub fn spent_cpu(&mut self, purpose: CpuPurpose) {
        if let Some(since_ns) = self.work.meter.since_ns {
            self.account_cpu(purpose, since_ns);
        }
    }

    #[cold]
    fn account_cpu(&mut self, purpose: CpuPurpose, since_ns: u64) {
        let Some(clock) = self.work.meter.clock else { return };
        let now_ns = clock();
        self.work.meter.since_ns = Some(now_ns);
        let us = now_ns.saturating_sub(since_ns) * u64::from(TURNS) / 1_000;
        self.metrics.cpu_microseconds.add(purpose, us);
    }

    /// Writes what was published, as far as the turn goes.
    pub(super) fn flush(&mut self) {
        self.spent_cpu(CpuPurpose::Other);
        self.flush_slice();
        self.flush_paced();
        self.spent_cpu(CpuPurpose::Flush);
    }
}
