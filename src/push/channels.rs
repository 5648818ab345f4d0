//! All channels of a server, by name and by id, and which of them have something to flush.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use slab::Slab;

use super::channel::Channel;
use super::encoder::Encoded;
use super::entry::{Entry, Terms};
use super::form::Form;
use super::ledger::{Delivery, Passage, RECEIPTS_KEPT, Written};
use super::lines::Lines;
use super::log::Log;
use super::pace::{Pace, Part};
use super::place::Place;
use super::rules::{ChannelRules, Keep};
use super::since::Since;
use crate::config::{ChannelRule, app_channel};
use crate::narrow;
use crate::protocol::pusher::Traits;

/// Whether it is a presence channel of an app: its name says so.
fn has_presence(channel: &str) -> bool {
    app_channel(channel).is_some_and(|(_, name)| Traits::of(&name).has_presence)
}

mod image;
#[cfg(test)]
mod tests;

/// A channel's place in the server. Valid while the channel has subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
pub struct ChannelId(pub u32);

/// The channel that everybody on `/ws` receives.
pub const DEFAULT: ChannelId = ChannelId(0);

/// The default channel's name.
pub const DEFAULT_NAME: &str = "broadcast";

/// Offset of every channel's first publication: 0 is the position of a subscriber that has none yet.
pub const FIRST_OFFSET: u64 = 1;

/// Bounds of the logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// Bytes that a channel's log keeps.
    pub bytes: usize,
    /// Publications that it keeps.
    pub publications: usize,
    /// Bytes allocated for all logs together.
    pub sum_bytes: usize,
}

/// The channels.
#[derive(Clone, Debug)]
pub struct Channels {
    pub(super) all: Slab<Channel>,
    names: HashMap<Arc<str>, ChannelId>,
    /// Channels with something to flush, in turn.
    queue: Lines,
    /// Those whose publications go out at a pace, in turn.
    pub(super) paced: VecDeque<ChannelId>,
    /// Channels whose ledger has changed since it was last settled.
    unsettled: Vec<ChannelId>,
    /// The newest publication's receipt.
    newest: u64,
    pub(super) limits: LogLimits,
    /// Bytes allocated for all logs: the sum of [`Channel::log_bytes`].
    pub(super) log_bytes: usize,
    /// The fate of subscribers that fall off a log.
    fallen: Passage,
    /// How some of them are kept.
    rules: Vec<ChannelRule>,
    /// Logical position of every new log's first byte.
    pub(super) start: u64,
}

impl Channels {
    /// The default channel alone.
    pub fn new(limits: LogLimits, default_epoch: u64) -> Channels {
        let mut channels = Channels::empty(limits);
        let default = channels.open(&Arc::from(DEFAULT_NAME), default_epoch, 0);
        debug_assert_eq!(default, DEFAULT);
        channels
    }

    fn empty(limits: LogLimits) -> Channels {
        Channels {
            all: Slab::new(),
            names: HashMap::new(),
            queue: Lines::default(),
            paced: VecDeque::new(),
            unsettled: Vec::new(),
            newest: 0,
            limits,
            log_bytes: 0,
            fallen: Passage::Gone,
            rules: Vec::new(),
            start: 0,
        }
    }

    /// The same logs for another reactor, before anybody has come.
    pub fn replica(&self) -> Channels {
        let mut replica = self.clone();
        replica.log_bytes = replica.all.iter().map(|(_, channel)| channel.log_bytes()).sum();
        replica
    }

    /// The channel of this name, created if it isn't there; then its first publication will have offset 1, for one
    /// that isn't there has had none in this life of it.
    pub fn open(&mut self, name: &Arc<str>, epoch: u64, now_ms: u64) -> ChannelId {
        if let Some(&id) = self.names.get(name) {
            return id;
        }
        let LogLimits { bytes, publications, .. } = self.limits;
        self.put(name, epoch, Log::starting_at(self.start, FIRST_OFFSET, bytes, publications), now_ms)
    }

