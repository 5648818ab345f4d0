//! Time per turn in units of work, in the simulated world: whatever strangers send, a turn stays within its bound, the
//! rest is done in the next ones, and whoever asks for little is answered in the turn in which it asks.

use crate::sim::client::{Reader, Role};
#[cfg(feature = "deflate")]
use crate::sim::deflate::deflated;
use crate::sim::dice::Dice;
use crate::sim::wire::{self, BINARY, PING, PONG, masked};
use crate::sim::world::World;
use wspush::config::Config;
use wspush::metrics::WorkKind;
use wspush::push::Message;
use wspush::reactor::ListenerRole;

#[cfg(feature = "auth")]
mod tokens;
mod v1;

/// The bound on a part of a turn, and on one connection's share of it.
const PART: u64 = 524_288;
const SHARE: u64 = 65_536;
/// There are two parts in which clients are read: events, and those that wait.
const CLIENTS: u64 = 2 * PART;

const ATTACKERS: usize = 20;

fn world(config: Config) -> World {
    let config = Config { heartbeat_ms: 0, demo: true, ..config };
    World::with_handler(Dice::from_seed(11), config, 0, |_, _| Box::new(()))
}

/// A client without TLS that has said nothing yet.
fn connect(world: &mut World) -> usize {
    let n = world.connect(Role::Raw, ListenerRole::Public, Reader::Never, 64 << 20);
    world.clients[n].tls = None;
    n
}

fn say(world: &mut World, n: usize, bytes: &[u8]) {
    world.clients[n].wire.borrow_mut().push_up(bytes);
}

/// Bytes that have come since the last call.
fn take(world: &mut World, n: usize) -> Vec<u8> {
    let now_us = world.now_us;
    world.clients[n].wire.borrow_mut().pull_down(usize::MAX, now_us)
}

fn turn(world: &mut World) {
    world.pass_time(1_000);
    world.turn(true);
}

/// An open WebSocket.
fn open(world: &mut World, target: &str, offer: &'static str) -> usize {
    let n = connect(world);
    world.clients[n].offer = offer;
    world.clients[n].shake_hands(target);
    world.clients[n].send(usize::MAX);
    turn(world);
    let answer = take(world, n);
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    n
}

fn cuts(world: &World, kind: WorkKind) -> u64 {
    world.reactor.counters().turns_cut.get(kind)
}

/// Lets turns pass until everything is done, with a bystander who asks again and again. It is answered in the turn in
/// which it asks, but when attacks begin: all of those may be in front of it. The turns that it took, and the most
/// units that one of them took.
fn stand(world: &mut World, bystander: usize, kind: WorkKind) -> (usize, u64) {
    let (mut turns, mut most) = (0, 0);
    loop {
        say(world, bystander, &masked(true, PING, b"x"));
        turns += 1;
        turn(world);
        while turns <= ATTACKERS / 2 && world.clients[bystander].wire.borrow().edge {
            turns += 1;
            turn(world);
        }
        assert_eq!(
            take(world, bystander),
            [0x8a, 1, b'x'],
            "turn {turns}: whoever asks for little has to wait"
        );
        assert!(turns < 20_000, "it never ends");
        for n in (0..world.clients.len()).filter(|&n| n != bystander) {
            take(world, n);
        }
        most = most.max(world.reactor.units(kind));
        let is_read = world.clients.iter().all(|client| client.wire.borrow().up.is_empty());
        if is_read && !world.turn.busy {
            return (turns, most);
        }
    }
}

/// All attackers say this to an open WebSocket; what a turn takes of the kind of work is within `step` of its bound.
fn attack(world: &mut World, offer: &'static str, bytes: &[u8], (kind, step): (WorkKind, u64)) -> usize {
    let bystander = open(world, "/ws", "");
    let attackers: Vec<usize> = (0..ATTACKERS).map(|_| open(world, "/ws", offer)).collect();
    attackers.into_iter().for_each(|n| say(world, n, bytes));
    let before = cuts(world, kind);
    let (turns, most) = stand(world, bystander, kind);
    assert!(most <= CLIENTS + 2 * (SHARE + step), "{most} units in a turn");
    assert!(cuts(world, kind) > before, "{turns} turns, at the most {most} units, and none was cut");
    assert_eq!(world.audit.open, ATTACKERS + 1, "nobody is sent away for it");
    turns
}

#[test]
#[cfg(feature = "deflate")]
fn bombs() {
    let mut bomb = masked(true, BINARY, &deflated(&vec![0; 65_536]));
    bomb[0] |= 0x40;
    let mut world = world(Config::default());
    let step = (65_536 + bomb.len() as u64) * 2;
    let turns = attack(&mut world, "permessage-deflate", &bomb.repeat(40), (WorkKind::Inflate, step));
    assert_eq!(world.reactor.counters().messages_in, 40 * ATTACKERS as u64);
    assert!(turns >= 40 * ATTACKERS * 65_536 * 2 / CLIENTS as usize, "{turns}");
    assert_eq!(world.audit.outbox_bytes, 0);
}

