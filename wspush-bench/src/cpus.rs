//! Which processors the server's threads run on: `--server-cpus`.

use crate::sys;
use std::fs;
use std::io;

/// Processors that can be named, as many as the kernel's own type for a set of them has.
pub(crate) const CPUS_MAX: usize = 1_024;
const WORD_BITS: usize = usize::BITS as usize;

/// A set of processors, as the kernel reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cpus(pub(crate) [usize; CPUS_MAX / WORD_BITS]);

impl Cpus {
    /// `0`, `0-3` or `0-3,8,10`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let number =
            |text: &str| {
                text.trim().parse::<usize>().ok().filter(|cpu| *cpu < CPUS_MAX).ok_or_else(|| {
                    format!("expected processors such as 0-3,8, each from 0 to {}", CPUS_MAX - 1)
                })
            };
        let mut cpus = Self::default();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return Err(format!("{first}-{last} has no processor: the smaller number comes first"));
            }
            (first..=last).for_each(|cpu| cpus.0[cpu / WORD_BITS] |= 1 << (cpu % WORD_BITS));
        }
        Ok(cpus)
    }

    fn has(self, cpu: usize) -> bool {
        self.0[cpu / WORD_BITS] & 1 << (cpu % WORD_BITS) != 0
    }
}

/// As `parse` takes it.
impl std::fmt::Display for Cpus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (mut cpu, mut comma) = (0, "");
        while cpu < CPUS_MAX {
            if !self.has(cpu) {
                cpu += 1;
                continue;
            }
            let end = (cpu..CPUS_MAX).find(|at| !self.has(*at)).unwrap_or(CPUS_MAX);
            match end - cpu {
                1 => write!(f, "{comma}{cpu}")?,
                _ => write!(f, "{comma}{cpu}-{}", end - 1)?,
            }
            (cpu, comma) = (end, ",");
        }
        Ok(())
    }
}

/// Server processes whose threads run on some processors only. Dropped, it gives them back those that they had.
pub(crate) struct Pinned {
    /// Process, thread, and where it was allowed to run.
    threads: Vec<(u32, u32, Cpus)>,
}

impl Pinned {
    pub(crate) fn new(pids: &[u32], cpus: &Cpus) -> Result<Self, String> {
        let mut pinned = Self { threads: Vec::new() };
        for pid in pids {
            pinned.pin(*pid, cpus).map_err(|error| match error.raw_os_error() {
                Some(libc::EINVAL) => format!("--server-cpus: process {pid} may use none of {cpus} here"),
                _ => format!("--server-cpus: process {pid} can't be pinned to {cpus}: {error}"),
            })?;
        }
        Ok(pinned)
    }

    /// Until no thread is left that another one has started in the meantime.
    fn pin(&mut self, pid: u32, cpus: &Cpus) -> io::Result<()> {
        loop {
            let known = self.threads.len();
            for thread in threads(pid)? {
                if self.threads.iter().any(|&(_, other, _)| other == thread) {
                    continue;
                }
                let is_gone = |error: &io::Error| error.raw_os_error() == Some(libc::ESRCH);
                match sys::affinity(thread).and_then(|had| sys::set_affinity(thread, cpus).map(|()| had)) {
                    Ok(had) => self.threads.push((pid, thread, had)),
                    Err(error) if is_gone(&error) => {}
                    Err(error) => return Err(error),
                }
            }
            if self.threads.len() == known {
                return Ok(());
            }
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        for &(pid, _, first) in &self.threads {
            for thread in threads(pid).unwrap_or_default() {
                // One that was started while it was pinned has got that from its process.
                let had = self.threads.iter().find(|&&(_, other, _)| other == thread);
                // One that has ended needs nothing.
                let _ = sys::set_affinity(thread, &had.map_or(first, |&(_, _, had)| had));
            }
        }
    }
}

fn threads(pid: u32) -> io::Result<Vec<u32>> {
    let folder = fs::read_dir(format!("/proc/{pid}/task"))?;
    Ok(folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors() {
        for text in ["0", "0-3", "0-3,8,10", "63-64,1023"] {
            assert_eq!(Cpus::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Cpus::parse("1,0,2-4,3").unwrap().to_string(), "0-4");
        for bad in ["", "a", "1-", "3-1", "1024", "0-1024", "1,,2"] {
            assert!(Cpus::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_thread_runs_where_it_is_told_to_and_later_where_it_did() {
        // A process of its own: the threads of this one are other tests.
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id();
        let before = sys::affinity(pid).unwrap();
        let first = (0..CPUS_MAX).find(|cpu| before.has(*cpu)).unwrap();
        let one = Cpus::parse(&first.to_string()).unwrap();
        let pinned = Pinned::new(&[pid], &one).unwrap();
        assert_eq!(sys::affinity(pid).unwrap(), one);
        drop(pinned);
        assert_eq!(sys::affinity(pid).unwrap(), before);
        let none = Pinned::new(&[pid], &Cpus::parse("1023").unwrap()).err().unwrap();
        assert!(none.contains("may use none of 1023"), "{none}");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(Pinned::new(&[pid], &one).is_err());
    }
}
