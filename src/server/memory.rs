//! The memory that a server begins with: how much there is, the limits that fit it, and what the log says of that.

use std::fmt::Display;

use crate::config::{Config, ConfigError, Fitting, LogLevel, MemoryMax};
use crate::journal::Journal;
use crate::limits::KERNEL_CONNECTION_BYTES;
use crate::reactor::machine::{Machine, Owner};
use crate::reactor::memory_budget::MemoryBounds;
use crate::time::Time;

/// The send buffer of a full socket where the system does not say: as it is unless somebody changes it.
const FULL_SOCKET_BYTES: u64 = 4 << 20;

/// The memory of a server that starts.
pub(super) struct Plan {
    pub machine: Machine,
    pub bounds: MemoryBounds,
    /// Whether somebody has said how many connections there may be.
    pub has_connections_set: bool,
    /// The memory there is, and whose limit that is.
    available: Option<(u64, Owner)>,
    lowered: Vec<&'static str>,
    too_large: Option<ConfigError>,
}

/// Whether so many bytes would be more than half of the address space that is left: they can't be had, or nothing else.
fn is_beyond(bytes: usize, left: Option<u64>) -> bool {
    left.is_some_and(|left| bytes as u64 > left / 2)
}

impl Plan {
    /// A plan for this machine, and the configuration with limits that fit it.
    ///
    /// # Errors
    /// The limits that somebody has set need more than `memory_max`. With `auto` that is only warned of.
    pub fn make(config: Config) -> Result<(Plan, Config), ConfigError> {
        let has_connections_set = config.max_connections != Config::default().max_connections;
        let machine = Machine::this();
        let available = machine.available();
        let bytes_max = config.memory_max.of(available.map_or(u64::MAX, |(bytes, _)| bytes));
        let bounds = MemoryBounds {
            bytes_max,
            socket_bytes: machine.socket_bytes().unwrap_or(KERNEL_CONNECTION_BYTES),
            full_socket_bytes: machine.full_socket_bytes().unwrap_or(FULL_SOCKET_BYTES),
            tcp_pressure_bytes: machine.tcp_pressure_bytes(),
        };
        let fitted = |bytes| config.fitted(bytes, machine.rss());
        let fitting = bytes_max.map(fitted);
        let (config, lowered, too_large) = match fitting {
            Some(Fitting { config, lowered, too_large, .. }) => (config, lowered, too_large),
            None => (config, Vec::new(), None),
        };
        if let Some(problem) = too_large.as_ref().filter(|_| config.memory_max != MemoryMax::Auto) {
            return Err(problem.clone());
        }
        let left = machine.address_space_left();
        let slots = config.max_connections.saturating_mul(48);
        for (name, bytes) in [("max_connections", slots), ("assembly_bytes_max", config.assembly_bytes_max)] {
            if is_beyond(bytes, left) {
                let why = format!(
                    "{bytes} bytes of address space would be reserved for it, and the process has {} left \
                     (ulimit -v); lower it, or set memory_max",
                    left.unwrap_or(0)
                );
                return Err(config.refused_for(name, &why));
            }
        }
        config.validate()?;
        Ok((Plan { machine, bounds, has_connections_set, available, lowered, too_large }, config))
    }

    /// Says what was lowered, and what is too large all the same.
    pub fn announce(&self, journal: &mut Journal, now: Time, config: &Config) {
        let Some(bytes_max) = self.bounds.bytes_max else { return };
        let (available, owner) =
            self.available.map_or((0, "unknown"), |(bytes, owner)| (bytes, owner.name()));
        let lowered = self.lowered.join(",");
        let is_set = config.memory_max != MemoryMax::Auto;
        if is_set || !self.lowered.is_empty() {
            let fields: [(&str, &dyn Display); 5] = [
                ("memory_max", &bytes_max),
                ("available", &available),
                ("limited_by", &owner),
                ("kernel_bytes_each", &self.bounds.socket_bytes),
                ("lowered", &lowered),
            ];
            journal.event(now, LogLevel::Info, "memory", &fields);
        }
        if let Some(problem) = &self.too_large {
            journal.event(now, LogLevel::Warn, "memory_too_small", &[("problem", problem)]);
        }
        if is_set && bytes_max > available && available > 0 {
            let fix = "there is less than memory_max: lower it, or write auto";
            let fields: [(&str, &dyn Display); 4] = [
                ("memory_max", &bytes_max),
                ("available", &available),
                ("limited_by", &owner),
                ("fix", &fix),
            ];
            journal.event(now, LogLevel::Warn, "memory_too_small", &fields);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_leaves_half_of_the_address_space() {
        assert!(!is_beyond(usize::MAX, None));
        assert!(!is_beyond(50, Some(100)) && is_beyond(51, Some(100)));
    }

    #[test]
    fn without_a_bound_nothing_is_lowered() {
        let (plan, config) = Plan::make(Config::default()).unwrap();
        assert_eq!((plan.bounds.bytes_max, plan.lowered.len(), config), (None, 0, Config::default()));
        assert!(plan.bounds.socket_bytes > 1_000 && plan.bounds.socket_bytes < 20_000);
    }

    #[test]
    fn a_bound_that_is_set_is_held() {
        let config = Config { memory_max: MemoryMax::Bytes(1 << 30), ..Config::default() };
        let (plan, fitted) = Plan::make(config.clone()).unwrap();
        assert_eq!(plan.bounds.bytes_max, Some(1 << 30));
        assert!(plan.lowered.contains(&"logs_bytes_max") && fitted.logs_bytes_max < config.logs_bytes_max);
        let problem = Plan::make(Config { logs_bytes_max: 1 << 31, ..config }).err().unwrap();
        assert_eq!(problem.key, "logs_bytes_max");
    }
}
