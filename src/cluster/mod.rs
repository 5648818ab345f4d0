//! The cluster room: several servers that are one service, by Redis Streams.
//!
//! The channels are divided among partitions, each of which is a stream with an epoch of its own. A publication goes
//! through one script, which gives it its place in its channel and appends it to the stream; the `Writer`
//! sends many of them at once. Every node, the publisher's included, delivers what its `Reader` has read, so that all
//! have one order. What Redis has lost is noticed by whoever has seen it, reader or writer: another epoch begins.
//!
//! May import: reactor and below. It has sockets, clocks and threads of its own; the reactor waits for none of them.

mod address;
mod asking;
mod call;
mod calls;
mod certificates;
mod connect;
mod counts;
mod entry;
mod keys;
mod known;
mod local;
mod member_id;
mod membership;
mod mirror;
pub mod outside;
mod page;
mod partition;
mod reader;
mod reply;
mod roll;
mod scripts;
mod servers;
mod shards;
mod slots;
mod stepped;
mod streams;
mod watchers;
mod writer;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use crate::config::{ClusterDown, ClusterUrl, Config, Way};
use crate::metrics::ClusterGauges;
use crate::push::PushError;
use crate::reactor::directory::Elsewhere;
use crate::reactor::engine::{Asked, Engine, MemberAfar};
use crate::reactor::{Shared, sys};
use crate::time::micros;

use address::Address;
use calls::Calls;
use certificates::Certificates;
use connect::Link;
use counts::Counts;
use keys::Keys;
use known::Known;
use local::Local;
use mirror::Mirror;
use outside::{Outside, System};
use reader::Reader;
use roll::Roll;
pub use stepped::Stepped;
use writer::{Queue, Writer};

/// The facts that both threads go by.
struct Terms {
    outside: Box<dyn Outside>,
    keys: Keys,
    entries: usize,
    /// This node in this run of it: what comes back with this name is its own.
    origin: String,
    /// The partitions may lie at several servers.
    is_spread: bool,
    commands_max: usize,
    bytes_max: usize,
    /// Bytes of a partition that a node begins with at the most.
    warm_bytes_max: usize,
    known: Known,
    counts: Counts,
    /// Calls of this node to all.
    calls: Calls,
    /// The members that this node has, and those of the others.
    roll: Roll,
    mirror: Mirror,
    /// The nodes that have leases, as the writer has heard it last.
    live: Mutex<Option<Vec<String>>>,
    /// The name of this node, and since when it is there.
    node: String,
    since_ms: u64,
    /// The publications that this node places itself while Redis is away, if it does.
    local: Option<Local>,
}

impl Terms {
    /// These nodes have leases.
    fn set_live(&self, live: Vec<String>) {
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = Some(live);
    }

    /// The nodes that have leases, if that was heard since the last time.
    fn take_live(&self) -> Option<Vec<String>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A cluster that this node is about to join.
pub struct Joining {
    terms: Arc<Terms>,
    reader: Reader,
}

impl Joining {
    /// Connects, and looks whether this is a Redis server that can be relied on, and how its partitions stand. None: no
    /// cluster is set.
    ///
    /// # Errors
    /// Why there is no cluster; no password is in it.
    pub fn begin(config: &Config, unix_us: u64) -> Result<Option<Joining>, String> {
        let Some(url) = &config.cluster else { return Ok(None) };
        let outside = Box::new(System(Address::parse(url, &Certificates::new(config))?));
        Joining::begin_in(config, unix_us, outside).map(Some)
    }

    /// The same in a world of its own.
    ///
    /// # Errors
    /// Why there is no cluster.
    pub fn begin_in(config: &Config, unix_us: u64, outside: Box<dyn Outside>) -> Result<Joining, String> {
        let keys = Keys::new(&config.cluster_prefix, config.cluster_partitions);
        let node = config.node.clone().unwrap_or_else(machine);
        let url = config.cluster.as_deref().and_then(ClusterUrl::of);
        let terms = Arc::new(Terms {
            outside,
            entries: config.cluster_entries,
            origin: format!("{node}:{:x}:{:x}", std::process::id(), unix_us),
            is_spread: url.is_some_and(|url| url.way == Way::Cluster),
            commands_max: config.inbox_commands_max,
            bytes_max: config.inbox_bytes_max,
            warm_bytes_max: config.logs_bytes_max / config.cluster_partitions,
            known: Known::new(config.cluster_partitions + 1),
            counts: Counts::default(),
            calls: Calls::default(),
            roll: Roll::default(),
            mirror: Mirror::default(),
            live: Mutex::default(),
            since_ms: unix_us / 1_000,
            local: (config.cluster_down == ClusterDown::Local).then(|| Local::new(config.channels_max)),
            node,
            keys,
        });
        let mut link = Link::open_at_start(&terms)?;
        link.check_partitions(&terms)?;
        let reader = Reader::begin(terms.clone(), link)?;
        Ok(Joining { terms, reader })
    }

