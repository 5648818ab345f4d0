//! The reactor's state, and what one turn of it does.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::auth::{Revoked, Verifier};
use crate::config::Config;
use crate::endpoint::handler::Step;
use crate::endpoint::{Handler, Router, Routes};
use crate::journal::Journal;
use crate::metrics::{Metrics, WorkKind};
use crate::narrow;
use crate::protocol::pool::Pool;
use crate::protocol::{Deflater, Inflater, Inflating};
use crate::push::{Channels, Encoder, LogLimits};
use crate::time::Time;

use super::attendance::Attendances;
use super::backend::Backend;
use super::connections::Connections;
use super::durations::timed;
use super::memory_budget::MemoryBudget;
use super::published_keys::PublishedKeys;
use super::rates::RateWindow;
use super::rest::Saving;
use super::senders::Senders;
use super::shared::{Command, Lane, Shared};
use super::shares::Shares;
use super::slot::Undecided;
use super::socket::Socket;
use super::stamp::Stamp;
use super::tls::Tls;
use super::waiting::Told;
use super::wire::Wire;
use super::work::{RECEIPT, Work};

/// Bytes read from a socket at once. One buffer serves all connections.
pub(super) const READ_BYTES: usize = 64 << 10;

/// Chunks of the assembly pool that only the admin listener may take: strangers with half a message each
/// must not lock the operator out. Half of them are for those whom the admin listener knows.
pub(super) const POOL_RESERVE: usize = 64;

/// Slots beyond `max_connections`, for connections that are only there to be told that the server is full.
pub const REFUSALS_MAX: usize = 32;

/// Which listener a connection came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub enum ListenerRole {
    /// A public one.
    Public,
    /// The admin listener.
    Admin,
}

/// The work that a turn leaves to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// There is more to do at once: don't sleep.
    pub busy: bool,
    /// When the next turn is due at the latest, in milliseconds of the reactor's clock.
    pub due_ms: Option<u64>,
    /// The server has drained: there will be nothing more.
    pub finished: bool,
}

/// The surroundings that a reactor is put into.
pub struct Host {
    /// Decides who may come in, and hears what clients say.
    pub handler: Box<dyn Handler>,
    /// The operator's log.
    pub journal: Journal,
    /// How many connections the descriptor limit leaves room for.
    pub descriptors: usize,
}

/// A socket that was just accepted.
pub(super) struct Incoming<S> {
    pub socket: S,
    /// The listener that it came in by.
    pub role: ListenerRole,
    pub peer: Option<SocketAddr>,
    pub encryption: Encryption,
}

/// Whether a listener speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    None,
    Tls,
}

/// A server without its sockets' origin: see the room's introduction.
pub struct Reactor<S: Socket> {
    pub(super) config: Config,
    pub(super) shared: Lane,
    pub(super) handler: Box<dyn Handler>,
    /// Whether there is a host behind it.
    pub(super) has_host: bool,
    /// The same at paths of the host's own.
    pub(super) routes: Routes,
    /// Checks clients' tokens; None: they are not looked at.
    pub(super) verifier: Option<Verifier>,
    pub(super) revoked: Revoked,
    pub(super) published_keys: PublishedKeys,
    pub(super) backend: Option<Box<dyn Backend>>,
    pub(super) journal: Journal,
    pub(super) metrics: Metrics,
    pub(super) now: Time,
    pub(super) started: Time,
    /// Where the admin API is reached, for the demo's page.
    pub(super) admin_url: Option<String>,
    pub(super) connections: Connections<S>,
    pub(super) wire: Wire,
    pub(super) channels: Channels,
    /// Compresses publications; one for all channels.
    pub(super) encoder: Encoder,
    pub(super) attendances: Attendances,
    /// The apps of the Pusher Channels protocol.
    pub(super) apps: super::pusher::apps::Apps,
    pub(super) walk: WalkState,
    pub(super) inbox: InboxState,
    pub(super) pool: Pool,
    pub(super) shares: Shares,
    pub(super) memory: MemoryBudget,
    pub(super) scratch: Scratch,
    pub(super) work: Work,
    pub(super) rates: RateWindow,
    pub(super) listings: VecDeque<super::listing::Listing>,
    /// Positions of clients that this node of a cluster has not read yet.
    pub(super) ahead: super::ahead::Ahead,
    /// Lists that other reactors are at.
    pub(super) lists_away: usize,
    /// Connections (slot and serial number) whose outbox is empty, and whose host wants to know.
    pub(super) drained: VecDeque<(u32, u32)>,
    pub(super) exit: Exit,
    /// Connections that a predecessor has handed over, by slot and serial number: the host is to hear of them.
    #[cfg(feature = "handover")]
    pub(super) taken_over: Vec<(usize, u32)>,
}

