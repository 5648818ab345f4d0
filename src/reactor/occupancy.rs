//! Which channels are in use: opened for who comes, and forgotten when nobody needs them any more. The
//! [`Directory`](super::directory::Directory) knows them first, as publishers of all threads find their places there.

use crate::metrics::ChannelEnd;
use crate::push::{ChannelId, DEFAULT};

use super::addresses::network_of;
use super::directory::{Forgotten, NoChannel, Vacated};
use super::durations::timed;
use super::reactor::Reactor;
use super::socket::Socket;

/// Whose wish it is that a connection receives a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// The client's, who is told if that can't be, and may ask again.
    Clients,
    /// The host's or the operator's, to whom it was promised when there was room for it.
    Hosts,
}

impl<S: Socket> Reactor<S> {
    /// The channel of this name for a connection that is about to join it, made if need be. It stays until the
    /// connection has [joined](Self::join_opened) it, or [gives it up](Self::abandon_channel).
    pub(super) fn open_channel(
        &mut self,
        index: usize,
        name: &str,
        by: Wish,
    ) -> Result<ChannelId, NoChannel> {
        let id = self.find_or_open(index, name, by)?;
        self.channels.get_mut(id).expected += 1;
        Ok(id)
    }

    /// A connection will not join a channel that was opened for it.
    pub(super) fn abandon_channel(&mut self, id: ChannelId) {
        self.channels.get_mut(id).expected -= 1;
        self.vacate(id);
    }

    fn find_or_open(&mut self, index: usize, name: &str, by: Wish) -> Result<ChannelId, NoChannel> {
        let known = self.channels.find(name);
        if let Some(id) = known.filter(|&id| !self.channels.get(id).is_deserted()) {
            return Ok(id);
        }
        // Another thread may need the place of one that nobody has needed until now.
        let from = network_of(self.connections.peer(index));
        let opened = self.shared.occupy(name, from, self.now.unix_us, by)?;
        if let Some(id) = known {
            if self.channels.get(id).epoch == opened.epoch {
                return Ok(id);
            }
            // It was forgotten for another one, and the word of it is still on its way.
            self.remove_channel(id);
        }
        let first = self.shared.first_offset(&opened.name);
        Ok(self.channels.open_from(&opened.name, opened.epoch, first, self.now.mono_ms()))
    }

    /// Nobody may be subscribed to a channel any more, or to what was just logged there: if so, it is left to those who
    /// need its place. One that nobody has published to is gone at once.
    pub(super) fn vacate(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.try_get(id).filter(|channel| channel.is_deserted()) else { return };
        if id == DEFAULT {
            return;
        }
        if channel.notices_of().is_some() {
            self.close_notices(id);
            return;
        }
        // One that a subscriber has opened does not know what is on its way to it, before the first of that comes.
        let logged = (!self.channels.is_unused(id)).then(|| channel.log().next_offset());
        if self.shared.vacate(&channel.name, channel.epoch, logged) == Vacated::Gone {
            self.metrics.channels_forgotten.bump(ChannelEnd::Unpublished);
            self.remove_channel(id);
        }
    }

    /// A channel has gone because another one needed its place. It may have come back since, as another.
    pub(super) fn forgotten(&mut self, forgotten: &Forgotten) {
        self.gone(forgotten, ChannelEnd::Room);
    }

    /// A channel is over.
    pub(super) fn gone(&mut self, forgotten: &Forgotten, end: ChannelEnd) {
        self.metrics.channels_forgotten.bump(end);
        let id = self.channels.find(&forgotten.name);
        if let Some(id) = id.filter(|&id| self.channels.get(id).epoch == forgotten.epoch) {
            self.remove_channel(id);
        }
    }

    /// Forgets the channels that have been out of use for too long, at most so many. True: there may be more.
    pub(super) fn forget_idle(&mut self, mut count: usize) -> bool {
        if !self.shared.is_first() {
            return false;
        }
        let since_ms = self.now.mono_ms().saturating_sub(self.config.channel_idle_ms);
        while count > 0 {
            count -= 1;
            let mut is_kept = false;
            let forgotten = self.shared.forget_oldest(|head| {
                let channel = self.channels.find(&head.name).map(|id| self.channels.get(id));
                let old = channel.filter(|channel| channel.used_ms < since_ms);
                is_kept = old.is_some_and(|channel| self.keeps_cached(channel));
                old.is_some() && !is_kept
            });
            let Some(forgotten) = forgotten else {
                if is_kept {
                    self.shared.keep_oldest();
                    continue;
                }
                return false;
            };
            if let Some(id) = self.channels.find(&forgotten.name) {
                self.remove_channel(id);
            }
            self.metrics.channels_forgotten.bump(ChannelEnd::Idle);
        }
        true
    }

    /// Lets a channel forget what was published there, and begin another life. False: not now, as something is on its
    /// way to subscribers.
    pub(super) fn begin_anew(&mut self, id: ChannelId) -> bool {
        !self.has_pending() && self.begin_anew_in_turn(id)
    }

    /// The same for a command, which comes in its order.
    pub(super) fn begin_anew_in_turn(&mut self, id: ChannelId) -> bool {
        let next = self.channels.get(id).log().next_offset();
        self.channels.end_pace(id);
        if !self.channels.get(id).is_offered() || !self.save_rests(id, |_| next) {
            return false;
        }
        if self.channels.try_get(id).is_none() {
            // Saving the rests of frames has cost it its last subscriber.
            return false;
        }
        let name = self.channels.get(id).name.clone();
        let Some(epoch) = self.shared.begin_anew(&name, next, self.now.unix_us) else { return false };
        self.channels.begin_anew(id, epoch, self.now.mono_us);
        true
    }

    /// Another reactor has let a channel begin another life. False: here something is still on its way to subscribers.
    pub(super) fn follow_anew(&mut self, name: &str, epoch: u64) -> bool {
        let Some(id) = self.channels.find(name).filter(|&id| self.channels.get(id).epoch < epoch) else {
            // Somebody has opened it here since, in that life.
            return true;
        };
        let next = self.channels.get(id).log().next_offset();
        if !self.channels.get(id).is_offered() || !self.save_rests(id, |_| next) {
            return false;
        }
        if self.channels.try_get(id).is_some() {
            self.channels.begin_anew(id, epoch, self.now.mono_us);
            self.vacate(id);
        }
        true
    }

    /// Gives up what channels have kept for as long as they are to. It is gone at its time whether this was there or
    /// not; this gives the memory back.
    pub(super) fn expire(&mut self) {
        let unix_ms = self.now.unix_ms();
        let expired: Vec<ChannelId> = self.channels.expired(unix_ms).collect();
        for id in expired {
            // Saving the rests of frames may have cost a channel its last subscriber.
            if self.save_rests(id, |channel| channel.first_in_time(unix_ms))
                && self.channels.try_get(id).is_some()
            {
                self.channels.expire(id, unix_ms, self.now.mono_us);
            }
        }
    }

    fn remove_channel(&mut self, id: ChannelId) {
        self.attendances.remove(id);
        let kept = timed(&mut self.metrics.delivery_seconds, self.shared.keep_deliveries());
        self.channels.remove(id, self.now.mono_us, kept);
    }
}
