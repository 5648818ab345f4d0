//! The clients of apps that come over plain HTTP: which connection a request of theirs belongs to, and who waits for
//! the lines of one that polls.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::endpoint::ConnId;

use super::super::waiting::Waiting;

/// How long a poll waits.
pub const POLL_MS: u64 = 25_000;
/// How long a client that polls may be away between two polls.
pub const ABSENT_MS: u64 = 30_000;

/// The connections of all reactors by their sessions.
#[derive(Debug, Default)]
pub struct AppSessions(Mutex<HashMap<Box<str>, ConnId>>);

impl AppSessions {
    fn with<T>(&self, change: impl FnOnce(&mut HashMap<Box<str>, ConnId>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The connection of a session.
    pub fn find(&self, session: &str) -> Option<ConnId> {
        self.with(|all| all.get(session).copied())
    }

    /// A connection is that of a session from now on.
    pub fn enter(&self, session: &str, conn: ConnId) {
        self.with(|all| all.insert(session.into(), conn));
    }

    /// It is so no longer, unless another one has taken its place.
    pub fn leave(&self, session: &str, conn: ConnId) {
        self.with(|all| {
            if all.get(session) == Some(&conn) {
                all.remove(session);
                if all.capacity() > 8 * all.len().max(256) {
                    all.shrink_to(2 * all.len());
                }
            }
        });
    }
}

/// A request that waits for lines, at whichever reactor it is.
#[derive(Debug)]
pub struct Poller {
    /// Its reactor.
    pub seat: usize,
    pub waiting: Waiting,
    /// The page that asks, if it is a browser's: its answer is for that.
    pub page: Option<Box<str>>,
}

/// A connection that is polled.
#[derive(Debug)]
struct Polled {
    serial: u32,
    poller: Option<Poller>,
    due_ms: u64,
}

/// The connections of one reactor that are polled, by their slots.
#[derive(Debug, Default)]
pub struct Polls {
    all: HashMap<u32, Polled>,
    due: BTreeSet<(u64, u32)>,
}

/// The time of a connection that is polled is up.
#[derive(Debug)]
pub enum PollDue {
    /// Somebody has waited for long enough.
    Answer(Poller),
    /// Nobody has come for too long.
    Absent,
}

impl Polls {
    /// When the next time is up.
    pub fn due_ms(&self) -> Option<u64> {
        self.due.first().map(|&(due_ms, _)| due_ms)
    }

    /// Somebody waits (or nobody) for the lines of the connection in a slot. Who has waited until now is given back.
    pub fn set(&mut self, (slot, serial): (u32, u32), poller: Option<Poller>, now_ms: u64) -> Option<Poller> {
        let due_ms = now_ms + if poller.is_some() { POLL_MS } else { ABSENT_MS };
        self.due.insert((due_ms, slot));
        let former = self.all.insert(slot, Polled { serial, poller, due_ms })?;
        if former.due_ms != due_ms {
            self.due.remove(&(former.due_ms, slot));
        }
        former.poller
    }

    /// The serial number of the connection in this slot, if somebody waits for its lines.
    pub fn awaited(&self, slot: u32) -> Option<u32> {
        self.all.get(&slot).filter(|polled| polled.poller.is_some()).map(|polled| polled.serial)
    }

    /// The next connection whose time is up.
    pub fn pop_due(&mut self, now_ms: u64) -> Option<((u32, u32), PollDue)> {
        let &(due_ms, slot) = self.due.first().filter(|(due_ms, _)| *due_ms <= now_ms)?;
        self.due.remove(&(due_ms, slot));
        let Polled { serial, poller, .. } = self.all.remove(&slot)?;
        Some(((slot, serial), poller.map_or(PollDue::Absent, PollDue::Answer)))
    }

    /// The connection in this slot is gone.
    pub fn forget(&mut self, slot: u32) -> Option<Poller> {
        let Polled { poller, due_ms, .. } = self.all.remove(&slot)?;
        self.due.remove(&(due_ms, slot));
        poller
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_belongs_to_its_newest_connection() {
        let (sessions, conns) = (AppSessions::default(), [ConnId::new(1, 1), ConnId::new(2, 1)]);
        sessions.enter("a", conns[0]);
        sessions.enter("a", conns[1]);
        sessions.leave("a", conns[0]);
        assert_eq!((sessions.find("a"), sessions.find("b")), (Some(conns[1]), None));
        sessions.leave("a", conns[1]);
        assert_eq!(sessions.find("a"), None);
    }

    #[test]
    fn a_poll_has_its_time_and_so_has_its_absence() {
        let mut polls = Polls::default();
        assert!(polls.set((7, 1), None, 1_000).is_none());
        assert_eq!(polls.due_ms(), Some(1_000 + ABSENT_MS));
        let poller = || Some(Poller { seat: 0, waiting: Waiting::of(9, 2), page: None });
        assert!(polls.set((7, 1), poller(), 2_000).is_none());
        assert_eq!(polls.due_ms(), Some(2_000 + POLL_MS));
        assert!(polls.set((7, 1), poller(), 2_000).is_some(), "another poll takes its place");
        assert!(polls.pop_due(2_000 + POLL_MS - 1).is_none());
        assert!(matches!(polls.pop_due(2_000 + POLL_MS), Some(((7, 1), PollDue::Answer(_)))));
        polls.set((7, 1), None, 3_000);
        assert!(matches!(polls.pop_due(99_000), Some(((7, 1), PollDue::Absent))));
        assert!(polls.all.is_empty() && polls.due.is_empty());
        polls.set((7, 1), poller(), 3_000);
        assert!(polls.forget(7).is_some() && polls.due.is_empty());
    }
}
