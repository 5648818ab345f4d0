//! The state that other threads share with the reactor: the inbox, and what they may look at.

mod publishing;
mod repetitions;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::config::Config;
use crate::endpoint::reads::Question;
use crate::endpoint::tune::Tune;
use crate::endpoint::{ConnId, Decision, FlowAsked, Receipt, Stats};
use crate::metrics::{ChannelRefusal, Counts};
use crate::narrow;
use crate::protocol::close::CloseCode;
use crate::push::state::Counters;
use crate::push::{Delivery, Publication, PushError, RECEIPTS_KEPT, Since};

use super::addresses::Network;
use super::backend::{NotTold, Vouched};
use super::directory::{Directory, Forgotten, NoChannel, Opened, Vacated};
use super::own::Own;
use super::published_keys::KeysRead;
use super::reload::Renewal;
use super::snapshot::SnapshotNews;
use super::user_commands::UserCommand;
use repetitions::Repetitions;

pub use publishing::{Batch, Item};

/// A request of another thread to the reactor.
#[derive(Debug)]
pub enum Command {
    /// Append a publication to a channel's log. Its place there is settled already.
    Publish {
        /// Channel, epoch, offset and receipt id.
        receipt: Receipt,
        /// The publication.
        publication: Publication,
    },
    /// A channel is over: its place was needed for the next one.
    Forget(Forgotten),
    /// Write a message to one connection.
    Send {
        /// The connection.
        conn: ConnId,
        /// The message.
        publication: Publication,
    },
    /// Close one connection.
    Close {
        /// The connection.
        conn: ConnId,
        /// With this code.
        code: CloseCode,
        /// And this reason.
        reason: String,
    },
    /// Write replies of a callback to its connection, which is not read while they wait. Only within the reactor.
    Reply {
        /// The connection.
        conn: ConnId,
        /// Whole frames.
        frames: Vec<u8>,
    },
    /// Let a connection have what was published before anything else. Only within the reactor.
    BringUpToDate {
        /// The connection.
        conn: ConnId,
    },
    /// Let a connection receive a channel.
    Subscribe {
        /// The connection.
        conn: ConnId,
        /// The channel.
        channel: String,
        /// From where on.
        since: Since,
    },
    /// Let it receive the channel no more.
    Unsubscribe {
        /// The connection.
        conn: ConnId,
        /// The channel.
        channel: String,
    },
    /// Change a session, or send it a control frame.
    Tune {
        /// The connection.
        conn: ConnId,
        /// How.
        tune: Tune,
    },
    /// Change a connection's flow.
    Flow {
        /// The connection.
        conn: ConnId,
        /// How.
        asked: FlowAsked,
    },
    /// Let in a client whose handshake waits, or not.
    Decide {
        /// The connection.
        conn: ConnId,
        /// The host's decision.
        decision: Box<Decision>,
    },
    /// Something for all connections of a user.
    User(Box<UserCommand>),
    /// Answer a question of the host.
    Ask(Box<Question>),
    /// Take over what can be changed while running, and the certificates that were read with it.
    Reload(Box<Renewal>),
    /// A backend's answer about a client whose handshake waits for it.
    Vouched(Box<Vouched>),
    /// A backend has not taken what it was told.
    NotTold(Box<NotTold>),
    /// Take keys that an identity provider publishes.
    KeysRead(Box<KeysRead>),
    /// Write the state, and go on.
    SaveState,
    /// Go on with a state that is being written.
    Snapshot(SnapshotNews),
}

impl Command {
    /// The bytes that it takes in the inbox.
    pub fn bytes(&self) -> usize {
        let rest = match self {
            Command::Publish { publication, .. } | Command::Send { publication, .. } => {
                publication.plain_frame().len()
            }
            Command::Close { reason, .. } => reason.len(),
            Command::Forget(Forgotten { name, .. }) => name.len(),
            Command::Subscribe { channel, .. } | Command::Unsubscribe { channel, .. } => channel.len(),
            Command::Reply { frames, .. } => frames.len(),
            Command::Decide { decision, .. } => decision.bytes(),
            Command::User(command) => command.bytes(),
            Command::Vouched(vouched) => vouched.bytes(),
            Command::NotTold(not_told) => not_told.problem.len(),
            Command::Tune { tune, .. } => tune.bytes(),
            Command::Ask(question) => size_of::<Question>() + question.bytes(),
            Command::Flow { asked, .. } => asked.bytes(),
            Command::BringUpToDate { .. } | Command::Reload(..) | Command::KeysRead(..) => 0,
            Command::SaveState | Command::Snapshot(_) => 0,
        };
        size_of::<Command>() + rest
    }

    /// It was not taken: whoever has asked is told so, and nobody else.
    fn withdraw(mut self) {
        match &mut self {
            Command::Ask(question) => question.withdraw(),
            Command::User(command) => command.withdraw(),
            _ => {}
        }
    }
}

/// Whether the reactor is woken for what is put into its inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// From another thread, it may be asleep.
    Yes,
    /// The reactor itself asks, and looks at the inbox before it sleeps.
    No,
}

