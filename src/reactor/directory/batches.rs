//! Places in several channels at once, and the newest place of each.

use std::collections::HashSet;
use std::sync::Arc;

use crate::config::channel_name_ok;
use crate::metrics::ChannelRefusal;
use crate::narrow;
use crate::push::{DEFAULT_NAME, FIRST_OFFSET, PushError};

use super::{Directory, Forgotten, Head, Need, NoChannel, Opened};

impl Directory {
    /// The next place in each of these channels, in their order, or in none. A name may be there several times.
    pub fn publish_all(
        &mut self,
        names: &[&str],
        unix_us: u64,
    ) -> Result<(Vec<Opened>, Vec<Forgotten>), NoChannel> {
        // Those that are published to don't go for others.
        for key in self.check_room(names)? {
            self.set_need(key, Need::Publications);
        }
        let (mut places, mut gone) = (Vec::with_capacity(names.len()), Vec::new());
        for name in names {
            let (place, forgotten) = self.publish(Some(name), unix_us)?;
            places.push(place);
            gone.extend(forgotten);
        }
        Ok((places, gone))
    }

    /// Whether there is room for all of these channels; the idle ones among them.
    fn check_room(&mut self, names: &[&str]) -> Result<HashSet<u32>, NoChannel> {
        let (mut new, mut idle, mut expectant) = (HashSet::new(), HashSet::new(), HashSet::new());
        for &name in names.iter().filter(|name| **name != DEFAULT_NAME) {
            match self.names.get(name) {
                None if !channel_name_ok(name) => return Err(NoChannel::BadName),
                None => drop(new.insert(name)),
                Some(&key) => match self.heads[key as usize].need {
                    Need::Idle { .. } => drop(idle.insert(key)),
                    Need::Publications => drop(expectant.insert(key)),
                    Need::Subscribers => {}
                },
            }
        }
        let (max, here) = (self.max, self.heads.len() - (self.idle - idle.len()));
        if here + new.len() < max.max(1) {
            return Ok(idle);
        }
        self.refused.bump(ChannelRefusal::Full);
        let later = here - (self.expectant - expectant.len()) + new.len();
        Err(if later < max { NoChannel::NotYet } else { NoChannel::Full { max } })
    }

    /// Holds the newest offset of each of these channels against the one that somebody expects there.
    pub fn check_newest(&self, names: &[&str], expected: u64) -> Result<(), PushError> {
        for &name in names {
            let head = self.head(name);
            if head.is_none() && !channel_name_ok(name) {
                return Err(PushError::BadChannel);
            }
            let (epoch, offset) = head.map_or((0, 0), |head| (head.epoch, head.next_offset - 1));
            if offset != expected {
                return Err(PushError::OffsetDiffers { channel: Arc::from(name), epoch, offset });
            }
        }
        Ok(())
    }

    /// Another life of this channel begins, if all that was published is logged: `logged` is the offset that follows.
    /// The new epoch.
    pub fn begin_anew(&mut self, name: &str, logged: u64, unix_us: u64) -> Option<u64> {
        let epoch = unix_us.max(self.last_epoch + 1);
        let head = match self.names.get(name) {
            Some(&key) => &mut self.heads[key as usize],
            None => Some(&mut self.default).filter(|_| name == DEFAULT_NAME)?,
        };
        if head.next_offset != logged {
            return None;
        }
        (head.epoch, head.next_offset) = (epoch, FIRST_OFFSET);
        self.last_epoch = epoch;
        Some(epoch)
    }

    /// A channel as a predecessor has left it. Before there is any but the default one.
    pub fn restore(&mut self, Opened { name, epoch, next_offset }: Opened) {
        self.last_epoch = self.last_epoch.max(epoch);
        if &*name == DEFAULT_NAME {
            (self.default.epoch, self.default.next_offset) = (epoch, next_offset);
            return;
        }
        let head = Head::new(name.clone(), epoch, next_offset);
        let key = narrow::to_u32(self.heads.insert(head));
        self.link(key);
        self.names.insert(name, key);
    }

    /// The newest epoch that was given to a channel is no less than this one.
    pub fn no_epoch_before(&mut self, epoch: u64) {
        self.last_epoch = self.last_epoch.max(epoch);
    }

    /// The newest epoch that was given to a channel.
    pub fn last_epoch(&self) -> u64 {
        self.last_epoch
    }

    pub(super) fn head(&self, name: &str) -> Option<&Head> {
        match self.names.get(name) {
            Some(&key) => Some(&self.heads[key as usize]),
            None => Some(&self.default).filter(|_| name == DEFAULT_NAME),
        }
    }
}
