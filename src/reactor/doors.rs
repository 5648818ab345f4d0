//! How newcomers come to several reactors: the first one accepts, and deals them out to the one that has fewest. So
//! they stay even whatever leaves, any kind of listener will do, and none has a queue of its own that would be lost
//! when it is closed.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use crate::endpoint::Kind;

use super::reactor::ListenerRole;
use super::shared::WakeUp;
use super::socket::Stream;
use super::sync::{AtomicBool, AtomicUsize, Mutex, MutexGuard};

/// Newcomers that a reactor has not taken in yet. Beyond that the first one keeps them: it is not as far behind.
const WAITING_MAX: usize = 1_024;

/// So much more may a reactor have than the one with fewest, as a part of that, because newcomers are near to it.
const UNEVEN: usize = 16;

/// A connection that another reactor has accepted.
pub(super) struct Newcomer {
    pub stream: Stream,
    pub peer: Option<SocketAddr>,
    pub tls: bool,
    /// Its address is what a proxy says, and not the socket's.
    pub is_told: bool,
    /// The kind that an admin connection is, by its listener.
    pub kind: Kind,
}

/// One reactor's.
struct Door {
    /// None: it lets nobody in any more.
    waiting: Mutex<Option<Vec<Newcomer>>>,
    has_some: AtomicBool,
    /// Connections that it has, and those that wait here.
    count: AtomicUsize,
    wake: WakeUp,
}

impl Door {
    fn lock(&self) -> MutexGuard<'_, Option<Vec<Newcomer>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The doors of all reactors, as one of them has them.
#[derive(Clone)]
pub struct Doors {
    all: Arc<[Door]>,
    seat: usize,
    /// The CPUs that the reactors stay on, if newcomers are to go where their packets come in; else none.
    cpus: Arc<[usize]>,
}

impl Doors {
    /// One for each reactor, which is woken by this.
    pub fn new(wakes: Vec<WakeUp>) -> Doors {
        let door = |wake| Door {
            waiting: Mutex::new(Some(Vec::new())),
            has_some: AtomicBool::new(false),
            count: AtomicUsize::new(0),
            wake,
        };
        Doors { all: wakes.into_iter().map(door).collect(), seat: 0, cpus: Arc::new([]) }
    }

    /// The same, where a newcomer goes to the reactor on whose CPU its packets come in, as far as that stays even.
    pub fn on_cpus(self, cpus: &[usize]) -> Doors {
        Doors { cpus: cpus.into(), ..self }
    }

    /// The same for the reactor with this number.
    pub fn of(&self, seat: usize) -> Doors {
        Doors { seat, ..self.clone() }
    }

    /// Gives a newcomer to the reactor that has fewest connections, or back if it is to stay. Those on the admin
    /// listener stay with the first reactor.
    pub(super) fn deal(&self, newcomer: Newcomer, role: ListenerRole) -> Option<Newcomer> {
        let at = match role {
            ListenerRole::Public => self.find(|| newcomer.stream.0.cpu_affinity().ok()),
            ListenerRole::Admin => self.seat,
        };
        if at != self.seat {
            let door = &self.all[at];
            let mut waiting = door.lock();
            if let Some(waiting) = waiting.as_mut().filter(|waiting| waiting.len() < WAITING_MAX) {
                waiting.push(newcomer);
                door.count.fetch_add(1, Ordering::Relaxed);
                if !door.has_some.swap(true, Ordering::Release) {
                    (door.wake)();
                }
                return None;
            }
        }
        self.all[self.seat].count.fetch_add(1, Ordering::Relaxed);
        Some(newcomer)
    }

    /// The reactor that a newcomer goes to, whose packets come in on this CPU.
    fn find(&self, cpu: impl FnOnce() -> Option<usize>) -> usize {
        let count = |at: &usize| self.all[*at].count.load(Ordering::Relaxed);
        let least = (0..self.all.len()).min_by_key(count).unwrap_or(self.seat);
        if self.cpus.is_empty() {
            return least;
        }
        let fewest = count(&least);
        let cpu = cpu();
        let there = (0..self.all.len()).filter(|&at| self.cpus.get(at).copied() == cpu).min_by_key(count);
        there.filter(|at| count(at) <= fewest + fewest / UNEVEN).unwrap_or(least)
    }