/// Buffers that the connection at hand uses, and nobody after it: one of each for all connections.
#[derive(Default)]
pub(super) struct Scratch {
    /// All reads go here.
    pub input: Vec<u8>,
    /// A message that had to be put together.
    pub message: Vec<u8>,
    /// The answers to the connection.
    pub replies: Vec<u8>,
    /// When the handshakes began of those who were let in in this turn: see `durations.rs`.
    pub let_in: Vec<u32>,
    /// A message of `wspush.v1` that is on its way into them.
    pub said: Vec<u8>,
    /// The positions that a stream of several channels is told behind publications.
    pub positions: Vec<u8>,
    /// The answer to a poll that was made last.
    pub answer: super::alike::LastAnswer,
    /// For whom the handshake at hand has to wait.
    pub undecided: Undecided,
    /// The steps that a callback has asked for.
    pub actions: Vec<Step>,
    pub inflater: Inflater,
    /// For the next deflated message that is handed over in pieces.
    pub decoder: Option<Box<Inflating>>,
}

/// How far the commands from the inbox have come.
#[derive(Default)]
pub(super) struct InboxState {
    /// Commands taken from the inbox that wait for room in a log.
    pub pending: VecDeque<Command>,
    /// How many commands from the inbox are carried out: the number of the last one.
    pub carried: u64,
    /// The receipt of the last publication that is in its log, or would be if it were not over.
    pub taken_in: u64,
    /// So many of them at the least have been offered to everybody whom they concern.
    pub flushed: u64,
    /// Clients whose publications are among the commands.
    pub senders: Senders,
    /// Steps that callbacks have asked for behind a command that waits, with its number.
    pub steps: VecDeque<(u64, Command)>,
    /// Answers that commands have led to.
    pub answers: VecDeque<Told>,
    /// The inbox's other buffer.
    pub spare: Vec<Command>,
    /// Of a cluster.
    pub placing: super::placing::Placing,
}

/// The state between slices of the flush.
#[derive(Default)]
pub(super) struct WalkState {
    /// Connections that need more than the walk can do.
    pub failures: Vec<super::flush::WalkFailure>,
    /// Those that are served apart, behind the slice that has come by them.
    pub apart: Vec<u32>,
    pub paced: super::paced::Paced,
    pub saving: Saving,
    /// Of a cluster: where channels were broken off.
    pub breaks: super::breaks::Breaks,
}

/// The end of the server, and the handing over of its listeners.
#[derive(Default)]
pub(super) struct Exit {
    pub draining: Option<super::drain::Drain>,
    pub handover: Option<super::drain::Handover>,
    /// Nothing is written into `state_file` (any more).
    pub leaves_state: bool,
    /// The state that is being written while the server goes on.
    pub snapshot: Option<super::snapshot::Snapshot>,
    /// The successor tells the backend what happens; this one has still told something itself.
    #[cfg(feature = "handover")]
    pub former_backend: Option<Box<dyn Backend>>,
}

/// The encoder of the forms, as the configuration wants it.
pub(super) fn encoder(config: &Config) -> Encoder {
    Encoder::new(Deflater::new(config.deflate_level, config.deflate_bytes_min), config.deflate)
}

impl<S: Socket> Reactor<S> {
    /// A reactor without connections, the first or only one of those who share this.
    pub fn new(config: Config, shared: Arc<Shared>, host: Host, now: Time) -> Reactor<S> {
        Reactor::nth(0, config, shared, host, now)
    }

    /// The same for one of several reactors, by its number.
    pub fn nth(number: usize, config: Config, shared: Arc<Shared>, host: Host, now: Time) -> Reactor<S> {
        let shared = Lane::new(shared, number);
        let reactors = shared.reactors();
        let Host { mut handler, journal, descriptors } = host;
        let router = handler.take_router().map(Router::into_parts);
        let (handler, routes) = router.unwrap_or_else(|| (handler, Routes::default()));
        let limits = LogLimits {
            bytes: config.log_bytes,
            publications: config.log_publications,
            sum_bytes: config.logs_bytes_max / reactors,
        };
        let default_epoch = shared.default_epoch();
        let mut connections = Connections::new(&config, descriptors, now.mono_ms());
        if reactors > 1 {
            connections = connections.of_reactor(narrow::to_u32(number), shared.totals.clone());
        }
        let backlog_bytes_max = config.backlog_bytes_max / reactors;
        let mut reactor = Reactor {
            shared,
            has_host: handler.is_host(),
            handler,
            connections: connections.with_routes(routes.len()),
            routes,
            verifier: None,
            revoked: Revoked::default(),
            published_keys: PublishedKeys::default(),
            backend: None,
            journal,
            metrics: Metrics::default(),
            now,
            started: now,
            admin_url: None,
            wire: Wire::new(Tls::new(backlog_bytes_max)),
            channels: Channels::new(limits, default_epoch),
            encoder: encoder(&config),
            attendances: Attendances::default(),
            apps: super::pusher::apps::Apps::default(),
            walk: WalkState::default(),
            inbox: InboxState::default(),
            pool: Pool::new(config.assembly_bytes_max / reactors),
            shares: Shares::default(),
            memory: MemoryBudget::default(),
            scratch: Scratch { input: vec![0; READ_BYTES], ..Scratch::default() },
            work: Work::default(),
            rates: RateWindow::new(now.mono_ms()),
            listings: VecDeque::new(),
            ahead: super::ahead::Ahead::default(),
            lists_away: 0,
            drained: VecDeque::new(),
            exit: Exit::default(),
            #[cfg(feature = "handover")]
            taken_over: Vec::new(),
            config,
        };
        // The first one of those who share it has made it for all.
        let online = reactor.shared.online.get_or_init(|| reactor.connections.online.clone()).clone();
        reactor.connections.online = online;
        reactor.tell_channels_the_policy();
        reactor.apps.renew(&reactor.config, &reactor.shared.app_counts);
        reactor.channels.set_rules(reactor.config.channel_rule.clone());
        reactor
    }