#[test]
fn tiny_frames() {
    let mut world = world(Config::default());
    let pongs = masked(true, PONG, b"").repeat(10_000);
    attack(&mut world, "", &pongs, (WorkKind::Frames, 64));
}

#[test]
fn plain_floods() {
    let mut world = world(Config::default());
    let message = masked(true, BINARY, &[0; 60_000]);
    attack(&mut world, "", &message.repeat(15), (WorkKind::Read, 64 << 10));
    assert_eq!(world.reactor.counters().messages_in, 15 * ATTACKERS as u64);
}

#[test]
fn floods_are_served_in_turn() {
    let mut world = world(Config::default());
    let flood = masked(true, PONG, b"").repeat(10_000);
    let clients: Vec<usize> = (0..ATTACKERS).map(|_| open(&mut world, "/ws", "")).collect();
    // The first one comes long before the others.
    say(&mut world, clients[0], &flood.repeat(3));
    turn(&mut world);
    clients[1..].iter().for_each(|&n| say(&mut world, n, &flood));
    loop {
        turn(&mut world);
        let left: Vec<usize> = clients.iter().map(|&n| world.clients[n].wire.borrow().up.len()).collect();
        let least = left[1..].iter().min().expect("others");
        let most = left[1..].iter().max().expect("others");
        // A share is about 1,000 frames, and 16 KiB are read at once.
        assert!(most - least <= 2 * (16 << 10), "{left:?}");
        if *most == 0 {
            assert!(left[0] > 0, "who has sent most is served last: {left:?}");
            return;
        }
    }
}

#[test]
fn requests() {
    let mut world = world(Config::default());
    let bystander = open(&mut world, "/ws", "");
    for _ in 0..ATTACKERS {
        let n = connect(&mut world);
        say(&mut world, n, &b"GET /healthz HTTP/1.1\r\nHost: sim\r\n\r\n".repeat(300));
    }
    let (turns, most) = stand(&mut world, bystander, WorkKind::Heads);
    assert!(most <= CLIENTS + 2 * SHARE && turns > 10, "{turns} turns, {most} units");
    assert!(cuts(&world, WorkKind::Heads) > 0);
}

#[test]
fn names() {
    let request = |names: usize| {
        let names: Vec<String> = (0..names).map(|n| format!("channel=a{n}")).collect();
        wire::upgrade(&format!("/ws?{}", names.join("&")), "sim", &[])
    };
    let config = |max| Config {
        handshake_bytes_max: 65_536,
        channels_per_connection_max: max,
        channels: vec!["*".to_owned()],
        ..Config::default()
    };
    // As many as there may be: found and joined, one client in a turn.
    let mut world = self::world(config(4_096));
    let bystander = open(&mut world, "/ws", "");
    for _ in 0..4 {
        let n = connect(&mut world);
        say(&mut world, n, &request(4_000));
    }
    let (turns, most) = stand(&mut world, bystander, WorkKind::Names);
    assert!((400_000..=PART + 700_000).contains(&most), "{turns} turns, {most} units");
    assert_eq!(world.audit.open, 5);
    let receipt = world.push(Some("a3999"), Message::Text("x")).expect("a place in the inbox");
    stand(&mut world, bystander, WorkKind::Names);
    assert_eq!(world.shared.delivery(receipt.id).map(|delivery| delivery.written), Some(4));
    // More than there may be: no name is compared.
    let mut world = self::world(config(16));
    let bystander = open(&mut world, "/ws", "");
    let n = connect(&mut world);
    say(&mut world, n, &request(4_000));
    turn(&mut world);
    let answer = String::from_utf8(take(&mut world, n)).expect("text");
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("channels_per_connection_max"), "{answer}");
    assert_eq!(stand(&mut world, bystander, WorkKind::Names).1, 0);
    assert_eq!(world.audit.channels.len(), 1, "no channel is made for who is refused");
}

