//! Inboxes, the room in them and the doors of newcomers, in every order that threads can have. The model checker loom
//! goes through them; a thread that waits for what nobody will do any more is a deadlock there. `./test --long
//! interleavings`.

use std::sync::Arc;

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Condvar, Mutex};
use loom::thread;
use socket2::{Domain, Socket, Type};

use super::doors::{Doors, Newcomer};
use super::reactor::ListenerRole;
use super::shared::{Command, Lane, Shared, Wake, WakeUp};
use super::socket::Stream;
use super::totals::Places;
use crate::config::Config;
use crate::endpoint::Kind;
use crate::push::{Message, Publication, PushError, PushOptions};

/// Switches away from a thread that could go on, in one order: beyond that there is nothing new for so few threads.
const PREEMPTIONS_MAX: usize = 2;

fn check(scene: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(PREEMPTIONS_MAX);
    model.check(scene);
}

/// Stands in for the waker of a poll: rung once or often before somebody waits, it wakes once.
#[derive(Default)]
struct Bell {
    is_rung: Mutex<bool>,
    rung: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.is_rung.lock().unwrap() = true;
        self.rung.notify_one();
    }

    fn wait(&self) {
        let mut is_rung = self.is_rung.lock().unwrap();
        while !*is_rung {
            is_rung = self.rung.wait(is_rung).unwrap();
        }
        *is_rung = false;
    }
}

fn bells(count: usize) -> (Vec<Arc<Bell>>, Vec<WakeUp>) {
    let bells: Vec<Arc<Bell>> = (0..count).map(|_| Arc::default()).collect();
    let wake = |bell: &Arc<Bell>| -> WakeUp {
        let bell = bell.clone();
        Box::new(move || bell.ring())
    };
    let wakes = bells.iter().map(wake).collect();
    (bells, wakes)
}

fn publish(shared: &Shared, text: &str) -> Result<u64, PushError> {
    let publication = Publication::new(Message::Text(text), PushOptions::default())?;
    shared.publish(None, publication, 0, Wake::Yes).map(|receipt| receipt.offset)
}

/// The offsets and texts that a reactor takes.
fn take(lane: &Lane) -> Vec<(u64, Vec<u8>)> {
    let commands = lane.take(&mut Vec::new()).map(|news| news.commands).unwrap_or_default();
    let publication = |command| match command {
        Command::Publish { receipt, publication } => (receipt.offset, publication.payload().to_vec()),
        other => panic!("{other:?}"),
    };
    commands.into_iter().map(publication).collect()
}

/// Sleeps until it is woken, takes all, and sleeps again, as a reactor does, until it has so many.
fn reactor(lane: Lane, bell: Arc<Bell>, count: usize) -> Vec<(u64, Vec<u8>)> {
    let mut taken = Vec::new();
    while taken.len() < count {
        bell.wait();
        taken.extend(take(&lane));
    }
    taken
}

#[test]
fn all_reactors_wake_and_take_the_same_in_one_order() {
    check(|| {
        let (bells, wakes) = bells(2);
        let shared = Arc::new(Shared::of_several(&Config::default(), 0, wakes));
        let run = |seat: usize| {
            let (lane, bell) = (Lane::new(shared.clone(), seat), bells[seat].clone());
            thread::spawn(move || reactor(lane, bell, 2))
        };
        let other = run(1);
        let publisher = {
            let shared = shared.clone();
            thread::spawn(move || publish(&shared, "a").unwrap())
        };
        let mine = publish(&shared, "b").unwrap();
        let first = reactor(Lane::new(shared.clone(), 0), bells[0].clone(), 2);
        let theirs = publisher.join().unwrap();
        assert_eq!(first, other.join().unwrap());
        let mut expected = [(theirs, b"a".to_vec()), (mine, b"b".to_vec())];
        expected.sort_unstable();
        assert_eq!(first, expected);
        assert_eq!((expected[0].0, expected[1].0), (1, 2));
    });
}

