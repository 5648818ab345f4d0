//! The server's numbers, and how far a publication has come.

use wspush::metrics::ConnectionTransport;

use super::error::CallError;
use super::pointer::Versioned;
use super::server::wspush_server;
use super::status::*;

/// A server's numbers as of its last turn. Zero it and set `struct_size` to `sizeof(wspush_stats)` before the call;
/// what an older library doesn't know stays zero.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wspush_stats {
    /// `sizeof(wspush_stats)`.
    pub struct_size: usize,
    /// Milliseconds since the start.
    pub uptime_ms: u64,
    /// Open connections, whatever their transport.
    pub connections: u64,
    /// Connections that have not finished their handshake, or speak plain HTTP.
    pub handshaking: u64,
    /// Connections that are closing.
    pub closing: u64,
    /// Connections on the admin listener.
    pub admin_connections: u64,
    /// Connections whose socket takes nothing more for now.
    pub blocked: u64,
    /// Channels alive.
    pub channels: u64,
    /// Commands from other threads that wait for room in a log.
    pub inbox_commands: u64,
    /// 1 while the server drains, else 0.
    pub draining: u64,
    /// Connections that may be open: `max_connections`, or what the descriptor limit leaves.
    pub connections_max: u64,
    /// Since the start: connections accepted.
    pub accepted: u64,
    /// Since the start: WebSockets opened.
    pub handshakes_ok: u64,
    /// Since the start: publications.
    pub publications: u64,
    /// Since the start: publications written to subscribers, one for each.
    pub deliveries: u64,
    /// Since the start: messages from clients.
    pub messages_in: u64,
    /// Since the start: bytes written to sockets.
    pub send_bytes: u64,
    /// Since the start: bytes read from sockets.
    pub recv_bytes: u64,
    /// Since the start: times that a slow consumer was moved on to the newest publication.
    pub slow_skipped: u64,
    /// Open connections by WebSocket.
    pub connections_ws: u64,
    /// Open connections by Server-Sent Events.
    pub connections_sse: u64,
    /// Open connections on lines (`/stream`).
    pub connections_stream: u64,
    /// Polls that wait.
    pub connections_poll: u64,
}

// SAFETY: repr(C), `struct_size` is first, and the rest are integers.
unsafe impl Versioned for wspush_stats {
    const SIZE_MIN: usize = size_of::<usize>() + 18 * 8;
}

/// How far a publication has come, as of the server's last turn:
/// `recipients = written + lagging + skipped + gone`. With several reactors one that has still to take the publication
/// in counts as a recipient that lags. Set `struct_size` to `sizeof(wspush_delivery)` before the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wspush_delivery {
    /// `sizeof(wspush_delivery)`.
    pub struct_size: usize,
    /// The publication's offset in its channel.
    pub offset: u64,
    /// Subscribers at the time of the publication, and those who have come back for it since.
    pub recipients: u64,
    /// Subscribers for whom all its bytes have been handed to the kernel.
    pub written: u64,
    /// Subscribers that still have to get it.
    pub lagging: u64,
    /// Slow consumers that were moved past it.
    pub skipped: u64,
    /// Subscribers that left, or were closed, before they had it.
    pub gone: u64,
    /// Microseconds from the publication until the first subscriber had it; -1: none has.
    pub first_us: i64,
    /// Microseconds until half of the recipients had it, or with several reactors up to an eighth more; -1: they have
    /// not.
    pub median_us: i64,
    /// Microseconds until nobody lagged any more; -1: somebody does.
    pub last_us: i64,
    /// Those of the recipients who have come back for it, or came later and asked for what was there.
    pub recovered: u64,
}

// SAFETY: repr(C), `struct_size` is first, and the rest are integers.
unsafe impl Versioned for wspush_delivery {
    const SIZE_MIN: usize = size_of::<usize>() + 9 * 8;
}

/// The server's numbers as of its last turn. Any thread; also after the server has stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_server_stats(
    server: *const wspush_server,
    stats: *mut wspush_stats,
) -> wspush_status {
    call!(server: server, stats: sized_place => {
        let now = server.handle.stats();
        stats.put(wspush_stats {
            struct_size: 0,
            uptime_ms: now.uptime_ms,
            connections: now.connections,
            handshaking: now.handshaking,
            closing: now.closing,
            admin_connections: now.admin_connections,
            blocked: now.blocked,
            channels: now.channels,
            inbox_commands: now.inbox_commands,
            draining: u64::from(now.draining),
            connections_max: now.limits.connections_max(),
            accepted: now.counters.accepted,
            handshakes_ok: now.counters.handshakes_ok,
            publications: now.counters.publications,
            deliveries: now.counters.deliveries,
            messages_in: now.counters.messages_in,
            send_bytes: now.counters.send_bytes,
            recv_bytes: now.counters.recv_bytes,
            slow_skipped: now.counters.slow_skipped,
            connections_ws: now.transports.get(ConnectionTransport::WebSocket),
            connections_sse: now.transports.get(ConnectionTransport::Sse),
            connections_stream: now.transports.get(ConnectionTransport::Stream),
            connections_poll: now.transports.get(ConnectionTransport::Poll),
        });
        Ok(WSPUSH_OK)
    })
}

/// How far the publication with this receipt's `id` has come. `WSPUSH_ENOTFOUND`: the server's thread has not seen it
/// yet, or it is not among the newest 4,096. Any thread; also after the server has stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_server_delivery(
    server: *const wspush_server,
    receipt_id: u64,
    delivery: *mut wspush_delivery,
) -> wspush_status {
    call!(server: server, delivery: sized_place => {
        let none = || CallError::new(WSPUSH_ENOTFOUND, format!("no delivery is known for receipt {receipt_id}"));
        let now = server.handle.delivery_of(receipt_id).ok_or_else(none)?;
        let or_not_yet = |time_us: Option<u64>| time_us.map_or(-1, |us| us.min(i64::MAX as u64) as i64);
        delivery.put(wspush_delivery {
            struct_size: 0,
            offset: now.offset,
            recipients: now.recipients.into(),
            written: now.written.into(),
            lagging: now.lagging.into(),
            skipped: now.skipped.into(),
            gone: now.gone.into(),
            first_us: or_not_yet(now.first_us),
            median_us: or_not_yet(now.median_us),
            last_us: or_not_yet(now.last_us),
            recovered: now.recovered.into(),
        });
        Ok(WSPUSH_OK)
    })
}
