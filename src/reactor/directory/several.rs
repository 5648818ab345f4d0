//! Channels of several reactors, each of which has its own subscribers there.

use std::sync::Arc;

use super::{Directory, Need};
use crate::push::DEFAULT_NAME;

impl Directory {
    /// Whether there is no such channel yet.
    pub fn is_unknown(&self, name: &str) -> bool {
        self.head(name).is_none()
    }

    /// Keeps a channel that is there, in the life of it that has this name, until the reactor vacates it. False: it is
    /// not there any more.
    pub fn hold(&mut self, seat: usize, name: &Arc<str>) -> bool {
        if &**name == DEFAULT_NAME {
            return true;
        }
        let known = self.names.get(name).copied();
        let Some(key) = known.filter(|&key| Arc::ptr_eq(&self.heads[key as usize].name, name)) else {
            return false;
        };
        self.set_need(key, Need::Subscribers);
        self.heads[key as usize].held |= 1 << seat;
        true
    }

    /// Counts a subscriber that has come to a reactor, or has left. Whether it is the first of all, or was the last.
    pub fn count_subscriber(&mut self, name: &str, has_come: bool) -> bool {
        let head = match self.names.get(name) {
            Some(&key) => &mut self.heads[key as usize],
            None if name == DEFAULT_NAME => &mut self.default,
            None => return false,
        };
        if has_come {
            head.subscribers += 1;
            head.subscribers == 1
        } else {
            debug_assert!(head.subscribers > 0, "one has left {name} who never came");
            head.subscribers = head.subscribers.saturating_sub(1);
            head.subscribers == 0
        }
    }

    /// Subscribers of a channel at all reactors.
    pub fn subscribers(&self, name: &str) -> u32 {
        self.head(name).map_or(0, |head| head.subscribers)
    }
}