    /// As [`open`](Self::open), but its first publication here will have this offset.
    pub fn open_from(&mut self, name: &Arc<str>, epoch: u64, first: u64, now_ms: u64) -> ChannelId {
        match self.names.get(name) {
            Some(&id) => id,
            None if first == FIRST_OFFSET => self.open(name, epoch, now_ms),
            None => self.open_at(name, epoch, first, now_ms),
        }
    }

    /// As [`open`](Self::open) for one that another process has published to: empty, and its next publication will have
    /// this offset. It takes the place of one that has none yet.
    pub(super) fn open_at(&mut self, name: &Arc<str>, epoch: u64, next: u64, now_ms: u64) -> ChannelId {
        let LogLimits { bytes, publications, .. } = self.limits;
        // Its position tells that it is not unused.
        self.put(name, epoch, Log::starting_at(self.start + 1, next, bytes, publications), now_ms)
    }

    fn put(&mut self, name: &Arc<str>, epoch: u64, log: Log, now_ms: u64) -> ChannelId {
        let mut channel = Channel::new(name.clone(), epoch, log, self.limits.publications, now_ms);
        self.rule(&mut channel);
        if let Some(&id) = self.names.get(name) {
            self.resize(id, |former| {
                channel.unsettled = former.unsettled;
                *former = channel;
            });
            return id;
        }
        let id = ChannelId(narrow::to_u32(self.all.insert(channel)));
        self.names.insert(name.clone(), id);
        id
    }

    /// The bounds of the logs.
    pub fn limits(&self) -> LogLimits {
        self.limits
    }

    /// Lets all logs begin at this logical position, so that tests need not publish 4 GiB to see cursors wrap. Only
    /// while there is nothing but the default channel, unused.
    #[doc(hidden)]
    pub fn start_at(&mut self, position: u64) {
        let default = self.get(DEFAULT);
        assert!(self.len() == 1 && default.subscribers == 0 && default.log().head() == default.log().tail());
        let epoch = default.epoch;
        let rules = std::mem::take(&mut self.rules);
        *self = Channels { start: position, fallen: self.fallen, rules, ..Channels::empty(self.limits) };
        self.open(&Arc::from(DEFAULT_NAME), epoch, 0);
    }

    /// Says what becomes of subscribers that fall off a log, for the deliveries' counts.
    pub fn set_fallen(&mut self, passage: Passage) {
        self.fallen = passage;
        self.rule_all();
    }

    /// Says how the channels are kept that these rules match, those that are there and those to come.
    pub fn set_rules(&mut self, rules: Vec<ChannelRule>) {
        self.rules = rules;
        self.rule_all();
    }

    fn rule_all(&mut self) {
        let mut all = std::mem::take(&mut self.all);
        all.iter_mut().for_each(|(_, channel)| self.rule(channel));
        self.all = all;
    }

    fn rule(&self, channel: &mut Channel) {
        if channel.notices_of.is_some() {
            return;
        }
        let rule = ChannelRule::first(&self.rules, &channel.name).cloned().unwrap_or_default();
        let rules = ChannelRules {
            ttl_ms: rule.ttl_ms.unwrap_or_default(),
            keep: rule.keep.unwrap_or_default(),
            missed: rule.missed.unwrap_or_default(),
            presence: rule.presence.unwrap_or_default() || has_presence(&channel.name),
            priority: rule.priority.unwrap_or_default(),
        };
        let LogLimits { bytes, publications, .. } = self.limits;
        let bytes = rule.bytes.map_or(bytes, |own| own.min(bytes));
        let publications = rule.publications.map_or(publications, |own| own.min(publications));
        channel.set_rules(rules, bytes, publications);
        channel.fallen = if rules.keep == Keep::Latest { Passage::Skipped } else { self.fallen };
    }

    /// The channels that have publications which are too old.
    pub fn expired(&self, unix_ms: u64) -> impl Iterator<Item = ChannelId> {
        let is_expired =
            move |channel: &Channel| channel.first_in_time(unix_ms) > channel.log().first_offset();
        self.iter()
            .filter(move |(_, channel)| channel.rules.ttl_ms > 0 && is_expired(channel))
            .map(|(id, _)| id)
    }

