//! What other threads share with the reactor: the inbox, and what they may look at.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::{Config, channel_name_ok};
use crate::endpoint::{ConnId, Receipt, Stats};
use crate::protocol::close::CloseCode;
use crate::push::{DEFAULT_NAME, Delivery, Publication, PushError, RECEIPTS_KEPT};

use super::own::Own;
use super::reload::Renewal;

/// What another thread asks of the reactor.
#[derive(Debug)]
pub enum Command {
    /// Append a publication to a channel's log. Its place there is settled already.
    Publish {
        /// Channel, epoch, offset and receipt id.
        receipt: Receipt,
        /// What is published.
        publication: Publication,
    },
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
    },
    /// Let it receive the channel no more.
    Unsubscribe {
        /// The connection.
        conn: ConnId,
        /// The channel.
        channel: String,
    },
    /// Take over what can be changed while running, and the certificates that were read with it.
    Reload(Box<Renewal>),
}

impl Command {
    /// What it takes of the inbox.
    pub fn bytes(&self) -> usize {
        let rest = match self {
            Command::Publish { publication, .. } | Command::Send { publication, .. } => {
                publication.plain_frame().len()
            }
            Command::Close { reason, .. } => reason.len(),
            Command::Subscribe { channel, .. } | Command::Unsubscribe { channel, .. } => channel.len(),
            Command::Reply { frames, .. } => frames.len(),
            Command::BringUpToDate { .. } | Command::Reload(..) => 0,
        };
        size_of::<Command>() + rest
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

/// The next place in a channel's log.
#[derive(Clone, Debug)]
struct Head {
    name: Arc<str>,
    epoch: u64,
    next_offset: u64,
}

/// A channel as the inbox knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Its name.
    pub name: Arc<str>,
    /// Which life of it.
    pub epoch: u64,
    /// Offset of its next publication.
    pub next_offset: u64,
}

/// What was asked about the end. It does not wait in line: its time counts from when it was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndAsked {
    /// Within `drain_ms`.
    pub by_config: bool,
    /// Within so many milliseconds.
    pub within_ms: Option<u64>,
}

#[derive(Debug)]
struct Inbox {
    commands: Vec<Command>,
    /// How many commands there have ever been: the number of the last one.
    placed: u64,
    end: EndAsked,
    bytes: usize,
    default: Head,
    heads: HashMap<Arc<str>, Head>,
    next_receipt: u64,
    last_epoch: u64,
    stopped: bool,
}

/// Shared by the reactor and every `Handle`.
pub struct Shared {
    inbox: Mutex<Inbox>,
    wake: Box<dyn Fn() + Send + Sync>,
    /// What the reactor's own callbacks have put into the inbox.
    pub own: Own,
    stats: Mutex<Stats>,
    deliveries: Mutex<Vec<Delivery>>,
    commands_max: usize,
    bytes_max: usize,
    channels_max: usize,
    log_bytes: usize,
}

