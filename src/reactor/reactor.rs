//! The reactor's state, and what one turn of it does.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use slab::Slab;

use crate::config::Config;
#[cfg(doc)]
use crate::endpoint::Kind;
use crate::endpoint::handler::Step;
use crate::endpoint::{Handler, refusals};
use crate::journal::Journal;
use crate::metrics::{Metrics, RefuseReason, WorkKind};
use crate::protocol::pool::Pool;
use crate::protocol::response::Refusal;
use crate::protocol::{Deflater, Inflater};
use crate::push::{Channels, Encoder, LogLimits};
use crate::time::Time;

use super::addresses::Addresses;
use super::rates::RateWindow;
use super::refusal;
use super::rest::Saving;
use super::shared::{Command, Shared};
use super::shares::Shares;
use super::slot::{Phase, Slot};
use super::socket::Socket;
use super::stamp::Stamp;
use super::strangers::Strangers;
use super::timers::Timers;
use super::tls::Tls;
use super::work::{RECEIPT, Work};

/// Bytes read from a socket at once. One buffer serves all connections.
pub(super) const READ_BYTES: usize = 64 << 10;

/// Chunks of the assembly pool that only the admin listener may take: strangers with half a message each
/// must not lock the operator out. Half of them are for those whom the admin listener knows.
pub(super) const POOL_RESERVE: usize = 64;

/// Slots beyond `max_connections`, for connections that are only there to be told that the server is full.
pub const REFUSALS_MAX: usize = 32;

/// Which listener a connection came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerRole {
    /// A public one.
    Public,
    /// The admin listener.
    Admin,
}

/// What a turn leaves to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// There is more to do at once: don't sleep.
    pub busy: bool,
    /// When the next turn is due at the latest, in milliseconds of the reactor's clock.
    pub due_ms: Option<u64>,
    /// The server has drained: there will be nothing more.
    pub finished: bool,
}

/// Numbers of connections by what they do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    pub public: usize,
    pub admin: usize,
    /// Open WebSockets, by [`Kind`].
    pub open_by_kind: [usize; 3],
    pub closing: usize,
    /// Connections whose TLS is the kernel's.
    pub kernel_tls: usize,
    /// Open WebSockets with permessage-deflate.
    pub deflating: usize,
    pub blocked: usize,
}

impl Census {
    /// Open WebSockets.
    pub(super) fn open(&self) -> usize {
        self.open_by_kind.iter().sum()
    }
}

/// A server without its sockets' origin: see the room's introduction.
pub struct Reactor<S: Socket> {
    pub(super) config: Config,
    pub(super) slots: Slab<Slot<S>>,
    /// Slots that were ever in use: where a walk over all of them ends.
    pub(super) slots_used: usize,
    pub(super) next_serial: u32,
    pub(super) channels: Channels,
    pub(super) pool: Pool,
    pub(super) shares: Shares,
    pub(super) shared: Arc<Shared>,
    pub(super) handler: Box<dyn Handler>,
    pub(super) journal: Journal,
    pub(super) metrics: Metrics,
    pub(super) timers: Timers,
    pub(super) addresses: Addresses,
    /// The same for the admin listener: a proxy's address must not use up its operator's share.
    pub(super) admin_addresses: Addresses,
    pub(super) strangers: Strangers,
    pub(super) rates: RateWindow,
    pub(super) census: Census,
    /// The sum of all slots' [`Slot::backlog_bytes`].
    pub(super) backlog_bytes: usize,
    pub(super) tls: Tls,
    pub(super) now: Time,
    pub(super) started: Time,
    /// Where the admin API is reached, for the demo's page.
    pub(super) admin_url: Option<String>,
    /// Connections that the descriptor limit leaves room for.
    pub(super) descriptors: usize,
    /// All reads go here.
    pub(super) buffer: Vec<u8>,
    /// A message that had to be put together.
    pub(super) scratch: Vec<u8>,
    /// What compresses, and what undoes it; one for all connections.
    pub(super) encoder: Encoder,
    pub(super) inflater: Inflater,
    /// What the connection at hand is being answered.
    pub(super) replies: Vec<u8>,
    pub(super) actions: Vec<Step>,
    pub(super) work: Work,
    pub(super) listings: VecDeque<super::listing::Listing>,
    /// Connections whose fate a flush slice has left open.
    pub(super) failures: Vec<super::flush::WalkFailure>,
    /// Commands taken from the inbox that wait for room in a log.
    pub(super) pending: VecDeque<Command>,
    /// How many commands from the inbox are carried out: the number of the last one.
    pub(super) carried: u64,
    /// So many of them at the least have been offered to everybody whom they concern.
    pub(super) flushed: u64,
    /// What callbacks have asked for behind a command that waits, with its number.
    pub(super) steps: VecDeque<(u64, Command)>,
    pub(super) saving: Saving,
    /// The inbox's other buffer.
    pub(super) spare: Vec<Command>,
    pub(super) draining: Option<super::drain::Drain>,
    pub(super) handover: Option<super::drain::Handover>,
    pub(super) guests: u64,
    pub(super) removed: u64,
}

