//! How many connections there is memory for: the process's and the kernel's together (`memory_max`).
//!
//! The kernel is asked when newcomers come, at most ten times a second, and now and then while there are connections.
//! Its answer becomes one number: so many connections there may be.

use std::fmt::Display;

use crate::config::{Config, LogLevel};
use crate::metrics::{Gauges, RefuseReason};
use crate::narrow;
use crate::protocol::pool::CHUNK_BYTES;
use crate::protocol::response::Refusal;

use super::machine::{Machine, Seen};
use super::reactor::Reactor;
use super::slot::Slot;
use super::socket::Socket;

/// Between two looks at the least, however many come.
const PAUSE_MS: u64 = 100;
/// After so long a look is too old for a newcomer,
const OLD_MS: u64 = 1_000;
/// and for those who are there.
const IDLE_MS: u64 = 10_000;
/// Between two lines of the log about the same.
const TOLD_MS: u64 = 60_000;
/// Bytes in the buffers of a socket that is not full: a message or two on their way.
const BUFFERED_BYTES: u64 = 4_096;
/// With fewer connections their own memory can't be told from what comes and goes beside them.
const CONNECTIONS_TOLD_APART: u64 = 256;

/// The bounds that hold as long as the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryBounds {
    /// Bytes of the process and the kernel's sockets together; None: there is no bound.
    pub bytes_max: Option<u64>,
    /// The kernel's bytes for an idle connection, beside its buffers.
    pub socket_bytes: u64,
    /// Bytes of a full socket's send buffer at the most, the third number of `net.ipv4.tcp_wmem`.
    pub full_socket_bytes: u64,
    /// Bytes of buffers of all TCP sockets from which on the kernel saves; None: it does not say.
    pub tcp_pressure_bytes: Option<u64>,
}

/// The load at the moment of a look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Load {
    /// Connections of every kind.
    connections: u64,
    /// Those whose socket is full.
    blocked: u64,
    /// Bytes of logs and pools that are in use,
    held_bytes: u64,
    /// and that may be.
    held_bytes_max: u64,
    slot_bytes: u64,
}

/// The findings of a look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub kernel_bytes: u64,
    /// For each connection, the process's and the kernel's.
    pub user_each: u64,
    pub kernel_each: u64,
    /// Bytes that are left for more connections, when all that may be held is held.
    left_bytes: u64,
}

impl Found {
    /// Connections that there is memory for beyond those there are.
    fn connections_left(&self) -> u64 {
        self.left_bytes / (self.user_each + self.kernel_each).max(1)
    }
}

/// Judges what was seen.
fn judge(bounds: &MemoryBounds, seen: &Seen, load: &Load, empty_rss: u64) -> Found {
    let Load { connections, blocked, held_bytes, held_bytes_max, slot_bytes } = *load;
    // The kernel counts all of the machine's buffers as one. Ours are those that our part of the sockets has, and no
    // more than there can be: others' slow readers are not ours.
    let all = seen.tcp.sockets.max(connections).max(1);
    let buffers =
        u64::try_from(u128::from(seen.tcp.buffer_bytes) * u128::from(connections) / u128::from(all));
    let most = connections * BUFFERED_BYTES + blocked.saturating_mul(bounds.full_socket_bytes);
    let buffers = buffers.unwrap_or(u64::MAX).min(most);
    let kernel_bytes = connections * bounds.socket_bytes + buffers;
    let beyond = seen.rss_bytes.saturating_sub(empty_rss).saturating_sub(held_bytes);
    let user_each = match connections {
        CONNECTIONS_TOLD_APART.. => (beyond / connections).max(slot_bytes),
        _ => slot_bytes,
    };
    let kernel_each = bounds.socket_bytes + buffers / connections.max(1);
    let own = seen.rss_bytes.max(connections * slot_bytes + held_bytes) + kernel_bytes;
    let used = own.max(seen.cgroup_bytes.unwrap_or(0));
    let reserved = held_bytes_max.saturating_sub(held_bytes);
    let left_bytes = bounds.bytes_max.unwrap_or(u64::MAX).saturating_sub(used).saturating_sub(reserved);
    Found { kernel_bytes, user_each, kernel_each, left_bytes }
}

