//! Limits that fit the memory there is. Nobody has set most of them, and their defaults are for large machines; what
//! somebody has set stays as it is, and is refused where it can't be.

use std::fmt::Write as _;

use super::{Config, ConfigError};
use crate::limits::{
    CONNECTION_BYTES, CONNECTION_BYTES_MIN, FRAME_HEADER_BYTES_MAX, LOG_BYTES, LOG_FORMS, LOG_INDEX_BYTES,
    LOG_PUBLICATIONS, log_memory_bytes,
};
use crate::narrow::to_usize;

/// Of the memory an eighth is for logs, and of the pools each gets a thirty-second part: what is left is for
/// connections, most of it for the kernel's part of them.
const LOGS_PART: u64 = 8;
const POOL_PART: u64 = 32;

/// Bytes of memory for each channel that there may be.
const CHANNEL_PART_BYTES: u64 = 16 << 10;

/// Bytes of the inbox for each command that may wait there.
const COMMAND_PART_BYTES: usize = 256;

/// A part of the memory: for whom, and how much.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Demand {
    /// A setting's name, or `process` for what is there before all of them.
    name: &'static str,
    /// So much at the most.
    bytes: u64,
}

/// A configuration that was made to fit.
#[derive(Clone, Debug)]
pub(crate) struct Fitting {
    /// Every limit that nobody has set is low enough.
    pub config: Config,
    /// Names of those that were lowered.
    pub lowered: Vec<&'static str>,
    /// The setting that is too large, if all together are.
    pub too_large: Option<ConfigError>,
}

/// Lowers what has its default value.
fn lower(now: &mut usize, default: usize, most: u64) {
    if *now == default {
        *now = default.min(to_usize(most));
    }
}

impl Config {
    /// This configuration within so many bytes, of which the process has some already.
    pub(crate) fn fitted(&self, bytes: u64, process_bytes: u64) -> Fitting {
        let (default, mut config) = (Config::default(), self.clone());
        let reactors = self.reactors.count() as u64;
        config.fit_logs(&default, bytes / LOGS_PART / reactors, reactors);
        let pool = bytes / POOL_PART;
        let assembly = config.message_bytes_max.saturating_add(config.handshake_bytes_max) as u64;
        lower(&mut config.assembly_bytes_max, default.assembly_bytes_max, pool.max(assembly * reactors));
        lower(&mut config.backlog_bytes_max, default.backlog_bytes_max, pool);
        lower(&mut config.outbox_bytes_max, default.outbox_bytes_max, pool / 4);
        lower(&mut config.inbox_bytes_max, default.inbox_bytes_max, pool);
        let commands = (config.inbox_bytes_max / COMMAND_PART_BYTES) as u64;
        lower(&mut config.inbox_commands_max, default.inbox_commands_max, commands.max(1));
        lower(&mut config.channels_max, default.channels_max, (bytes / CHANNEL_PART_BYTES).max(1));
        let slots = (bytes / CONNECTION_BYTES_MIN).max(1);
        lower(&mut config.max_connections, default.max_connections, slots);
        let lowered = self.names_of_changes(&config);
        let demands = config
            .demands(process_bytes, config.max_connections != default.max_connections.min(to_usize(slots)));
        let needed = demands.iter().map(|demand| demand.bytes).sum::<u64>();
        let too_large = (needed > bytes).then(|| self.too_large(&demands, needed, bytes, &lowered));
        Fitting { config, lowered, too_large }
    }

    /// The logs, and what has to fit one.
    fn fit_logs(&mut self, default: &Config, share: u64, reactors: u64) {
        let before = self.log_bytes;
        let publications = share / 4 / LOG_INDEX_BYTES as u64;
        lower(&mut self.log_publications, default.log_publications, publications.max(LOG_PUBLICATIONS.min));
        let index = (self.log_publications * LOG_INDEX_BYTES) as u64;
        let ring = share.saturating_sub(index) / LOG_FORMS as u64;
        // The largest power of two within it, as rings grow.
        let ring = ring.checked_ilog2().map_or(0, |bits| 1 << bits);
        lower(&mut self.log_bytes, default.log_bytes, ring.max(LOG_BYTES.min));
        let one_log = log_memory_bytes(self.log_bytes, self.log_publications) as u64;
        lower(&mut self.logs_bytes_max, default.logs_bytes_max, share.max(one_log).saturating_mul(reactors));
        if self.log_bytes < before {
            let half = (self.log_bytes / 2) as u64;
            lower(&mut self.admin_body_bytes_max, default.admin_body_bytes_max, half);
            let fits = self.message_bytes_max.saturating_add(FRAME_HEADER_BYTES_MAX) <= self.log_bytes;
            if self.demo && !fits {
                lower(&mut self.message_bytes_max, default.message_bytes_max, half);
            }
        }
    }

