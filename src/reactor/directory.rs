//! Which channels there are: by name, with the next place in each log, and who may make one more.
//!
//! It stands beside the inbox, under the same lock: a publisher on any thread gets its place here, before the reactor
//! has heard of the channel. So that nobody is refused for the sake of a channel that nobody needs,
//! - one that nobody has published to goes with its last subscriber;
//! - those that nobody needs, as there are no subscribers and nothing published is still on its way, stand in a list in
//!   the order of their last use. When the table is full, the one that has been idle longest is [`Forgotten`] for the
//!   new one;
//! - those that only clients have opened have no more than a part of the table, and each address no more than its share
//!   of that: the rest is the publishers'.

mod arrivals;
mod batches;
mod elsewhere;
#[cfg(feature = "handover")]
mod image;
mod several;
#[cfg(feature = "handover")]
pub(super) use image::Owned;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use slab::Slab;

use crate::config::channel_name_ok;
use crate::metrics::{ChannelRefusal, Counts};
use crate::narrow;
use crate::push::{DEFAULT_NAME, FIRST_OFFSET, PushError};

use super::addresses::Network;
use super::shares::Share;
pub use arrivals::{Arrived, Step};
pub use elsewhere::Elsewhere;

/// A place in the list of idle channels that is none.
const NONE: u32 = u32::MAX;

/// A channel as publishers and subscribers find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Its name.
    pub name: Arc<str>,
    /// Which life of it.
    pub epoch: u64,
    /// Offset of its next publication.
    pub next_offset: u64,
}

/// A channel that had to go for another one. The reactor is told through the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// Its name.
    pub name: Arc<str>,
    /// Which life of it is over.
    pub epoch: u64,
}

/// Why there is no such channel, and will be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoChannel {
    /// Channels have no such names.
    BadName,
    /// There are as many as there may be, and somebody needs each of them.
    Full {
        /// The bound (`channels_max`).
        max: usize,
    },
    /// The same, but of some only publications are on their way: the reactor is behind.
    NotYet,
    /// Clients have as many as they may have, or those of this address have.
    NoShare {
        /// For whom there are no more.
        whose: ChannelRefusal,
        /// The bound (`channels_max`).
        max: usize,
    },
}

/// The fate of a channel that nobody needs any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vacated {
    /// Nothing was ever published there, so there is nothing to keep.
    Gone,
    /// It stays as long as there is room.
    Kept,
}

/// Who needs a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub(super) enum Need {
    /// Its subscribers, or somebody who has left and still has to get something.
    Subscribers,
    /// Only what was published and is on its way: others may be subscribed before it comes there.
    Publications,
    /// Nobody: its neighbours in the list of those.
    Idle { older: u32, newer: u32 },
}

/// Not yet in the list.
const IDLE: Need = Need::Idle { older: NONE, newer: NONE };

#[derive(Debug, serde::Deserialize, serde::Serialize)]
pub(super) struct Head {
    name: Arc<str>,
    epoch: u64,
    next_offset: u64,
    need: Need,
    /// The reactors that need it, a bit for each.
    held: u64,
    /// Subscribers at all reactors, where there are several.
    subscribers: u32,
    /// The address of the client that has opened it, as long as nobody has published there.
    opener: Option<Network>,
}

impl Head {
    fn new(name: Arc<str>, epoch: u64, next_offset: u64) -> Head {
        Head { name, epoch, next_offset, need: IDLE, held: 0, subscribers: 0, opener: None }
    }

    fn opened(&self) -> Opened {
        Opened { name: self.name.clone(), epoch: self.epoch, next_offset: self.next_offset }
    }
}

/// All channels.
#[derive(Debug)]
pub struct Directory {
    default: Head,
    heads: Slab<Head>,
    names: HashMap<Arc<str>, u32>,
    /// The ends of the list of idle channels.
    oldest: u32,
    newest: u32,
    /// How many stand in it.
    idle: usize,
    /// How many channels only publications need.
    expectant: usize,
    /// Who has opened the channels that nobody has published to.
    unpublished: Share,
    last_epoch: u64,
    max: usize,
    /// Where channels of several nodes stand.
    elsewhere: Option<Box<Elsewhere>>,
    /// Who was refused a new one.
    pub refused: Counts<ChannelRefusal, { ChannelRefusal::COUNT }>,
}

impl Directory {
    /// The default channel alone, with this epoch, and room for so many in all.
    pub fn new(max: usize, epoch: u64) -> Directory {
        let default = Head { need: Need::Subscribers, ..Head::new(Arc::from(DEFAULT_NAME), epoch, 1) };
        Directory {
            default,
            heads: Slab::new(),
            names: HashMap::new(),
            oldest: NONE,
            newest: NONE,
            idle: 0,
            expectant: 0,
            unpublished: Share::default(),
            last_epoch: epoch,
            max,
            elsewhere: None,
            refused: Counts::default(),
        }
    }

    /// The default channel's epoch.
    pub fn default_epoch(&self) -> u64 {
        self.default.epoch
    }