#[test]
#[cfg(feature = "tls")]
fn handshakes_and_records() {
    use crate::sim::tls_client::TlsClient;
    let mut world = world(Config::default());
    let bystander = open(&mut world, "/ws", "");
    for _ in 0..ATTACKERS {
        let n = world.connect(Role::Raw, ListenerRole::Public, Reader::Never, 64 << 20);
        world.clients[n].tls = Some(Box::new(TlsClient::new(n.is_multiple_of(2))));
        world.clients[n].shake_hands("/ws");
    }
    let (mut most, mut turns) = (0, 0);
    while world.audit.open <= ATTACKERS || world.turn.busy {
        let now_us = world.now_us;
        for n in (0..world.clients.len()).filter(|&n| n != bystander) {
            world.clients[n].send(usize::MAX);
            world.clients[n].read(usize::MAX, now_us);
        }
        say(&mut world, bystander, &masked(true, PING, b"x"));
        turn(&mut world);
        assert_eq!(take(&mut world, bystander), [0x8a, 1, b'x'], "newcomers come behind it");
        most = most.max(world.reactor.units(WorkKind::Handshakes));
        turns += 1;
        assert!(turns < 1_000, "{:?}", world.audit);
    }
    assert!((1..=2 * 262_144).contains(&most), "{most} units in a turn");
    assert!(cuts(&world, WorkKind::Handshakes) > 5);
    // Each of these frames is a record of its own.
    let pong = masked(true, PONG, b"");
    for n in (0..world.clients.len()).filter(|&n| n != bystander) {
        let mut tls = world.clients[n].tls.take().expect("a tls");
        let bytes: Vec<u8> = (0..3_000).flat_map(|_| tls.seal(&pong)).collect();
        say(&mut world, n, &bytes);
    }
    let (turns, most) = stand(&mut world, bystander, WorkKind::Records);
    // One read of 4 KiB has up to 178 of them.
    assert!((1..=CLIENTS + 2 * 178 * 400).contains(&most), "{most} units in {turns} turns");
    assert!(cuts(&world, WorkKind::Records) > 5);
}

#[test]
fn commands() {
    let mut world = world(Config::default());
    let bystander = open(&mut world, "/ws?channel=public.b", "");
    for number in 0..900 {
        world.push(Some("public.a"), Message::Text(&number.to_string())).expect("a place in the inbox");
    }
    turn(&mut world);
    let most = world.reactor.units(WorkKind::Commands);
    assert!((PART - 1_100..=PART + 1_100).contains(&most), "{most} units in a turn");
    assert!(world.audit.pending > 300 && world.turn.busy);
    stand(&mut world, bystander, WorkKind::Commands);
    assert_eq!((world.audit.pending, world.reactor.counters().publications), (0, 900));
    assert_eq!(cuts(&world, WorkKind::Commands), 1);
}

#[test]
#[cfg(feature = "deflate")]
fn compression() {
    let mut world = world(Config::default());
    let n = open(&mut world, "/ws", "permessage-deflate");
    let text = "so it is, ".repeat(3_000);
    for _ in 0..40 {
        world.push(None, Message::Text(&text)).expect("a place in the inbox");
    }
    let mut turns = 0;
    while turns == 0 || world.turn.busy {
        turn(&mut world);
        turns += 1;
        let units = world.reactor.units(WorkKind::Compress);
        assert!(units <= PART + 30_000 * 16, "{units} units in a turn");
        take(&mut world, n);
    }
    assert!((20..=41).contains(&turns), "{turns} turns");
    assert_eq!(world.reactor.counters().publications_deflated, 40);
}

#[test]
fn laggards_that_read_again() {
    let mut world = world(Config { log_bytes: 8 << 20, ..Config::default() });
    let bystander = open(&mut world, "/ws?channel=public.b", "");
    let clients: Vec<usize> = (0..ATTACKERS).map(|_| open(&mut world, "/ws?channel=public.a", "")).collect();
    for &n in &clients {
        world.clients[n].wire.borrow_mut().down_max = 1_000;
    }
    for _ in 0..3 {
        world.push(Some("public.a"), Message::Binary(&vec![0; 1_000_000])).expect("a place in the inbox");
    }
    turn(&mut world);
    assert_eq!(world.audit.blocked, ATTACKERS);
    for &n in &clients {
        let mut wire = world.clients[n].wire.borrow_mut();
        wire.down_max = 64 << 20;
        wire.edge = true;
    }
    let (turns, most) = stand_without_asking(&mut world, WorkKind::Send);
    // One writes 3 MB at once.
    assert!(turns >= ATTACKERS && most <= PART + 751_000, "{turns} turns, {most} units");
    assert_eq!(world.audit.blocked, 0);
    stand(&mut world, bystander, WorkKind::Send);
}

/// As [`stand`] where the events themselves are the work: they are taken in their order.
fn stand_without_asking(world: &mut World, kind: WorkKind) -> (usize, u64) {
    let (mut turns, mut most) = (0, 0);
    while turns == 0 || world.clients.iter().any(|client| client.wire.borrow().edge) || world.turn.busy {
        turn(world);
        turns += 1;
        most = most.max(world.reactor.units(kind));
    }
    (turns, most)
}

