//! Reactors that stay on CPUs of their own (`reactor_cpus`).

use std::io;
use std::thread;

use crate::config::{Config, ConfigError};
use crate::reactor::Shared;
use crate::reactor::sys::cpus::Cpus;

/// Whether this process may use each of the CPUs that the configuration names for its reactors.
pub fn check_cpus(config: &Config) -> Result<(), ConfigError> {
    if config.reactor_cpus.is_empty() {
        return Ok(());
    }
    // It is tried, on a thread that is good for nothing else: the kernel knows, and says it of no other way.
    let refused =
        || config.reactor_cpus.iter().find_map(|&cpu| Some((cpu, Cpus::only(cpu).run_here().err()?)));
    let refused = thread::scope(|scope| scope.spawn(refused).join().ok().flatten());
    let Some((cpu, problem)) = refused else { return Ok(()) };
    let why = match problem.kind() {
        io::ErrorKind::InvalidInput => {
            let all =
                Cpus::of_this_thread().map_or_else(|_| String::new(), |all| format!(", which are {all}"));
            format!("CPU {cpu} is none of those that this process may use{all}")
        }
        _ => format!("CPU {cpu}: {problem}"),
    };
    Err(config.invalid("reactor_cpus", &why))
}

/// Threads that reactors make for others run where this thread may.
pub(super) fn keep_cpus(config: &Config, shared: &Shared) -> io::Result<()> {
    if !config.reactor_cpus.is_empty() {
        shared.keep_cpus(Cpus::of_this_thread()?);
    }
    Ok(())
}

/// Where one reactor is to run, until it does.
pub(super) struct Pin(Option<usize>);

impl Pin {
    /// That of the reactor with this number.
    pub(super) fn of(config: &Config, reactor: usize) -> Pin {
        Pin(config.reactor_cpus.get(reactor).copied())
    }

    /// This thread is the reactor's.
    #[inline]
    pub(super) fn take(&mut self) -> io::Result<()> {
        match self.0.take() {
            None => Ok(()),
            Some(cpu) => Cpus::only(cpu).run_here(),
        }
    }
}