    /// Whether there is a host behind it.
    pub fn is_of_host(&self) -> bool {
        self.has_host || !self.routes.is_empty()
    }

    /// How many channels it has, and publications in them.
    pub fn held(&self) -> (usize, usize) {
        let publications = self.channels.iter().map(|(_, channel)| channel.log().publications());
        (self.channels.len(), publications.sum())
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
        self.connections.slots.len()
    }

    /// How many connections were ever removed: descriptors that have come back.
    pub fn removed(&self) -> u64 {
        self.connections.removed
    }

    /// A connection's socket.
    pub fn socket(&self, index: usize) -> Option<&S> {
        self.connections.slots.get(index).map(|slot| &slot.socket)
    }

    /// Connections that may be open: the configured bound, or what the descriptor limit or memory leaves.
    pub(super) fn connections_max(&self) -> usize {
        self.config.max_connections.min(self.connections.descriptors).min(self.memory.connections_max)
    }

    /// Does what is due: connections that wait, commands, a slice of the flush, timers.
    pub fn turn(&mut self, now: Time) -> Turn {
        self.set_now(now);
        self.walk.saving.left = self.config.flush_slice;
        self.work.begin_part();
        self.serve_queue();
        self.work.begin_part();
        self.work.begin_commands();
        self.carry_out_commands();
        self.tell_untold();
        self.flush();
        if self.channels.is_dirty() {
            self.work.cut(WorkKind::Flush);
        } else if !self.channels.has_paced() {
            self.inbox.flushed = self.inbox.carried;
        }
        let finished = self.due();
        self.work.begin_part();
        if !self.wire.polled.is_empty() {
            self.answer_told_polls();
        }
        self.give_answers();
        self.tell_drained();
        self.go_on_listing();
        if finished {
            self.journal.finish(now);
        }
        self.metrics.log_lines_lost = self.journal.lost();
        self.count_told();
        // Events come next.
        self.work.begin_part();
        let busy = !self.work.is_queue_empty() || self.channels.is_dirty() || !self.inbox.pending.is_empty();
        let is_due = self.connections.timers.sweep_due > 0 || !self.connections.timers.retrying.is_empty();
        Turn {
            busy: busy
                || is_due
                || !self.drained.is_empty()
                || self.has_answers_to_give()
                || self.is_closing_all(),
            due_ms: self.next_due_ms(),
            finished,
        }
    }

    /// The window for what is sent to this connection alone; 0: nothing is to be compressed.
    pub(super) fn window_bits(&self, index: usize) -> u8 {
        if self.config.deflate { self.connections.slots[index].flags.window_bits() } else { 0 }
    }

    /// The time as slots keep it.
    pub(super) fn stamp(&self) -> Stamp {
        Stamp::at(self.now.mono_ms())
    }

    /// Brings the receipts up to date.
    pub(super) fn settle(&mut self) {
        let (now_us, seconds) = (self.now.mono_us, &mut self.metrics.delivery_seconds);
        let looked_at = if self.shared.has_others() {
            let keep = self.shared.keep_parts(now_us, self.inbox.taken_in);
            self.channels.settle(now_us, timed(seconds, keep))
        } else {
            self.channels.settle(now_us, timed(seconds, self.shared.keep_deliveries()))
        };
        self.work.charge(WorkKind::Receipts, looked_at as u64 * RECEIPT);
    }

    /// Shows counts and deliveries to other threads, as they are after a turn. It tells the time again because the
    /// turn took some: that is how long the subscribers had to wait.
    pub fn show(&mut self, now: Time) {
        self.note_turn(now);
        self.set_now(now);
        self.settle();
        for kind in self.work.end_turn() {
            self.metrics.turns_cut.bump(kind);
        }
        let stats = self.light_stats();
        if self.shared.has_others() {
            self.shared.show_gauges(self.gauges(&stats));
        }
        self.shared.update_stats(|shown| *shown = stats);
    }
}