/// Asks the kernel.
#[derive(Debug)]
struct Watch {
    machine: Machine,
    bounds: MemoryBounds,
    /// The resident set before the first connection.
    empty_rss: u64,
    found: Found,
    seen_ms: u64,
    is_short: bool,
    told_full_ms: Option<u64>,
}

/// The number of connections that memory allows.
#[derive(Debug)]
pub(super) struct MemoryBudget {
    watch: Option<Box<Watch>>,
    /// Public connections that there may be.
    pub connections_max: usize,
    /// With so many it is looked again.
    look_at: usize,
    /// Nobody looks before this,
    pause_ms: u64,
    /// and with any newcomer after this.
    old_ms: u64,
}

impl Default for MemoryBudget {
    /// No bound, and nobody who looks.
    fn default() -> MemoryBudget {
        let (connections_max, look_at) = (usize::MAX, usize::MAX);
        MemoryBudget { watch: None, connections_max, look_at, pause_ms: 0, old_ms: u64::MAX }
    }
}

impl MemoryBudget {
    /// Whether it is to be looked again before somebody is let in.
    #[inline]
    pub(super) fn is_due(&self, public: usize, now_ms: u64) -> bool {
        (public >= self.look_at && now_ms >= self.pause_ms) || now_ms >= self.old_ms
    }

    /// Connections that there is memory for; None: there is no bound.
    pub(super) fn bound(&self) -> Option<usize> {
        let watch = self.watch.as_ref()?;
        watch.bounds.bytes_max.map(|_| self.connections_max)
    }
}

impl<S: Socket> Reactor<S> {
    /// Has memory looked at here, and held within these bounds.
    pub fn watch_memory(&mut self, machine: Machine, bounds: MemoryBounds) {
        let empty_rss = machine.rss();
        let is_bounded = bounds.bytes_max.is_some();
        let (found, is_short) = (Found::default(), false);
        let watch = Watch { machine, bounds, empty_rss, found, seen_ms: 0, is_short, told_full_ms: None };
        let budget = MemoryBudget { watch: Some(Box::new(watch)), ..MemoryBudget::default() };
        // The first newcomer has it looked at.
        self.memory = if is_bounded { MemoryBudget { old_ms: 0, ..budget } } else { budget };
    }

    /// Looks before a newcomer is let in, if the last look is old or much has come since.
    pub(super) fn look_for_newcomer(&mut self) {
        if self.memory.is_due(self.connections.public_of_all(), self.now.mono_ms()) {
            self.look_at_memory();
        }
        if self.connections.public_of_all() >= self.memory.connections_max && self.shared.is_first() {
            self.tell_of_fullness();
        }
    }

    /// Looks now and then for the sake of those who are there.
    pub(super) fn look_in_passing(&mut self) {
        let now_ms = self.now.mono_ms();
        let is_old = |watch: &Watch| watch.bounds.bytes_max.is_some() && now_ms >= watch.seen_ms + IDLE_MS;
        if self.memory.watch.as_deref().is_some_and(is_old) {
            self.look_at_memory();
        }
    }

    fn load(&self) -> Load {
        let config = &self.config;
        let reactors = self.shared.reactors();
        let chunks = self.pool.chunks_in_use() * CHUNK_BYTES;
        let held = (self.channels.log_bytes() + chunks + self.wire.backlog_bytes) * reactors;
        let most = [
            config.logs_bytes_max,
            config.assembly_bytes_max,
            config.backlog_bytes_max,
            config.inbox_bytes_max,
        ];
        Load {
            connections: (self.connections.public_of_all() + self.connections.census.admin) as u64,
            blocked: (self.connections.census.blocked * reactors) as u64,
            held_bytes: held as u64,
            held_bytes_max: most.into_iter().fold(0, usize::saturating_add) as u64,
            slot_bytes: size_of::<Slot<S>>() as u64,
        }
    }

