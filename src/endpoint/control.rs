//! The server as endpoints see it. The reactor implements it; tests put a fake in its place.

use std::sync::Arc;

use serde::Serialize;

use crate::metrics::{ConnectionTransport, Counts, Format, Metrics};
use crate::protocol::close::CloseCode;
use crate::protocol::response::Refusal;
use crate::push::{
    Delivery, History, HistoryAsked, Message, Publication, PublishTerms, PushError, PushOptions,
};

use super::ConnId;
use super::batch::Line;
use super::channels::{ChannelInfo, ChannelList};
use super::presence::ChannelPresence;

/// The answer to a push: where the publication stands, and the id under which its delivery can be followed.
///
/// ```no_run
/// # fn example(handle: &wspush::Handle) -> Result<(), wspush::PushError> {
/// let receipt = handle.broadcast(wspush::Message::Text("hello"))?;
/// // Later, as long as it is among the newest:
/// let delivery = handle.delivery(&receipt);
/// # drop(delivery);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, Serialize)]
pub struct Receipt {
    /// The channel.
    pub channel: Arc<str>,
    /// Which life of the channel, microseconds since 1970; offsets start anew with each.
    pub epoch: u64,
    /// The publication's place in the channel.
    pub offset: u64,
    /// For `GET /stats?receipt=` and `Handle::delivery`.
    #[serde(rename = "receipt")]
    pub id: u64,
}

/// The outcome of a publish to one channel or several.
///
/// ```no_run
/// # fn example(handle: &wspush::Handle) -> Result<(), wspush::PushError> {
/// use wspush::{Message, PublishTerms};
///
/// let terms = PublishTerms::default().idempotency_key("order-17");
/// let first = handle.publish_to(&["orders", "audit"], Message::Text("shipped"), terms)?;
/// let again = handle.publish_to(&["orders", "audit"], Message::Text("shipped"), terms)?;
/// assert!(again.duplicate && again.receipts == first.receipts);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// For each channel, in the order in which they were named.
    pub receipts: Vec<Receipt>,
    /// Whether it was published before, under the same idempotency key: these are the receipts of that.
    pub duplicate: bool,
    /// The request that it is part of, as the terms have it; `None` as well if that is not valid.
    pub traceparent: Option<Box<str>>,
}

impl Published {
    /// One that is not traced.
    pub fn new(receipts: Vec<Receipt>, duplicate: bool) -> Published {
        Published { receipts, duplicate, traceparent: None }
    }
}

/// The same, as the admin API says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Where it stands.
    pub published: Published,
    /// For each receipt the subscribers at the time of the publication; of a repetition only as long as its first
    /// receipt can be asked about.
    pub recipients: Vec<Option<u32>>,
    /// Its places come later, under this number: a cluster gives them.
    pub later: Option<u64>,
}

/// One connection, as `GET /connections` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConnectionInfo {
    /// Its id, in quotes: JavaScript's numbers are too short for it.
    pub id: String,
    /// `ws`, `sse`, `stream`, `poll`, `echo` or `chat`.
    pub endpoint: &'static str,
    /// `open` or `closing`.
    pub state: &'static str,
    /// Where it comes from.
    pub peer: Option<String>,
    /// Who it is, if a handler said.
    pub user: Option<String>,
    /// The channels it receives.
    pub channels: Vec<String>,
    /// Published bytes that it has still to get.
    pub lag_bytes: u64,
    /// Bytes that wait for it alone, and the list of what it has to get before them.
    pub outbox_bytes: usize,
}

/// A page of connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Page {
    /// The connections.
    pub connections: Vec<ConnectionInfo>,
    /// Pass this as `after` for the next page; None: that was all.
    pub next: Option<String>,
}

/// Which connections to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this user's.
    pub user: Option<String>,
    /// Only subscribers of this channel.
    pub channel: Option<String>,
}

/// The parameters of `GET /connections`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// Which connections.
    pub filter: Filter,
    /// Those behind this one.
    pub after: Option<ConnId>,
    /// So many at the most.
    pub limit: usize,
}

