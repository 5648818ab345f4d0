//! The state that other threads share with the reactors: the inboxes, and what they may look at.

mod command;
mod deliveries;
mod following;
mod group;
#[cfg(feature = "handover")]
mod image;
mod inbox;
mod lane;
mod messages;
mod outcomes;
mod publishing;
mod repetitions;
mod seat;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};

use crate::config::Config;
use crate::endpoint::Stats;
use crate::metrics::ChannelRefusal;
use crate::push::state::Counters;
use crate::push::{Delivery, PushError};

use super::directory::{Directory, Opened};
use super::engine::Engine;
use super::pusher::apps::AppCounts;
use super::pusher::rosters::Rosters;
use super::pusher::sessions::AppSessions;
use super::sync::{AtomicBool, Mutex, MutexGuard};
use super::sys::cpus::Cpus;
use super::totals::Totals;
use group::{Addressee, Seats};
use inbox::{Door, Inbox};
use outcomes::Outcomes;
use seat::Seat;

pub use command::Command;
pub use inbox::News;
pub(super) use lane::Lane;
pub use publishing::{Batch, Item};

/// Whether the reactor is woken for what is put into its inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// From another thread, it may be asleep.
    Yes,
    /// The first reactor itself asks, and looks at its inbox before it sleeps.
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

/// Shared by the reactors and every `Handle`.
pub struct Shared {
    inbox: Mutex<Inbox>,
    /// One for each reactor.
    seats: Box<[Seat]>,
    /// Open connections of each route of the host's, which the reactors count.
    pub online: OnceLock<Arc<[AtomicU64]>>,
    /// The same of each app.
    pub app_counts: AppCounts,
    /// The users in their presence channels, where there are several reactors.
    pub rosters: Rosters,
    /// Their clients over plain HTTP.
    pub app_sessions: AppSessions,
    /// Connections of all reactors, where there are several.
    pub totals: Arc<Totals>,
    /// The other reactors than the first are to end at once.
    is_abandoned: AtomicBool,
    /// Where several nodes are one service.
    engine: OnceLock<Box<dyn Engine>>,
    /// Those who wait for it.
    outcomes: Outcomes,
    /// Where helpers of the reactors run, if those stay on CPUs of their own.
    cpus: OnceLock<Cpus>,
    /// Why one of them has not come to its end.
    failure: Mutex<Option<String>>,
    commands_max: usize,
    bytes_max: usize,
    log_bytes: usize,
}

/// A thread that panicked while it held the lock has left plain data behind, valid at every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a sleeping reactor look at its inbox.
pub type WakeUp = Box<dyn Fn() + Send + Sync>;

impl Shared {
    /// An empty inbox; `wake` makes a sleeping reactor look at it.
    pub fn new(config: &Config, unix_us: u64, wake: WakeUp) -> Shared {
        Shared::of_several(config, unix_us, vec![wake])
    }

    /// The same for a reactor behind each of these.
    pub fn of_several(config: &Config, unix_us: u64, wakes: Vec<WakeUp>) -> Shared {
        Shared {
            inbox: Mutex::new(Inbox::new(Directory::new(config.channels_max, unix_us), wakes.len())),
            seats: wakes.into_iter().map(Seat::new).collect(),
            online: OnceLock::new(),
            app_counts: AppCounts::default(),
            rosters: Rosters::default(),
            app_sessions: AppSessions::default(),
            totals: Arc::default(),
            is_abandoned: AtomicBool::new(false),
            engine: OnceLock::new(),
            outcomes: Outcomes::default(),
            cpus: OnceLock::new(),
            failure: Mutex::default(),
            commands_max: config.inbox_commands_max,
            bytes_max: config.inbox_bytes_max,
            log_bytes: config.log_bytes,
        }
    }

    /// Reactors stay on CPUs of their own from now on; what they make runs on these.
    pub fn keep_cpus(&self, cpus: Cpus) {
        let _ = self.cpus.set(cpus);
    }

    /// This thread was made by a reactor, but is none.
    pub fn leave_its_cpu(&self) {
        if let Some(cpus) = self.cpus.get() {
            // It worked when they were asked for; and if it doesn't any more, it is slow and not wrong.
            let _ = cpus.run_here();
        }
    }

    /// Whether this thread runs a callback of the host's.
    fn is_callback(&self) -> bool {
        self.seats.iter().any(|seat| seat.own.is_here())
    }

    /// How many reactors there are.
    pub fn reactors(&self) -> usize {
        self.seats.len()
    }

    /// Puts a command that is not a publication into the inbox of the reactor that it is for, or of all.
    pub fn command(&self, command: Command) -> Result<(), PushError> {
        let mut inbox = lock(&self.inbox);
        let is_frozen = inbox.door.is_frozen() && command.is_asked_by_program();
        let admitted = match is_frozen {
            true => Err(PushError::InboxFull),
            false => self.admit(&inbox, self.concerned(&inbox, &command), 1, command.bytes()),
        };
        if let Err(refused) = admitted {
            // A host's function goes with it, which may use a handle when it is dropped.
            drop(inbox);
            command.withdraw();
            return Err(refused);
        }
        let mut woken = Seats::NONE;
        self.add(&mut inbox, command, &mut woken);
        drop(inbox);
        self.wake(woken, Wake::Yes);
        Ok(())
    }