/// The requests for the server's end. They don't wait in line: their time counts from when they were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndAsked {
    /// Within `drain_ms`.
    pub by_config: bool,
    /// Within so many milliseconds.
    pub within_ms: Option<u64>,
}

impl EndAsked {
    /// Adds what was asked later: the shorter time counts.
    pub fn merge(&mut self, later: EndAsked) {
        self.by_config |= later.by_config;
        self.within_ms = [self.within_ms, later.within_ms].into_iter().flatten().min();
    }
}

#[derive(Debug)]
struct Inbox {
    commands: Vec<Command>,
    /// How many commands there have ever been: the number of the last one.
    placed: u64,
    end: EndAsked,
    bytes: usize,
    directory: Directory,
    next_receipt: u64,
    /// The publications of each idempotency key.
    repetitions: Repetitions,
    stopped: bool,
}

impl Inbox {
    fn add(&mut self, command: Command) {
        self.bytes += command.bytes();
        self.placed += 1;
        self.commands.push(command);
    }
}

/// The contents of the inbox since the reactor last looked.
#[derive(Debug)]
pub struct News {
    /// The commands, in their order.
    pub commands: Vec<Command>,
    /// All new channels ever refused, by reason.
    pub channels_refused: Counts<ChannelRefusal, { ChannelRefusal::COUNT }>,
}

/// Shared by the reactor and every `Handle`.
pub struct Shared {
    inbox: Mutex<Inbox>,
    /// Whether the inbox has something that the reactor has not seen. Set under the lock, so that a turn in which
    /// nobody asked for anything doesn't take it.
    has_news: AtomicBool,
    /// The same for what was asked about the end.
    has_end: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
    /// The commands that the reactor's own callbacks have put into the inbox.
    pub own: Own,
    /// Open connections of each route of the host's, which the reactor counts.
    pub online: OnceLock<Arc<[AtomicU64]>>,
    stats: Mutex<Stats>,
    deliveries: Mutex<Vec<Delivery>>,
    commands_max: usize,
    bytes_max: usize,
    log_bytes: usize,
}

