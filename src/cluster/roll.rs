//! The members that this node has: its own users in channels with presence, and the channels that have subscribers
//! here. Reactors change it at once; the writer tells the others, as often as it comes to that, how each stands then.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::is_of_app;

/// Between channel and user, which neither of them has.
const BETWEEN: char = '\0';

/// A member, or (without a user) a channel that has subscribers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Member {
    pub channel: Box<str>,
    pub user: Box<str>,
}

impl Member {
    fn new(channel: &str, user: &str) -> Member {
        Member { channel: channel.into(), user: user.into() }
    }

    /// Its name in Redis.
    pub fn field(&self) -> String {
        format!("{}{BETWEEN}{}", self.channel, self.user)
    }

    /// Whether the other nodes are to know of it: of users, and of how many are subscribed to channels of apps. That
    /// other channels have subscribers is counted in Redis, and nobody reads it.
    pub fn is_told(&self) -> bool {
        !self.user.is_empty() || is_of_app(&self.channel)
    }

    /// The member of that name.
    pub fn of(field: &str) -> Option<Member> {
        field.split_once(BETWEEN).map(|(channel, user)| Member::new(channel, user))
    }
}

/// How a member stands: its connections, and JSON that says more about it; None: it has gone.
pub(super) type Standing = Option<(u32, Option<Box<str>>)>;

#[derive(Debug, Default)]
struct Own {
    connections: u32,
    info: Option<Box<str>>,
    /// The last connection was lost, and it is taken to have gone then.
    until: Option<Instant>,
    is_queued: bool,
}

#[derive(Debug, Default)]
struct All {
    members: HashMap<Member, Own>,
    /// Those of whom the others don't know how they stand.
    changed: VecDeque<Member>,
    lost: BTreeSet<(Instant, Member)>,
}

/// The list.
#[derive(Debug, Default)]
pub(super) struct Roll(Mutex<All>);

impl Roll {
    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection has come.
    pub fn enter(&self, channel: &str, user: &str, info: Option<&str>) {
        let (mut all, member) = (self.lock(), Member::new(channel, user));
        all.await_no_more(&member);
        let own = all.members.entry(member.clone()).or_default();
        own.connections += 1;
        if let Some(info) = info {
            own.info = Some(info.into());
        }
        all.queue(member);
    }

    /// A connection has gone, and if it was the last, its user will have gone after this time from now on.
    pub fn leave(&self, channel: &str, user: &str, (now, after): (Instant, Duration)) {
        let (mut all, member) = (self.lock(), Member::new(channel, user));
        let Some(own) = all.members.get_mut(&member) else { return };
        own.connections = own.connections.saturating_sub(1);
        if own.connections == 0 && !after.is_zero() {
            let until = now + after;
            own.until = Some(until);
            all.lost.insert((until, member));
        } else {
            all.queue(member);
        }
    }

    /// A channel of an app has another count of subscribers.
    pub fn count(&self, channel: &str, count: &dyn Fn() -> u32) {
        let (mut all, member) = (self.lock(), Member::new(channel, ""));
        let count = count();
        let known = all.members.get(&member).map_or(0, |own| own.connections);
        if count != known {
            all.members.entry(member.clone()).or_default().connections = count;
            all.queue(member);
        }
    }

    /// The next so many that have changed by now, as they stand.
    pub fn take(&self, now: Instant, count: usize) -> Vec<(Member, Standing)> {
        let mut all = self.lock();
        while all.lost.first().is_some_and(|(until, _)| *until <= now)
            && let Some((_, member)) = all.lost.pop_first()
        {
            if let Some(own) = all.members.get_mut(&member) {
                own.until = None;
            }
            all.queue(member);
        }
        let mut taken = Vec::new();
        while taken.len() < count
            && let Some(member) = all.changed.pop_front()
        {
            let Some(own) = all.members.get_mut(&member) else { continue };
            own.is_queued = false;
            let standing = if own.connections == 0 && own.until.is_none() {
                all.members.remove(&member);
                None
            } else {
                Some((own.connections.max(1), own.info.clone()))
            };
            taken.push((member, standing));
        }
        taken
    }

