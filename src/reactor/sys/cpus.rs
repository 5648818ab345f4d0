//! The CPUs that a thread runs on.

use std::fmt;
use std::io;

/// So many CPUs the system calls know.
pub const CPUS_MAX: usize = libc::CPU_SETSIZE as usize;

/// Some of the machine's CPUs.
#[derive(Clone, Copy)]
pub struct Cpus(libc::cpu_set_t);

impl Cpus {
    fn none() -> Cpus {
        // SAFETY: a cpu_set_t is a field of bits, for which zeroes are a value.
        Cpus(unsafe { std::mem::zeroed() })
    }

    /// This one alone; it is below [`CPUS_MAX`].
    pub fn only(cpu: usize) -> Cpus {
        let mut cpus = Cpus::none();
        if cpu < CPUS_MAX {
            // SAFETY: the bit lies within the set.
            unsafe { libc::CPU_SET(cpu, &mut cpus.0) };
        }
        cpus
    }

    /// Those that this thread may run on.
    pub fn of_this_thread() -> io::Result<Cpus> {
        let mut cpus = Cpus::none();
        // SAFETY: 0 is this thread, and the kernel fills at most the size that is given, which is the set's.
        let result = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut cpus.0) };
        if result == 0 { Ok(cpus) } else { Err(io::Error::last_os_error()) }
    }

    /// From now on this thread, and those that it makes, run on these. EINVAL: the process may use none of them.
    pub fn run_here(&self) -> io::Result<()> {
        // SAFETY: 0 is this thread, and the kernel only reads the set, whose size it is given.
        let result = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const self.0) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Their numbers.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        // SAFETY: the bit lies within the set.
        (0..CPUS_MAX).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &self.0) })
    }
}

/// As `0-3,6`.
impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for cpu in self.iter() {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == cpu => *last = cpu,
                _ => ranges.push((cpu, cpu)),
            }
        }
        for (n, (first, last)) in ranges.into_iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_as_it_is_written() {
        let mut cpus = Cpus::none();
        for cpu in [0, 1, 2, 5, 7, 8, CPUS_MAX - 1] {
            // SAFETY: the bit lies within the set.
            unsafe { libc::CPU_SET(cpu, &mut cpus.0) };
        }
        assert_eq!(cpus.to_string(), format!("0-2,5,7-8,{}", CPUS_MAX - 1));
        assert_eq!((Cpus::none().to_string(), Cpus::only(3).to_string()), (String::new(), "3".to_owned()));
        assert_eq!(Cpus::only(CPUS_MAX).iter().count(), 0);
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel")]
    fn a_thread_runs_where_it_is_told_to() {
        let all = Cpus::of_this_thread().unwrap();
        std::thread::scope(|scope| {
            for cpu in all.iter() {
                scope.spawn(move || {
                    Cpus::only(cpu).run_here().unwrap();
                    assert_eq!(Cpus::of_this_thread().unwrap().to_string(), cpu.to_string());
                });
            }
        });
        let none = Cpus::none().run_here().unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(Cpus::of_this_thread().unwrap().to_string(), all.to_string());
    }
}