    /// Those who wait for this reactor.
    pub(super) fn take(&self) -> Vec<Newcomer> {
        let door = &self.all[self.seat];
        if !door.has_some.swap(false, Ordering::Acquire) {
            return Vec::new();
        }
        door.lock().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Whether somebody waits for this reactor.
    #[cfg(feature = "handover")]
    pub(super) fn has_some(&self) -> bool {
        self.all[self.seat].has_some.load(Ordering::Acquire)
    }

    /// Whether nobody waits for any of them.
    #[cfg(feature = "handover")]
    pub(super) fn are_empty(&self) -> bool {
        !self.all.iter().any(|door| door.has_some.load(Ordering::Acquire))
    }

    /// This reactor has so many more, who did not come by its door.
    #[cfg(feature = "handover")]
    pub(super) fn have_come(&self, count: usize) {
        self.all[self.seat].count.fetch_add(count, Ordering::Relaxed);
    }

    /// So many that were given to this reactor have gone.
    pub(super) fn gone(&self, count: usize) {
        self.all[self.seat].count.fetch_sub(count, Ordering::Relaxed);
    }

    /// This reactor lets nobody in any more; those who still wait.
    pub(super) fn close(&self) -> Vec<Newcomer> {
        self.all[self.seat].lock().take().unwrap_or_default()
    }

    /// Connections that each reactor has.
    #[cfg(test)]
    pub(super) fn counts(&self) -> Vec<usize> {
        self.all.iter().map(|door| door.count.load(Ordering::Relaxed)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Socket, Type};

    fn newcomer() -> Newcomer {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        Newcomer { stream: Stream(socket), peer: None, tls: false, is_told: false, kind: Kind::PUSH }
    }

    fn doors(count: usize) -> (Doors, Arc<AtomicUsize>) {
        let wakes = Arc::new(AtomicUsize::new(0));
        let wake = |_| -> WakeUp {
            let wakes = wakes.clone();
            Box::new(move || {
                wakes.fetch_add(1, Ordering::Relaxed);
            })
        };
        (Doors::new((0..count).map(wake).collect()), wakes)
    }

    #[test]
    fn newcomers_go_where_fewest_are() {
        let (doors, wakes) = doors(3);
        let stay = (0..9).filter_map(|_| doors.deal(newcomer(), ListenerRole::Public)).count();
        assert_eq!((stay, doors.counts(), wakes.load(Ordering::Relaxed)), (3, vec![3, 3, 3], 2));
        assert!(doors.deal(newcomer(), ListenerRole::Admin).is_some(), "the operator asks the first one");
        assert_eq!((doors.of(1).take().len(), doors.of(1).take().len()), (3, 0));
        doors.of(1).gone(2);
        assert!(doors.deal(newcomer(), ListenerRole::Public).is_none());
        assert_eq!((doors.counts(), doors.of(1).take().len()), (vec![4, 2, 3], 1));
    }

    #[test]
    fn newcomers_go_where_their_packets_come_in_as_long_as_it_is_even() {
        let doors = doors(3).0.on_cpus(&[4, 5, 4]);
        let go = |cpu| {
            let at = doors.find(|| cpu);
            doors.all[at].count.fetch_add(1, Ordering::Relaxed);
            at
        };
        assert_eq!([Some(5), Some(5), Some(4), Some(5), None].map(go), [1, 0, 2, 1, 0]);
        doors.all.iter().for_each(|door| door.count.store(160, Ordering::Relaxed));
        assert!((0..11).all(|_| go(Some(5)) == 1));
        assert_eq!(doors.counts(), [160, 171, 160]);
        assert_eq!((go(Some(5)), go(Some(9)), go(Some(4)), doors.counts()), (0, 2, 0, vec![162, 171, 161]));
    }

    #[test]
    fn nobody_waits_at_a_door_that_is_closed() {
        let (doors, _) = doors(2);
        assert!(doors.deal(newcomer(), ListenerRole::Public).is_some());
        assert!(doors.deal(newcomer(), ListenerRole::Public).is_none());
        assert_eq!((doors.of(1).close().len(), doors.of(1).take().len()), (1, 0));
        doors.of(1).gone(1);
        assert!(doors.deal(newcomer(), ListenerRole::Public).is_some(), "the first one takes it");
    }
}
