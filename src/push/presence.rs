//! Who is in a channel: its subscribers that have a user, each user once however many connections it has there.
//!
//! Somebody comes with the first connection and goes with the last. One that was lost may be back at once (a page is
//! loaded anew, a telephone changes its network), so a user whose last connection was lost stays for a while, in a
//! queue: there is no timer for anybody. Users beyond a bound are counted and not listed, nobody is told of them, and
//! no names are kept. So however many come, a channel tells of no more of them than that.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

/// A user who is there.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
struct Listed {
    /// JSON that says more about it.
    info: Option<Box<str>>,
    /// 0: the last one was lost.
    connections: u32,
    /// Which loss that was.
    loss: u32,
}

/// A user whose last connection was lost.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
struct Lost {
    at_ms: u64,
    loss: u32,
    user: Box<str>,
}

/// Losses from which on it is looked whether they still count.
const LOST_MIN: usize = 64;

impl Lost {
    /// Whether it is this user's last loss, and none of its connections has come back.
    fn is_of(&self, known: &Listed) -> bool {
        known.connections == 0 && known.loss == self.loss
    }
}

/// How a connection leaves a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// Somebody said so.
    Said,
    /// It was lost, and its time for coming back begins then: milliseconds of the reactor's clock.
    Lost(u64),
}

/// A notice to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// Somebody has come.
    Join,
    /// Somebody has gone.
    Leave,
    /// From now on users are only counted.
    TooMany,
    /// From now on they are listed again; nobody is there.
    ListedAgain,
}

/// A user who is there, as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attendee<'a> {
    /// The user.
    pub user: &'a str,
    /// JSON that says more about it.
    pub info: Option<&'a str>,
    /// Its connections in the channel; 0: the last one was lost just now.
    pub connections: u32,
}

/// Those in one channel.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
pub struct Presence {
    users: Users,
    lost: VecDeque<Lost>,
    next_loss: u32,
    listed_max: usize,
}

#[derive(Debug, serde::Deserialize, serde::Serialize)]
enum Users {
    Listed(HashMap<Box<str>, Listed>),
    /// Connections of each by a hash of its name. Two with the same hash would count as one.
    Counted(#[serde(skip)] HashMap<u64, u32>, #[serde(skip)] RandomState),
}

impl Presence {
    /// Nobody yet; so many at the most are listed.
    pub fn new(listed_max: usize) -> Presence {
        Presence { users: Users::Listed(HashMap::new()), lost: VecDeque::new(), next_loss: 0, listed_max }
    }

    /// Whether they are only counted.
    pub fn is_counted(&self) -> bool {
        matches!(self.users, Users::Counted(..))
    }

    /// How many users are there.
    pub fn count(&self) -> usize {
        match &self.users {
            Users::Listed(listed) => listed.len(),
            Users::Counted(counted, _) => counted.len(),
        }
    }

    /// Whether nobody is there.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Those who are there, in no order; None: they are only counted.
    pub fn attendees(&self) -> Option<impl Iterator<Item = Attendee<'_>>> {
        let Users::Listed(listed) = &self.users else { return None };
        Some(listed.iter().map(|(user, Listed { info, connections, .. })| Attendee {
            user,
            info: info.as_deref(),
            connections: *connections,
        }))
    }

    /// A user who is listed.
    pub fn find<'a>(&'a self, user: &'a str) -> Option<Attendee<'a>> {
        let Users::Listed(listed) = &self.users else { return None };
        let Listed { info, connections, .. } = listed.get(user)?;
        Some(Attendee { user, info: info.as_deref(), connections: *connections })
    }

    /// Whether those who are there are listed, and no longer would be with this user.
    pub fn is_full_for(&self, user: &str) -> bool {
        matches!(&self.users, Users::Listed(listed) if listed.len() >= self.listed_max && !listed.contains_key(user))
    }

    /// Changes how many are listed at the most.
    pub fn set_listed_max(&mut self, listed_max: usize) -> Change {
        self.listed_max = listed_max;
        match &self.users {
            Users::Listed(listed) if listed.len() > listed_max => {
                self.count_only();
                Change::TooMany
            }
            _ => Change::None,
        }
    }

    /// A connection of a user has come.
    pub fn enter(&mut self, user: &str, info: Option<&str>) -> Change {
        self.enter_several(user, info, 1)
    }