/// A thread that panicked while it held the lock has left plain data behind, valid at every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// An empty inbox; `wake` makes a sleeping reactor look at it.
    pub fn new(config: &Config, unix_us: u64, wake: Box<dyn Fn() + Send + Sync>) -> Shared {
        Shared {
            inbox: Mutex::new(Inbox {
                commands: Vec::new(),
                placed: 0,
                end: EndAsked::default(),
                bytes: 0,
                directory: Directory::new(config.channels_max, unix_us),
                next_receipt: 1,
                repetitions: Repetitions::default(),
                stopped: false,
            }),
            has_news: AtomicBool::new(false),
            has_end: AtomicBool::new(false),
            wake,
            own: Own::default(),
            online: OnceLock::new(),
            stats: Mutex::default(),
            deliveries: Mutex::default(),
            commands_max: config.inbox_commands_max,
            bytes_max: config.inbox_bytes_max,
            log_bytes: config.log_bytes,
        }
    }

    /// Puts a command that is not a publication into the inbox.
    pub fn command(&self, command: Command) -> Result<(), PushError> {
        let inbox = lock(&self.inbox);
        if let Err(refused) = self.admit(&inbox, 1, command.bytes()) {
            // A host's function goes with it, which may use a handle when it is dropped.
            drop(inbox);
            command.withdraw();
            return Err(refused);
        }
        self.put(inbox, [command], Wake::Yes);
        Ok(())
    }

    /// Asks for the end: all connections are closed with 1001, within so many milliseconds (None: `drain_ms`). It gets
    /// through however full the inbox is, and what is in there still goes out before the close frames.
    pub fn drain(&self, within_ms: Option<u64>) {
        let mut inbox = lock(&self.inbox);
        inbox.end.merge(EndAsked { by_config: within_ms.is_none(), within_ms });
        self.has_end.store(true, Ordering::Release);
        drop(inbox);
        (self.wake)();
    }

    fn admit(&self, inbox: &Inbox, commands: usize, bytes: usize) -> Result<(), PushError> {
        if inbox.stopped {
            Err(PushError::Stopped)
        } else if inbox.commands.len() + commands > self.commands_max
            || inbox.bytes.saturating_add(bytes) > self.bytes_max
        {
            Err(PushError::InboxFull)
        } else {
            Ok(())
        }
    }

    /// One wake-up for many commands: only the first one after the reactor took everything wakes it.
    fn put(&self, mut inbox: MutexGuard<'_, Inbox>, commands: impl IntoIterator<Item = Command>, wake: Wake) {
        let first = inbox.commands.is_empty();
        commands.into_iter().for_each(|command| inbox.add(command));
        self.show_added(inbox, first, wake);
    }

    /// Lets the reactor see what was added to the inbox; `first`: it was empty before.
    fn show_added(&self, inbox: MutexGuard<'_, Inbox>, first: bool, wake: Wake) {
        self.has_news.store(true, Ordering::Release);
        self.own.note(inbox.placed);
        drop(inbox);
        if first && wake == Wake::Yes {
            (self.wake)();
        }
    }

    /// For the reactor: what was asked about the end since it last looked.
    pub fn take_end(&self) -> EndAsked {
        if !self.has_end.swap(false, Ordering::Acquire) {
            return EndAsked::default();
        }
        std::mem::take(&mut lock(&self.inbox).end)
    }

    /// For the reactor: takes all that is new, leaving `spare`, which is empty, in the commands' place. None: nothing
    /// is.
    pub fn take(&self, spare: &mut Vec<Command>) -> Option<News> {
        debug_assert!(spare.is_empty());
        if !self.has_news.load(Ordering::Acquire) {
            return None;
        }
        let mut inbox = lock(&self.inbox);
        self.has_news.store(false, Ordering::Relaxed);
        inbox.bytes = 0;
        let commands = std::mem::replace(&mut inbox.commands, std::mem::take(spare));
        Some(News { commands, channels_refused: inbox.directory.refused.clone() })
    }

    /// For the reactor: how many commands wait.
    pub fn waiting(&self) -> usize {
        lock(&self.inbox).commands.len()
    }

    /// For the reactor: the channel of this name for a subscriber from an address, made if need be.
    pub fn occupy(&self, channel: &str, from: Network, unix_us: u64) -> Result<Opened, NoChannel> {
        let mut inbox = lock(&self.inbox);
        let occupied = inbox.directory.occupy(channel, from, unix_us);
        self.has_news.store(true, Ordering::Release);
        let (opened, forgotten) = occupied?;
        if let Some(forgotten) = forgotten {
            self.put(inbox, [Command::Forget(forgotten)], Wake::Yes);
        }
        Ok(opened)
    }

    /// For the reactor: nobody is subscribed to this channel, of which so much is logged.
    pub fn vacate(&self, channel: &str, epoch: u64, logged: Option<u64>) -> Vacated {
        lock(&self.inbox).directory.vacate(channel, epoch, logged)
    }

    /// For the reactor: the channels as a predecessor has left them, and the numbers that go on.
    pub fn restore(&self, heads: impl Iterator<Item = Opened>, counters: Counters) {
        let mut inbox = lock(&self.inbox);
        heads.for_each(|head| inbox.directory.restore(head));
        inbox.directory.no_epoch_before(counters.last_epoch);
        inbox.next_receipt = inbox.next_receipt.max(counters.next_receipt);
    }

    /// For the reactor: the numbers that go on in a successor.
    pub fn counters(&self) -> Counters {
        let inbox = lock(&self.inbox);
        Counters { next_receipt: inbox.next_receipt, last_epoch: inbox.directory.last_epoch() }
    }

    /// For the reactor: another life of a channel begins, of which so much is logged. None: something is on its way
    /// there.
    pub fn begin_anew(&self, channel: &str, logged: u64, unix_us: u64) -> Option<u64> {
        lock(&self.inbox).directory.begin_anew(channel, logged, unix_us)
    }

    /// For the reactor: forgets the channel that has been idle longest, if it is `old` enough.
    pub fn forget_oldest(&self, old: impl FnOnce(&Opened) -> bool) -> Option<Forgotten> {
        lock(&self.inbox).directory.forget_oldest(old)
    }

    /// For the reactor: the default channel's epoch.
    pub fn default_epoch(&self) -> u64 {
        lock(&self.inbox).directory.default_epoch()
    }

    /// For the reactor's audit: lets it look at the directory.
    pub(super) fn with_directory<T>(&self, look: impl FnOnce(&Directory) -> T) -> T {
        look(&lock(&self.inbox).directory)
    }

    /// For the reactor: nothing more is taken.
    pub fn stop(&self) {
        lock(&self.inbox).stopped = true;
    }

    /// As [`stop`](Self::stop), and nobody will carry out what is there: those commands.
    pub fn end(&self) -> Vec<Command> {
        let mut inbox = lock(&self.inbox);
        inbox.stopped = true;
        std::mem::take(&mut inbox.commands)
    }

    /// The numbers as of the last turn.
    pub fn stats(&self) -> Stats {
        lock(&self.stats).clone()
    }

    /// For the reactor: changes the numbers in place.
    pub fn update_stats(&self, update: impl FnOnce(&mut Stats)) {
        update(&mut lock(&self.stats));
    }

    /// How far a publication has come, as of the last turn.
    pub fn delivery(&self, receipt: u64) -> Option<Delivery> {
        let kept = lock(&self.deliveries);
        kept.get(place_of(receipt)).filter(|delivery| delivery.id == receipt && receipt != 0).cloned()
    }

    /// For the reactor: keeps deliveries for whoever asks.
    pub fn keep_deliveries(&self) -> impl FnMut(&Delivery) + '_ {
        let mut kept = lock(&self.deliveries);
        move |delivery| {
            let place = place_of(delivery.id);
            if kept.len() <= place {
                kept.resize(place + 1, Delivery::default());
            }
            if kept[place].id <= delivery.id {
                kept[place].clone_from(delivery);
            }
        }
    }
}

/// Where the delivery of a receipt lies among those that are kept.
fn place_of(receipt: u64) -> usize {
    narrow::to_usize(receipt % RECEIPTS_KEPT as u64)
}

#[cfg(test)]
mod tests;