    #[cold]
    fn look_at_memory(&mut self) {
        let (load, now_ms) = (self.load(), self.now.mono_ms());
        let (public, open) = (self.connections.public_of_all(), self.connections.open_of_all());
        let reactors = self.shared.reactors() as u64;
        let Some(watch) = &mut self.memory.watch else { return };
        let seen = watch.machine.look();
        watch.found = judge(&watch.bounds, &seen, &load, watch.empty_rss);
        watch.seen_ms = now_ms;
        let more = narrow::to_usize(watch.found.connections_left() / reactors);
        self.memory.connections_max = if more > 0 { public.saturating_add(more) } else { open };
        self.memory.look_at = public.saturating_add(more / 2);
        (self.memory.pause_ms, self.memory.old_ms) = (now_ms + PAUSE_MS, now_ms + OLD_MS);
        if self.shared.is_first() {
            self.tell_of_shortage(&seen);
            if more == 0 {
                self.tell_of_fullness();
            }
        }
    }

    /// Says that the kernel's memory for buffers runs short, before it does.
    fn tell_of_shortage(&mut self, seen: &Seen) {
        let Some(watch) = &mut self.memory.watch else { return };
        let Some(pressure) = watch.bounds.tcp_pressure_bytes else { return };
        let (bytes, was_short) = (seen.tcp.buffer_bytes, watch.is_short);
        // Not with each look near the bound.
        let part = if was_short { 2 } else { 3 };
        watch.is_short = bytes >= pressure / 4 * part;
        if watch.is_short && !was_short {
            let fix = "raise the second and third number of sysctl net.ipv4.tcp_mem, or lower tcp_wmem";
            let fields: [(&str, &dyn Display); 4] = [
                ("tcp_bytes", &bytes),
                ("saves_from", &pressure),
                ("sockets", &seen.tcp.sockets),
                ("fix", &fix),
            ];
            self.journal.event(self.now, LogLevel::Warn, "kernel_memory_short", &fields);
        }
    }

    /// Says that nobody more is let in.
    #[cold]
    fn tell_of_fullness(&mut self) {
        let (now_ms, connections) = (self.now.mono_ms(), self.memory.connections_max);
        let Some(watch) = &mut self.memory.watch else { return };
        let (Some(bytes_max), found) = (watch.bounds.bytes_max, watch.found) else { return };
        if watch.told_full_ms.is_some_and(|at_ms| now_ms < at_ms + TOLD_MS) {
            return;
        }
        watch.told_full_ms = Some(now_ms);
        let fix = "raise memory_max, or lower logs_bytes_max, assembly_bytes_max or backlog_bytes_max";
        let fields: [(&str, &dyn Display); 5] = [
            ("memory_max", &bytes_max),
            ("connections", &connections),
            ("kernel_bytes", &found.kernel_bytes),
            ("bytes_each", &(found.user_each + found.kernel_each)),
            ("fix", &fix),
        ];
        self.journal.event(self.now, LogLevel::Warn, "memory_full", &fields);
    }

    /// Whether it is memory that bounds the number of connections.
    fn is_bound_by_memory(&self) -> bool {
        self.memory.connections_max < self.config.max_connections.min(self.connections.descriptors)
    }

    /// The refusal of one more than there may be.
    pub(super) fn full(&self) -> (Refusal, RefuseReason) {
        let max = self.connections_max();
        let (text, reason) = match self.is_bound_by_memory() {
            true => (
                format!("the server is full: there is memory for {max} connections (memory_max)"),
                RefuseReason::Memory,
            ),
            false => (format!("the server is full: {max} connections (max_connections)"), RefuseReason::Full),
        };
        (Refusal::new(503, text), reason)
    }

    /// Settings that are read again, within the bound that holds until the next start.
    pub(super) fn fitted(&self, config: Config) -> Config {
        let bytes_max = self.memory.watch.as_ref().and_then(|watch| watch.bounds.bytes_max);
        match bytes_max {
            Some(bytes_max) => config.fitted(bytes_max, 0).config,
            None => config,
        }
    }

