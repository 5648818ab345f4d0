//! Publications that are lost on their way to a node, or a life of a channel that has ended elsewhere: those who have
//! had everything until then fall off the log without being slow. They stay, and are told what they miss; where that
//! can't be said they are closed, to come back with their positions.

use std::collections::HashMap;
use std::fmt::Display;

use super::engine::EngineNews;
use super::reactor::Reactor;
use super::socket::Socket;
use crate::config::{ClusterDown, LogLevel, SlowConsumer};
use crate::metrics::CloseReason;
use crate::protocol::close::CloseCode;
use crate::push::{Broken, ChannelId, Cursor, Gap};

/// The last break of each channel that has had one.
#[derive(Debug, Default)]
pub(super) struct Breaks(HashMap<ChannelId, Break>);

#[derive(Debug)]
struct Break {
    places: Vec<Broken>,
    /// The first offset that is missed.
    from: u64,
    /// The life that goes on.
    epoch: u64,
    /// The offset with which it goes on.
    next: u64,
}

impl<S: Socket> Reactor<S> {
    /// A channel goes on with this offset. False: something is still on its way to subscribers.
    pub(super) fn break_channel_off(&mut self, name: &str, epoch: u64, next: u64) -> bool {
        let Some(id) = self.channels.find(name) else { return true };
        let position = |reactor: &Self| {
            let channel = reactor.channels.get(id);
            (channel.epoch, channel.log().next_offset())
        };
        let here = position(self);
        if here >= (epoch, next) {
            return true;
        }
        self.channels.end_pace(id);
        if !self.channels.get(id).is_offered() || !self.save_rests(id, |_| here.1) {
            return false;
        }
        if self.channels.try_get(id).is_none() {
            // Saving the rests of frames has cost it its last subscriber.
            return true;
        }
        let from = if here.0 == epoch { here.1 } else { crate::push::FIRST_OFFSET };
        let places = self.channels.break_off(id, epoch, next, self.now.mono_us);
        let channel = self.channels.get(id);
        if channel.subscribers == 0 {
            self.walk.breaks.0.remove(&id);
            self.vacate(id);
        } else {
            self.walk.breaks.0.insert(id, Break { places, from, epoch, next });
        }
        true
    }

    /// The publications that a subscriber misses because they are lost, if it has had everything before them.
    pub(super) fn gap_of_break(&self, index: usize, id: ChannelId) -> Option<Gap> {
        let broken = self.walk.breaks.0.get(&id)?;
        let channel = self.channels.get(id);
        let (form, cursor) = (self.connections.slots[index].form, self.cursor(index, id)?);
        let place = broken.places.iter().find(|place| place.form == form)?;
        let is_there = channel.epoch == broken.epoch && cursor == Cursor::at(place.at);
        is_there.then_some(Gap { from: broken.from, to: broken.next - 1 })
    }

    /// Lets a subscriber go on behind what is lost. True: it stays.
    pub(super) fn pass_break(&mut self, index: usize, id: ChannelId, gap: Gap) -> bool {
        let form = self.connections.slots[index].form;
        let tells = self.connections.slots[index].transport.tells_gaps();
        if !tells && self.config.slow_consumer == SlowConsumer::Close {
            let reason = "publications are missing; come back with your position";
            let _ = self.begin_close(index, CloseCode::TRY_AGAIN_LATER, reason, CloseReason::SlowConsumer);
            return false;
        }
        let Some(first) = self.channels.get(id).log_in(form).map(|log| (log.tail(), log.first_offset()))
        else {
            return false;
        };
        self.set_cursor(index, id, Cursor::at(first.0));
        self.channels.touch(id);
        let gap = Gap { to: gap.to.max(first.1 - 1), ..gap };
        if tells && !self.tell_gap(index, id, gap) {
            return false;
        }
        self.offer_missed(index, id);
        self.connections.slots.contains(index) && self.connections.slots[index].form == form
    }

    /// For the sweep: forgets where channels were broken off when all have been told.
    pub(super) fn forget_breaks(&mut self) {
        let channels = &self.channels;
        self.walk.breaks.0.retain(|&id, broken| {
            let there = channels.try_get(id).filter(|channel| channel.epoch == broken.epoch);
            there.is_some_and(|channel| !channel.is_offered())
        });
        self.walk.breaks.0.shrink_to(0);
    }

    /// How the engine is, for the log.
    pub(super) fn note_engine(&mut self, news: &EngineNews) {
        let so = match self.config.cluster_down {
            ClusterDown::Refuse => "nothing is published until it is back; clients stay",
            ClusterDown::Local => "what is published here goes to this node's clients alone until it is back",
        };
        match news {
            EngineNews::Lost(problem) => {
                let fields: [(&str, &dyn Display); 2] = [("problem", problem), ("so", &so)];
                self.journal.event(self.now, LogLevel::Error, "cluster_lost", &fields);
            }
            EngineNews::Back => self.journal.event(self.now, LogLevel::Info, "cluster_back", &[]),
            EngineNews::Epoch { partition, epoch } => {
                let so = "what was published before is lost to the cluster, and clients are told";
                let fields: [(&str, &dyn Display); 3] =
                    [("partition", partition), ("epoch", epoch), ("so", &so)];
                self.journal.event(self.now, LogLevel::Warn, "cluster_epoch", &fields);
            }
            EngineNews::Gap { partition, missed } => {
                let so = "this node was too slow for cluster_entries, and clients are told";
                let fields: [(&str, &dyn Display); 3] =
                    [("partition", partition), ("missed", missed), ("so", &so)];
                self.journal.event(self.now, LogLevel::Warn, "cluster_gap", &fields);
            }
        }
    }
}
