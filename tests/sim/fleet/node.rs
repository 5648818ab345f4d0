//! A node: the real reactor, and the real threads of its cluster as steps.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use wspush::Config;
use wspush::cluster::{Joining, Stepped};
use wspush::config::LogLevel;
use wspush::journal::Journal;
use wspush::reactor::{Host, ListenerRole, Reactor, Readiness, Shared, Turn};
use wspush::time::Time;

use super::super::net::{Faults, SimSocket, Wire};
use super::CALENDAR_US;
use super::net::{self, SimOutside};

/// A socket that the reactor has: an ear's, or that of a publisher.
#[derive(Debug)]
pub struct Door {
    pub slot: usize,
    pub wire: Rc<RefCell<Wire>>,
}

pub struct Node {
    pub reactor: Reactor<SimSocket>,
    pub shared: Arc<Shared>,
    pub cluster: Stepped,
    pub turn: Turn,
    wake: Arc<AtomicBool>,
    pub is_alive: bool,
    /// Its ears and publishers by number.
    pub ears: Vec<usize>,
    pub doors: Vec<Door>,
    /// Until then its core is busy with writing.
    pub busy_until_us: u64,
    /// Its time for a write, in hundredths of the usual one.
    pub slowness: u64,
    /// When the next of each is to come, by which others are told to be out of date.
    pub read_due: Option<u64>,
    pub write_due: Option<u64>,
    pub turn_due: Option<u64>,
}

pub fn time(now_us: u64) -> Time {
    Time { mono_us: now_us, unix_us: CALENDAR_US + now_us }
}

impl Node {
    /// Joins the cluster.
    pub fn join(number: usize, config: &Config, net: &net::Shared, began: Instant) -> Node {
        let now = time(net::lock(net).now_us);
        let outside = SimOutside { net: net.clone(), node: number, began };
        let config = Config { node: Some(format!("node-{number}")), ..config.clone() };
        let joining =
            Joining::begin_in(&config, now.unix_us, Box::new(outside)).expect("a server that is there");
        let wake = Arc::new(AtomicBool::new(true));
        let woken = wake.clone();
        let wake_up = Box::new(move || woken.store(true, Ordering::Relaxed));
        let shared = Arc::new(Shared::new(&config, joining.default_epoch(), wake_up));
        let mut cluster = joining.step_by_step(&shared);
        let journal = Journal::new(LogLevel::Error, Box::new(|_, _| {}));
        let host = Host { handler: Box::new(()), journal, descriptors: config.max_connections };
        let mut reactor = Reactor::new(config, shared.clone(), host, now);
        cluster.warm(|| reactor.carry_out_before_events()).expect("a server that is there");
        Node {
            reactor,
            shared,
            cluster,
            turn: Turn { busy: true, due_ms: None, finished: false },
            wake,
            is_alive: true,
            ears: Vec::new(),
            doors: Vec::new(),
            busy_until_us: 0,
            slowness: 100,
            read_due: None,
            write_due: None,
            turn_due: None,
        }
    }

    /// Lets somebody in. False: there is no room.
    pub fn admit(
        &mut self,
        wire: &Rc<RefCell<Wire>>,
        role: ListenerRole,
        faults: &Rc<RefCell<Faults>>,
    ) -> bool {
        let peer = "192.0.2.1:1000".parse().ok();
        let socket = SimSocket { wire: wire.clone(), faults: faults.clone(), peer };
        let Some(slot) = self.reactor.admit(socket, role, peer) else { return false };
        self.reactor.take_event(slot, Readiness::NEW);
        wire.borrow_mut().edge = true;
        self.doors.push(Door { slot, wire: wire.clone() });
        true
    }

    fn has_edge(&self) -> bool {
        self.doors.iter().any(|door| door.wire.borrow().edge && !door.wire.borrow().closed)
    }

    /// When the reactor is to have its next turn; None: when somebody wakes it.
    pub fn next_turn_us(&self, now_us: u64) -> Option<u64> {
        let is_awake = self.turn.busy || self.wake.load(Ordering::Relaxed) || self.has_edge();
        let due_us = if is_awake { Some(now_us) } else { self.turn.due_ms.map(|ms| ms * 1_000) };
        due_us.map(|due_us| due_us.max(now_us).max(self.busy_until_us))
    }

    /// One turn of the reactor.
    pub fn take_turn(&mut self, now_us: u64) {
        let now = time(now_us);
        self.wake.store(false, Ordering::Relaxed);
        self.reactor.set_now(now);
        self.reactor.carry_out_before_events();
        self.doors.retain(|door| !door.wire.borrow().closed);
        for door in &self.doors {
            let mut wire = door.wire.borrow_mut();
            if !std::mem::take(&mut wire.edge) {
                continue;
            }
            let (readable, writable) = wire.readiness();
            let ended = wire.up_ended || wire.reset;
            drop(wire);
            self.reactor.take_event(door.slot, Readiness { readable, writable, ended });
        }
        self.turn = self.reactor.turn(now);
        self.reactor.show(now);
    }
}
