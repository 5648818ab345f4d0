//! The server's costs, read from /proc.

use crate::sys;
use serde::Serialize;
use std::fs;

/// The processes that make up the server.
pub(crate) struct Probe {
    pids: Vec<u32>,
}

/// Their memory and processor time at one moment.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Sample {
    pub(crate) rss_bytes: u64,
    /// All time on a processor, to the nanosecond, from the scheduler's own account of every living thread.
    pub(crate) run_ns: u64,
    /// User and system time as the clock tick sampled them: their ratio divides `run_ns`.
    user_us: u64,
    system_us: u64,
}

/// Processor time between two samples, in microseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Cost {
    pub(crate) total_us: f64,
    pub(crate) user_us: f64,
    pub(crate) system_us: f64,
}

impl Probe {
    /// Looks once, so that a wrong pid is an error at once and not a row of zeros.
    pub(crate) fn new(pids: &[u32]) -> Result<Option<Self>, String> {
        if pids.is_empty() {
            return Ok(None);
        }
        let probe = Self { pids: pids.to_vec() };
        probe.sample()?;
        Ok(Some(probe))
    }

    pub(crate) fn sample(&self) -> Result<Sample, String> {
        let mut sum = Sample::default();
        for pid in &self.pids {
            let unreadable = |error: String| format!("server process {pid} can't be measured: {error}");
            let one = sample(*pid).map_err(unreadable)?;
            sum.rss_bytes += one.rss_bytes;
            sum.run_ns += one.run_ns;
            sum.user_us += one.user_us;
            sum.system_us += one.system_us;
        }
        Ok(sum)
    }
}

impl Sample {
    /// The cost since `before`. The total is exact where the scheduler told it (a thread that ended
    /// takes its account with it, then the ticks know better); the division into user and system is as good
    /// as the ticks are many.
    pub(crate) fn since(&self, before: &Self) -> Cost {
        let user = self.user_us.saturating_sub(before.user_us) as f64;
        let system = self.system_us.saturating_sub(before.system_us) as f64;
        let run = self.run_ns.saturating_sub(before.run_ns) as f64 / 1e3;
        let total_us = if run > 0.0 { run } else { user + system };
        let user_share = if user + system > 0.0 { user / (user + system) } else { 0.0 };
        Cost { total_us, user_us: total_us * user_share, system_us: total_us * (1.0 - user_share) }
    }
}

impl Cost {
    pub(crate) fn per(self, count: u64) -> Option<Self> {
        let count = count as f64;
        (count > 0.0).then(|| Self {
            total_us: self.total_us / count,
            user_us: self.user_us / count,
            system_us: self.system_us / count,
        })
    }
}

fn sample(pid: u32) -> Result<Sample, String> {
    let read =
        |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).map_err(|error| error.to_string());
    let stat = read("stat")?;
    // The command's name stands in brackets and may hold anything, brackets too.
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks =
        |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).ok_or("odd /proc/PID/stat");
    let tick_us = sys::clock_tick_us();
    Ok(Sample {
        rss_bytes: resident_bytes(&read)?,
        run_ns: run_ns(pid),
        user_us: ticks(11)? * tick_us,
        system_us: ticks(12)? * tick_us,
    })
}

/// `smaps_rollup` walks the page tables; `VmRSS` is a per-processor estimate that may be off by hundreds of
/// kilobytes, which is tens of bytes for each of 15,000 connections.
fn resident_bytes(read: &impl Fn(&str) -> Result<String, String>) -> Result<u64, String> {
    let kilobytes = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    };
    let exact = read("smaps_rollup").ok().and_then(|text| kilobytes(&text, "Rss:"));
    match exact {
        Some(exact) => Ok(exact * 1024),
        None => {
            kilobytes(&read("status")?, "VmRSS:").map(|rough| rough * 1024).ok_or_else(|| "no VmRSS".into())
        }
    }
}

fn run_ns(pid: u32) -> u64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_no_other_has_none() {
        let probe = Probe::new(&[std::process::id()]).unwrap().unwrap();
        assert!(probe.sample().unwrap().rss_bytes > 100_000);
        assert!(Probe::new(&[u32::MAX]).is_err());
        assert!(Probe::new(&[]).unwrap().is_none());
    }

    #[test]
    fn the_ticks_divide_the_exact_total() {
        let before = Sample::default();
        let after = Sample { run_ns: 1_000_000, user_us: 10_000, system_us: 30_000, ..before };
        let cost = after.since(&before).per(10).unwrap();
        assert_eq!((cost.total_us, cost.user_us, cost.system_us), (100.0, 25.0, 75.0));
        assert!(after.since(&before).per(0).is_none());
    }
}
