//! The engine behind the logs where several nodes are one service. A node without one places its publications itself;
//! with one it hands them over, and appends what comes back: that has its place, and comes in the same order to all.
//!
//! Its kind is not known here. It gets [`Asked`], answers with
//! [`Shared::placed`](super::Shared::placed), and gives what it reads to [`Shared::deliver`](super::Shared::deliver),
//! [`Shared::stand`](super::Shared::stand) and [`Shared::begin_epoch`](super::Shared::begin_epoch).

use std::fmt;
use std::sync::Arc;

use super::shared::Command;
use crate::endpoint::{ConnId, Published};
use crate::metrics::ClusterGauges;
use crate::push::{Publication, PushError};

/// The engine, on the threads of those who publish: it waits for nothing.
pub trait Engine: Send + Sync {
    /// Takes something over; what comes of it is said later.
    ///
    /// # Errors
    /// [`PushError::Unavailable`], [`PushError::InboxFull`]
    fn ask(&self, asked: Asked) -> Result<(), PushError>;

    /// Why it is away, if it is.
    fn away(&self) -> Option<Arc<str>>;

    /// How it is, in numbers.
    fn gauges(&self) -> ClusterGauges;
}

/// Publications that are to get their places, all of them or none.
#[derive(Debug)]
pub struct Asked {
    /// They, or a channel that is to forget what it has had.
    pub what: Wanted,
    /// The first one's number at this node; the others have those that follow.
    pub ticket: u64,
    /// Who waits.
    pub asker: Asker,
    /// Messages to connections and users of this node, which go with them.
    pub(super) with: Vec<Command>,
}

/// Something that the engine is to do.
#[derive(Debug)]
pub enum Wanted {
    /// Publications.
    Publish {
        /// Each with its channel.
        publications: Vec<(Arc<str>, Publication)>,
        /// The key of which they may be a repetition, and a fingerprint.
        key: Option<(Box<str>, u64)>,
        /// The newest offset that all of the channels must have.
        if_offset: Option<u64>,
        /// The client that is not to get them itself.
        sender: Option<ConnId>,
    },
    /// Another life of a channel.
    Forget(Arc<str>),
}

/// Who waits for what comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// Nobody does.
    Nobody,
    /// The reactor with this number.
    Reactor(usize),
}

impl Asked {
    /// The bytes that it takes, about.
    pub fn bytes(&self) -> usize {
        let more = match &self.what {
            Wanted::Publish { publications, .. } => {
                let sizes = publications.iter().map(|(name, publication)| {
                    size_of::<(Arc<str>, Publication)>() + name.len() + publication.plain_frame().len()
                });
                sizes.sum::<usize>()
            }
            Wanted::Forget(name) => name.len(),
        };
        size_of::<Asked>() + more + self.with.iter().map(Command::bytes).sum::<usize>()
    }
}

/// A publication as the engine gives it back.
#[derive(Debug)]
pub struct Arriving<'a> {
    /// Its channel.
    pub channel: &'a str,
    /// Which life of it.
    pub epoch: u64,
    /// Its place there.
    pub offset: u64,
    /// The publication.
    pub publication: Publication,
    /// If it is of this node: its number, and the client that does not get it.
    pub own: Option<(u64, Option<ConnId>)>,
}

/// The outcome of something that the engine was asked, for a reactor.
#[derive(Debug)]
pub struct Placed {
    /// The number that was asked under.
    pub ticket: u64,
    /// The places, or why there are none.
    pub outcome: Result<Published, PushError>,
}

/// Something that the operator is told of an engine.
#[derive(Clone, Debug)]
pub enum EngineNews {
    /// It has gone.
    Lost(String),
    /// It is there again.
    Back,
    /// Another life of a part of the channels has begun.
    Epoch {
        /// The part.
        partition: usize,
        /// The epoch.
        epoch: u64,
    },
    /// Something was no longer there when it was to be read.
    Gap {
        /// The part.
        partition: usize,
        /// How many publications at the least.
        missed: u64,
    },
}

impl fmt::Debug for dyn Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}