/// A thread that panicked while it held the lock has left plain data behind, valid at every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// An empty inbox; `wake` makes a sleeping reactor look at it.
    pub fn new(config: &Config, unix_us: u64, wake: Box<dyn Fn() + Send + Sync>) -> Shared {
        let default = Head { name: Arc::from(DEFAULT_NAME), epoch: unix_us, next_offset: 1 };
        Shared {
            inbox: Mutex::new(Inbox {
                commands: Vec::new(),
                placed: 0,
                end: EndAsked::default(),
                bytes: 0,
                default,
                heads: HashMap::new(),
                next_receipt: 1,
                last_epoch: unix_us,
                stopped: false,
            }),
            wake,
            own: Own::default(),
            stats: Mutex::default(),
            deliveries: Mutex::default(),
            commands_max: config.inbox_commands_max,
            bytes_max: config.inbox_bytes_max,
            channels_max: config.channels_max,
            log_bytes: config.log_bytes,
        }
    }

    /// Puts a publication on its way to a channel (None: the default one) and says where it will stand.
    ///
    /// The place is given out under the same lock that orders the inbox, so the log's order is the order of
    /// the receipts, whichever threads push.
    pub fn publish(
        &self,
        channel: Option<&str>,
        publication: Publication,
        unix_us: u64,
        wake: Wake,
    ) -> Result<Receipt, PushError> {
        let bytes = publication.plain_frame().len();
        // What never fits is another error than what doesn't fit for now.
        for (max, setting) in [(self.log_bytes, "log_bytes"), (self.bytes_max, "inbox_bytes_max")] {
            if bytes > max {
                return Err(PushError::TooLarge { bytes, max, setting });
            }
        }
        let mut inbox = lock(&self.inbox);
        self.admit(&inbox, bytes)?;
        let id = inbox.next_receipt;
        let head = inbox.head(channel, self.channels_max, unix_us)?;
        let receipt = Receipt { channel: head.name.clone(), epoch: head.epoch, offset: head.next_offset, id };
        head.next_offset += 1;
        inbox.next_receipt += 1;
        self.put(inbox, Command::Publish { receipt: receipt.clone(), publication }, wake);
        Ok(receipt)
    }

    /// Puts a command that is not a publication into the inbox.
    pub fn command(&self, command: Command) -> Result<(), PushError> {
        let inbox = lock(&self.inbox);
        self.admit(&inbox, command.bytes())?;
        self.put(inbox, command, Wake::Yes);
        Ok(())
    }

    /// Asks for the end: all connections are closed with 1001, within so many milliseconds (None: `drain_ms`). It gets
    /// through however full the inbox is, and what is in there still goes out before the goodbyes.
    pub fn drain(&self, within_ms: Option<u64>) {
        let mut inbox = lock(&self.inbox);
        match within_ms {
            Some(ms) => inbox.end.within_ms = Some(inbox.end.within_ms.map_or(ms, |other| other.min(ms))),
            None => inbox.end.by_config = true,
        }
        drop(inbox);
        (self.wake)();
    }

    /// For the reactor: what was asked about the end since it last looked.
    pub fn take_end(&self) -> EndAsked {
        std::mem::take(&mut lock(&self.inbox).end)
    }

    fn admit(&self, inbox: &Inbox, bytes: usize) -> Result<(), PushError> {
        if inbox.stopped {
            Err(PushError::Stopped)
        } else if inbox.commands.len() >= self.commands_max
            || inbox.bytes.saturating_add(bytes) > self.bytes_max
        {
            Err(PushError::InboxFull)
        } else {
            Ok(())
        }
    }

    /// One wake-up for many commands: only the first one after the reactor took everything wakes it.
    fn put(&self, mut inbox: MutexGuard<'_, Inbox>, command: Command, wake: Wake) {
        let first = inbox.commands.is_empty();
        inbox.bytes += command.bytes();
        inbox.placed += 1;
        self.own.note(inbox.placed);
        inbox.commands.push(command);
        drop(inbox);
        if first && wake == Wake::Yes {
            (self.wake)();
        }
    }

    /// For the reactor: takes all commands, leaving `empty` in their place.
    pub fn take(&self, empty: Vec<Command>) -> Vec<Command> {
        debug_assert!(empty.is_empty());
        let mut inbox = lock(&self.inbox);
        inbox.bytes = 0;
        std::mem::replace(&mut inbox.commands, empty)
    }

    /// For the reactor: how many commands wait.
    pub fn waiting(&self) -> usize {
        lock(&self.inbox).commands.len()
    }

    /// For the reactor: the channel of this name, made if need be, for a subscriber.
    pub fn open(&self, channel: &str, unix_us: u64) -> Result<Opened, PushError> {
        let mut inbox = lock(&self.inbox);
        let head = inbox.head(Some(channel), self.channels_max, unix_us)?;
        Ok(Opened { name: head.name.clone(), epoch: head.epoch, next_offset: head.next_offset })
    }

    /// For the reactor: the default channel's epoch.
    pub fn default_epoch(&self) -> u64 {
        lock(&self.inbox).default.epoch
    }

    /// For the reactor: forgets a channel unless a publication for it is on its way.
    pub fn forget(&self, channel: &str, next_offset: u64) -> bool {
        let mut inbox = lock(&self.inbox);
        let idle = inbox.heads.get(channel).is_some_and(|head| head.next_offset == next_offset);
        if idle {
            inbox.heads.remove(channel);
        }
        idle
    }

    /// For the reactor: nothing more is taken.
    pub fn stop(&self) {
        lock(&self.inbox).stopped = true;
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
        kept.get(receipt as usize % RECEIPTS_KEPT)
            .filter(|delivery| delivery.id == receipt && receipt != 0)
            .cloned()
    }

    /// For the reactor: keeps deliveries for whoever asks.
    pub fn keep_deliveries(&self) -> impl FnMut(&Delivery) + '_ {
        let mut kept = lock(&self.deliveries);
        move |delivery| {
            let place = delivery.id as usize % RECEIPTS_KEPT;
            if kept.len() <= place {
                kept.resize(place + 1, Delivery::default());
            }
            if kept[place].id <= delivery.id {
                kept[place].clone_from(delivery);
            }
        }
    }
}

