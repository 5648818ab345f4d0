//! All channels as they are handed to another process: each keeps its place, so that what names it goes on naming it.

use std::collections::HashMap;
use std::sync::Arc;

use slab::Slab;

use super::{Channel, ChannelId, Channels};
use crate::narrow;

impl Channels {
    /// The newest publication's receipt.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// Goes on with the channels of another process, each at its place.
    ///
    /// # Errors
    /// They can't be all: there is no default channel, or one of them comes twice.
    pub fn resume(&mut self, all: Vec<(u32, Channel)>, newest: u64) -> Result<(), &'static str> {
        let count = all.len();
        self.all = all.into_iter().map(|(place, channel)| (place as usize, channel)).collect::<Slab<_>>();
        if self.all.len() != count
            || self.all.get(0).is_none_or(|channel| &*channel.name != super::DEFAULT_NAME)
        {
            return Err("places of channels that contradict each other");
        }
        self.names = HashMap::new();
        self.newest = newest;
        self.log_bytes = self.all.iter().map(|(_, channel)| channel.log_bytes()).sum();
        for place in 0..self.all.capacity() {
            let id = ChannelId(narrow::to_u32(place));
            let Some(channel) = self.all.get_mut(place) else { continue };
            let name: Arc<str> = channel.name.clone();
            let is_notices = channel.notices_of.is_some();
            if std::mem::take(&mut channel.queued) {
                self.queue(id);
            }
            if let Some(paces) = &mut self.all[place].paces
                && std::mem::take(&mut paces.is_listed)
            {
                self.list_paced(id);
            }
            if std::mem::take(&mut self.all[place].unsettled) {
                self.touch(id);
            }
            if !is_notices && self.names.insert(name, id).is_some() {
                return Err("two channels of one name");
            }
        }
        let rules = std::mem::take(&mut self.rules);
        self.set_rules(rules);
        Ok(())
    }
}
