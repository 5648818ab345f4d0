//! Resources that all share, and that nobody uses up for the others: in a simulated world with many addresses.

mod pool;

use crate::sim::client::{Client, Reader, Role, Stage, padding};
use crate::sim::dice::Dice;
use crate::sim::world::{World, text};
use wspush::metrics::{ChannelEnd, ChannelRefusal, CloseReason, RefuseReason};
use wspush::push::Since;
use wspush::reactor::{Command, ListenerRole, Wake};
use wspush::{Config, PushError};

fn world(config: Config) -> World {
    World::new(Dice::from_seed(5), Config { heartbeat_ms: 0, deflate: false, ..config }, 0)
}

fn everybody_acts(world: &mut World) {
    world.everybody_acts(8, 1_000);
}

/// A client from an address that asks for a target.
fn asks(world: &mut World, host: u8, target: &str) -> usize {
    let n = world.connect(Role::Push, ListenerRole::Public, Reader::Fast, 1 << 20);
    let client = &mut world.clients[n];
    (client.tls, client.host) = (None, Some(host));
    client.shake_hands(target);
    n
}

/// Channels of these numbers in one query.
fn query(numbers: std::ops::Range<usize>) -> String {
    numbers.map(|n| format!("channel=public.{n}")).collect::<Vec<_>>().join("&")
}

fn publish(world: &World, channel: &str) -> Result<u64, PushError> {
    world.shared.publish(Some(channel), text("x"), world.unix_us(), Wake::Yes).map(|receipt| receipt.id)
}

fn forgotten(world: &World, why: ChannelEnd) -> u64 {
    world.reactor.counters().channels_forgotten.get(why)
}

fn has_channel(world: &World, name: &str) -> bool {
    world.audit.channels.iter().any(|(channel, ..)| channel == name)
}

#[test]
fn pushes_to_the_absent_are_never_refused() {
    let mut world = world(Config { channels_max: 100, ..Config::default() });
    // As from another thread: the reactor has a turn only when so many are new to it that it has to come first.
    let mut push = |n| loop {
        match publish(&world, &format!("user.{n}")) {
            Err(PushError::InboxFull) => world.turn(true),
            receipt => break receipt.expect("taken"),
        }
    };
    let receipts: Vec<_> = (0..1_000).map(&mut push).collect();
    everybody_acts(&mut world);
    assert_eq!((world.audit.channels.len(), forgotten(&world, ChannelEnd::Room)), (100, 1_000 - 99));
    for receipt in receipts {
        let delivery = world.shared.delivery(receipt).expect("one of the newest");
        assert_eq!((delivery.recipients, delivery.last_us.is_some()), (0, true), "{delivery:?}");
    }
    // One after the other as well, and for a visitor there is room.
    for n in 0..300 {
        publish(&world, &format!("user.{n}")).expect("taken");
        world.turn(true);
    }
    let visitor = asks(&mut world, 1, "/ws?channel=public.me");
    everybody_acts(&mut world);
    assert_eq!((world.clients[visitor].stage, world.audit.channels.len()), (Stage::Open, 100));
    assert!(has_channel(&world, "user.299") && !has_channel(&world, "user.200"), "the newest stay");
}

#[test]
fn a_channel_that_nobody_published_to_goes_with_its_last_subscriber() {
    let mut world = world(Config { channels_max: 100, ..Config::default() });
    let (one, other) =
        (asks(&mut world, 1, "/ws?channel=public.a"), asks(&mut world, 2, "/ws?channel=public.a"));
    everybody_acts(&mut world);
    publish(&world, "public.b").expect("taken");
    for (n, left) in [(one, 3), (other, 2)] {
        world.clients[n].close(1000);
        everybody_acts(&mut world);
        assert_eq!(world.audit.channels.len(), left);
    }
    assert_eq!((has_channel(&world, "public.b"), forgotten(&world, ChannelEnd::Unpublished)), (true, 1));
}

#[test]
fn a_handshake_that_fails_leaves_no_channels_behind() {
    let mut world = world(Config { channels_max: 9, ..Config::default() });
    let refused = asks(&mut world, 1, &format!("/ws?{}", query(0..7)));
    everybody_acts(&mut world);
    assert_eq!((world.clients[refused].status, world.audit.channels.len()), (503, 1));
    assert_eq!(world.reactor.counters().handshakes_refused.get(RefuseReason::Channels), 1);
    let fits = asks(&mut world, 1, &format!("/ws?{}", query(0..5)));
    everybody_acts(&mut world);
    assert_eq!((world.clients[fits].stage, world.audit.channels.len()), (Stage::Open, 6));
}