impl Inbox {
    fn head(&mut self, channel: Option<&str>, max: usize, unix_us: u64) -> Result<&mut Head, PushError> {
        let name = match channel {
            None | Some(DEFAULT_NAME) => return Ok(&mut self.default),
            Some(name) => name,
        };
        if !self.heads.contains_key(name) {
            if !channel_name_ok(name) {
                return Err(PushError::BadChannel);
            }
            if self.heads.len() + 1 >= max {
                return Err(PushError::TooManyChannels { max });
            }
            // A channel that comes back after it was forgotten must not be taken for its former self.
            self.last_epoch = unix_us.max(self.last_epoch + 1);
            let name: Arc<str> = Arc::from(name);
            self.heads.insert(name.clone(), Head { name, epoch: self.last_epoch, next_offset: 1 });
        }
        self.heads.get_mut(name).ok_or(PushError::BadChannel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::{Message, PushOptions};
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn shared(config: &Config) -> (Shared, Arc<AtomicUsize>) {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counter = wakes.clone();
        let wake = move || {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        (Shared::new(config, 1_000, Box::new(wake)), wakes)
    }

    fn push(shared: &Shared, channel: Option<&str>, payload_bytes: usize) -> Result<Receipt, PushError> {
        let message = Message::Binary(&vec![0; payload_bytes]);
        let publication = Publication::new(message, PushOptions::default())?;
        shared.publish(channel, publication, 5, Wake::Yes)
    }

    #[test]
    fn many_commands_one_wake_up() {
        let (shared, wakes) = shared(&Config::default());
        for n in 1..=100 {
            assert_eq!(push(&shared, None, 1).map(|r| (r.offset, r.id)), Ok((n, n)));
        }
        assert_eq!(wakes.load(Ordering::Relaxed), 1);
        assert_eq!(shared.take(Vec::new()).len(), 100);
        push(&shared, Some("a"), 1).unwrap();
        assert_eq!(wakes.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn the_inbox_is_bounded_in_commands_and_bytes() {
        let (shared, _) =
            shared(&Config { inbox_commands_max: 2, inbox_bytes_max: 1_000, ..Config::default() });
        let too_large = PushError::TooLarge { bytes: 2_000, max: 1_000, setting: "inbox_bytes_max" };
        assert_eq!(push(&shared, None, 1_996), Err(too_large));
        push(&shared, None, 10).unwrap();
        push(&shared, None, 10).unwrap();
        assert_eq!(push(&shared, None, 10), Err(PushError::InboxFull));
        shared.drain(None);
        shared.drain(Some(7));
        shared.drain(Some(9));
        assert_eq!(shared.take(Vec::new()).len(), 2);
        assert_eq!(shared.take_end(), EndAsked { by_config: true, within_ms: Some(7) });
        assert_eq!(shared.take_end(), EndAsked::default());
        // What was refused has taken no place in the log.
        assert_eq!(push(&shared, None, 10).unwrap().offset, 3);
        shared.stop();
        assert_eq!(push(&shared, None, 10), Err(PushError::Stopped));
    }

    #[test]
    fn channels_are_bounded_and_live_once() {
        let (shared, _) = shared(&Config { channels_max: 2, ..Config::default() });
        let first = push(&shared, Some("a"), 1).unwrap();
        assert_eq!(push(&shared, Some("b"), 1), Err(PushError::TooManyChannels { max: 2 }));
        assert_eq!(push(&shared, Some("a b"), 1), Err(PushError::BadChannel));
        assert!(!shared.forget("a", 1), "a publication is on its way");
        assert!(shared.forget("a", 2));
        let second = push(&shared, Some("a"), 1).unwrap();
        assert!(second.epoch > first.epoch);
        assert_eq!(second.offset, 1);
        assert_eq!(shared.open(DEFAULT_NAME, 0).unwrap().epoch, 1_000);
    }

    #[test]
    fn the_newest_deliveries_are_kept() {
        let (shared, _) = shared(&Config::default());
        let delivery = |id| Delivery { id, recipients: id as u32, ..Delivery::default() };
        let mut keep = shared.keep_deliveries();
        for id in 1..=RECEIPTS_KEPT as u64 + 1 {
            keep(&delivery(id));
        }
        keep(&delivery(1));
        drop(keep);
        assert_eq!((shared.delivery(0), shared.delivery(1)), (None, None));
        assert_eq!(
            shared.delivery(RECEIPTS_KEPT as u64 + 1).map(|d| d.recipients),
            Some(RECEIPTS_KEPT as u32 + 1)
        );
    }
}
