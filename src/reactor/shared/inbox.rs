//! The requests that the reactors have not taken yet: a queue for each of them, and beside them, under the same lock,
//! all that decides on the order of publications.

use super::super::directory::Directory;
use super::following::Tickets;
use super::repetitions::Repetitions;
use super::{Command, EndAsked};
use crate::metrics::{ChannelRefusal, Counts};
use crate::push::PushError;

/// The requests to one reactor.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub commands: Vec<Command>,
    /// How many commands there have ever been: the number of the last one.
    pub placed: u64,
    pub end: EndAsked,
    pub bytes: usize,
    /// Its reactor has drained, and takes nothing any more.
    pub has_ended: bool,
}

impl Queue {
    #[inline]
    pub fn add(&mut self, command: Command) {
        self.bytes += command.bytes();
        self.placed += 1;
        self.commands.push(command);
    }
}

/// The way that publications go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Into the inbox, with places that are given out here.
    Here,
    /// To an engine.
    Engine,
    /// Nothing is taken for now: a successor is told all that there is.
    #[cfg(feature = "handover")]
    Frozen,
    /// Nothing is taken any more.
    Stopped,
}

#[derive(Debug)]
pub(super) struct Inbox {
    /// One for each reactor. What is for several of them stands in the same order in all.
    pub queues: Box<[Queue]>,
    pub directory: Directory,
    pub next_receipt: u64,
    /// The publications of each idempotency key.
    pub repetitions: Repetitions,
    pub door: Door,
    /// Of a cluster.
    pub tickets: Tickets,
}

impl Inbox {
    pub fn new(directory: Directory, reactors: usize) -> Inbox {
        Inbox {
            queues: (0..reactors).map(|_| Queue::default()).collect(),
            directory,
            next_receipt: 1,
            repetitions: Repetitions::default(),
            door: Door::Here,
            tickets: Tickets::default(),
        }
    }
}

impl Door {
    /// Whether something is taken here at all.
    pub fn check(self) -> Result<(), PushError> {
        match self {
            Door::Stopped => Err(PushError::Stopped),
            _ if self.is_frozen() => Err(PushError::InboxFull),
            _ => Ok(()),
        }
    }

    /// Whether what programs ask for is refused for now.
    pub fn is_frozen(self) -> bool {
        #[cfg(feature = "handover")]
        return self == Door::Frozen;
        #[cfg(not(feature = "handover"))]
        false
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