    /// The shortest time that any of them keeps its publications for; None: all do for ever.
    pub fn shortest_ttl_ms(&self) -> Option<u64> {
        let ttls = self.all.iter().map(|(_, channel)| channel.rules.ttl_ms);
        ttls.filter(|&ttl_ms| ttl_ms > 0).min()
    }

    /// Lets a channel give up the publications that are too old.
    pub fn expire(&mut self, id: ChannelId, unix_ms: u64, now_us: u64) {
        self.resize(id, |channel| channel.give_up_before(channel.first_in_time(unix_ms), now_us));
        self.queue(id);
        self.touch(id);
    }

    /// The id of a channel that exists.
    pub fn find(&self, name: &str) -> Option<ChannelId> {
        self.names.get(name).copied()
    }

    /// A channel that exists.
    ///
    /// # Panics
    /// If it was removed; ids are kept only by subscribers, and a channel with subscribers is never removed.
    #[inline]
    pub fn get(&self, id: ChannelId) -> &Channel {
        &self.all[id.0 as usize]
    }

    /// A channel that may have been removed since.
    pub fn try_get(&self, id: ChannelId) -> Option<&Channel> {
        self.all.get(id.0 as usize)
    }

    /// As [`try_get`](Self::try_get), to be changed.
    pub fn try_get_mut(&mut self, id: ChannelId) -> Option<&mut Channel> {
        self.all.get_mut(id.0 as usize)
    }

    /// As [`get`](Self::get), to be changed.
    #[inline]
    pub fn get_mut(&mut self, id: ChannelId) -> &mut Channel {
        &mut self.all[id.0 as usize]
    }

    /// Number of channels.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Never: there is always the default channel.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Places of channels: each is below.
    pub fn places(&self) -> usize {
        self.all.capacity()
    }

    /// All channels, and the logs of [notices](Channel::notices_of).
    pub fn iter(&self) -> impl Iterator<Item = (ChannelId, &Channel)> {
        self.all.iter().map(|(key, channel)| (ChannelId(narrow::to_u32(key)), channel))
    }

    /// Whether nothing was ever published in a channel, as far as it knows.
    pub fn is_unused(&self, id: ChannelId) -> bool {
        self.get(id).log().head() == self.start
    }

    /// Changes a channel's log, and counts the bytes that this takes or gives back.
    pub(super) fn resize<T>(&mut self, id: ChannelId, change: impl FnOnce(&mut Channel) -> T) -> T {
        let channel = &mut self.all[id.0 as usize];
        let before = channel.log_bytes();
        let value = change(channel);
        self.log_bytes = self.log_bytes - before + channel.log_bytes();
        value
    }

    /// Puts a channel into the queue of channels to flush, if it isn't there and somebody listens to it.
    pub(super) fn queue(&mut self, id: ChannelId) {
        let channel = self.get_mut(id);
        if channel.is_paced() {
            self.list_paced(id);
        } else if channel.subscribers > 0 && !std::mem::replace(&mut channel.queued, true) {
            let priority = channel.rules.priority;
            self.queue.push(id, priority);
        }
    }

    /// Appends a publication to a channel, and queues the channel for the flush.
    pub fn append(&mut self, id: ChannelId, publication: &Encoded<'_>, place: Place) {
        self.append_paced(id, publication, place, None);
    }

    /// The same, perhaps at a pace. Without one it ends the paces of what lies before it.
    pub fn append_paced(
        &mut self,
        id: ChannelId,
        publication: &Encoded<'_>,
        place: Place,
        pace: Option<(Pace, Part)>,
    ) {
        self.newest = self.newest.max(place.receipt);
        self.resize(id, |channel| channel.append(publication, place));
        let channel = self.get_mut(id);
        channel.set_pace(place.offset, pace, place.now_us);
        // Behind another one of this turn it is there already.
        if !channel.queued || channel.has_pace() {
            self.queue(id);
        }
        self.touch(id);
    }