/// What makes the forms, as the configuration wants it.
pub(super) fn encoder(config: &Config) -> Encoder {
    Encoder::new(Deflater::new(config.deflate_level, config.deflate_bytes_min), config.deflate)
}

impl<S: Socket> Reactor<S> {
    /// A reactor without connections. `descriptors` is how many the process may have open for them.
    pub fn new(
        config: Config,
        shared: Arc<Shared>,
        handler: Box<dyn Handler>,
        journal: Journal,
        descriptors: usize,
        now: Time,
    ) -> Reactor<S> {
        let slots = config.max_connections + config.admin_connections_max + REFUSALS_MAX;
        let limits = LogLimits {
            bytes: config.log_bytes,
            publications: config.log_publications,
            sum_bytes: config.logs_bytes_max,
        };
        let default_epoch = shared.default_epoch();
        let mut reactor = Reactor {
            // Reserved at once and never moved; a page costs nothing before its first connection.
            slots: Slab::with_capacity(slots),
            slots_used: 0,
            next_serial: 1,
            channels: Channels::new(limits, default_epoch),
            pool: Pool::new(config.assembly_bytes_max),
            shares: Shares::default(),
            shared,
            handler,
            journal,
            metrics: Metrics::default(),
            timers: Timers::new(now.mono_ms()),
            addresses: Addresses::new(config.connections_per_address_max),
            admin_addresses: Addresses::new(config.connections_per_address_max),
            strangers: Strangers::default(),
            rates: RateWindow::new(now.mono_ms()),
            census: Census::default(),
            backlog_bytes: 0,
            tls: Tls::new(config.backlog_bytes_max),
            now,
            started: now,
            admin_url: None,
            descriptors,
            buffer: vec![0; READ_BYTES],
            scratch: Vec::new(),
            encoder: encoder(&config),
            inflater: Inflater::default(),
            replies: Vec::new(),
            actions: Vec::new(),
            work: Work::default(),
            listings: VecDeque::new(),
            failures: Vec::new(),
            pending: VecDeque::new(),
            carried: 0,
            flushed: 0,
            steps: VecDeque::new(),
            saving: Saving::default(),
            spare: Vec::new(),
            draining: None,
            handover: None,
            guests: 0,
            removed: 0,
            config,
        };
        reactor.tell_channels_the_policy();
        reactor
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The operator's log.
    pub fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// The counters.
    pub fn metrics(&mut self) -> &mut Metrics {
        &mut self.metrics
    }

    /// The counters, to be looked at.
    pub fn counters(&self) -> &Metrics {
        &self.metrics
    }

    /// Tells the time for everything until it is told again.
    pub fn set_now(&mut self, now: Time) {
        self.now = now;
    }

    /// The time it was told last.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Drops a connection for which the poll has no room.
    pub fn discard(&mut self, index: usize) {
        self.remove(index, crate::metrics::CloseReason::Internal);
    }

    /// Connections of every state.
    pub fn connections(&self) -> usize {
        self.slots.len()
    }

    /// How many connections were ever removed: descriptors that have come back.
    pub fn removed(&self) -> u64 {
        self.removed
    }

    /// A connection's socket.
    pub fn socket(&self, index: usize) -> Option<&S> {
        self.slots.get(index).map(|slot| &slot.socket)
    }

    /// Takes in a socket that was just accepted; returns its slot, the token of its events.
    ///
    /// None: there is no slot for it, or its address has too many already; it is told so and closed.
    pub fn admit(&mut self, socket: S, role: ListenerRole, peer: Option<SocketAddr>) -> Option<usize> {
        self.admit_by(socket, role, peer, false)
    }

    pub(super) fn admit_by(
        &mut self,
        socket: S,
        role: ListenerRole,
        peer: Option<SocketAddr>,
        tls: bool,
    ) -> Option<usize> {
        self.metrics.accepted += 1;
        let index = match self.find_place(role, peer) {
            Ok(index) => index,
            Err(reason) => {
                self.turn_away(socket, role, reason, peer, tls);
                return None;
            }
        };
        let serial = self.next_serial;
        // 0 is no serial, so that 0 is no connection's id.
        self.next_serial = self.next_serial.checked_add(1).unwrap_or(1);
        let phase = if role == ListenerRole::Admin { Phase::Admin } else { Phase::Http };
        self.slots.insert(Slot::new(socket, serial, phase, self.stamp()));
        self.slots_used = self.slots_used.max(index + 1);
        match role {
            ListenerRole::Public => self.census.public += 1,
            ListenerRole::Admin => {
                self.census.admin += 1;
                self.note_arrival(index, serial, peer);
            }
        }
        self.timers.handshakes.push(index, serial, self.now.mono_ms());
        Some(index)
    }

    /// Answers a connection that gets no slot. What it has sent is read first: closing a socket with unread bytes
    /// would be a reset, and the answer might be lost to it.
    fn turn_away(
        &mut self,
        mut socket: S,
        role: ListenerRole,
        reason: RefuseReason,
        peer: Option<SocketAddr>,
        tls: bool,
    ) {
        let text = match reason {
            RefuseReason::PerAddress => {
                "too many connections from this address (connections_per_address_max)"
            }
            _ if self.draining.is_some() => "the server is going away",
            _ if role == ListenerRole::Admin => "the admin listener is full (admin_connections_max)",
            _ => "the server is full",
        };
        self.refused(reason, text, peer);
        self.metrics.recvs += 1;
        let Ok(n @ 1..) = socket.recv(&mut self.buffer) else { return };
        if tls {
            self.turn_away_tls(&mut socket);
            return;
        }
        let refusal = Refusal::fixed(503, text);
        let told = match role {
            ListenerRole::Public => refusals::unread(&self.buffer[..n], &refusal, &self.config),
            ListenerRole::Admin => None,
        };
        let answer = told.unwrap_or_else(|| {
            let mut answer = Vec::new();
            refusal::response(role, &refusal).write(&mut answer, false, false);
            answer
        });
        self.metrics.sends += 1;
        // Whoever has gone already misses nothing.
        let _ = socket.send(&answer, &[]);
        let _ = socket.finish();
    }

    /// The counts by address at a listener.
    pub(super) fn addresses_of(&mut self, role: ListenerRole) -> &mut Addresses {
        match role {
            ListenerRole::Public => &mut self.addresses,
            ListenerRole::Admin => &mut self.admin_addresses,
        }
    }

    /// Connections that may be open: the configured bound, or what the descriptor limit leaves.
    pub(super) fn connections_max(&self) -> usize {
        self.config.max_connections.min(self.descriptors)
    }

    /// Does what is due: connections that wait, commands, a slice of the flush, timers.
    pub fn turn(&mut self, now: Time) -> Turn {
        self.set_now(now);
        self.saving.left = self.config.flush_slice;
        self.work.begin_part();
        self.serve_queue();
        self.work.begin_part();
        self.work.begin_commands();
        self.carry_out_commands();
        self.flush_slice();
        if self.channels.is_dirty() {
            self.work.cut(WorkKind::Flush);
        } else {
            self.flushed = self.carried;
        }
        let finished = self.due();
        self.work.begin_part();
        self.go_on_listing();
        if finished {
            self.journal.finish(now);
        }
        self.metrics.log_lines_lost = self.journal.lost();
        self.metrics.channels_refused = self.shared.channels_refused();
        // Events come next.
        self.work.begin_part();
        let busy = !self.work.is_queue_empty() || self.channels.is_dirty() || !self.pending.is_empty();
        let is_due = self.timers.sweep_due > 0 || !self.timers.retrying.is_empty();
        Turn {
            busy: busy || is_due || !self.listings.is_empty() || self.is_closing_all(),
            due_ms: self.next_due_ms(),
            finished,
        }
    }

    /// The window for what is sent to this connection alone; 0: nothing is to be compressed.
    pub(super) fn window_bits(&self, index: usize) -> u8 {
        if self.config.deflate { self.slots[index].flags.window_bits() } else { 0 }
    }

    /// The time as slots keep it.
    pub(super) fn stamp(&self) -> Stamp {
        Stamp::at(self.now.mono_ms())
    }

    /// Brings the receipts up to date.
    pub(super) fn settle(&mut self) {
        let looked_at = self.channels.settle(self.now.mono_us, self.shared.keep_deliveries());
        self.work.charge(WorkKind::Receipts, looked_at as u64 * RECEIPT);
    }

    /// Shows counts and deliveries to other threads, as they are after a turn. It tells the time again because the
    /// turn took some: that is how long the subscribers had to wait.
    pub fn show(&mut self, now: Time) {
        self.metrics.turn_seconds.note(now.mono_us.saturating_sub(self.now.mono_us));
        self.set_now(now);
        self.settle();
        for kind in self.work.end_turn() {
            self.metrics.turns_cut.bump(kind);
        }
        let stats = self.light_stats();
        self.shared.update_stats(|shown| *shown = stats);
    }
}