    /// Fills in the numbers about memory, as they are now.
    pub(super) fn memory_gauges(&self, gauges: &mut Gauges) {
        let Some(watch) = &self.memory.watch else { return };
        let seen = watch.machine.look();
        let found = judge(&watch.bounds, &seen, &self.load(), watch.empty_rss);
        gauges.rss_bytes = seen.rss_bytes;
        gauges.memory_bytes_max = watch.bounds.bytes_max.unwrap_or(0);
        gauges.kernel_bytes = found.kernel_bytes;
        gauges.user_bytes_per_connection = found.user_each;
        gauges.kernel_bytes_per_connection = found.kernel_each;
        gauges.connections_by_memory = self.memory.bound().map_or(0, |bound| bound as u64);
        gauges.tcp_bytes = seen.tcp.buffer_bytes;
        gauges.tcp_bytes_pressure = watch.bounds.tcp_pressure_bytes.unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::machine::TcpMemory;
    use super::*;

    const BOUNDS: MemoryBounds = MemoryBounds {
        bytes_max: Some(16 << 20),
        socket_bytes: 4_000,
        full_socket_bytes: 1 << 20,
        tcp_pressure_bytes: None,
    };

    fn load(connections: u64) -> Load {
        Load { connections, blocked: 2, held_bytes: 1 << 20, held_bytes_max: 4 << 20, slot_bytes: 48 }
    }

    #[test]
    fn what_may_be_held_is_kept_free() {
        let seen = Seen { rss_bytes: 3 << 20, ..Seen::default() };
        let found = judge(&BOUNDS, &seen, &load(0), 2 << 20);
        assert_eq!((found.kernel_bytes, found.user_each, found.kernel_each), (0, 48, 4_000));
        assert_eq!((found.left_bytes, found.connections_left()), (10 << 20, (10 << 20) / 4_048));
    }

    #[test]
    fn buffers_are_ours_by_our_part_of_the_sockets() {
        let tcp = TcpMemory { sockets: 4_000, buffer_bytes: 8 << 20 };
        let seen = Seen { rss_bytes: (3 << 20) + 100_000, tcp, cgroup_bytes: None };
        let found = judge(&BOUNDS, &seen, &load(1_000), 2 << 20);
        assert_eq!((found.kernel_bytes, found.user_each), (4_000_000 + (2 << 20), 100));
        assert_eq!(found.kernel_each, 4_000 + (2 << 20) / 1_000);
        let free = (16 << 20) - (3 << 20) - 100_000 - found.kernel_bytes - (3 << 20);
        assert_eq!(found.left_bytes, free);
        // Sockets that are not counted, as where there is no /proc, don't make it less.
        let tcp = TcpMemory { sockets: 0, buffer_bytes: 8 << 20 };
        let found = judge(&BOUNDS, &Seen { tcp, ..seen }, &load(1_000), 2 << 20);
        assert_eq!(found.kernel_bytes, 4_000_000 + 4_096_000 + (2 << 20), "as much as there can be");
    }

    #[test]
    fn a_control_group_counts_what_it_counts() {
        let seen = Seen { rss_bytes: 2 << 20, cgroup_bytes: Some(12 << 20), ..Seen::default() };
        assert_eq!(judge(&BOUNDS, &seen, &load(10), 1 << 20).left_bytes, 1 << 20);
        let seen = Seen { cgroup_bytes: Some(14 << 20), ..seen };
        assert_eq!(judge(&BOUNDS, &seen, &load(10), 1 << 20).connections_left(), 0);
    }

    #[test]
    fn without_a_bound_nobody_looks() {
        let budget = MemoryBudget::default();
        assert!(!budget.is_due(usize::MAX - 1, u64::MAX - 1));
        assert_eq!((budget.connections_max, budget.bound()), (usize::MAX, None));
    }

    #[test]
    fn it_is_looked_when_much_has_come_or_the_last_look_is_old() {
        let budget =
            MemoryBudget { connections_max: 100, look_at: 50, pause_ms: 1_100, old_ms: 2_000, watch: None };
        for (public, now_ms, is_due) in
            [(49, 1_500, false), (50, 1_050, false), (50, 1_100, true), (0, 1_999, false), (0, 2_000, true)]
        {
            assert_eq!(budget.is_due(public, now_ms), is_due, "{public} at {now_ms}");
        }
    }
}