/// A list that takes a while to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Connections.
    Connections(List),
    /// Channels.
    Channels(ChannelList),
    /// The channels of an app that somebody is subscribed to.
    #[cfg(feature = "pusher")]
    AppChannels(super::apps::AppChannels),
}

/// The server's state in numbers.
///
/// ```
/// use wspush::Stats;
///
/// fn is_quiet(stats: &Stats) -> bool {
///     stats.connections == 0 && stats.handshaking == 0 && stats.inbox_commands == 0
/// }
/// assert!(is_quiet(&Stats::default()));
/// ```
#[derive(Clone, Debug, Default, Serialize)]
pub struct Stats {
    /// wspush's version.
    pub version: &'static str,
    /// Milliseconds since the start.
    pub uptime_ms: u64,
    /// Open connections: those that are pushed to, and the demo's.
    pub connections: u64,
    /// The same by transport; of polls those that wait.
    pub transports: Counts<ConnectionTransport, { ConnectionTransport::COUNT }>,
    /// Connections that have not finished their handshake, or speak plain HTTP.
    pub handshaking: u64,
    /// Connections that are closing.
    pub closing: u64,
    /// Connections on the admin listener.
    pub admin_connections: u64,
    /// Connections whose socket takes nothing more for now, or that are sent a message in pieces.
    pub blocked: u64,
    /// Open WebSocket connections with permessage-deflate.
    pub deflating: u64,
    /// Channels.
    pub channels: u64,
    /// Commands from other threads that wait.
    pub inbox_commands: u64,
    /// Whether the server is draining.
    pub draining: bool,
    /// Per second, over the last ten seconds.
    pub rates: Rates,
    /// Our own memory.
    pub memory: Memory,
    /// The bounds.
    pub limits: StatsLimits,
    /// Everything counted since the start.
    pub counters: Metrics,
}

impl Stats {
    /// Adds those of another reactor of the same server. What each of them has for all is counted once.
    pub(crate) fn add(&mut self, other: &Stats) {
        self.connections += other.connections;
        self.transports.add_all(&other.transports);
        self.handshaking += other.handshaking;
        self.closing += other.closing;
        self.admin_connections += other.admin_connections;
        self.blocked += other.blocked;
        self.deflating += other.deflating;
        self.inbox_commands += other.inbox_commands;
        self.draining |= other.draining;
        self.rates.accepts += other.rates.accepts;
        self.rates.deliveries += other.rates.deliveries;
        self.rates.messages_in += other.rates.messages_in;
        self.memory.slots_bytes += other.memory.slots_bytes;
        self.memory.log_bytes += other.memory.log_bytes;
        self.memory.assembly_bytes += other.memory.assembly_bytes;
        self.memory.backlog_bytes += other.memory.backlog_bytes;
        self.counters.add_of_reactor(&other.counters);
    }
}

/// Events per second.
///
/// ```
/// let rates = wspush::Rates { publications: 2.0, deliveries: 3_000.0, ..Default::default() };
/// assert_eq!(rates.deliveries / rates.publications, 1_500.0, "subscribers to a publication");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Connections accepted.
    pub accepts: f64,
    /// Publications.
    pub publications: f64,
    /// Publications written to subscribers.
    pub deliveries: f64,
    /// Messages from clients.
    pub messages_in: f64,
}

/// Bytes by what they are for.
///
/// ```
/// use wspush::Memory;
///
/// fn ours(memory: &Memory) -> u64 {
///     memory.slots_bytes + memory.log_bytes + memory.assembly_bytes + memory.backlog_bytes
/// }
/// assert_eq!(ours(&Memory::default()), 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Resident set of the whole process; 0 if the system does not say.
    pub rss_bytes: u64,
    /// The kernel's for connections, as far as it can be told.
    pub kernel_bytes: u64,
    /// Bytes that both may have together (`memory_max`); 0: there is no bound.
    pub bytes_max: u64,
    /// One connection's slot.
    pub slot_bytes: u64,
    /// Slots touched so far.
    pub slots_bytes: u64,
    /// Rings of all channels, in both forms.
    pub log_bytes: u64,
    /// Incomplete messages and request heads.
    pub assembly_bytes: u64,
    /// Outboxes, rests of frames for slow consumers, the input behind them and request bodies.
    pub backlog_bytes: u64,
}