#[test]
fn strangers_leave_channels_to_publishers_and_to_each_other() {
    let mut world = world(Config { channels_max: 101, ..Config::default() });
    for n in 0..20 {
        asks(&mut world, 66, &format!("/ws?{}", query(n * 5..n * 5 + 5)));
    }
    everybody_acts(&mut world);
    // Four fifths of three quarters.
    assert_eq!((world.audit.open, world.audit.channels.len()), (12, 61));
    let refused = &world.reactor.counters().channels_refused;
    assert_eq!((refused.get(ChannelRefusal::Address), refused.sum()), (8, 8));
    let other = asks(&mut world, 1, "/ws?channel=public.news");
    everybody_acts(&mut world);
    assert_eq!(world.clients[other].stage, Stage::Open);
    // However many strangers there are, a quarter is the publishers'.
    for host in 67..167 {
        asks(&mut world, host, &format!("/ws?channel=public.{host}0"));
    }
    everybody_acts(&mut world);
    assert_eq!(world.audit.channels.len(), 76);
    for n in 0..100 {
        publish(&world, &format!("orders.{n}")).expect("taken");
        world.turn(true);
    }
    assert_eq!((world.audit.channels.len(), forgotten(&world, ChannelEnd::Room)), (101, 75));
    // With them all gone nothing is left of theirs.
    for client in &mut world.clients {
        client.close(1000);
    }
    everybody_acts(&mut world);
    assert_eq!((world.audit.channels.len(), world.audit.open), (26, 0));
}

#[test]
fn who_joins_while_the_channel_is_being_forgotten_gets_the_next_life_of_it() {
    let mut world = world(Config { channels_max: 2, ..Config::default() });
    let first = publish(&world, "public.a").expect("taken");
    everybody_acts(&mut world);
    let epoch =
        |world: &World| world.audit.channels.iter().find(|(name, ..)| name == "public.a").map(|c| c.1);
    let before = epoch(&world).expect("there");
    // Forgotten for one that is forgotten for the subscriber, before the reactor has heard of the first.
    let between = publish(&world, "public.b").expect("taken");
    let n = asks(&mut world, 1, "/ws?channel=public.a");
    everybody_acts(&mut world);
    assert_eq!(world.clients[n].stage, Stage::Open);
    assert!(epoch(&world).expect("there") > before);
    for receipt in [first, between] {
        assert_eq!(world.shared.delivery(receipt).map(|d| (d.recipients, d.lagging)), Some((0, 0)));
    }
    world.clients[n].spans.insert("public.a".to_owned(), Vec::new());
    let said = text(&format!("P|public.a|1|{}", padding(1, 10)));
    let receipt = world.shared.publish(Some("public.a"), said, world.unix_us(), Wake::Yes);
    let heard = receipt.expect("somebody needs it, so it is there").id;
    assert_eq!(publish(&world, "public.b"), Err(PushError::TooManyChannels { max: 2 }));
    everybody_acts(&mut world);
    assert_eq!(world.shared.delivery(heard).map(|d| (d.recipients, d.written)), Some((1, 1)));
}

#[test]
fn who_is_about_to_be_subscribed_gets_what_the_same_thread_publishes_then() {
    let mut world = world(Config { channels_max: 3, ..Config::default() });
    let n = asks(&mut world, 1, "/ws?n=0");
    everybody_acts(&mut world);
    publish(&world, "public.b").expect("taken");
    everybody_acts(&mut world);
    let conn = world.clients[n].conn.expect("open");
    world
        .shared
        .command(Command::Subscribe { conn, channel: "public.a".to_owned(), since: Since::Head })
        .expect("room");
    let heard = publish(&world, "public.a").expect("taken");
    for other in 0..3 {
        // None of them takes the place of the one that is waited for.
        let expected = if other == 0 { Ok(()) } else { Err(PushError::InboxFull) };
        assert_eq!(publish(&world, &format!("other.{other}")).map(drop), expected);
    }
    world.clients[n].reader = Reader::Never;
    everybody_acts(&mut world);
    assert_eq!(world.shared.delivery(heard).map(|d| d.recipients), Some(1));
}

