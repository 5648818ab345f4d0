//! How many threads serve connections.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::thread::available_parallelism;

use super::{Config, ConfigError};
use crate::limits::{REACTORS_MAX, log_memory_bytes};

const AUTO: &str = "auto";

/// The number of reactors: threads that serve connections, each its own.
///
/// ```
/// use wspush::config::Reactors;
///
/// assert_eq!("4".parse::<Reactors>()?.count(), 4);
/// assert!("auto".parse::<Reactors>()?.count() >= 1);
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reactors {
    /// So many, 1 to 64.
    Count(NonZeroUsize),
    /// As many as the process may use cores.
    Auto,
}

impl Reactors {
    /// One thread for everything.
    pub const ONE: Reactors = Reactors::Count(NonZeroUsize::MIN);

    /// So many; None: there can't be.
    pub fn new(count: usize) -> Option<Reactors> {
        NonZeroUsize::new(count).filter(|count| count.get() <= REACTORS_MAX).map(Reactors::Count)
    }

    /// How many there are on this machine.
    pub fn count(self) -> usize {
        match self {
            Reactors::Count(count) => count.get(),
            Reactors::Auto => available_parallelism().map_or(1, NonZeroUsize::get).min(REACTORS_MAX),
        }
    }
}

impl fmt::Display for Reactors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reactors::Count(count) => count.fmt(f),
            Reactors::Auto => f.write_str(AUTO),
        }
    }
}

impl FromStr for Reactors {
    type Err = String;

    fn from_str(text: &str) -> Result<Reactors, String> {
        let count = || text.parse().ok().and_then(Reactors::new);
        let known = if text == AUTO { Some(Reactors::Auto) } else { count() };
        known.ok_or_else(|| {
            format!("allowed are 1 to {REACTORS_MAX}, or {AUTO} for as many as there are cores")
        })
    }
}

impl Config {
    /// Each of several reactors has enough of what is divided among them.
    pub(super) fn validate_reactors(&self) -> Result<(), ConfigError> {
        self.validate_handover()?;
        self.validate_cpus()?;
        let Reactors::Count(_) = self.reactors else { return self.validate_shares("auto") };
        self.validate_shares("so many")
    }

    fn validate_shares(&self, what: &str) -> Result<(), ConfigError> {
        let count = self.reactors.count();
        if count == 1 {
            return Ok(());
        }
        let assembly = self.message_bytes_max.saturating_add(self.handshake_bytes_max);
        let one_log = log_memory_bytes(self.log_bytes, self.log_publications);
        for (name, value, least) in [
            ("logs_bytes_max", self.logs_bytes_max, one_log),
            ("assembly_bytes_max", self.assembly_bytes_max, assembly),
        ] {
            let least = least.saturating_mul(count);
            if value < least {
                let why = format!(
                    "{what} is {count} reactors, among which {name} = {value} is divided; they need at least {least}"
                );
                return Err(self.invalid("reactors", &why));
            }
        }
        Ok(())
    }

    /// An error about a setting that can't be had on this machine.
    pub(crate) fn refused_for(&self, name: &str, why: &str) -> ConfigError {
        self.invalid(name, why)
    }

    /// One for each; whether the machine has them is seen at the start.
    fn validate_cpus(&self) -> Result<(), ConfigError> {
        let (cpus, reactors) = (self.reactor_cpus.len(), self.reactors.count());
        if cpus == 0 && self.reactor_incoming_cpu {
            let why = "which reactor is on a CPU, reactor_cpus has to say";
            return Err(self.invalid("reactor_incoming_cpu", why));
        }
        if cpus == 0 || cpus == reactors {
            return Ok(());
        }
        let why = match self.reactors {
            Reactors::Count(_) => format!("there are {cpus} for {reactors} reactors; name one for each"),
            Reactors::Auto => {
                format!(
                    "there are {cpus} for the {reactors} reactors that auto is on this machine; name one for each"
                )
            }
        };
        Err(self.invalid("reactor_cpus", &why))
    }

    /// A host has made one handler.
    pub(crate) fn needs_handlers(&self) -> ConfigError {
        let why = "a host needs a handler for each reactor (Server::bind_each in place of bind_with)";
        self.invalid("reactors", why)
    }
}

#[cfg(test)]
mod tests {
    use super::super::validate::refused;
    use super::*;

    #[test]
    fn there_and_back() {
        for text in ["1", "2", "64", "auto"] {
            assert_eq!(text.parse::<Reactors>().unwrap().to_string(), text);
        }
        for text in ["", "0", "65", "-1", "Auto", "1.5", "all"] {
            let problem = text.parse::<Reactors>().unwrap_err();
            assert!(problem.contains("1 to 64") && problem.contains("auto"), "{problem}");
        }
        assert_eq!(Config::default().reactors.count(), 1);
        assert!(Reactors::Auto.count() >= 1);
    }

    #[test]
    fn each_has_its_cpu() {
        let problem = refused(|config| {
            (config.reactors, config.reactor_cpus) = (Reactors::new(3).unwrap(), vec![0, 1]);
        });
        assert!(problem.contains("there are 2 for 3 reactors; name one for each"), "{problem}");
        let problem = refused(|config| config.reactor_incoming_cpu = true);
        assert!(problem.contains("reactor_cpus has to say"), "{problem}");
        let problem = refused(|config| config.reactor_cpus = vec![1_024]);
        assert!(problem.contains("\"1024\" is no CPU's number: they are 0 to 1023"), "{problem}");
        let reactors = Reactors::new(2).unwrap();
        let two = Config { reactors, reactor_cpus: vec![1_000, 1_000], ..Config::default() };
        two.validate().unwrap();
    }

    #[test]
    fn each_needs_its_share() {
        let problem = refused(|config| {
            config.reactors = Reactors::new(4).unwrap();
            config.assembly_bytes_max = 3 * (config.message_bytes_max + config.handshake_bytes_max);
        });
        assert!(problem.contains("assembly_bytes_max") && problem.contains("at least"), "{problem}");
        let default = Config { reactors: Reactors::new(4).unwrap(), ..Config::default() };
        default.validate().unwrap();
    }
}
