//! Heartbeats in the simulated world: how often the server says something to those who are silent, and what it has to
//! read for that.

use crate::sim::client::{Reader, Role};
use crate::sim::dice::Dice;
use crate::sim::world::World;
use wspush::config::{Config, Heartbeat};
use wspush::reactor::ListenerRole;

fn world(clients: usize, config: Config) -> World {
    let config = Config { heartbeat_ms: 1_000, pong_wait_ms: 5_000, ..config };
    let mut world = World::new(Dice::from_seed(5), config, 0);
    for _ in 0..clients {
        let n = world.connect(Role::Push, ListenerRole::Public, Reader::Fast, 1 << 20);
        (world.clients[n].tls, world.clients[n].mute) = (None, false);
        world.clients[n].shake_hands("/ws");
    }
    wait_s(&mut world, 1);
    assert_eq!(world.audit.open, clients);
    world
}

fn wait_s(world: &mut World, s: u64) {
    world.everybody_acts(s * 10, 100_000);
}

/// Pings or pongs, and calls that read, in so many seconds.
fn cost(world: &mut World, s: u64) -> (u64, u64) {
    let before = (world.reactor.counters().pings_sent, world.reactor.counters().recvs);
    wait_s(world, s);
    let counters = world.reactor.counters();
    (counters.pings_sent - before.0, counters.recvs - before.1)
}

#[test]
fn a_pong_is_sent_and_nothing_is_read() {
    let mut asked = world(20, Config::default());
    let (pings, reads) = cost(&mut asked, 20);
    assert!(pings >= 20 * 16 && reads >= pings, "{pings} {reads}");
    let mut told = world(20, Config { heartbeat: Heartbeat::Pong, ..Config::default() });
    let (pongs, reads) = cost(&mut told, 20);
    // Now and then there is an event for nothing.
    assert!(pongs >= 20 * 16 && reads * 5 < pongs, "{pongs} {reads}");
    // Nobody has to answer.
    assert_eq!(told.audit.open, 20);
}

#[test]
fn who_answers_is_asked_less_often() {
    let config = Config { heartbeat_max_ms: 10_000, ..Config::default() };
    let mut often = world(50, Config::default());
    let mut seldom = world(50, config);
    let (often, _) = cost(&mut often, 60);
    wait_s(&mut seldom, 20);
    let (seldom, _) = cost(&mut seldom, 60);
    assert!(seldom > 0 && seldom * 10 < often * 3, "{seldom} to {often}");
}

#[test]
fn a_late_answer_brings_back_the_short_time() {
    let mut world = world(1, Config { heartbeat_max_ms: 16_000, ..Config::default() });
    wait_s(&mut world, 60);
    let (pings, _) = cost(&mut world, 30);
    assert!((1..=2).contains(&pings), "{pings}");
    let sent = |world: &World| world.reactor.counters().pings_sent;
    let before = sent(&world);
    while sent(&world) == before {
        world.pass_time(100_000);
        world.turn(true);
    }
    // It says nothing for longer than half of the time that it has.
    for _ in 0..35 {
        world.pass_time(100_000);
        world.turn(true);
    }
    let (pings, _) = cost(&mut world, 3);
    assert!(pings >= 1, "it is asked again after a second");
    assert_eq!(world.audit.open, 1);
}

/// A peer that takes nothing is dropped, though it owes no answer.
#[test]
fn a_full_socket_is_not_kept_for_ever() {
    let mut world = world(1, Config { heartbeat: Heartbeat::Pong, ..Config::default() });
    world.clients[0].reader = Reader::Never;
    world.clients[0].wire.borrow_mut().down_max = 10;
    wait_s(&mut world, 20);
    assert_eq!(world.audit.open, 0);
    assert_eq!(world.reactor.metrics().closed.get(wspush::metrics::CloseReason::Heartbeat), 1);
}
