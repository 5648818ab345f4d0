//! A crowd comes to a channel with presence, in the simulated world: what its subscribers are told is bounded.

use std::collections::BTreeSet;

use crate::sim::client::{Reader, Role};
use crate::sim::dice::Dice;
use crate::sim::presence::Views;
use crate::sim::v1::{Asked, V1};
use crate::sim::world::World;
use wspush::Config;
use wspush::reactor::ListenerRole;

const CHANNEL: &str = "public.a";
const CROWD: usize = 600;

/// A world in which so many subscribers, each another user, come at the same moment.
fn crowd(members_max: usize) -> World {
    let config = Config {
        heartbeat_ms: 0,
        presence_members_max: members_max,
        channel_rule: vec!["public.* presence=true".parse().unwrap()],
        ..Config::default()
    };
    let mut world = World::new(Dice::from_seed(7), config, 0);
    for _ in 0..CROWD {
        newcomer(&mut world);
    }
    for _ in 0..20 {
        for client in &mut world.clients {
            client.send(usize::MAX);
        }
        world.turn(true);
    }
    assert_eq!(world.audit.open, CROWD);
    world
}

fn newcomer(world: &mut World) -> usize {
    let n = world.connect(Role::V1, ListenerRole::Public, Reader::Fast, 1 << 20);
    let client = &mut world.clients[n];
    (client.tls, client.mute) = (None, false);
    let mut v1 = V1::new(BTreeSet::new());
    v1.views = Views::new([CHANNEL.to_owned()].into());
    client.v1 = Some(Box::new(v1));
    client.shake_hands(&format!("/ws?n={n}&quiet=1&channel={CHANNEL}"));
    n
}

fn notices(world: &World) -> u64 {
    world.reactor.counters().notices
}

/// Somebody asks, and knows who is there: those who come and go from then on it hears of.
fn check_view(world: &mut World) {
    let command = world.clients[0].v1.as_mut().unwrap().ask(Asked::Presence(CHANNEL.to_owned()));
    let bytes = crate::sim::wire::masked(true, crate::sim::wire::TEXT, command.as_bytes());
    world.clients[0].outgoing.extend(bytes);
    world.settle();
    world.check_views(0, "it");
}

#[test]
fn in_one_moment_little_is_told_and_each_user_once() {
    let mut world = crowd(CROWD);
    let first = notices(&world);
    assert!(first * (CROWD as u64) < 3 * wspush::limits::NOTICES_TOLD_MAX, "{first} at once");
    assert!(first < CROWD as u64 - 1, "{first} at once");
    world.settle();
    // The first one had nobody to be told.
    assert_eq!(notices(&world), CROWD as u64 - 1);
    check_view(&mut world);
    for client in &mut world.clients[1..] {
        client.close(1000);
    }
    world.settle();
    world.check_views(0, "it");
    assert!(notices(&world) < 2 * CROWD as u64, "{}", notices(&world));
}

#[test]
fn a_crowd_that_is_too_large_is_told_of_once() {
    const MAX: usize = 20;
    let mut world = crowd(MAX);
    world.settle();
    assert_eq!(
        notices(&world),
        MAX as u64,
        "the first one had nobody to be told, and one more: they are too many"
    );
    check_view(&mut world);
    for client in &mut world.clients[1..] {
        client.close(1000);
    }
    world.settle();
    assert_eq!(notices(&world), MAX as u64, "whoever is only counted is not told of");
    world.check_views(0, "it");
}
