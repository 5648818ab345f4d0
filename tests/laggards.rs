//! The cost of slow consumers and what they are told, in the simulated world: the rest of the frame that one is in the
//! middle of, and the time that it has to take its close frame.

use crate::sim::client::{Reader, Role, padding};
use crate::sim::dice::Dice;
use crate::sim::world::World;
use wspush::config::SlowConsumer;
use wspush::metrics::CloseReason;
use wspush::reactor::{Command, ListenerRole};
use wspush::{CloseCode, Config, Message};

const LARGE: usize = 50_000;

/// A log of four publications.
fn small() -> Config {
    Config { heartbeat_ms: 0, log_publications: 4, deflate: false, ..Config::default() }
}

/// A world with clients that take so many bytes and then never read.
fn world(config: Config, rooms: &[usize]) -> World {
    let mut world = World::new(Dice::from_seed(3), config, 0);
    for &room in rooms {
        let n = world.connect(Role::Push, ListenerRole::Public, Reader::Fast, room.max(300));
        world.clients[n].tls = None;
        for channel in ["broadcast", "public.a"] {
            world.clients[n].spans.insert(channel.to_owned(), Vec::new());
        }
        world.clients[n].shake_hands(&format!("/ws?n={n}&channel=public.a"));
    }
    everybody_acts(&mut world);
    assert_eq!(world.audit.open, rooms.len());
    for (client, &room) in world.clients.iter_mut().zip(rooms) {
        client.reader = Reader::Never;
        client.wire.borrow_mut().down_max = room;
    }
    world
}

fn everybody_acts(world: &mut World) {
    world.everybody_acts(8, 1_000);
}

fn publish(world: &mut World, channel: &str, len: usize) {
    let number = world.count(channel) + 1;
    let text = format!("P|{channel}|{number}|{}", padding(number, len));
    let name = (channel != "broadcast").then_some(channel);
    let receipt = world.push(name, Message::Text(&text));
    world.published.get_mut(channel).expect("a channel").push(receipt.expect("room in the inbox"));
}

/// Publishes what fills all sockets in mid-frame, and then so much that the log moves on over it.
fn overrun(world: &mut World) {
    publish(world, "broadcast", LARGE);
    everybody_acts(world);
    let laggards = world.clients.len();
    assert_eq!(world.audit.blocked, laggards);
    for _ in 0..8 {
        publish(world, "broadcast", 10);
    }
}

fn backlog(world: &World) -> usize {
    world.shared.stats().memory.backlog_bytes as usize
}

fn everybody_reads(world: &mut World) {
    for client in &mut world.clients {
        client.reader = Reader::Fast;
    }
    world.settle();
}

#[test]
fn all_who_are_in_a_frame_share_its_rest() {
    for policy in [SlowConsumer::Close, SlowConsumer::Skip] {
        let config = Config { slow_consumer: policy, ..small() };
        let mut world = world(config, &[1_000, 700, 1_000, 20_000, 400, 1_000, 9_999, 701]);
        overrun(&mut world);
        everybody_acts(&mut world);
        assert_eq!(world.reactor.counters().rests_saved, 8);
        // From the first of them on, at 400 bytes.
        let copy = LARGE - 400;
        assert!((copy..copy + 1_000).contains(&backlog(&world)), "{} bytes for {copy}", backlog(&world));
        everybody_reads(&mut world);
        assert_eq!(backlog(&world), 0);
        for client in &world.clients {
            let (heard, code) = match policy {
                SlowConsumer::Close => (&[1][..], Some(1013)),
                SlowConsumer::Skip => (&[1, 9][..], None),
            };
            assert_eq!((&client.heard["broadcast"][..], client.close_code), (heard, code));
            assert!(!client.has_rest());
        }
        let delivery = |n: usize| world.shared.delivery(world.published["broadcast"][n].id).expect("new");
        let (first, second) = (delivery(0), delivery(1));
        assert_eq!((first.recipients, first.written), (8, 8), "they had it in the end");
        assert_eq!(second.skipped + second.gone, 8, "{second:?}");
        assert_eq!(second.gone == 8, policy == SlowConsumer::Close, "{second:?}");
    }
}