    /// The place of the next publication in a channel, made if need be; the default one in place of none.
    pub fn publish(
        &mut self,
        channel: Option<&str>,
        unix_us: u64,
    ) -> Result<(Opened, Option<Forgotten>), NoChannel> {
        let Some(name) = channel.filter(|name| *name != DEFAULT_NAME) else {
            let place = self.default.opened();
            self.default.next_offset += 1;
            return Ok((place, None));
        };
        let (key, forgotten) = match self.names.get(name) {
            Some(&key) => (key, None),
            None => self.make(name, None, unix_us)?,
        };
        let head = &mut self.heads[key as usize];
        let place = head.opened();
        head.next_offset += 1;
        let has_subscribers = head.need == Need::Subscribers;
        if let Some(opener) = head.opener.take() {
            self.unpublished.give_back(opener, 1);
        }
        if !has_subscribers {
            self.set_need(key, Need::Publications);
        }
        Ok((place, forgotten))
    }

    /// The channel of this name for a subscriber of a reactor from an address, made if need be. It stays until it is
    /// [vacated](Self::vacate) there.
    pub fn occupy(
        &mut self,
        seat: usize,
        name: &str,
        from: Network,
        unix_us: u64,
    ) -> Result<(Opened, Option<Forgotten>), NoChannel> {
        if name == DEFAULT_NAME {
            return Ok((self.default.opened(), None));
        }
        let (key, forgotten) = match self.names.get(name) {
            Some(&key) => (key, None),
            None => self.make(name, Some(from), unix_us)?,
        };
        self.set_need(key, Need::Subscribers);
        let head = &mut self.heads[key as usize];
        head.held |= 1 << seat;
        Ok((head.opened(), forgotten))
    }

    /// Nobody is subscribed to this channel at a reactor any more, or to what was published now; `logged` is the offset
    /// that follows what has come there.
    pub fn vacate(&mut self, seat: usize, name: &str, epoch: u64, logged: Option<u64>) -> Vacated {
        let Some(key) = self.find(name, epoch) else {
            // The word of a younger life is on its way to the reactor, behind publications of this one.
            let has_younger = self.names.get(name).is_some_and(|&key| self.heads[key as usize].epoch > epoch);
            return if has_younger { Vacated::Kept } else { Vacated::Gone };
        };
        let head = &mut self.heads[key as usize];
        head.held &= !(1 << seat);
        if head.held != 0 {
            return Vacated::Kept;
        }
        if head.opener.is_some() {
            self.remove(key);
            return Vacated::Gone;
        }
        let all_there = logged == Some(head.next_offset);
        self.set_need(key, if all_there { IDLE } else { Need::Publications });
        Vacated::Kept
    }

    /// Forgets the channel that has been idle longest, if it is `old` enough; whether it was.
    pub fn forget_oldest(&mut self, old: impl FnOnce(&Opened) -> bool) -> Option<Forgotten> {
        let head = self.heads.get(self.oldest as usize)?;
        if !old(&head.opened()) {
            return None;
        }
        Some(self.remove(self.oldest))
    }

    /// Lets the channel that has been idle longest stay, behind all others.
    pub fn keep_oldest(&mut self) {
        if self.heads.contains(self.oldest as usize) {
            self.set_need(self.oldest, Need::Idle { older: NONE, newer: NONE });
        }
    }

    /// Whether a channel of this name is there, or one could be made now for whoever is not counted by its share.
    pub fn check_new(&self, name: &str) -> Result<(), NoChannel> {
        let has_room =
            name == DEFAULT_NAME || self.names.contains_key(name) || self.heads.len() + 1 < self.max;
        // With a single channel there is none but the default one.
        if has_room || self.idle > 0 && self.max > 1 {
            return Ok(());
        }
        Err(if self.expectant > 0 { NoChannel::NotYet } else { NoChannel::Full { max: self.max } })
    }

    /// How many of the channels that `max` leaves clients may open, as long as nobody has published there.
    fn clients_part(&self) -> usize {
        let named = self.max.saturating_sub(1);
        (named - named.div_ceil(4)).max(named.min(1))
    }

    fn make(
        &mut self,
        name: &str,
        opener: Option<Network>,
        unix_us: u64,
    ) -> Result<(u32, Option<Forgotten>), NoChannel> {
        if !channel_name_ok(name) {
            return Err(NoChannel::BadName);
        }
        let max = self.max;
        if let Some(opener) = opener {
            let part = self.clients_part();
            let whose = if self.unpublished.held() >= part {
                Some(ChannelRefusal::Clients)
            } else {
                (!self.unpublished.may_have_more(opener, part)).then_some(ChannelRefusal::Address)
            };
            if let Some(whose) = whose {
                self.refused.bump(whose);
                return Err(NoChannel::NoShare { whose, max });
            }
        }
        let forgotten = if self.heads.len() + 1 < max { None } else { self.forget_oldest(|_| true) };
        if self.heads.len() + 1 >= max {
            self.refused.bump(ChannelRefusal::Full);
            return Err(if self.expectant > 0 { NoChannel::NotYet } else { NoChannel::Full { max } });
        }
        if let Some(opener) = opener {
            self.unpublished.take(opener, 1);
        }
        // A channel that comes back after it was forgotten must not be taken for its former self.
        self.last_epoch = unix_us.max(self.last_epoch + 1);
        let name: Arc<str> = Arc::from(name);
        let (epoch, next) = match &mut self.elsewhere {
            None => (self.last_epoch, FIRST_OFFSET),
            Some(elsewhere) => elsewhere.take(&name),
        };
        let mut head = Head::new(name.clone(), epoch, next);
        head.opener = opener;
        let key = narrow::to_u32(self.heads.insert(head));
        self.link(key);
        self.names.insert(name, key);
        Ok((key, forgotten))
    }

