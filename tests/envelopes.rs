//! Slow clients of `wspush.v1` and their gaps, in the simulated world, where the network does as it is told. The model
//! of such a client (`tests/sim/v1.rs`) panics at every offset that is missing without a word.

use std::collections::BTreeSet;

use crate::sim::client::{Heard, Reader, Role, padding};
use crate::sim::dice::Dice;
use crate::sim::v1::V1;
use crate::sim::world::{World, text};
use wspush::config::SlowConsumer;
use wspush::push::Message;
use wspush::reactor::{Command, ListenerRole};
use wspush::{CloseCode, Config};

const CHANNEL: &str = "public.a";

/// A client whose network takes a publication and a half, and that reads when it is told to.
fn slow(rule: &str) -> (World, usize) {
    let channel_rule = Some(rule).filter(|rule| !rule.is_empty()).map(|rule| rule.parse().unwrap());
    let config = Config {
        heartbeat_ms: 0,
        log_publications: 4,
        slow_consumer: SlowConsumer::Skip,
        channel_rule: channel_rule.into_iter().collect(),
        ..Config::default()
    };
    let mut world = World::new(Dice::from_seed(7), config, 0);
    let n = world.connect(Role::V1, ListenerRole::Public, Reader::Never, 600);
    let conflated = rule.contains("latest").then(|| CHANNEL.to_owned());
    let client = &mut world.clients[n];
    client.tls = None;
    client.v1 = Some(Box::new(V1::new(BTreeSet::from_iter(conflated))));
    client.shake_hands(&format!("/ws?n={n}&quiet=1&channel={CHANNEL}"));
    client.send(usize::MAX);
    read(&mut world, n);
    assert!(world.clients[n].conn.is_some(), "{:?}", world.clients[n]);
    (world, n)
}

/// Turns in which it reads everything that comes.
fn read(world: &mut World, n: usize) {
    for _ in 0..20 {
        world.pass_time(1_000);
        world.turn(true);
        world.clients[n].read(usize::MAX, world.now_us);
    }
}

/// So many publications, each flushed before the next one.
fn publish(world: &mut World, count: usize) {
    for _ in 0..count {
        let number = world.count(CHANNEL) + 1;
        let text = format!("P|{CHANNEL}|{number}|{}", padding(number, 250));
        let receipt = world.push(Some(CHANNEL), Message::Text(&text)).expect("room in the inbox");
        world.published.get_mut(CHANNEL).expect("a channel").push(receipt);
        world.pass_time(1_000);
        world.turn(true);
    }
}

fn counts(world: &World, n: usize) -> (u64, u64) {
    let counts = world.clients[n].v1.as_ref().expect("a client of wspush.v1").counts;
    (counts.gaps, counts.conflated)
}

#[test]
fn a_gap_is_told_where_it_is() {
    let (mut world, n) = slow("");
    publish(&mut world, 12);
    read(&mut world, n);
    publish(&mut world, 1);
    read(&mut world, n);
    let (gaps, conflated) = counts(&world, n);
    assert!(gaps > 0 && conflated == 0, "{gaps} {conflated}");
    world.check_v1_complete(n, "it");
}

#[test]
fn a_channel_that_conflates_tells_of_no_gap() {
    let (mut world, n) = slow("public.a keep=latest");
    publish(&mut world, 12);
    read(&mut world, n);
    let (gaps, conflated) = counts(&world, n);
    assert!(gaps == 0 && conflated > 0, "{gaps} {conflated}");
    // It has the newest, and who keeps up gets all.
    world.check_v1_complete(n, "it");
    for _ in 0..5 {
        publish(&mut world, 1);
        read(&mut world, n);
    }
    assert_eq!(counts(&world, n), (gaps, conflated));
    world.check_v1_complete(n, "it");
    assert_eq!(world.clients[n].close_code, None);
}

#[test]
fn a_channel_that_conflates_tells_that_even_the_newest_is_gone() {
    let (mut world, n) = slow("public.a keep=latest ttl_ms=1000");
    publish(&mut world, 8);
    for _ in 0..40 {
        world.pass_time(100_000);
        world.turn(true);
    }
    read(&mut world, n);
    world.check_v1_complete(n, "it");
    let last = world.clients[n].v1.as_ref().and_then(|v1| v1.known().map(|(place, ..)| place.2).max());
    assert!(last < Some(8), "it has not heard the newest, and yet come behind it");
}

/// It is owed a stretch of a log before a message to it alone, and the log moves on.
#[test]
fn a_position_is_told_only_if_everything_before_it_was() {
    for rule in ["", "public.a keep=latest"] {
        let (mut world, n) = slow(rule);
        publish(&mut world, 3);
        let conn = world.clients[n].conn.expect("it is open");
        let publication = text(&format!("D|1|{conn}"));
        world.shared.command(Command::Send { conn, publication }).expect("room in the inbox");
        publish(&mut world, 12);
        read(&mut world, n);
        let client = &world.clients[n];
        if rule.is_empty() {
            // The place of the gap is not known any more, so nothing that is behind it is said.
            assert_eq!((client.close_code, client.directs_heard), (Some(1013), 0), "{:?}", client.transcript);
            assert_eq!(client.transcript, [Heard::Close(1013)]);
            assert_eq!(world.audit.outbox_bytes, 0);
        } else {
            assert_eq!((client.close_code, client.directs_heard), (None, 1), "{:?}", client.transcript);
            world.check_v1_reached(n, "it");
        }
    }
}

/// Nobody knows any more where it stood under the former epoch.
#[test]
fn a_laggard_of_a_channel_that_begins_anew_is_closed() {
    let (mut world, n) = slow("");
    publish(&mut world, 3);
    let admin = world.connect(Role::Http, ListenerRole::Admin, Reader::Fast, 1 << 20);
    world.clients[admin].tls = None;
    let request = format!("DELETE /channels/{CHANNEL}/history HTTP/1.1\r\nHost: localhost\r\n\r\n");
    world.clients[admin].ask("ok", request.as_bytes());
    world.clients[admin].send(usize::MAX);
    read(&mut world, admin);
    assert_eq!(world.clients[admin].status, 200);
    read(&mut world, n);
    assert_eq!(world.clients[n].close_code, Some(CloseCode::TRY_AGAIN_LATER.0));
}