#[test]
fn so_many_are_dealt_with_in_a_turn_and_the_publication_waits() {
    let config = Config { flush_slice: 2, ..small() };
    let mut world = world(config, &[500; 9]);
    overrun(&mut world);
    let mut waited = 0;
    while world.reactor.counters().rests_saved < 9 {
        let before = world.reactor.counters().rests_saved;
        world.turn(true);
        let saved = world.reactor.counters().rests_saved - before;
        assert!(saved <= 2, "{saved} in one turn");
        waited += usize::from(saved > 0 && world.audit.pending > 0);
        // One copy, though it is made in several turns.
        assert!(backlog(&world) < LARGE + 1_000, "{}", backlog(&world));
    }
    assert!(waited >= 4, "{waited}");
    everybody_reads(&mut world);
    assert!(world.clients.iter().all(|client| client.close_code == Some(1013)));
}

#[test]
fn where_there_is_no_room_for_it_the_laggard_is_cut() {
    let config = Config { backlog_bytes_max: LARGE / 2, ..small() };
    let mut world = world(config, &[1_000, 500, 45_000]);
    overrun(&mut world);
    everybody_acts(&mut world);
    // The rest of one of them is small enough.
    let counters = world.reactor.counters();
    assert_eq!((counters.slow_cut, counters.rests_saved), (2, 1));
    assert_eq!(counters.closed.get(CloseReason::SlowConsumer), 2);
    everybody_reads(&mut world);
    let told: Vec<_> = world.clients.iter().map(|client| client.close_code).collect();
    assert_eq!(told, [None, None, Some(1013)]);
    world.check_at_rest();
}

#[test]
fn who_leaves_in_mid_frame_has_no_copy_of_it() {
    let mut world = world(small(), &[1_000; 8]);
    publish(&mut world, "public.a", LARGE);
    publish(&mut world, "public.a", 20);
    everybody_acts(&mut world);
    for n in 0..8 {
        let conn = world.clients[n].conn.expect("open");
        let leaves = Command::Unsubscribe { conn, channel: "public.a".to_owned() };
        world.shared.command(leaves).expect("room in the inbox");
    }
    publish(&mut world, "public.a", 30);
    everybody_acts(&mut world);
    assert!(backlog(&world) < 8 * 200, "{} bytes", backlog(&world));
    let receipts = world.published["public.a"].clone();
    let recipients = |world: &World, n: usize| world.shared.delivery(receipts[n].id).map(|d| d.recipients);
    assert_eq!([0, 1, 2].map(|n| recipients(&world, n)), [Some(8), Some(8), Some(0)]);
    everybody_reads(&mut world);
    for client in &world.clients {
        assert_eq!((&client.heard["public.a"][..], client.close_code), (&[1, 2][..], None));
    }
    let written = |n: usize| world.shared.delivery(receipts[n].id).map(|d| (d.written, d.gone));
    assert_eq!([written(0), written(1)], [Some((8, 0)); 2], "what came before they left");
    assert_eq!(backlog(&world), 0);
}

#[test]
fn a_channel_stays_until_who_has_left_it_has_the_rest() {
    let config = Config { channel_idle_ms: 1_000, close_wait_ms: 100, ..small() };
    let mut world = world(config, &[1_000]);
    publish(&mut world, "public.a", LARGE);
    everybody_acts(&mut world);
    let conn = world.clients[0].conn.expect("open");
    let leaves = Command::Unsubscribe { conn, channel: "public.a".to_owned() };
    world.shared.command(leaves).expect("room in the inbox");
    for _ in 0..100 {
        world.pass_time(100_000);
        world.turn(true);
    }
    assert!(world.audit.channels.iter().any(|(name, ..)| name == "public.a"));
    everybody_reads(&mut world);
    assert_eq!(world.clients[0].heard["public.a"], [1]);
    for _ in 0..100 {
        world.pass_time(100_000);
        world.turn(true);
    }
    assert!(!world.audit.channels.iter().any(|(name, ..)| name == "public.a"), "{:?}", world.audit.channels);
}