#[test]
fn the_one_who_opens_a_channel_may_leave_it_to_others() {
    let mut world = world(Config { channels_max: 3, ..Config::default() });
    let opener = asks(&mut world, 1, "/ws?n=0&channel=public.a");
    everybody_acts(&mut world);
    let other = asks(&mut world, 2, "/ws?n=1&channel=public.a");
    everybody_acts(&mut world);
    world.clients[opener].close(1000);
    everybody_acts(&mut world);
    assert_eq!((world.clients[other].stage, has_channel(&world, "public.a")), (Stage::Open, true));
    let conn = world.clients[other].conn.expect("open");
    // Its last subscriber goes at the moment at which another one comes.
    world.shared.command(Command::Unsubscribe { conn, channel: "public.a".to_owned() }).expect("room");
    let third = asks(&mut world, 3, "/ws?channel=public.a");
    everybody_acts(&mut world);
    assert_eq!((world.clients[third].stage, has_channel(&world, "public.a")), (Stage::Open, true));
}

#[test]
fn who_is_owed_the_rest_of_a_frame_keeps_the_channel() {
    let mut world = world(Config { channels_max: 2, ..Config::default() });
    let n = asks(&mut world, 1, "/ws?n=0&channel=public.a");
    everybody_acts(&mut world);
    let client: &mut Client = &mut world.clients[n];
    client.reader = Reader::Never;
    client.wire.borrow_mut().down_max = 1_000;
    let said = text(&format!("P|public.a|1|{}", padding(1, 50_000)));
    world.shared.publish(Some("public.a"), said, world.unix_us(), Wake::Yes).expect("taken");
    everybody_acts(&mut world);
    let conn = world.clients[n].conn.expect("open");
    world.shared.command(Command::Unsubscribe { conn, channel: "public.a".to_owned() }).expect("room");
    everybody_acts(&mut world);
    assert_eq!(publish(&world, "orders"), Err(PushError::TooManyChannels { max: 2 }), "it needs its channel");
    world.clients[n].spans.insert("public.a".to_owned(), Vec::new());
    world.clients[n].reader = Reader::Fast;
    world.settle();
    assert_eq!(world.clients[n].heard["public.a"], [1]);
    assert!(publish(&world, "orders").is_ok());
    everybody_acts(&mut world);
    assert!(has_channel(&world, "orders") && !has_channel(&world, "public.a"));
}

#[test]
fn the_idle_go_in_time_a_slice_at_once() {
    let mut world = world(Config { channel_idle_ms: 5_000, flush_slice: 10, ..Config::default() });
    for n in 0..45 {
        publish(&world, &format!("user.{n}")).expect("taken");
    }
    everybody_acts(&mut world);
    world.pass_time(3_000_000);
    publish(&world, "user.7").expect("taken");
    world.turn(true);
    world.pass_time(3_000_000);
    for left in [36, 26, 16, 6, 2, 2] {
        world.turn(true);
        assert_eq!(world.audit.channels.len(), left);
        world.pass_time(100_000);
    }
    assert!(has_channel(&world, "user.7"));
    assert_eq!(forgotten(&world, ChannelEnd::Idle), 44);
}

#[test]
fn after_a_storm_of_half_messages_the_memory_goes_back() {
    const STORM: usize = 1_100;
    let config = Config { max_connections: 2_000, accept_budget: 2_000, ..Config::default() };
    let mut world = world(config);
    for n in 0..STORM {
        asks(&mut world, n as u8, "/ws?quiet=1");
    }
    // Handshakes take their turns.
    (0..10).for_each(|_| everybody_acts(&mut world));
    assert_eq!(world.audit.open, STORM);
    for client in &mut world.clients {
        client.outgoing.extend([0x82, 0xfe, 0x10, 0, 0, 0, 0, 0, 1, 2, 3]);
    }
    everybody_acts(&mut world);
    let audit = &world.audit;
    assert_eq!((audit.chunks, audit.chunks_backed, audit.slots_used), (STORM, STORM, STORM));
    // All but ten of them go; what those ten hold is all that is held a second later.
    for client in &mut world.clients[10..] {
        client.gone = true;
        client.wire.borrow_mut().cut();
    }
    for _ in 0..10 {
        world.pass_time(100_000);
        world.turn(true);
    }
    assert_eq!((world.audit.connections, world.audit.chunks, world.audit.chunks_backed), (10, 10, 10));
    // The table's memory goes with its last connection, and the server sleeps then.
    for client in &mut world.clients {
        client.wire.borrow_mut().cut();
    }
    for _ in 0..5 {
        world.pass_time(100_000);
        world.turn(true);
    }
    let audit = &world.audit;
    assert_eq!((audit.connections, audit.chunks_backed, audit.slots_used), (0, 0, 0));
    world.pass_time(70_000_000);
    (0..20).for_each(|_| world.turn(true));
    assert_eq!(world.turn.due_ms, None);
    // And all of it is there again.
    let newcomer = asks(&mut world, 1, "/ws?quiet=1");
    everybody_acts(&mut world);
    assert_eq!((world.clients[newcomer].stage, world.audit.slots_used), (Stage::Open, 1));
}