    fn find(&self, name: &str, epoch: u64) -> Option<u32> {
        let key = *self.names.get(name)?;
        (self.heads[key as usize].epoch == epoch).then_some(key)
    }

    fn remove(&mut self, key: u32) -> Forgotten {
        self.set_need(key, Need::Subscribers);
        let Head { name, epoch, opener, next_offset, .. } = self.heads.remove(key as usize);
        self.names.remove(&name);
        if let Some(elsewhere) = &mut self.elsewhere {
            elsewhere.put(&name, epoch, next_offset);
        }
        if let Some(opener) = opener {
            self.unpublished.give_back(opener, 1);
        }
        Forgotten { name, epoch }
    }

    fn set_need(&mut self, key: u32, need: Need) {
        match self.heads[key as usize].need {
            Need::Idle { older, newer } => self.unlink(older, newer),
            Need::Publications => self.expectant -= 1,
            Need::Subscribers => {}
        }
        self.heads[key as usize].need = need;
        match need {
            Need::Idle { .. } => self.link(key),
            Need::Publications => self.expectant += 1,
            Need::Subscribers => {}
        }
    }

    /// Puts a channel at the end of the list of idle ones.
    fn link(&mut self, key: u32) {
        self.idle += 1;
        let older = std::mem::replace(&mut self.newest, key);
        self.heads[key as usize].need = Need::Idle { older, newer: NONE };
        match self.heads.get_mut(older as usize).map(|head| &mut head.need) {
            Some(Need::Idle { newer, .. }) => *newer = key,
            _ => self.oldest = key,
        }
    }

    /// Takes the one between these two out of that list.
    fn unlink(&mut self, older: u32, newer: u32) {
        self.idle -= 1;
        match self.heads.get_mut(older as usize).map(|head| &mut head.need) {
            Some(Need::Idle { newer: behind, .. }) => *behind = newer,
            _ => self.oldest = newer,
        }
        match self.heads.get_mut(newer as usize).map(|head| &mut head.need) {
            Some(Need::Idle { older: before, .. }) => *before = older,
            _ => self.newest = older,
        }
    }

    /// Whether somebody needs a channel in this life of it; `None`: it isn't there.
    pub(super) fn is_needed(&self, name: &str, epoch: u64) -> Option<bool> {
        self.find(name, epoch).map(|key| !matches!(self.heads[key as usize].need, Need::Idle { .. }))
    }

    /// Panics where the directory contradicts itself.
    pub(super) fn audit(&self) {
        let mut idle = 0;
        let (mut key, mut last) = (self.oldest, NONE);
        while key != NONE {
            let Need::Idle { older, newer } = self.heads[key as usize].need else {
                panic!("not idle, but listed")
            };
            assert_eq!(older, last, "the list of idle channels is torn");
            idle += 1;
            (last, key) = (key, newer);
        }
        assert_eq!((self.newest, self.idle), (last, idle));
        let count = |is: fn(&Head) -> bool| self.heads.iter().filter(|(_, head)| is(head)).count();
        assert_eq!(count(|head| matches!(head.need, Need::Idle { .. })), idle, "an idle one is not listed");
        assert_eq!(
            count(|head| head.need == Need::Publications),
            self.expectant,
            "publications on their way"
        );
        let unpublished = count(|head| head.opener.is_some());
        assert_eq!(unpublished, self.unpublished.held(), "the clients' part is wrong");
        assert!(unpublished <= self.clients_part() && self.heads.len() < self.max.max(1));
    }
}

impl fmt::Display for NoChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoChannel::BadName => PushError::BadChannel.fmt(f),
            NoChannel::Full { max } => PushError::TooManyChannels { max: *max }.fmt(f),
            NoChannel::NotYet => PushError::InboxFull.fmt(f),
            NoChannel::NoShare { whose: ChannelRefusal::Address, max } => {
                write!(f, "this address has opened its share of the {max} channels (channels_max)")
            }
            NoChannel::NoShare { max, .. } => {
                write!(f, "clients have opened their share of the {max} channels (channels_max)")
            }
        }
    }
}

impl From<NoChannel> for PushError {
    fn from(problem: NoChannel) -> PushError {
        match problem {
            NoChannel::BadName => PushError::BadChannel,
            NoChannel::NotYet => PushError::InboxFull,
            NoChannel::Full { max } | NoChannel::NoShare { max, .. } => PushError::TooManyChannels { max },
        }
    }
}

#[cfg(test)]
mod tests;
