//! The things that apps' connections and channels wait for: connections that have to show who they are within a time,
//! and counts of subscribers, which are told at once while they are few and now and then when they are many.

use std::collections::{BTreeSet, HashMap};

use crate::config::app_channel;
use crate::metrics::{CloseReason, WorkKind};
use crate::protocol::close::CloseCode;
use crate::protocol::pusher::{Traits, event};
use crate::push::{ChannelId, Message, PushOptions};

#[cfg(feature = "pusher")]
use super::super::app_events::AppHappening;
use super::super::peers::PeerNews;
use super::super::reactor::Reactor;
use super::super::shared::Wake;
use super::super::slot::{Phase, Slot};
use super::super::socket::Socket;
use super::super::work::{DEADLINE, NAME};
use super::UNAUTHORIZED;

/// Subscribers up to which each change is told.
const COUNTED_AT_ONCE: u32 = 100;
/// Between two counts of more than those.
const COUNT_MS: u64 = 5_000;

/// The count of one channel.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    told_ms: u64,
    due_ms: Option<u64>,
}

/// All that is waited for.
#[derive(Debug, Default)]
pub struct AppTimers {
    /// When connections have to have shown who they are: (when, slot, serial number).
    unknown: BTreeSet<(u64, u32, u32)>,
    /// When the host is to have answered a question: (when, slot, serial number, question).
    unanswered: BTreeSet<(u64, u32, u32, u32)>,
    counts: HashMap<u32, Count>,
    due: BTreeSet<(u64, u32)>,
}

impl AppTimers {
    /// When something is due.
    pub fn due_ms(&self) -> Option<u64> {
        let unknown = self.unknown.first().map(|&(due_ms, ..)| due_ms);
        let count = self.due.first().map(|&(due_ms, _)| due_ms);
        let unanswered = self.unanswered.first().map(|&(due_ms, ..)| due_ms);
        unknown.into_iter().chain(count).chain(unanswered).min()
    }

    /// A connection has so long to show who it is.
    pub fn await_known(&mut self, due_ms: u64, index: u32, serial: u32) {
        self.unknown.insert((due_ms, index, serial));
    }

    /// The host has so long to answer a question of a connection.
    pub fn await_answer(&mut self, due_ms: u64, (index, serial): (u32, u32), number: u32) {
        self.unanswered.insert((due_ms, index, serial, number));
    }

    /// A question for which the time is over.
    fn pop_unanswered(&mut self, now_ms: u64) -> Option<(usize, u32, u32)> {
        let &(_, index, serial, number) =
            self.unanswered.first().filter(|&&(due_ms, ..)| due_ms <= now_ms)?;
        self.unanswered.pop_first();
        Some((index as usize, serial, number))
    }

    /// Notes that a channel has another count of subscribers.
    fn note_count(&mut self, id: ChannelId, subscribers: u32, now_ms: u64) {
        let count = self.counts.entry(id.0).or_default();
        if subscribers == 0 {
            // Nobody is there to be told.
            if let Some(due_ms) = self.counts.remove(&id.0).and_then(|count| count.due_ms) {
                self.due.remove(&(due_ms, id.0));
            }
        } else if count.due_ms.is_none() {
            let is_few = subscribers <= COUNTED_AT_ONCE || count.told_ms == 0;
            let due_ms = if is_few { now_ms } else { now_ms.max(count.told_ms + COUNT_MS) };
            count.due_ms = Some(due_ms);
            self.due.insert((due_ms, id.0));
        }
    }

    /// Notes the same where another reactor counts.
    fn note_change(&mut self, id: ChannelId, now_ms: u64) {
        self.due.insert((now_ms, id.0));
    }

    /// The next channel whose count is to be told.
    fn pop_count(&mut self, now_ms: u64) -> Option<ChannelId> {
        let (_, id) = self.due.first().copied().filter(|&(due_ms, _)| due_ms <= now_ms)?;
        self.due.pop_first();
        if let Some(count) = self.counts.get_mut(&id) {
            *count = Count { told_ms: now_ms, due_ms: None };
        }
        Some(ChannelId(id))
    }
}

impl<S: Socket> Reactor<S> {
    /// A channel has a subscriber more, or one less.
    #[inline]
    pub(in super::super) fn count_changed(&mut self, id: ChannelId) {
        if !self.apps.are_none() {
            self.note_change_of_count(id);
        }
    }

    fn note_change_of_count(&mut self, id: ChannelId) {
        let channel = self.channels.get(id);
        if channel.notices_of().is_some() {
            return;
        }
        if let Some(engine) = self.shared.engine()
            && app_channel(&channel.name).is_some()
        {
            engine.counted(&channel.name, &|| self.subscribers(&channel.name, channel.subscribers));
        }
        self.recount(id);
    }

