//! The users in presence channels of apps, where several reactors let them in: one list, so that no channel has more of
//! them than it may, however many come at once. One reactor alone knows that by itself.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The connections of each user in each channel; 0: it is away, and may be back.
type Channels = HashMap<Box<str>, HashMap<Box<str>, u32>>;

/// The list.
#[derive(Debug, Default)]
pub struct Rosters(Mutex<Channels>);

impl Rosters {
    fn lock(&self) -> MutexGuard<'_, Channels> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A user's connection comes to a channel. False: so many others are there.
    pub fn enter(&self, channel: &str, user: &str, max: u64) -> bool {
        let mut channels = self.lock();
        let users = channels.entry(channel.into()).or_default();
        if let Some(connections) = users.get_mut(user) {
            *connections += 1;
            return true;
        }
        let has_room = (users.len() as u64) < max;
        if has_room {
            users.insert(user.into(), 1);
        } else if users.is_empty() {
            channels.remove(channel);
        }
        has_room
    }

    /// It has left.
    pub fn leave(&self, channel: &str, user: &str) {
        let mut channels = self.lock();
        if let Some(connections) = channels.get_mut(channel).and_then(|users| users.get_mut(user)) {
            *connections = connections.saturating_sub(1);
        }
    }

    /// A user is taken to have gone, if it has no connection there.
    pub fn forget(&self, channel: &str, user: &str) {
        let mut channels = self.lock();
        let Some(users) = channels.get_mut(channel) else { return };
        if users.get(user) == Some(&0) {
            users.remove(user);
        }
        if users.is_empty() {
            channels.remove(channel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_has_so_many_users_and_no_more() {
        let rosters = Rosters::default();
        let enter = |user: &str| rosters.enter("a", user, 2);
        assert_eq!(["ann", "bob", "cid", "ann"].map(enter), [true, true, false, true]);
        rosters.leave("a", "ann");
        rosters.forget("a", "ann");
        assert!(!enter("cid"), "she has another connection");
        rosters.leave("a", "ann");
        assert!(!enter("cid"), "she may be back");
        rosters.forget("a", "ann");
        assert!(enter("cid") && !enter("ann"));
        for user in ["bob", "cid", "nobody"] {
            rosters.leave("a", user);
            rosters.forget("a", user);
        }
        assert!(!rosters.enter("b", "ann", 0) && rosters.lock().is_empty());
    }

    #[test]
    fn threads_that_come_at_once_find_the_same_bound() {
        let rosters = Rosters::default();
        let come = |first: u32| {
            let all = (first..first + 100).filter(|n| rosters.enter("a", &n.to_string(), 30));
            all.count()
        };
        let entered: usize = std::thread::scope(|scope| {
            let threads = [0, 50, 100].map(|first| scope.spawn(move || come(first)));
            threads.map(|thread| thread.join().unwrap()).iter().sum()
        });
        assert_eq!(rosters.lock()["a"].len(), 30);
        assert!((30..=60).contains(&entered), "those who have come twice are counted twice: {entered}");
    }
}