/// The bounds that an operator runs into.
///
/// ```
/// use wspush::StatsLimits;
///
/// let limits = StatsLimits { max_connections: 9, connections_by_descriptors: 8, ..StatsLimits::default() };
/// assert_eq!(limits.connections_max(), 8);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StatsLimits {
    /// Connections, as configured.
    pub max_connections: u64,
    /// Connections that the descriptor limit leaves room for; what counts is the smaller one.
    pub connections_by_descriptors: u64,
    /// Connections that there is memory for, as of the last look (`memory_max`); None: there is no bound.
    pub connections_by_memory: Option<u64>,
    /// A client's message.
    pub message_bytes_max: u64,
    /// A channel's log.
    pub log_bytes: u64,
    /// A channel's log.
    pub log_publications: u64,
    /// Bytes allocated for all logs together.
    pub logs_bytes_max: u64,
}

impl StatsLimits {
    /// Connections that may be open: the least of what is configured, and what descriptors and memory leave.
    pub fn connections_max(&self) -> u64 {
        let memory = self.connections_by_memory.unwrap_or(u64::MAX);
        self.max_connections.min(self.connections_by_descriptors).min(memory)
    }
}

/// Everything that the admin API and the demo can do to the server.
pub trait Control {
    /// Publishes to each of these channels, or to none.
    fn publish(
        &mut self,
        channels: &[&str],
        message: Message<'_>,
        terms: PublishTerms<'_>,
    ) -> Result<Taken, PushError>;

    /// Does what these lines say, or nothing: see [`batch`](super::batch). The receipts are those of the lines that go
    /// to channels.
    fn publish_batch(&mut self, lines: Vec<Line>, key: Option<(&str, u64)>) -> Result<Taken, PushError>;

    /// Whether a message fits at all.
    fn check_size(&self, publication: &Publication) -> Result<(), PushError>;

    /// Whether a connection with this id is another reactor's.
    fn is_elsewhere(&self, _conn: ConnId) -> bool {
        false
    }

    /// Whether a newcomer would be let in, or what it would be told.
    fn check_ready(&self) -> Result<(), Refusal>;

    /// Takes so many pushes from what this key may make within a second; false: there is not enough left.
    fn take_pushes(&mut self, key: &str, per_second: u32, count: usize) -> bool;

    /// Begins the end of the server.
    fn drain(&mut self);

    /// Whether there is such a connection.
    fn is_open(&self, conn: ConnId) -> bool;

    /// How a channel stands.
    fn channel(&self, name: &str) -> Option<ChannelInfo>;

    /// The publications that a channel has.
    fn history(&self, name: &str, asked: HistoryAsked) -> Option<(ChannelInfo, History<'_>)>;

    /// Who is in a channel. The inner None: it has no presence.
    fn presence(&self, name: &str) -> Option<Option<ChannelPresence>>;

    /// Lets a channel forget what was published there. `InboxFull`: something is on its way.
    fn forget_history(&mut self, name: &str) -> Option<Result<ChannelInfo, PushError>>;

    /// The same where a cluster does it: the number under which it is answered later. None: it is done here.
    fn forget_later(&mut self, _name: &str) -> Option<Result<u64, PushError>> {
        None
    }

    /// Sends to one connection.
    fn send(&mut self, conn: ConnId, message: Message<'_>, options: PushOptions) -> Result<(), PushError>;

    /// Closes one connection, behind what was published before.
    fn disconnect(&mut self, conn: ConnId, code: CloseCode, reason: &str) -> Result<(), PushError>;

    /// The state in numbers.
    fn stats(&self) -> Stats;

    /// The state as Prometheus scrapes it.
    fn prometheus(&self, format: Format) -> Vec<u8>;

    /// How far a publication has come; None if it is too old or never was.
    fn delivery(&self, receipt: u64) -> Option<Delivery>;
}