#[test]
fn there_is_room_in_all_inboxes_or_in_none() {
    check(|| {
        let (_, wakes) = bells(2);
        let config = Config { inbox_commands_max: 1, ..Config::default() };
        let shared = Arc::new(Shared::of_several(&config, 0, wakes));
        let publisher = {
            let shared = shared.clone();
            thread::spawn(move || publish(&shared, "a").ok())
        };
        let quick = {
            let lane = Lane::new(shared.clone(), 1);
            thread::spawn(move || take(&lane))
        };
        let mine = publish(&shared, "b").ok();
        let early = take(&Lane::new(shared.clone(), 0));
        let theirs = publisher.join().unwrap();
        let mut accepted: Vec<u64> = [mine, theirs].into_iter().flatten().collect();
        accepted.sort_unstable();
        assert!(accepted == [1] || accepted == [1, 2], "{accepted:?}: one that was refused has a place");
        let first = [early, take(&Lane::new(shared.clone(), 0))].concat();
        let other = [quick.join().unwrap(), take(&Lane::new(shared.clone(), 1))].concat();
        assert_eq!(first, other);
        assert_eq!(first.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), accepted);
    });
}

#[test]
fn the_end_is_heard_of_and_nothing_is_taken_behind_it() {
    check(|| {
        let (bells, wakes) = bells(2);
        let shared = Arc::new(Shared::of_several(&Config::default(), 0, wakes));
        let other = {
            let (shared, bell) = (shared.clone(), bells[1].clone());
            thread::spawn(move || {
                let lane = Lane::new(shared.clone(), 1);
                let mut taken = Vec::new();
                while lane.take_end().within_ms != Some(7) {
                    bell.wait();
                    taken.extend(take(&lane));
                }
                taken.extend(take(&lane));
                shared.end_seat(1);
                taken.len()
            })
        };
        shared.drain(Some(7));
        let published = publish(&shared, "late").is_ok();
        let first = Lane::new(shared.clone(), 0);
        // It ends when the other one has, and is woken for that.
        while !shared.have_others_ended() {
            bells[0].wait();
        }
        shared.stop();
        let taken = (take(&first).len(), other.join().unwrap());
        assert!(published && taken.0 == 1 && taken.1 <= 1, "{published} {taken:?}");
        assert_eq!(publish(&shared, "later"), Err(PushError::Stopped));
        assert_eq!(shared.waiting(), 0);
    });
}

fn newcomer() -> Newcomer {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    Newcomer { stream: Stream(socket), peer: None, tls: false, is_told: false, kind: Kind::PUSH }
}

#[test]
fn a_newcomer_is_handed_over_and_looked_for() {
    check(|| {
        let (bells, wakes) = bells(2);
        let doors = Doors::new(wakes);
        let (there, bell) = (doors.of(1), bells[1].clone());
        let other = thread::spawn(move || {
            let mut taken = 0;
            while taken < 2 {
                bell.wait();
                taken += there.take().len();
            }
            there.gone(1);
            taken
        });
        let stay = (0..4).filter_map(|_| doors.deal(newcomer(), ListenerRole::Public)).count();
        assert_eq!((stay, other.join().unwrap()), (2, 2));
        assert_eq!(doors.counts(), [2, 1]);
    });
}

#[test]
fn no_newcomer_is_lost_at_a_door_that_closes() {
    check(|| {
        let (_, wakes) = bells(2);
        let doors = Doors::new(wakes);
        let taken = Arc::new(AtomicUsize::new(0));
        let (there, count) = (doors.of(1), taken.clone());
        let other = thread::spawn(move || {
            let early = there.take().len();
            count.store(early + there.close().len(), Ordering::Relaxed);
        });
        let stay = (0..4).filter_map(|_| doors.deal(newcomer(), ListenerRole::Public)).count();
        other.join().unwrap();
        assert_eq!(stay + taken.load(Ordering::Relaxed), 4);
        assert_eq!(doors.counts().iter().sum::<usize>(), 4);
    });
}

#[test]
fn the_last_place_is_taken_once() {
    check(|| {
        let places = Arc::new(Places::default());
        assert!(places.take(2));
        let other = {
            let places = places.clone();
            thread::spawn(move || {
                let is_in = places.take(2);
                is_in.then(|| places.give_back());
                (is_in, places.take(2))
            })
        };
        let is_in = places.take(2);
        let (was_in, is_back) = other.join().unwrap();
        // Who gives a place back gets it again, or the other one has got it.
        assert_eq!(usize::from(is_in) + usize::from(is_back), 1, "{is_in} {was_in} {is_back}");
        assert_eq!(places.taken(), 2);
    });
}