    /// A channel has another count of subscribers, here or at another node.
    pub(in super::super) fn recount(&mut self, id: ChannelId) {
        if self.counted_channel(id).is_none() {
            return;
        }
        let channel = self.channels.get(id);
        let subscribers = match self.subscribers(&channel.name, channel.subscribers) {
            // Nobody is there to be told.
            0 => 0,
            here => {
                let all = self.subscribers_of_all(&channel.name, channel.subscribers);
                here.max(u32::try_from(all).unwrap_or(u32::MAX))
            }
        };
        let now_ms = self.now.mono_ms();
        if self.shared.is_first() {
            self.apps.timers.note_count(id, subscribers, now_ms);
        } else {
            self.apps.timers.note_change(id, now_ms);
        }
    }

    /// The name that a channel has in its app, if its subscribers are told how many they are.
    fn counted_channel(&self, id: ChannelId) -> Option<String> {
        let (app, name) = app_channel(&self.channels.try_get(id)?.name)?;
        let is_counted = self.apps.by_id(app).is_some_and(|app| app.settings.subscription_count);
        Some(name).filter(|name| is_counted && !Traits::of(name).has_presence)
    }

    /// Does what is due for apps, as far as the turn goes.
    pub(in super::super) fn meet_app_timers(&mut self) {
        let now_ms = self.now.mono_ms();
        while self.apps.timers.due_ms().is_some_and(|due_ms| due_ms <= now_ms) {
            if self.work.is_part_used() {
                self.work.cut(WorkKind::Deadlines);
                return;
            }
            self.work.charge(WorkKind::Deadlines, DEADLINE);
            let unknown = self.apps.timers.unknown.first().copied();
            if let Some(entry @ (due_ms, index, serial)) = unknown
                && due_ms <= now_ms
            {
                self.apps.timers.unknown.remove(&entry);
                self.expect_known(index as usize, serial);
            } else if let Some((index, serial, number)) = self.apps.timers.pop_unanswered(now_ms) {
                self.answer_due((index, serial), number);
            } else if let Some(id) = self.apps.timers.pop_count(now_ms) {
                self.tell_count(id);
            }
        }
    }

    /// Closes a connection that has not shown who it is.
    fn expect_known(&mut self, index: usize, serial: u32) {
        let is_open = |slot: &&mut Slot<S>| slot.phase == Phase::Open;
        if self.connections.get(index, serial).filter(is_open).is_none() {
            return;
        }
        let slot = &self.connections.slots[index];
        let is_private = |id: ChannelId| {
            let name = app_channel(&self.channels.get(id).name).map(|(_, name)| name);
            name.is_some_and(|name| Traits::of(&name).is_private)
        };
        let is_known = slot.user().is_some() || self.subscriptions(slot).any(|(id, _)| is_private(id));
        if !is_known {
            let why = "neither signed in nor subscribed to a private channel in time";
            self.close_in_order(index, CloseCode(UNAUTHORIZED), why, CloseReason::Policy);
        }
    }

    /// The first reactor tells of all subscribers; the others tell it that there are others than before. Of a cluster
    /// one node tells.
    fn tell_count(&mut self, id: ChannelId) {
        let Some(name) = self.counted_channel(id) else { return };
        let channel = self.channels.get(id);
        let known = channel.name.clone();
        let (here, subscribers) = (
            self.subscribers(&known, channel.subscribers),
            self.subscribers_of_all(&known, channel.subscribers),
        );
        if !self.shared.is_first() {
            return self.shared.tell_one(0, PeerNews::Counted { channel: known });
        }
        if self.shared.engine().is_some_and(|engine| here == 0 || !engine.speaks_for(&known)) {
            return;
        }
        self.work.charge(WorkKind::Names, NAME);
        let mut payload = Vec::new();
        event::push_count(&name, subscribers, &mut payload);
        let text = String::from_utf8_lossy(&payload);
        // With the inbox full, a count is the least of what is missing.
        let _ = self.publish_here(Some(&known), Message::Text(&text), PushOptions::default(), Wake::Yes);
        #[cfg(feature = "pusher")]
        self.tell_app(&known, AppHappening::SubscriptionCount(subscribers));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_counted_at_once_and_many_now_and_then() {
        let mut timers = AppTimers::default();
        let id = ChannelId(7);
        timers.note_count(id, 1, 1_000);
        timers.note_count(id, 2, 1_000);
        assert_eq!((timers.due_ms(), timers.pop_count(999)), (Some(1_000), None));
        assert_eq!((timers.pop_count(1_000), timers.due_ms()), (Some(id), None), "once");
        timers.note_count(id, 100, 2_000);
        assert_eq!(timers.pop_count(2_000), Some(id));
        for n in 101..200 {
            timers.note_count(id, n, 2_000 + u64::from(n));
        }
        assert_eq!(timers.due_ms(), Some(7_000));
        timers.note_count(id, 0, 3_000);
        assert_eq!(timers.due_ms(), None);
        assert!(timers.counts.is_empty() && timers.due.is_empty());
    }
}