    /// The default channel's epoch.
    pub fn default_epoch(&self) -> u64 {
        self.terms.known.epoch(self.terms.keys.partition(crate::push::DEFAULT_NAME))
    }

    /// The server's address, without its password.
    pub fn address(&self) -> String {
        self.terms.outside.address()
    }

    /// From here on the server's publications are placed by the cluster.
    pub fn follow(&mut self, shared: &Arc<Shared>) {
        if self.attach(shared).start().is_err() {
            self.terms.counts.lose("no thread for it");
        }
    }

    fn attach(&mut self, shared: &Arc<Shared>) -> Writer {
        let elsewhere =
            Elsewhere::new(keys::partition, self.terms.known.epochs(self.terms.keys.partitions()));
        let queue = Arc::new(Queue::new(self.terms.clone()));
        let writer = Writer::new(self.terms.clone(), queue.clone(), shared.clone());
        self.reader.warn(queue.clone());
        let (terms, around) = (self.terms.clone(), Arc::downgrade(shared));
        shared.follow(Box::new(Node { terms, queue, shared: around }), elsewhere);
        writer
    }

    /// Reads what the streams have until now; `carry_out` lets the reactors take it in, which nobody drives yet.
    ///
    /// # Errors
    /// The connection's.
    pub fn warm(mut self, shared: &Arc<Shared>, mut carry_out: impl FnMut()) -> Result<(), String> {
        self.reader.warm(shared, &mut carry_out)?;
        let (reader, shared) = (self.reader, shared.clone());
        let read = move || reader.run(&shared);
        thread::Builder::new().name("cluster-read".to_owned()).spawn(read).map_err(|e| e.to_string())?;
        Ok(())
    }
}

/// The engine as the server holds it. Its threads end when that takes nothing more.
struct Node {
    terms: Arc<Terms>,
    queue: Arc<Queue>,
    shared: Weak<Shared>,
}

impl Engine for Node {
    fn ask(&self, asked: Asked) -> Result<(), PushError> {
        let asked = match (&self.terms.local, self.shared.upgrade()) {
            (Some(local), Some(shared)) => local.ask(&self.terms, &shared, asked)?,
            _ => Some(asked),
        };
        asked.map_or(Ok(()), |asked| self.queue.push(asked))
    }

    fn away(&self) -> Option<Arc<str>> {
        // Something takes publications all the same.
        if self.terms.local.is_some() { None } else { self.terms.counts.away() }
    }

    fn read_until_us(&self) -> u64 {
        // A node that goes on alone waits for nothing: what others have is in lives that it does not have.
        let is_alone = self.terms.local.is_some() && self.terms.counts.away().is_some();
        if is_alone { u64::MAX } else { self.terms.counts.read_until_us() }
    }

    fn gauges(&self) -> ClusterGauges {
        ClusterGauges { waiting: self.queue.len() as u64, ..self.terms.counts.gauges() }
    }

    fn node(&self) -> &str {
        &self.terms.node
    }

    fn entered(&self, channel: &str, user: &str, info: Option<&str>) {
        self.terms.roll.enter(channel, user, info);
        self.queue.rouse();
    }

    fn left(&self, channel: &str, user: &str, after: Duration) {
        self.terms.roll.leave(channel, user, (self.terms.outside.now(), after));
        self.queue.rouse();
    }

    fn members(&self, channel: &str) -> (u64, Vec<MemberAfar>) {
        self.terms.mirror.members(channel)
    }

    fn counted(&self, channel: &str, count: &dyn Fn() -> u32) {
        self.terms.roll.count(channel, count);
        self.queue.rouse();
    }

    fn subscribers(&self, channel: &str) -> u64 {
        self.terms.mirror.subscribers(channel)
    }

    fn occupied(&self, prefix: &str) -> Vec<Arc<str>> {
        self.terms.mirror.occupied(prefix)
    }

    fn speaks_for(&self, channel: &str) -> bool {
        self.terms.mirror.is_first(channel, &self.terms.origin)
    }
}

fn unix_us() -> u64 {
    micros(sys::calendar())
}

/// The machine's name.
fn machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let name: String = name.trim().chars().filter(|&c| is_plain(c)).take(64).collect();
    if name.is_empty() { "node".to_owned() } else { name }
}
