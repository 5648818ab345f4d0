//! The numbers as `/metrics` shows them: of one reactor, or of all together.

use crate::endpoint::{Control, Kind, Stats};
use crate::metrics::{Exposition, Format, Gauges, Metrics};
use crate::protocol::pool::CHUNK_BYTES;

use super::reactor::Reactor;
use super::socket::Socket;
use super::{process, sys};

impl<S: Socket> Reactor<S> {
    /// The numbers of this reactor that rise and fall, but for those that only the system knows.
    pub(super) fn gauges(&self, stats: &Stats) -> Gauges {
        let reactors = self.shared.reactors();
        let mut gauges = Gauges {
            connections_handshaking: stats.handshaking,
            connections_closing: stats.closing,
            connections_admin: stats.admin_connections,
            connections_blocked: stats.blocked,
            connections_kernel_tls: self.connections.census.kernel_tls as u64,
            connections_deflating: stats.deflating,
            pool_chunks_used: self.pool.chunks_in_use() as u64,
            pool_chunks_backed: self.pool.chunks_backed() as u64,
            pool_chunks_max: (self.config.assembly_bytes_max / reactors / CHUNK_BYTES) as u64,
            backlog_bytes: stats.memory.backlog_bytes,
            inbox_commands: stats.inbox_commands,
            users: self.connections.users.len() as u64,
            log_bytes: stats.memory.log_bytes,
            ..Gauges::default()
        };
        for (kind, label) in Kind::OPEN.into_iter().filter_map(|kind| Some((kind, kind.label()?))) {
            gauges.connections.set(label, self.connections.census.open_by_kind[kind.index()] as u64);
        }
        gauges.connections_by_transport = stats.transports.clone();
        gauges
    }
}

/// The state as Prometheus scrapes it.
pub(super) fn prometheus<S: Socket>(reactor: &Reactor<S>, format: Format) -> Vec<u8> {
    let (own, stats) = (reactor.light_stats(), reactor.stats());
    let mut gauges = reactor.gauges(&own);
    let shown = if reactor.shared.has_others() { reactor.shared.gauges() } else { Vec::new() };
    let elsewhere = shown.iter().enumerate().filter(|&(seat, _)| seat != reactor.shared.seat());
    elsewhere.for_each(|(_, other)| gauges.add(other));
    // They share these.
    gauges.auth_webhook_waiting = reactor.backend.as_ref().map_or(0, |backend| backend.questions() as u64);
    gauges.inbox_commands = stats.inbox_commands;
    gauges.backlog_bytes_max = reactor.config.backlog_bytes_max as u64;
    gauges.webhook_events_waiting = reactor.backend.as_ref().map_or(0, |backend| backend.untold() as u64);
    gauges.channels = stats.channels;
    gauges.channels_paced = reactor.channels.paced() as u64;
    gauges.revoked_users = reactor.revoked.len() as u64;
    gauges.log_bytes_max = stats.limits.logs_bytes_max;
    gauges.rss_bytes = sys::rss_bytes();
    reactor.memory_gauges(&mut gauges);
    gauges.uptime_seconds = stats.uptime_ms / 1000;
    let mut exposition = Exposition::new(format);
    stats.counters.expose(&gauges, &mut exposition);
    let now_s = reactor.now.unix_us / 1_000_000;
    process::look(now_s.saturating_sub(gauges.uptime_seconds)).write(&mut exposition);
    if let Some(engine) = reactor.shared.engine() {
        Metrics::write_cluster(&engine.gauges(), &mut exposition);
    }
    if reactor.shared.has_others() {
        let mut counters = vec![(own.connections, own.counters)];
        reactor.shared.stats_of_others(|other| counters.push((other.connections, other.counters.clone())));
        let counters: Vec<(u64, &Metrics)> = counters.iter().map(|(n, metrics)| (*n, metrics)).collect();
        Metrics::write_reactors(&counters, &mut exposition);
    }
    exposition.finish()
}