    fn names_of_changes(&self, other: &Config) -> Vec<&'static str> {
        let (now, later) = self.reloadable_changes(other);
        [now, later].concat()
    }

    /// The parts of the memory, the largest first. Connections count where somebody has said how many.
    fn demands(&self, process_bytes: u64, counts_connections: bool) -> Vec<Demand> {
        let connections = if counts_connections { self.max_connections as u64 } else { 1 };
        let mut demands = vec![
            Demand { name: "process", bytes: process_bytes },
            Demand { name: "max_connections", bytes: connections * CONNECTION_BYTES },
            Demand { name: "logs_bytes_max", bytes: self.logs_bytes_max as u64 },
            Demand { name: "assembly_bytes_max", bytes: self.assembly_bytes_max as u64 },
            Demand { name: "backlog_bytes_max", bytes: self.backlog_bytes_max as u64 },
            Demand { name: "inbox_bytes_max", bytes: self.inbox_bytes_max as u64 },
        ];
        demands.sort_by_key(|demand| std::cmp::Reverse(demand.bytes));
        demands
    }

    /// The error about the largest part that somebody has asked for, or else about the whole.
    fn too_large(&self, demands: &[Demand], needed: u64, bytes: u64, lowered: &[&str]) -> ConfigError {
        let mut list = String::new();
        for Demand { name, bytes } in demands {
            let _ = write!(list, "{}{name} {bytes}", if list.is_empty() { "" } else { ", " });
        }
        let default = Config::default();
        let is_asked_for = |name: &str| {
            let setting = super::SETTINGS.iter().find(|setting| setting.name == name);
            setting.is_some_and(|setting| setting.get(self) != setting.get(&default))
                && !lowered.contains(&name)
        };
        let largest = demands.iter().find(|demand| is_asked_for(demand.name));
        let name = largest.map_or("memory_max", |demand| demand.name);
        let why = format!(
            "{needed} bytes are needed at the most ({list}), and memory_max leaves {bytes}; lower the largest of \
             them, or raise memory_max"
        );
        self.invalid(name, &why)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Reactors;
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_defaults_are_made_to_fit_and_go_with_each_other() {
        for bytes in [4 * MIB, 8 * MIB, 14 * MIB, 64 * MIB, 200 * MIB, 1 << 30, 3 << 30] {
            for (reactors, demo) in [(1, false), (1, true), (2, false)] {
                let reactors = Reactors::new(reactors).unwrap();
                let config = Config { reactors, demo, ..Config::default() };
                let fitting = config.fitted(bytes, MIB);
                assert_eq!(fitting.config.validate(), Ok(()), "{bytes}");
                assert_eq!(fitting.too_large, None, "{bytes}");
                let demands = fitting.config.demands(MIB, false);
                assert!(
                    demands.iter().map(|demand| demand.bytes).sum::<u64>() <= bytes,
                    "{bytes}: {demands:?}"
                );
                assert!(fitting.lowered.contains(&"logs_bytes_max"));
                // It stays as it is when it is fitted again.
                assert_eq!(fitting.config.fitted(bytes, MIB).config, fitting.config);
            }
        }
    }

    #[test]
    fn a_large_machine_has_the_defaults() {
        let fitting = Config::default().fitted(16 << 30, 4 * MIB);
        assert_eq!((fitting.config, fitting.lowered), (Config::default(), vec![]));
    }

    #[test]
    fn a_setting_stays_and_is_named_where_it_is_too_large() {
        let config = Config { max_connections: 2_000, ..Config::default() };
        let fitting = config.fitted(14 * MIB, MIB);
        assert_eq!((fitting.config.max_connections, fitting.too_large), (2_000, None));
        let problem = config.fitted(7 * MIB, MIB).too_large.unwrap();
        assert_eq!(problem.key, "max_connections");
        let text = problem.to_string();
        assert!(text.starts_with("max_connections = 2000: ") && text.contains("leaves 7340032"), "{text}");
        assert!(text.contains("(max_connections 8"), "the largest comes first: {text}");
        let config = Config { log_bytes: 4 << 20, logs_bytes_max: 512 << 20, ..Config::default() };
        let fitting = config.fitted(64 * MIB, MIB);
        assert_eq!(fitting.too_large.unwrap().key, "logs_bytes_max");
        let problem = Config::default().fitted(4 * MIB, 5 * MIB).too_large.unwrap();
        assert_eq!(problem.key, "memory_max");
        assert!(problem.to_string().contains("(process 5242880, "), "{problem}");
    }
}