/// A binary message of so many bytes that a client begins.
fn begin_message(client: &mut Client, len: u16, here: usize) {
    let [high, low] = len.to_be_bytes();
    client.outgoing.extend([0x82, 0xfe, high, low, 0, 0, 0, 0]);
    client.outgoing.extend(vec![7; here]);
}

/// Clients of `/echo` from an address that ask for more than they take.
fn greedy(world: &mut World, host: u8, count: usize) {
    let first = world.clients.len();
    for _ in 0..count {
        let n = world.connect(Role::Echo, ListenerRole::Public, Reader::Fast, 1 << 20);
        let client = &mut world.clients[n];
        (client.tls, client.host) = (None, Some(host));
        client.shake_hands("/echo");
    }
    everybody_acts(world);
    for n in first..first + count {
        let client = &mut world.clients[n];
        client.reader = Reader::Never;
        client.wire.borrow_mut().down_max = 300;
        begin_message(client, 20_000, 20_000);
        everybody_acts(world);
    }
}

fn backlog(world: &World) -> usize {
    world.shared.stats().memory.backlog_bytes as usize
}

#[test]
fn who_has_most_of_the_backlog_gives_way() {
    let config = Config { demo: true, backlog_bytes_max: 100_000, ..Config::default() };
    let mut world = world(config);
    greedy(&mut world, 66, 5);
    assert!(backlog(&world) > 70_000, "{}", backlog(&world));
    let (open, gave_way) = (world.audit.open, world.reactor.counters().gave_way);
    // One that takes its answer, but not all at once.
    let n = world.connect(Role::Echo, ListenerRole::Public, Reader::Fast, 1_000);
    world.clients[n].tls = None;
    world.clients[n].shake_hands("/echo");
    everybody_acts(&mut world);
    world.clients[n].reader = Reader::Never;
    let mut dice = Dice::from_seed(1);
    world.clients[n].say(&mut dice, false, &[5; 30_000]);
    everybody_acts(&mut world);
    assert!(backlog(&world) > 60_000 && backlog(&world) <= 100_000, "{}", backlog(&world));
    assert_eq!((world.reactor.counters().gave_way, world.audit.open), (gave_way + 2, open - 2 + 1));
    world.clients[n].reader = Reader::Fast;
    world.settle();
    assert!(world.clients[n].echoes.is_empty() && world.clients[n].close_code.is_none());
}

#[cfg(feature = "tls")]
#[test]
fn records_that_come_in_pieces_find_room() {
    let config = Config { demo: true, backlog_bytes_max: 100_000, ..Config::default() };
    let mut world = world(config);
    greedy(&mut world, 66, 5);
    assert!(backlog(&world) > 70_000, "{}", backlog(&world));
    for tls13 in [false, true] {
        let n = world.connect(Role::Echo, ListenerRole::Public, Reader::Fast, 1 << 20);
        world.clients[n].tls = Some(Box::new(crate::sim::tls_client::TlsClient::new(tls13)));
        world.clients[n].shake_hands("/echo");
        let mut dice = Dice::from_seed(1);
        let mut said = false;
        for _ in 0..2_000 {
            let client = &mut world.clients[n];
            if client.stage == Stage::Open && !said {
                client.say(&mut dice, false, &[5; 10_000]);
                said = true;
            }
            client.send(usize::MAX);
            // Its bytes come by fifties.
            let later: Vec<u8> = {
                let mut wire = client.wire.borrow_mut();
                let now = wire.up.len().min(50);
                wire.up.split_off(now).into()
            };
            world.turn(true);
            world.pass_time(1_000);
            let now_us = world.now_us;
            world.clients[n].wire.borrow_mut().push_up(&later);
            world.clients[n].read(usize::MAX, now_us);
        }
        let client = &world.clients[n];
        assert!(said && client.echoes.is_empty() && client.stage == Stage::Open, "{:?}", client.stage);
    }
    assert!(world.reactor.counters().gave_way > 0);
}