/// A laggard that has been sent a close frame behind the rest of a frame, and takes so many bytes each second. How many
/// seconds pass until its connection is closed.
fn close_in_time(bytes_each_second: usize, seconds_max: usize) -> (World, usize) {
    let config = Config { pong_wait_ms: 2_000, close_wait_ms: 500, ..small() };
    let mut world = world(config, &[1_000]);
    overrun(&mut world);
    everybody_acts(&mut world);
    assert_eq!(world.audit.closing, 1);
    for second in 0..seconds_max {
        if world.clients[0].wire.borrow().closed {
            return (world, second);
        }
        let now_us = world.now_us;
        world.clients[0].read(bytes_each_second, now_us);
        for _ in 0..10 {
            world.pass_time(100_000);
            world.turn(true);
        }
    }
    (world, seconds_max)
}

#[test]
fn who_takes_nothing_has_one_wait() {
    let (world, seconds) = close_in_time(0, 100);
    assert_eq!(seconds, 2, "pong_wait_ms");
    let counters = world.reactor.counters();
    assert_eq!((counters.goodbyes_unread, counters.closed.get(CloseReason::SlowConsumer)), (1, 1));
    assert_eq!(backlog(&world), 0);
}

#[test]
fn who_takes_something_has_the_time_for_all_of_it() {
    // Twenty times as long as who takes nothing, and longer than a peer may take to answer a close frame.
    let (mut world, seconds) = close_in_time(LARGE / 40, 100);
    assert!((30..55).contains(&seconds), "{seconds}");
    let now_us = world.now_us;
    world.clients[0].read(usize::MAX, now_us);
    assert_eq!(world.clients[0].close_code, Some(1013));
    assert_eq!((world.reactor.counters().goodbyes_unread, world.clients[0].has_rest()), (0, false));
}

#[test]
fn who_takes_a_byte_now_and_then_comes_to_an_end_too() {
    let (world, seconds) = close_in_time(1, 200);
    assert_eq!(seconds, 60, "thirty times pong_wait_ms");
    assert_eq!(world.reactor.counters().goodbyes_unread, 1);
}

#[test]
fn a_close_from_outside_comes_behind_what_was_published_before() {
    for evicts in [false, true] {
        let mut world = world(Config { log_publications: 16, ..small() }, &[1_000; 3]);
        overrun(&mut world);
        for n in 0..3 {
            let conn = world.clients[n].conn.expect("open");
            let close = Command::Close { conn, code: CloseCode(4002), reason: "enough".to_owned() };
            world.shared.command(close).expect("room in the inbox");
        }
        // The log may move on meanwhile, over the frame under way and what is behind it.
        for _ in 0..if evicts { 20 } else { 1 } {
            publish(&mut world, "broadcast", 10);
        }
        everybody_acts(&mut world);
        assert_eq!((world.audit.closing, world.audit.open), (3, 0));
        everybody_reads(&mut world);
        let all: Vec<usize> = (1..=9).collect();
        for client in &world.clients {
            let (heard, code) = if evicts { (&all[..1], 1013) } else { (&all[..], 4002) };
            assert_eq!((&client.heard["broadcast"][..], client.close_code), (heard, Some(code)));
            assert!(!client.has_rest());
        }
        let d = world.shared.delivery(world.published["broadcast"][8].id).expect("it is new");
        let expected = if evicts { (0, 3) } else { (3, 0) };
        assert_eq!((d.recipients, (d.written, d.gone)), (3, expected), "{d:?}");
    }
}

#[test]
fn who_has_no_room_for_an_answer_is_told_behind_the_frame_under_way() {
    let config = Config { backlog_bytes_max: 600, ..small() };
    let mut world = world(config, &[700]);
    let conn = world.clients[0].conn.expect("open");
    // Three frames in one go, of which the socket takes one and a half.
    let text = |k: usize| format!("P|broadcast|{k}|{}", padding(k, 480));
    let frames: Vec<u8> = (1..=3).flat_map(|k| Message::Text(&text(k)).to_frame()).collect();
    world.shared.command(Command::Reply { conn, frames }).expect("room");
    everybody_acts(&mut world);
    assert_eq!(world.audit.closing, 1);
    everybody_reads(&mut world);
    assert_eq!(
        (&world.clients[0].heard["broadcast"][..], world.clients[0].close_code),
        (&[1, 2][..], Some(1013))
    );
    assert_eq!(world.reactor.counters().closed.get(CloseReason::Overload), 1);
}