    /// These could not be told: they are to be told again.
    pub fn put_back(&self, taken: Vec<(Member, Standing)>) {
        let mut all = self.lock();
        for (member, _) in taken {
            all.members.entry(member.clone()).or_default();
            all.queue(member);
        }
    }

    /// All are to be told again.
    pub fn tell_anew(&self) {
        let mut all = self.lock();
        let members: Vec<Member> = all.members.keys().cloned().collect();
        members.into_iter().for_each(|member| all.queue(member));
    }

    /// Whether there is something to tell.
    pub fn has_changed(&self) -> bool {
        !self.lock().changed.is_empty()
    }
}

impl All {
    fn queue(&mut self, member: Member) {
        let Some(own) = self.members.get_mut(&member) else { return };
        if !std::mem::replace(&mut own.is_queued, true) {
            self.changed.push_back(member);
        }
    }

    fn await_no_more(&mut self, member: &Member) {
        if let Some(until) = self.members.get_mut(member).and_then(|own| own.until.take()) {
            self.lost.remove(&(until, member.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    fn shown(taken: Vec<(Member, Standing)>) -> Vec<(String, Option<u32>)> {
        let shown = |(member, standing): (Member, Standing)| {
            (format!("{}/{}", member.channel, member.user), standing.map(|(connections, _)| connections))
        };
        taken.into_iter().map(shown).collect()
    }

    #[test]
    fn each_is_told_once_as_it_stands() {
        let (roll, now) = (Roll::default(), Instant::now());
        for _ in 0..3 {
            roll.enter("c", "ann", Some("{}"));
        }
        roll.enter("c", "bob", None);
        roll.leave("c", "bob", (now, Duration::ZERO));
        let both = [("c/ann".to_owned(), Some(3)), ("c/bob".to_owned(), None)];
        let taken = roll.take(now, 9);
        assert_eq!(taken[0].1, Some((3, Some("{}".into()))));
        assert_eq!(shown(taken.clone()), both);
        assert!(roll.take(now, 9).is_empty() && !roll.has_changed());
        roll.put_back(taken);
        assert_eq!(shown(roll.take(now, 9)), both, "as it could not be told");
        roll.tell_anew();
        assert_eq!(shown(roll.take(now, 9)), both[..1]);
        roll.leave("c", "nobody", (now, GRACE));
        assert!(roll.take(now, 9).is_empty());
    }

    #[test]
    fn counts_are_told_as_they_are_in_the_end() {
        let (roll, now) = (Roll::default(), Instant::now());
        roll.count("c", &|| 0);
        assert!(!roll.has_changed(), "nobody was there");
        (1..=9).for_each(|n| roll.count("c", &|| n));
        assert_eq!(shown(roll.take(now, 9)), [("c/".to_owned(), Some(9))]);
        roll.count("c", &|| 9);
        assert!(!roll.has_changed());
        roll.count("c", &|| 0);
        assert_eq!(shown(roll.take(now, 9)), [("c/".to_owned(), None)]);
        assert!(roll.lock().members.is_empty());
    }

    #[test]
    fn who_was_lost_is_there_for_a_while() {
        let roll = Roll::default();
        roll.enter("c", "ann", None);
        roll.take(Instant::now(), 9);
        roll.leave("c", "ann", (Instant::now(), GRACE));
        assert!(roll.take(Instant::now(), 9).is_empty());
        roll.tell_anew();
        assert_eq!(shown(roll.take(Instant::now(), 9)), [("c/ann".to_owned(), Some(1))]);
        roll.enter("c", "ann", None);
        assert_eq!(shown(roll.take(Instant::now() + 2 * GRACE, 9)), [("c/ann".to_owned(), Some(1))]);
        roll.leave("c", "ann", (Instant::now(), GRACE));
        assert_eq!(shown(roll.take(Instant::now() + 2 * GRACE, 9)), [("c/ann".to_owned(), None)]);
        assert!(roll.lock().members.is_empty() && roll.lock().lost.is_empty());
    }

    #[test]
    fn a_member_has_a_name() {
        let member = Member::new("a b", "\u{e9}");
        assert_eq!(Member::of(&member.field()), Some(member));
        assert_eq!(Member::of("x"), None);
    }
}