#[test]
fn the_sweep_and_deadlines() {
    const COUNT: usize = 1_000;
    let config =
        Config { heartbeat_ms: 1_000, pong_wait_ms: 1_000, handshake_ms: 1_000, ..Config::default() };
    let mut world =
        World::with_handler(Dice::from_seed(11), Config { demo: true, ..config }, 0, |_, _| Box::new(()));
    for _ in 0..COUNT {
        let n = connect(&mut world);
        world.clients[n].shake_hands("/ws");
        world.clients[n].send(usize::MAX);
        connect(&mut world);
    }
    let kinds = [WorkKind::Deadlines, WorkKind::Sweep, WorkKind::Send];
    let mut most = [0; 3];
    let mut look = |world: &World| most = std::array::from_fn(|n| world.reactor.units(kinds[n]).max(most[n]));
    while turn_is_busy(&mut world) {}
    assert_eq!((world.audit.open, world.audit.connections), (COUNT, 2 * COUNT));
    // Half of them never ask, and their time is up at once; the others are to be pinged at once.
    world.pass_time(1_500_000);
    for _ in 0..400 {
        turn(&mut world);
        look(&world);
        for client in &mut world.clients {
            client.wire.borrow_mut().pull_down(usize::MAX, 0);
        }
    }
    assert_eq!(world.audit.connections, COUNT);
    assert_eq!(world.reactor.counters().pings_sent, COUNT as u64);
    let [deadlines, sweep, pings] = most;
    assert!((PART - 2_000..=PART + 2_000).contains(&deadlines), "{deadlines} units in a turn");
    assert!(sweep > 0 && sweep + pings <= PART + CLIENTS, "{sweep} and {pings} units in a turn");
    assert!(cuts(&world, WorkKind::Deadlines) > 2 && cuts(&world, WorkKind::Sweep) > 0);
}

fn turn_is_busy(world: &mut World) -> bool {
    turn(world);
    world.turn.busy
}

#[test]
fn events() {
    let mut world = world(Config::default());
    let clients: Vec<usize> = (0..400).map(|_| open(&mut world, "/ws", "")).collect();
    for &n in &clients {
        say(&mut world, n, &masked(true, PONG, b"").repeat(100));
    }
    let (turns, most) = stand_without_asking(&mut world, WorkKind::Frames);
    // Each is 200 for its event, 1,000 to read and 6,400 for its frames.
    assert!((6..=10).contains(&turns) && most <= PART, "{turns} turns, {most} units");
    assert!(cuts(&world, WorkKind::Frames) >= 5);
}

#[test]
fn lists_of_connections() {
    let mut world = world(Config::default());
    let bystander = open(&mut world, "/ws", "");
    for _ in 0..1_500 {
        let n = connect(&mut world);
        world.clients[n].shake_hands(if n == 700 { "/ws?channel=public.a" } else { "/ws" });
        world.clients[n].send(usize::MAX);
    }
    while turn_is_busy(&mut world) {}
    let ask = |world: &mut World, targets: &[&str]| {
        let n = world.connect(Role::Raw, ListenerRole::Admin, Reader::Never, 64 << 20);
        world.clients[n].tls = None;
        let request = |target: &&str| format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        say(world, n, targets.iter().map(request).collect::<String>().as_bytes());
        n
    };
    // All of them are looked at for the one. The answers keep their order.
    let admins: Vec<usize> = (0..ATTACKERS)
        .map(|_| ask(&mut world, &["/connections?channel=public.a", "/healthz", "/connections?limit=1000"]))
        .collect();
    let (mut answers, mut most) = (vec![Vec::new(); ATTACKERS], 0);
    while world.turn.busy || most == 0 {
        say(&mut world, bystander, &masked(true, PING, b"x"));
        turn(&mut world);
        assert_eq!(take(&mut world, bystander), [0x8a, 1, b'x']);
        most = most.max(world.reactor.units(WorkKind::Listing));
        for (answer, &n) in answers.iter_mut().zip(&admins) {
            answer.extend(take(&mut world, n));
        }
    }
    assert!((PART - 1_100..=PART + 1_100).contains(&most), "{most} units in a turn");
    assert!(cuts(&world, WorkKind::Listing) > ATTACKERS as u64);
    for answer in answers {
        let text = String::from_utf8(answer).expect("text");
        let answers: Vec<&str> = text.split("HTTP/1.1 200 OK\r\n").skip(1).collect();
        let counts: Vec<usize> = answers.iter().map(|text| text.matches("\"endpoint\":").count()).collect();
        assert_eq!(counts, [1, 0, 1_000]);
        assert!(answers[0].contains("\"next\":null") && answers[1].ends_with("ok\n"));
    }
    // A client that goes meanwhile leaves nothing behind.
    let n = ask(&mut world, &["/connections?channel=public.a", "/connections?channel=public.a"]);
    turn(&mut world);
    world.clients[n].wire.borrow_mut().cut();
    while turn_is_busy(&mut world) {}
    assert!(world.clients[n].wire.borrow().closed);
}
