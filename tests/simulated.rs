//! Single situations in the simulated world, where time and the network do as they are told.

use crate::sim::client::{Client, Reader, Role, padding};
use crate::sim::dice::Dice;
use crate::sim::wire;
use crate::sim::world::World;
use wspush::config::ChannelRule;
use wspush::metrics::{ChannelEvent, CloseReason};
use wspush::push::Message;
use wspush::reactor::ListenerRole;
use wspush::{CloseCode, Config};

fn world(config: Config) -> World {
    World::new(Dice::from_seed(7), Config { demo: true, heartbeat_ms: 0, ..config }, 0)
}

fn closed(world: &mut World, reason: CloseReason) -> u64 {
    world.reactor.metrics().closed.get(reason)
}

/// Lets so many milliseconds pass, a turn in every 50 of them.
fn wait(world: &mut World, ms: u64) {
    world.everybody_acts(ms / 50, 50_000);
}

fn is_closed(client: &Client) -> bool {
    client.wire.borrow().closed
}

#[test]
fn an_idle_http_connection_ends_and_is_counted() {
    let mut world = world(Config { keep_alive_ms: 3_000, ..Config::default() });
    for door in [ListenerRole::Public, ListenerRole::Admin] {
        let n = world.connect(Role::Http, door, Reader::Fast, 1 << 20);
        world.clients[n].ask("ok", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    wait(&mut world, 2_000);
    assert!(world.clients.iter().all(|client| client.status == 200 && !is_closed(client)));
    wait(&mut world, 8_000);
    assert!(world.clients.iter().all(is_closed));
    assert_eq!(closed(&mut world, CloseReason::Idle), 2);
}

#[test]
fn a_last_answer_that_nobody_reads_is_not_kept_for_long() {
    let config =
        Config { close_wait_ms: 2_000, keep_alive_ms: 600_000, pong_wait_ms: 1_000, ..Config::default() };
    let mut world = world(config);
    let last = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    // The page is larger than what the network takes: one never reads, one reads a little now and then.
    let never = world.connect(Role::Http, ListenerRole::Public, Reader::Never, 1_000);
    let slow = world.connect(Role::Http, ListenerRole::Public, Reader::Never, 1_000);
    for n in [never, slow] {
        world.clients[n].ask("any", last);
    }
    for _ in 0..8 {
        wait(&mut world, 1_000);
        let now_us = world.now_us;
        world.clients[slow].read(700, now_us);
    }
    assert!(is_closed(&world.clients[never]), "it holds its outbox for nobody");
    assert!(!is_closed(&world.clients[slow]), "slow is not dead");
    assert_eq!((closed(&mut world, CloseReason::Unread), world.audit.connections), (1, 1));
    world.clients[slow].reader = Reader::Fast;
    wait(&mut world, 10_000);
    let client = &world.clients[slow];
    assert_eq!(
        (client.status, client.requests.len(), client.is_cut_off()),
        (200, 0, false),
        "all of it arrived"
    );
    assert_eq!((closed(&mut world, CloseReason::Unread), closed(&mut world, CloseReason::Idle)), (1, 0));
}

/// Subscribers of all speeds in the middle of a broadcast.
fn broadcast(publications: usize) -> World {
    let mut world = world(Config {
        flush_slice: 3,
        log_publications: 16,
        inbox_commands_max: 1_000,
        drain_ms: 20_000,
        ..Config::default()
    });
    for n in 0..24 {
        let reader = [Reader::Fast, Reader::Slow(40), Reader::Slow(7)][n % 3];
        let n = world.connect(Role::Push, ListenerRole::Public, reader, [130, 1_000, 1 << 20][n / 3 % 3]);
        let channel = ["", "&channel=public.a"][n % 2];
        for name in ["broadcast", "public.a"].iter().take(1 + n % 2) {
            world.clients[n].spans.insert((*name).to_owned(), Vec::new());
        }
        world.clients[n].shake_hands(&format!("/ws?n={n}{channel}"));
    }
    // With TLS, for some of them, a handshake takes a slow reader a while.
    for _ in 0..4_000 {
        if world.audit.open == 24 {
            break;
        }
        world.pass_time(1_000);
        world.act();
        world.turn(true);
    }
    assert_eq!(world.audit.open, 24);
    for number in 1..=publications {
        for channel in ["broadcast", "public.a"] {
            let text = format!("P|{channel}|{number}|{}", padding(number, number * 37 % 90));
            let name = (channel != "broadcast").then_some(channel);
            let receipt = world.push(name, Message::Text(&text)).expect("room in the inbox");
            world.published.get_mut(channel).expect("one of the channels").push(receipt);
        }
    }
    world
}

/// The end of a broadcast: whoever reads has all of it, then 1001, and the time is kept.
fn check_drain(world: &mut World, publications: usize) {
    let began_us = world.now_us;
    world.draining = true;
    world.shared.drain(None);
    let numbers: Vec<usize> = (1..=publications).collect();
    while !world.turn.finished {
        world.pass_time(10_000);
        world.act();
        world.turn(true);
        let now_us = world.now_us;
        assert!(now_us - began_us <= world.config.drain_ms * 1000 + 10_000, "the drain takes too long");
    }
    for client in &mut world.clients {
        client.read(usize::MAX, world.now_us);
        for (channel, heard) in &client.heard {
            assert_eq!(*heard, numbers, "client {}: {channel}", client.n);
        }
        assert_eq!(client.heard.len(), client.spans.len(), "client {}", client.n);
        assert_eq!(client.close_code, Some(CloseCode::GOING_AWAY.0), "client {}", client.n);
        assert!(!client.is_cut_off());
    }
    world.check_empty();
}

#[test]
fn a_drain_in_the_middle_of_a_broadcast_cuts_nobody_off_who_reads() {
    // As many turns into the broadcast as it takes to be anywhere in it.
    for turns in 0..30 {
        let mut world = broadcast(12);
        for _ in 0..turns {
            world.pass_time(1_000);
            world.act();
            world.turn(true);
        }
        check_drain(&mut world, 12);
        assert_eq!(closed(&mut world, CloseReason::GoingAway), 24);
    }
}

#[test]
fn whoever_never_reads_does_not_outlive_the_drain() {
    let mut world = broadcast(12);
    world.turn(true);
    for client in world.clients.iter_mut().step_by(3) {
        client.reader = Reader::Never;
    }
    let began_us = world.now_us;
    world.draining = true;
    world.shared.drain(None);
    while !world.turn.finished {
        world.pass_time(10_000);
        world.act();
        world.turn(true);
        assert!(world.now_us - began_us <= world.config.drain_ms * 1000 + 10_000, "the drain takes too long");
    }
    assert!(world.now_us - began_us >= world.config.drain_ms * 1000, "somebody is still waited for");
    assert!(closed(&mut world, CloseReason::Drain) > 0);
    for client in world.clients.iter().filter(|client| client.reader != Reader::Never) {
        assert_eq!(client.close_code, Some(CloseCode::GOING_AWAY.0), "client {}", client.n);
        assert!(client.heard.values().all(|heard| heard.len() == 12), "client {}", client.n);
    }
}

#[test]
fn whoever_comes_to_a_server_that_goes_is_told() {
    let mut world = world(Config::default());
    world.shared.drain(Some(5_000));
    world.turn(true);
    let (with, without) = ("/ws?refusals=close", "/ws");
    let clients = [with, without].map(|target| {
        let n = world.connect(Role::Push, ListenerRole::Public, Reader::Fast, 1 << 20);
        #[cfg(feature = "tls")]
        {
            world.clients[n].tls = None;
        }
        world.clients[n].shake_hands(target);
        world.clients[n].send(usize::MAX);
        n
    });
    wait(&mut world, 500);
    let [told, refused] = clients.map(|n| (world.clients[n].status, world.clients[n].close_code));
    assert_eq!((told, refused), ((101, Some(4503)), (503, None)));
    assert!(clients.iter().all(|&n| is_closed(&world.clients[n])));
}

#[test]
fn a_refused_client_that_says_nothing_is_gone_in_time() {
    let mut world = world(Config { close_wait_ms: 2_000, ..Config::default() });
    let mute = world.connect(Role::Raw, ListenerRole::Public, Reader::Fast, 1 << 20);
    #[cfg(feature = "tls")]
    {
        world.clients[mute].tls = None;
    }
    world.clients[mute].shake_hands("/echo?refusals=close&x=1");
    wait(&mut world, 500);
    assert_eq!((world.audit.closing, world.audit.open, world.alive()), (1, 0, 0));
    assert_eq!(world.audit.extras, 0, "it holds a slot and nothing else");
    wait(&mut world, 2_000);
    assert!(is_closed(&world.clients[mute]));
    assert_eq!(world.audit.closing, 0);
    assert_eq!(world.reactor.metrics().closed.sum(), 0, "it was never open");
    assert_eq!(world.reactor.metrics().handshakes_refused.sum(), 1);
}

/// How long after its last word a client that answers nothing is pinged, and how long after that it is dropped, in
/// milliseconds. The server has a turn in every `step_ms`.
fn silence(heartbeat_ms: u64, pong_wait_ms: u64, step_ms: u64) -> (u64, u64) {
    let config = Config { demo: true, heartbeat_ms, pong_wait_ms, ..Config::default() };
    let mut world = World::new(Dice::from_seed(7), config, 0);
    let n = world.connect(Role::Echo, ListenerRole::Public, Reader::Fast, 1 << 20);
    world.clients[n].mute = true;
    #[cfg(feature = "tls")]
    {
        world.clients[n].tls = None;
    }
    world.clients[n].shake_hands("/echo");
    world.clients[n].send(usize::MAX);
    world.turn(true);
    let heard_ms = world.clients[n].wire.borrow().heard_us / 1000;
    let (mut pinged_ms, limit_ms) = (None, heard_ms + heartbeat_ms + 2 * pong_wait_ms + 10_000);
    while !is_closed(&world.clients[n]) {
        world.pass_time(step_ms * 1000);
        world.turn(true);
        let now_ms = world.now_us / 1000;
        if world.reactor.counters().pings_sent == 1 {
            pinged_ms.get_or_insert(now_ms);
        }
        assert!(now_ms < limit_ms, "it is never dropped");
        world.clients[n].read(usize::MAX, world.now_us);
    }
    assert_eq!(closed(&mut world, CloseReason::Heartbeat), 1);
    let pinged_ms = pinged_ms.expect("pinged before it was dropped");
    (pinged_ms - heard_ms, world.now_us / 1000 - pinged_ms)
}

#[test]
fn silence_is_noticed_to_the_tick() {
    for heartbeat_ms in [100, 150, 700, 1_000, 1_999, 30_000] {
        for pong_wait_ms in [100, 250, 300, 1_000, 1_500, 10_000] {
            let (pinged, dropped) = silence(heartbeat_ms, pong_wait_ms, 10);
            let all = format!("{heartbeat_ms} and {pong_wait_ms}: {pinged} and {dropped}");
            assert!((heartbeat_ms..=heartbeat_ms + 220).contains(&pinged), "{all}");
            assert!((pong_wait_ms..=pong_wait_ms + 220).contains(&dropped), "{all}");
        }
    }
}

#[test]
fn the_longest_silence_is_waited_for() {
    let (four_hours, one_hour) = (4 * 3_600_000, 3_600_000);
    for (heartbeat_ms, pong_wait_ms) in [(four_hours, one_hour), (four_hours, 100), (100, one_hour)] {
        let (pinged, dropped) = silence(heartbeat_ms, pong_wait_ms, 1_000);
        let all = format!("{heartbeat_ms} and {pong_wait_ms}: {pinged} and {dropped}");
        assert!((heartbeat_ms..=heartbeat_ms + 3_000).contains(&pinged), "{all}");
        assert!((pong_wait_ms..=pong_wait_ms + 3_000).contains(&dropped), "{all}");
    }
}

#[test]
fn a_channel_out_of_use_is_forgotten_in_time() {
    for idle_ms in [100, 400, 2_000] {
        let mut world = world(Config { channel_idle_ms: idle_ms, ..Config::default() });
        world.push(Some("public.a"), Message::Text("x")).expect("room in the inbox");
        world.turn(true);
        assert_eq!(world.audit.channels.len(), 2);
        let mut waited_ms = 0;
        while world.audit.channels.len() > 1 {
            wait(&mut world, 50);
            waited_ms += 50;
            assert!(waited_ms <= idle_ms + idle_ms.clamp(100, 1_000) + 100, "{waited_ms} of {idle_ms}");
        }
        assert!(waited_ms >= idle_ms, "{waited_ms} of {idle_ms}");
    }
}

/// An `EventSource` comes back when its stream has told it to, so its time for that begins then.
#[test]
fn a_stream_that_comes_back_as_it_was_told_is_missed_by_nobody() {
    for (path, grace_ms, left_ms) in
        [("/sse", 1_000, 4_000), ("/stream", 1_000, 1_000), ("/ws", 1_000, 1_000), ("/sse", 0, 0_u64)]
    {
        let presence = Some(true);
        let rule = ChannelRule { pattern: "public.a".to_owned(), presence, ..ChannelRule::default() };
        let mut world =
            world(Config { presence_grace_ms: grace_ms, channel_rule: vec![rule], ..Config::default() });
        let come = |world: &mut World| {
            let n = world.connect(Role::Raw, ListenerRole::Public, Reader::Never, 1 << 20);
            world.clients[n].tls = None;
            let fields: &[(&str, &str)] = &[];
            let target = format!("{path}?n=7&quiet=1&channel=public.a");
            world.clients[n].wire.borrow_mut().push_up(&match path {
                "/ws" => wire::upgrade(&target, "sim", fields),
                _ => format!("GET {target} HTTP/1.1\r\nHost: sim\r\n\r\n").into_bytes(),
            });
            world.turn(true);
            n
        };
        let events = |world: &mut World| {
            let events = &world.reactor.metrics().channel_events;
            (events.get(ChannelEvent::MemberAdded), events.get(ChannelEvent::MemberRemoved))
        };
        let n = come(&mut world);
        assert_eq!(events(&mut world), (1, 0), "{path}");
        world.clients[n].wire.borrow_mut().cut();
        wait(&mut world, left_ms.saturating_sub(100).max(100));
        let removed = u64::from(left_ms == 0);
        assert_eq!(events(&mut world), (1, removed), "{path}");
        let n = come(&mut world);
        wait(&mut world, 10_000);
        assert_eq!(events(&mut world), (1 + removed, removed), "{path}: nobody has heard that it was away");
        world.clients[n].wire.borrow_mut().cut();
        wait(&mut world, left_ms + 200);
        assert_eq!(events(&mut world), (1 + removed, 1 + removed), "{path}");
    }
}

/// A machine with little to do sleeps: between a client's words and pings nothing is looked at that is not due.
#[test]
fn a_server_with_idle_connections_is_woken_less_than_once_a_second() {
    let config = Config { demo: true, ..Config::default() };
    let mut world = World::new(Dice::from_seed(7), config, 0);
    for _ in 0..10 {
        let n = world.connect(Role::Echo, ListenerRole::Public, Reader::Fast, 1 << 20);
        #[cfg(feature = "tls")]
        {
            world.clients[n].tls = None;
        }
        world.clients[n].shake_hands("/echo");
        world.everybody_acts(5, 700_000);
    }
    let (start_us, mut woken) = (world.now_us, 0);
    while world.now_us < start_us + 300_000_000 {
        let due_ms = world.turn.due_ms.expect("a silence is waited for");
        let sleeps_us = (due_ms * 1_000).saturating_sub(world.now_us);
        // The pongs come one by one, and each wakes the server as well.
        let pings = world.reactor.counters().pings_sent;
        world.everybody_acts(1, sleeps_us);
        let pongs = world.reactor.counters().pings_sent - pings;
        world.everybody_acts(2, 1_000);
        woken += 1 + pongs;
    }
    assert_eq!(world.audit.connections, 10);
    assert!((10..=300).contains(&woken), "woken {woken} times in 300 s");
}

/// `activity_timeout_s` and half a minute later a client is asked, once, and then it has half a minute to answer.
#[cfg(feature = "pusher")]
#[test]
fn a_silent_client_of_an_app_is_asked_in_its_own_words() {
    let pusher_app = vec!["3 key=k secret=s activity_timeout_s=90".parse().expect("an app")];
    let config = Config { demo: true, pusher_app, ..Config::default() };
    let mut world = World::new(Dice::from_seed(7), config, 0);
    let mut open = |asks: bool| {
        let n = world.connect(Role::Chat, ListenerRole::Public, Reader::Fast, 1 << 20);
        let client = &mut world.clients[n];
        client.tls = None;
        client.shake_hands("/app/k?protocol=7");
        (n, asks)
    };
    let clients = [open(false), open(true)];
    for step in 0..30 {
        wait(&mut world, 10_000);
        // As its library does it, sooner than the server would ask.
        for &(n, _) in clients.iter().filter(|(_, asks)| *asks && step % 6 == 5) {
            let ping = br#"{"event":"pusher:ping","data":{}}"#;
            world.clients[n].outgoing.extend(wire::masked(true, wire::TEXT, ping));
        }
        let pings = world.reactor.metrics().pings_sent;
        let code = world.clients[0].close_code;
        match step {
            0..11 => assert_eq!((pings, code), (0, None), "{step}"),
            13 | 14 => assert_eq!((pings, code), (1, None), "{step}"),
            20.. => assert_eq!((pings, code), (1, Some(4_201)), "{step}"),
            _ => {}
        }
    }
    assert_eq!((world.clients[1].close_code, closed(&mut world, CloseReason::Heartbeat)), (None, 1));
}
