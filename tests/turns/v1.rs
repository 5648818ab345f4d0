//! Commands of `wspush.v1`: as many as somebody likes, about as many channels as there are names.

use super::*;

const COMMANDS: usize = 10_000;

/// A world in which clients may choose any channel, and give so many commands in a second.
fn v1_world(commands_per_second_max: u32) -> World {
    let channels = vec!["*".to_owned()];
    world(Config { commands_per_second_max, channels, ..Config::default() })
}

/// An open client of `wspush.v1`, which has heard where it stands.
fn open_v1(world: &mut World) -> usize {
    let n = connect(world);
    let protocol = [("Sec-WebSocket-Protocol", "wspush.v1")];
    say(world, n, &wire::upgrade("/ws?broadcast=no", "sim", &protocol));
    turn(world);
    let answer = ascii(&take(world, n));
    assert!(answer.contains("wspush.v1") && answer.contains("connected"), "{answer}");
    n
}

/// Frames of which only the text is looked at.
fn ascii(frames: &[u8]) -> String {
    String::from_utf8_lossy(frames).into_owned()
}

fn command(id: usize, method: &str, channel: &str) -> Vec<u8> {
    let command = format!(r#"{{"id":{id},"{method}":{{"channel":"{channel}"}}}}"#);
    masked(true, wire::TEXT, command.as_bytes())
}

/// Channels joined and left again, each with another name.
fn comings_and_goings(of: usize, count: usize) -> Vec<u8> {
    let both = |n| {
        let channel = format!("c{of}.{n}");
        [command(n, "subscribe", &channel), command(n, "unsubscribe", &channel)].concat()
    };
    (0..count / 2).flat_map(both).collect()
}

/// All turns until everything is answered, with a bystander who is answered at once; what one client was told, and the
/// most units that a turn took.
fn hear(world: &mut World, (bystander, client): (usize, usize)) -> (String, u64) {
    let (mut heard, mut most) = (Vec::new(), 0);
    let kinds = [WorkKind::Names, WorkKind::Frames, WorkKind::Read, WorkKind::Send, WorkKind::Commands];
    while !world.clients[client].wire.borrow().up.is_empty() || world.turn.busy {
        say(world, bystander, &masked(true, PING, b"x"));
        turn(world);
        assert_eq!(take(world, bystander), [0x8a, 1, b'x'], "whoever asks for little has to wait");
        heard.extend(take(world, client));
        most = most.max(kinds.iter().map(|&kind| world.reactor.units(kind)).sum());
    }
    (ascii(&heard), most)
}

/// A part for commands of other threads beside the two in which clients are read, and what one step may take.
const TURN: u64 = CLIENTS + PART + 2 * (SHARE + 4_096);

#[test]
fn ten_thousand_subscriptions_come_and_go() {
    let mut world = v1_world(COMMANDS as u32);
    let bystander = open(&mut world, "/ws", "");
    let client = open_v1(&mut world);
    let receipt = world.push(None, Message::Text("before")).expect("a place in the inbox");
    turn(&mut world);
    take(&mut world, bystander);
    say(&mut world, client, &comings_and_goings(0, COMMANDS));
    let (heard, most) = hear(&mut world, (bystander, client));
    assert_eq!(heard.matches("\"subscribed\"").count(), COMMANDS / 2);
    assert_eq!(heard.matches("\"unsubscribed\"").count(), COMMANDS / 2);
    assert!(most <= TURN, "{most} units in a turn");
    // None of the channels is left, as nobody has published there.
    assert_eq!(world.audit.channels.len(), 1, "{:?}", world.audit.channels);
    assert!(world.shared.delivery(receipt.id).is_some());
}

#[test]
fn of_ten_thousand_commands_in_a_second_a_hundred_are_carried_out() {
    let mut world = v1_world(Config::default().commands_per_second_max);
    let bystander = open(&mut world, "/ws", "");
    let client = open_v1(&mut world);
    say(&mut world, client, &comings_and_goings(0, COMMANDS));
    let (heard, most) = hear(&mut world, (bystander, client));
    assert_eq!(heard.matches("\"subscribed\"").count(), 50);
    assert_eq!(heard.matches("\"limit\"").count(), COMMANDS - 100);
    assert!(most <= TURN, "{most} units in a turn");
    // The next second is another one.
    world.pass_time(1_000_000);
    say(&mut world, client, &comings_and_goings(1, 100));
    assert_eq!(hear(&mut world, (bystander, client)).0.matches("\"limit\"").count(), 0);
}

#[test]
fn nobody_holds_more_channels_than_a_connection_may() {
    const NAMES: usize = 2_000;
    let mut world = v1_world(1 << 20);
    let bystander = open(&mut world, "/ws", "");
    let attackers: Vec<usize> = (0..ATTACKERS).map(|_| open_v1(&mut world)).collect();
    for &n in &attackers {
        let names: Vec<u8> = (0..NAMES).flat_map(|k| command(k, "subscribe", &format!("c{n}.{k}"))).collect();
        say(&mut world, n, &names);
    }
    let (turns, most) = stand(&mut world, bystander, WorkKind::Names);
    assert!(most <= CLIENTS && turns > ATTACKERS, "{turns} turns, {most} units");
    let max = Config::default().channels_per_connection_max;
    assert_eq!(world.audit.channels.len(), 1 + ATTACKERS * max);
    // Forty thousand more, each left at once.
    for &n in &attackers {
        say(&mut world, n, &command(0, "unsubscribe", &format!("c{n}.0")));
        say(&mut world, n, &comings_and_goings(1_000 + n, NAMES));
    }
    stand(&mut world, bystander, WorkKind::Names);
    assert_eq!(world.audit.channels.len(), 1 + ATTACKERS * (max - 1));
    for n in attackers {
        world.clients[n].wire.borrow_mut().cut();
    }
    while turn_is_busy(&mut world) {}
    assert_eq!((world.audit.open, world.audit.channels.len(), world.audit.extras), (1, 1, 0));
}

/// Pages of history are the longest answers. Who asks without listening is not read.
#[test]
fn pages_that_nobody_reads() {
    let mut world = v1_world(1 << 20);
    let bystander = open(&mut world, "/ws?broadcast=no", "");
    let attackers: Vec<usize> = (0..ATTACKERS).map(|_| open_v1(&mut world)).collect();
    for _ in 0..200 {
        world.push(Some("news"), Message::Text(&"n".repeat(1_000))).expect("a place in the inbox");
    }
    while turn_is_busy(&mut world) {}
    for &n in &attackers {
        world.clients[n].wire.borrow_mut().down_max = 10_000;
        say(&mut world, n, &command(1, "history", "news").repeat(1_000));
    }
    for _ in 0..100 {
        say(&mut world, bystander, &masked(true, PING, b"x"));
        turn(&mut world);
        assert_eq!(take(&mut world, bystander), [0x8a, 1, b'x']);
    }
    // A page each, and no more of what they have asked.
    assert!(world.audit.outbox_bytes <= ATTACKERS * (150 << 10), "{}", world.audit.outbox_bytes);
    assert_eq!(world.audit.open, 1 + ATTACKERS);
}

/// A million names from one client: as many channels as it may have, each of the others refused, and nothing is kept of
/// those.
#[test]
fn a_million_names_by_one_client() {
    const NAMES: usize = 1_000_000;
    const AT_ONCE: usize = 10_000;
    let (max, channels) = (20, vec!["*".to_owned()]);
    let limits =
        Config { commands_per_second_max: 1 << 20, channels_per_connection_max: max, ..Config::default() };
    let mut world = world(Config { channels, ..limits });
    let bystander = open(&mut world, "/ws", "");
    let client = open_v1(&mut world);
    let (mut subscribed, mut refused, mut most) = (0, 0, 0);
    for first in (0..NAMES).step_by(AT_ONCE) {
        let mut names = Vec::new();
        for name in first..first + AT_ONCE {
            let command = format!(r#"{{"id":1,"subscribe":{{"channel":"c.{name}"}}}}"#);
            // A mask of zeroes: the payload as it is.
            names.extend_from_slice(&[0x81, 0x80 | command.len() as u8, 0, 0, 0, 0]);
            names.extend_from_slice(command.as_bytes());
        }
        say(&mut world, client, &names);
        let (heard, units) = hear(&mut world, (bystander, client));
        subscribed += heard.matches("\"subscribed\"").count();
        refused += heard.matches("\"limit\"").count();
        most = most.max(units);
        assert!(world.audit.channels.len() <= 1 + max, "{}", world.audit.channels.len());
        world.pass_time(1_000_000);
    }
    assert_eq!((subscribed, refused), (max, NAMES - max));
    assert!(most <= TURN, "{most} units in a turn");
    assert_eq!((world.audit.open, world.audit.outbox_bytes), (2, 0));
    world.clients[client].wire.borrow_mut().cut();
    while turn_is_busy(&mut world) {}
    assert_eq!((world.audit.open, world.audit.channels.len(), world.audit.extras), (1, 1, 0));
}
