//! How often a server with little to do wakes up, in the simulated world: a turn is a wake-up, as in
//! `EventLoop::poll_once`.

use crate::sim::client::{Reader, Role};
use crate::sim::dice::Dice;
use crate::sim::world::World;
use wspush::config::{Config, Heartbeat};
use wspush::reactor::ListenerRole;

/// Ten clients that say nothing but their pongs.
const CLIENTS: usize = 10;

/// From an answer of the server to the client's own, with no two of them at the same moment.
const ANSWER_US: u64 = 1_000;

fn world(path: &str, config: Config) -> World {
    let mut world = World::new(Dice::from_seed(5), config, 0);
    for _ in 0..CLIENTS {
        let n = world.connect(Role::Push, ListenerRole::Public, Reader::Fast, 1 << 20);
        (world.clients[n].tls, world.clients[n].mute) = (None, false);
        world.clients[n].shake_hands(path);
        // They come at different moments, so that nothing is due for all of them at once by chance.
        world.everybody_acts(7, 130_000);
    }
    assert_eq!(world.audit.open, CLIENTS);
    world
}

/// When the server wants to be woken at the latest.
fn due_us(world: &World) -> u64 {
    match world.turn.due_ms {
        _ if world.turn.busy => world.now_us,
        Some(due_ms) => (due_ms * 1_000).max(world.now_us),
        None => u64::MAX,
    }
}

/// The turns of so many seconds in which the server is left alone, each of which is due or brings one client's answer.
fn wakeups(world: &mut World, s: u64) -> u64 {
    let (begin_us, mut count) = (world.now_us, 0);
    loop {
        let at_us = due_us(world);
        if at_us >= begin_us + s * 1_000_000 {
            world.pass_time((begin_us + s * 1_000_000).saturating_sub(world.now_us));
            return count;
        }
        world.pass_time(at_us - world.now_us);
        world.turn(true);
        count += 1;
        for n in 0..world.clients.len() {
            let client = &mut world.clients[n];
            client.read(usize::MAX, world.now_us);
            client.send(usize::MAX);
            if world.clients[n].wire.borrow().edge {
                world.pass_time(ANSWER_US);
                world.turn(true);
                count += 1;
            }
        }
    }
}

#[test]
fn ten_idle_connections_wake_it_less_than_once_a_second() {
    for path in ["/ws", "/ws?channel=public.a&channel=public.b"] {
        let mut world = world(path, Config::default());
        wakeups(&mut world, 60);
        let (pings, before) = (world.reactor.counters().pings_sent, world.audit.open);
        let count = wakeups(&mut world, 600);
        // Each of them is pinged all the while, and nobody has left.
        assert!(world.reactor.counters().pings_sent >= pings + 10 * 15, "{path}");
        assert_eq!((before, world.audit.open), (CLIENTS, CLIENTS));
        assert!((60..=600).contains(&count), "{path}: {count} in 600 s");
    }
}

#[test]
fn pongs_alone_wake_it_once_in_some_seconds() {
    let mut world = world("/ws?channel=public.a", Config { heartbeat: Heartbeat::Pong, ..Config::default() });
    wakeups(&mut world, 60);
    let count = wakeups(&mut world, 600);
    assert!((60..=400).contains(&count), "{count} in 600 s");
}

#[test]
fn without_connections_nothing_wakes_it() {
    let mut world = World::new(Dice::from_seed(5), Config::default(), 0);
    world.turn(true);
    assert!(wakeups(&mut world, 3_600) <= 2);
}

#[test]
fn the_wait_for_what_channels_keep_follows_the_shortest_time() {
    let often = Config { channel_idle_ms: 200, ..Config::default() };
    let mut often = world("/ws?channel=public.a", often);
    let mut seldom = world("/ws?channel=public.a", Config::default());
    let (often, seldom) = (wakeups(&mut often, 60), wakeups(&mut seldom, 60));
    assert!(often >= 60 * 4 && seldom <= 60, "{often} and {seldom}");
}