    /// Whether somebody who is subscribed to a channel now would find it, or the room for it. A refusal is counted.
    pub fn check_channel_room(&self, channel: &str) -> Result<(), PushError> {
        let mut inbox = lock(&self.inbox);
        inbox.directory.check_new(channel).map_err(|problem| {
            inbox.directory.refused.bump(ChannelRefusal::Full);
            self.seats[0].has_news.store(true, Ordering::Release);
            problem.into()
        })
    }

    /// Those who need room for a command: also those who have to hear of a channel that it makes.
    fn concerned(&self, inbox: &Inbox, command: &Command) -> Addressee {
        let reactors = self.seats.len();
        let makes_one = |channel: &str| reactors > 1 && inbox.directory.is_unknown(channel);
        if command.subscribes_to().is_some_and(makes_one) {
            Addressee::All
        } else {
            command.addressee(reactors)
        }
    }

    /// Asks for the end: all connections are closed with 1001, within so many milliseconds (None: `drain_ms`). It gets
    /// through however full the inboxes are, and what is in there still goes out before the close frames.
    pub fn drain(&self, within_ms: Option<u64>) {
        let mut inbox = lock(&self.inbox);
        for (queue, seat) in inbox.queues.iter_mut().zip(&self.seats) {
            queue.end.merge(EndAsked { by_config: within_ms.is_none(), within_ms });
            seat.has_end.store(true, Ordering::Release);
        }
        drop(inbox);
        self.seats.iter().for_each(|seat| (seat.wake)());
    }

    fn admit(&self, inbox: &Inbox, to: Addressee, commands: usize, bytes: usize) -> Result<(), PushError> {
        if inbox.door == Door::Stopped {
            return Err(PushError::Stopped);
        }
        self.check_room(inbox, to, commands, bytes)
    }

    /// Whether the inboxes take so much more.
    fn check_room(
        &self,
        inbox: &Inbox,
        to: Addressee,
        commands: usize,
        bytes: usize,
    ) -> Result<(), PushError> {
        let queues = match to {
            Addressee::One(seat) => &inbox.queues[seat..=seat],
            Addressee::All => &inbox.queues,
        };
        let is_full = |queue: &inbox::Queue| {
            queue.commands.len() + commands > self.commands_max
                || queue.bytes.saturating_add(bytes) > self.bytes_max
        };
        if queues.iter().any(is_full) { Err(PushError::InboxFull) } else { Ok(()) }
    }

    /// Lets a reactor see what was added to its inbox.
    #[inline]
    fn show_added(&self, inbox: &Inbox, seat: usize) {
        self.seats[seat].has_news.store(true, Ordering::Release);
        self.seats[seat].own.note(inbox.queues[seat].placed);
    }

    /// Wakes reactors: once for many commands, for the first one after the reactor took everything. The first reactor
    /// is awake where it asks itself.
    fn wake(&self, seats: Seats, wake: Wake) {
        let awake = if wake == Wake::No { Seats::one(0) } else { Seats::NONE };
        seats.without(awake).iter().for_each(|seat| (self.seats[seat].wake)());
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

    /// For the reactor: the default channel's epoch.
    pub fn default_epoch(&self) -> u64 {
        lock(&self.inbox).directory.default_epoch()
    }

    /// For the reactor's audit: lets it look at the directory.
    pub(super) fn with_directory<T>(&self, look: impl FnOnce(&Directory) -> T) -> T {
        look(&lock(&self.inbox).directory)
    }

    /// How many commands wait for the reactors.
    pub fn waiting(&self) -> usize {
        lock(&self.inbox).queues.iter().map(|queue| queue.commands.len()).sum()
    }

    /// For the reactor: nothing more is taken.
    pub fn stop(&self) {
        lock(&self.inbox).door = Door::Stopped;
    }

    /// As [`stop`](Self::stop), and nobody will carry out what is there: those commands.
    pub fn end(&self) -> Vec<Command> {
        let mut inbox = lock(&self.inbox);
        inbox.door = Door::Stopped;
        inbox.queues.iter_mut().flat_map(|queue| std::mem::take(&mut queue.commands)).collect()
    }

    /// The numbers as of the last turn, of all reactors together.
    pub fn stats(&self) -> Stats {
        let (first, others) = self.seats.split_first().expect("there is a reactor");
        let mut stats = lock(&first.stats).clone();
        others.iter().for_each(|seat| stats.add(&lock(&seat.stats)));
        stats
    }

    /// How far a publication has come, as of the last turn.
    pub fn delivery(&self, receipt: u64) -> Option<Delivery> {
        if self.engine.get().is_some()
            && let Some(own) = lock(&self.inbox).tickets.receipt(receipt)
        {
            return Some(Delivery { id: receipt, ..self.delivery_here(own)? });
        }
        self.delivery_here(receipt)
    }

    fn delivery_here(&self, receipt: u64) -> Option<Delivery> {
        let (mut parts, mut behind) = (Vec::new(), 0);
        for seat in &self.seats {
            let deliveries = lock(&seat.deliveries);
            parts.extend(deliveries.find(receipt));
            behind += u32::from(!deliveries.has_taken_in(receipt));
        }
        let behind = if self.seats.len() > 1 { behind } else { 0 };
        Delivery::together(parts).map(|delivery| delivery.awaiting(behind))
    }

    /// How many subscribers a publication that is a repetition had, as far as it is known.
    pub fn recipients(&self, receipt: u64) -> Option<u32> {
        let parts: Vec<_> =
            self.seats.iter().filter_map(|seat| lock(&seat.deliveries).find(receipt)).collect();
        Delivery::together(parts).map(|delivery| delivery.recipients - delivery.recovered)
    }
}

#[cfg(test)]
mod tests;
