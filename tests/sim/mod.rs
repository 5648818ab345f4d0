//! The simulator: the real reactor, push core and protocol over a network, clients and a clock that a seed decides.

#![allow(clippy::unwrap_used)] // A panic is what a run ends with when something is wrong.
#![allow(dead_code)] // A fuzz target uses parts that the seeded runs don't, and the other way round.

pub mod chaos;
pub mod check;
pub mod client;
pub mod comeback;
pub mod deflate;
pub mod dice;
#[cfg(feature = "cluster")]
pub mod fleet;
pub mod handler;
pub mod net;
pub mod parse;
pub mod pieces;
pub mod presence;
pub mod several;
pub mod several_check;
pub mod several_publish;
pub mod streams;
pub mod streams_chaos;
#[cfg(feature = "tls")]
pub mod tls_client;
#[cfg(not(feature = "tls"))]
#[path = "tls_disabled.rs"]
pub mod tls_client;
pub mod v1;
pub mod v1_chaos;
#[path = "../wire.rs"]
pub mod wire;
pub mod world;

use dice::Dice;
use world::World;

/// Counts of rare events in runs, so that nothing is promised of what never happens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Publications that came deflated.
    pub deflated: usize,
    /// Frames whose rest a slow consumer has kept, and those for which there was no room.
    pub rests_saved: u64,
    pub slow_cut: u64,
    /// Connections that did not take their close frame.
    pub goodbyes_unread: u64,
    /// Clients that came back for what they had missed.
    pub comebacks: comeback::Comebacks,
    /// The same for clients of `wspush.v1`.
    pub v1: v1::Counts,
    /// And for those over plain HTTP.
    pub streams: v1::Counts,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.deflated += other.deflated;
        self.rests_saved += other.rests_saved;
        self.slow_cut += other.slow_cut;
        self.goodbyes_unread += other.goodbyes_unread;
        self.comebacks.recovered += other.comebacks.recovered;
        self.comebacks.missed += other.comebacks.missed;
        self.v1 += other.v1;
        self.streams += other.streams;
    }
}

/// A whole run: chaos, rest, then an end in one of two ways. Panics where an invariant is broken.
pub fn run(mut dice: Dice, steps: usize) -> Tally {
    let config = chaos::config(&mut dice);
    let start = chaos::log_start(&mut dice);
    let mut world = World::new(dice, config, start);
    for _ in 0..steps {
        world.happen();
        if world.dice.is_at_end() {
            break;
        }
    }
    let drain_at_once = world.dice.one_in(4);
    if !drain_at_once {
        world.calm();
        world.settle();
        world.check_at_rest();
    }
    if drain_at_once || world.dice.one_in(2) {
        world.calm();
        world.drain();
    } else {
        world.part();
    }
    world.check_empty();
    let counters = world.reactor.counters();
    Tally {
        deflated: world.clients.iter().map(|client| client.deflated).sum(),
        rests_saved: counters.rests_saved,
        slow_cut: counters.slow_cut,
        goodbyes_unread: counters.goodbyes_unread,
        comebacks: world.comebacks,
        v1: world.v1_counts(client::Role::V1),
        streams: world.v1_counts(client::Role::Stream),
    }
}

impl World {
    /// The kernel has memory again.
    pub fn calm(&mut self) {
        let mut faults = self.faults.borrow_mut();
        (faults.shortage, faults.short_write) = (0, 0);
    }

    fn drain(&mut self) {
        self.draining = true;
        self.publish();
        let listeners: Vec<usize> = (0..self.clients.len()).filter(|&n| self.listens(n)).collect();
        let began_us = self.now_us;
        self.shared.drain(None);
        self.settle();
        let deadline_us = began_us + self.config.drain_ms * 1000;
        assert!(self.now_us <= deadline_us + 20_000, "{began_us} to {} is more than drain_ms", self.now_us);
        for n in listeners {
            self.check_close(n, deadline_us);
        }
        for _ in 0..3 {
            if !self.turn.finished {
                self.pass_time(self.config.drain_ms * 1000);
                self.settle();
            }
        }
        assert!(self.turn.finished, "the server never ends");
        for n in 0..self.clients.len() {
            self.check_drained(n);
        }
    }
}
