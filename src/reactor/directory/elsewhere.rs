//! Where the channels of a cluster stand of which this node has no log: one that is opened here goes on there.

use std::collections::HashMap;
use std::sync::Arc;

use crate::limits::CLUSTER_HEADS_MAX;
use crate::push::FIRST_OFFSET;

/// Epoch and next offset of channels that have no place in the directory.
#[derive(Debug)]
pub struct Elsewhere {
    /// Which part of the cluster a channel belongs to, of so many.
    partition: fn(&str, usize) -> usize,
    /// The epoch of each part.
    epochs: Vec<u64>,
    heads: HashMap<Box<str>, (u64, u64)>,
    /// The first offset here of those that have a place, where it is not the first of all.
    firsts: HashMap<Arc<str>, u64>,
}

impl Elsewhere {
    /// Nothing is known but the epochs of all parts.
    pub fn new(partition: fn(&str, usize) -> usize, epochs: Vec<u64>) -> Elsewhere {
        Elsewhere { partition, epochs, heads: HashMap::new(), firsts: HashMap::new() }
    }

    /// The part that a channel belongs to.
    pub(super) fn part_of(&self, channel: &str) -> usize {
        (self.partition)(channel, self.epochs.len())
    }

    /// Where a channel stands.
    pub(super) fn stands(&self, channel: &str) -> (u64, u64) {
        let new = || (self.epochs[self.part_of(channel)], FIRST_OFFSET);
        self.heads.get(channel).copied().unwrap_or_else(new)
    }

    /// The same for one that gets a place in the directory.
    pub(super) fn take(&mut self, channel: &Arc<str>) -> (u64, u64) {
        let (epoch, next) = self.stands(channel);
        self.heads.remove(&**channel);
        self.begin(channel, next);
        (epoch, next)
    }

    /// A channel that has a place begins here with this offset.
    pub(super) fn begin(&mut self, channel: &Arc<str>, first: u64) {
        if first == FIRST_OFFSET {
            self.firsts.remove(channel);
        } else {
            self.firsts.insert(channel.clone(), first);
        }
    }

    /// The first offset of a channel here.
    pub(super) fn first(&self, channel: &str) -> u64 {
        self.firsts.get(channel).copied().unwrap_or(FIRST_OFFSET)
    }

    /// A channel has no place any more, or has never had one. Beyond the bound it begins with what comes next, and its
    /// subscribers are told that something may be missing.
    pub(super) fn put(&mut self, channel: &str, epoch: u64, next: u64) {
        self.firsts.remove(channel);
        let part = self.part_of(channel);
        let is_new = (epoch, next) == (self.epochs[part], FIRST_OFFSET);
        if is_new {
            self.heads.remove(channel);
        } else if self.heads.len() < CLUSTER_HEADS_MAX || self.heads.contains_key(channel) {
            self.heads.insert(channel.into(), (epoch, next));
        }
    }

    /// Another life of all channels of a part begins, but of those that are younger.
    pub(super) fn begin_epoch(&mut self, part: usize, epoch: u64) {
        self.epochs[part] = self.epochs[part].max(epoch);
        let (partition, parts) = (self.partition, self.epochs.len());
        self.heads.retain(|channel, head| head.0 > epoch || partition(channel, parts) != part);
    }
}