    /// Adds a subscriber to a channel, which takes publications in this form from there on. The caller has asked for
    /// [room](Self::room_to_enter).
    pub fn enter(&mut self, id: ChannelId, form: Form, since: Since, unix_ms: u64) -> Entry {
        let spare_bytes = self.limits.sum_bytes.saturating_sub(self.log_bytes);
        let terms = Terms { unix_ms, asked_from: self.asked_from(), spare_bytes };
        let entry = self.resize(id, |channel| channel.enter(form, since, terms));
        self.touch(id);
        entry
    }

    /// Notes that a channel's ledger has changed.
    pub fn touch(&mut self, id: ChannelId) {
        if !std::mem::replace(&mut self.get_mut(id).unsettled, true) {
            self.unsettled.push(id);
        }
    }

    /// Settles the ledgers that have changed; shows every delivery that may have. At the most the publications that can
    /// be asked about are looked at, those that no longer can once more, and how many that was is said.
    pub fn settle(&mut self, now_us: u64, mut changed: impl FnMut(&Delivery, Written)) -> usize {
        let (asked_from, mut looked_at) = (self.asked_from(), 0);
        for id in self.unsettled.drain(..) {
            // The place of one that was forgotten may be another's.
            let Some(channel) = self.all.get_mut(id.0 as usize).filter(|channel| channel.unsettled) else {
                continue;
            };
            channel.unsettled = false;
            let lost = (channel.log().first_offset(), channel.fallen);
            looked_at += channel.ledger.settle(now_us, lost, asked_from, &mut changed);
        }
        looked_at
    }

    /// The oldest receipt that can still be asked about.
    fn asked_from(&self) -> u64 {
        (self.newest + 1).saturating_sub(RECEIPTS_KEPT as u64)
    }

    /// Takes the next channel to flush out of the queue.
    pub fn next_dirty(&mut self) -> Option<ChannelId> {
        while let Some(id) = self.queue.pop() {
            // One that was forgotten may have left its line here.
            let Some(channel) = self.all.get_mut(id.0 as usize).filter(|channel| channel.queued) else {
                continue;
            };
            if !channel.is_paced() {
                return Some(id);
            }
            channel.queued = false;
            self.list_paced(id);
        }
        None
    }

    /// Puts a channel whose walk isn't over back into the queue, behind the others; or notes that it is clean.
    pub fn requeue(&mut self, id: ChannelId, dirty: bool) {
        let channel = self.get_mut(id);
        channel.queued = dirty && !channel.is_paced();
        if channel.queued {
            let priority = channel.rules.priority;
            self.queue.push(id, priority);
        } else if dirty {
            self.list_paced(id);
        }
    }

    /// A channel is clean: of what it has evicted nobody has to be told any more.
    pub fn forget_evicted(&mut self, id: ChannelId) {
        if self.try_get(id).is_some_and(Channel::has_other_forms) {
            self.resize(id, Channel::forget_evicted);
        }
    }

    /// Whether any channel has something to flush at once.
    pub fn is_dirty(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether any channel has something that a subscriber was not offered yet, be it that this has time.
    pub fn has_unoffered(&self) -> bool {
        self.is_dirty() || self.has_paced()
    }

    /// Whether any channel has another form than the plain one.
    pub fn have_other_forms(&self) -> bool {
        self.all.iter().any(|(_, channel)| channel.has_other_forms())
    }

    /// Gives back forms that have had no subscriber for so long.
    pub fn drop_unused_rings(&mut self, now_ms: u64, unused_ms: u64) {
        for (_, channel) in &mut self.all {
            let before = channel.log_bytes();
            channel.drop_unused_rings(now_ms, unused_ms);
            self.log_bytes -= before - channel.log_bytes();
        }
    }

    /// Forgets a channel that nobody needs, and shows what is left to say of its deliveries.
    pub fn remove(&mut self, id: ChannelId, now_us: u64, changed: impl FnMut(&Delivery, Written)) {
        let mut channel = self.all.remove(id.0 as usize);
        debug_assert!(channel.is_deserted() && id != DEFAULT);
        let lost = (channel.log().first_offset(), channel.fallen);
        channel.ledger.settle(now_us, lost, self.asked_from(), changed);
        self.log_bytes -= channel.log_bytes();
        if channel.notices_of.is_none() {
            self.names.remove(&channel.name);
        }
    }
}