    /// So many of them, one at the least.
    pub fn enter_several(&mut self, user: &str, info: Option<&str>, count: u32) -> Change {
        match &mut self.users {
            Users::Counted(counted, key) => {
                *counted.entry(key.hash_one(user)).or_default() += count;
                Change::None
            }
            Users::Listed(listed) => {
                if let Some(known) = listed.get_mut(user) {
                    known.connections += count;
                    if let Some(newer) = info {
                        known.info = Some(newer.into());
                    }
                    return Change::None;
                }
                if listed.len() >= self.listed_max {
                    self.count_only();
                    self.enter_several(user, info, count);
                    return Change::TooMany;
                }
                let info = info.map(Into::into);
                listed.insert(user.into(), Listed { info, connections: count, loss: 0 });
                Change::Join
            }
        }
    }

    /// A connection of a user has gone.
    pub fn leave(&mut self, user: &str, departure: Departure) -> Change {
        self.leave_several(user, departure, 1)
    }

    /// So many of them, of which it has as many.
    pub fn leave_several(&mut self, user: &str, departure: Departure, count: u32) -> Change {
        match &mut self.users {
            Users::Counted(counted, key) => {
                let hash = key.hash_one(user);
                if let Some(connections) = counted.get_mut(&hash) {
                    *connections = connections.saturating_sub(count);
                    if *connections == 0 {
                        counted.remove(&hash);
                    }
                }
                if !counted.is_empty() {
                    return Change::None;
                }
                self.users = Users::Listed(HashMap::new());
                Change::ListedAgain
            }
            Users::Listed(listed) => {
                let Some(known) = listed.get_mut(user) else { return Change::None };
                known.connections = known.connections.saturating_sub(count);
                if known.connections > 0 {
                    return Change::None;
                }
                if let Departure::Lost(at_ms) = departure {
                    self.next_loss = self.next_loss.wrapping_add(1);
                    known.loss = self.next_loss;
                    if self.lost.len() >= LOST_MIN.max(2 * listed.len()) {
                        // Those who come back before their time would otherwise stand in it more than once.
                        self.lost
                            .retain(|lost| listed.get(&lost.user).is_some_and(|known| lost.is_of(known)));
                    }
                    // Mostly behind all others: few have been told to wait before they come back.
                    let place = self.lost.partition_point(|lost| lost.at_ms <= at_ms);
                    self.lost.insert(place, Lost { at_ms, loss: self.next_loss, user: user.into() });
                    return Change::None;
                }
                listed.remove(user);
                give_memory_back(listed);
                Change::Leave
            }
        }
    }

    /// When the time of the first of those began who may still come back.
    pub fn lost_since_ms(&self) -> Option<u64> {
        self.lost.front().map(|lost| lost.at_ms)
    }

    /// The next user who is taken to have gone by now. It must be asked for until there is none.
    pub fn pop_due(&mut self, now_ms: u64, grace_ms: u64) -> Option<Box<str>> {
        while self.lost.front().is_some_and(|lost| lost.at_ms + grace_ms <= now_ms)
            && let Some(lost) = self.lost.pop_front()
        {
            if self.lost.is_empty() {
                self.lost = VecDeque::new();
            }
            let Users::Listed(listed) = &mut self.users else { continue };
            if listed.get(&lost.user).is_some_and(|known| lost.is_of(known)) {
                listed.remove(&lost.user);
                give_memory_back(listed);
                return Some(lost.user);
            }
        }
        None
    }

    /// Forgets names: those who are there are only counted from now on, and whoever was lost has gone.
    fn count_only(&mut self) {
        let Users::Listed(listed) = &mut self.users else { return };
        let key = RandomState::new();
        let here = listed.iter().filter(|(_, known)| known.connections > 0);
        let counted = here.map(|(user, known)| (key.hash_one(&**user), known.connections)).collect();
        self.users = Users::Counted(counted, key);
        self.lost = VecDeque::new();
    }
}

/// A crowd that has gone leaves no memory behind.
fn give_memory_back(listed: &mut HashMap<Box<str>, Listed>) {
    if listed.capacity() > 8 * listed.len().max(8) {
        listed.shrink_to(2 * listed.len());
    }
}

#[cfg(test)]
mod tests;
