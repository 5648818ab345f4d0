//! A crowd comes to a channel with presence, in the simulated world: what its subscribers are told is bounded.

use std::collections::BTreeSet;

use crate::sim::client::{Reader, Role};
use crate::sim::dice::Dice;
use crate::sim::presence::Views;
use crate::sim::v1::{Asked, V1};
use crate::sim::wire::upgrade;
use crate::sim::world::World;
use wspush::Config;
use wspush::endpoint::{Accept, Connect, Decision, Handler};
use wspush::limits::{NOTICES_TOLD_MAX, SWEEP_MS};
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
    assert!(first * (CROWD as u64) < 3 * NOTICES_TOLD_MAX, "{first} at once");
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

/// Lets everybody in as whom the query says.
struct Gate;

impl Handler for Gate {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        let channels = connect.channels.clone();
        Decision::Accept(Accept {
            user: connect.query("as"),
            channels,
            broadcast: false,
            ..Accept::default()
        })
    }
}

/// As many come at the same moment as a machine may get back after its network was away. Only those up to
/// `presence_members_max` are told of, however many there are to tell it to.
#[test]
fn fifteen_thousand_come_to_one_channel() {
    const MANY: usize = 15_000;
    let config = Config {
        heartbeat_ms: 0,
        connections_per_address_max: 0,
        max_connections: MANY,
        channel_rule: vec!["public.* presence=true".parse().unwrap()],
        ..Config::default()
    };
    let members_max = config.presence_members_max as u64;
    let mut world = World::with_handler(Dice::from_seed(7), config, 0, |_, _| Box::new(Gate));
    for n in 0..MANY {
        let client = world.connect(Role::Raw, ListenerRole::Public, Reader::Never, 16 << 20);
        world.clients[client].tls = None;
        let protocol = [("Sec-WebSocket-Protocol", "wspush.v1")];
        let hello = upgrade(&format!("/ws?as=user{n}&channel={CHANNEL}"), "sim", &protocol);
        world.clients[client].wire.borrow_mut().push_up(&hello);
    }
    let moment_us = SWEEP_MS * 1_000;
    let (mut heard, mut quiet) = (0, 0);
    while quiet < 3 {
        let (told, before) = (notices(&world), world.audit.open);
        // As long as clients are at the door, a turn follows the other.
        for _ in 0..if before < MANY { 20 } else { 1 } {
            let us = if before < MANY { moment_us / 20 } else { moment_us };
            world.pass_time(us);
            world.turn(true);
        }
        for client in &world.clients {
            heard += client.wire.borrow_mut().pull_down(usize::MAX, world.now_us).len();
        }
        // One notice to everybody, or as many to fewer as may be told in a moment.
        let now_told = notices(&world) - told;
        let times = now_told * before as u64;
        assert!(now_told <= 1 || times <= NOTICES_TOLD_MAX, "{now_told} notices to {before} at once");
        quiet = if now_told == 0 && world.audit.open == before && !world.turn.busy { quiet + 1 } else { 0 };
    }
    assert_eq!((world.audit.open, world.audit.outbox_bytes), (MANY, 0));
    assert!(notices(&world) <= members_max + 1, "{} notices", notices(&world));
    // A 101, `connected`, `subscribed` and few notices for each: most come when nobody is listed any more.
    assert!(heard / MANY < 2_000, "{} bytes for each", heard / MANY);
}
