//! Callbacks push, reply, subscribe and close, through the session and through a handle: all of that in its order.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use super::{CHANNELS, Deed, check_exact, config, connect, everybody_reads, heard};
use crate::sim::client::{Heard, Reader, Role, padding};
use crate::sim::dice::Dice;
use crate::sim::handler::Seen;
use crate::sim::world::{World, text};
use wspush::endpoint::{Accept, Connect, Decision, Handler, Session};
use wspush::metrics::CloseReason;
use wspush::reactor::{Command, ListenerRole, Shared, Wake};
use wspush::{CloseCode, Config, ConnId, Message, Since};

/// A host that does what its clients tell it.
struct Script {
    shared: Arc<Shared>,
    seen: Arc<Mutex<Seen>>,
    deeds: Arc<Mutex<Vec<Deed>>>,
    conns: HashMap<usize, ConnId>,
    ended: HashSet<ConnId>,
    numbers: HashMap<String, usize>,
    answers: HashMap<usize, usize>,
    directs: HashMap<usize, usize>,
}

fn next<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: K) -> usize {
    let count = counts.entry(key).or_default();
    *count += 1;
    *count
}

impl Script {
    /// One word of a client's: what, whom it is about, which channel.
    fn word(&mut self, session: &mut Session<'_>, n: usize, word: &str) {
        let mut parts = word.split(':');
        let mut part = || parts.next().unwrap_or_default();
        let (what, whom, channel) = (part(), part(), part().to_owned());
        let other = whom.parse().unwrap_or(n);
        // Nobody has come under that number yet.
        let Some(&conn) = self.conns.get(&other) else { return };
        let command = |command| self.shared.command(command).expect("room in the inbox");
        let deed = match what {
            "publish" => {
                let number = next(&mut self.numbers, channel.clone());
                let said = format!("P|{channel}|{number}|{}", padding(number, number % 50));
                let name = (channel != "broadcast").then_some(&*channel);
                self.shared.publish(name, text(&said), 0, Wake::No).expect("room in the inbox");
                Deed::Publish(channel, number)
            }
            "answer" => {
                // Nothing is said to whom it is over with, so that one is not counted.
                let k = if self.ended.contains(&conn) { 0 } else { next(&mut self.answers, n) };
                session.reply(Message::Text(&format!("R|{k}")));
                Deed::Answer(n, k)
            }
            "send" => {
                let k = next(&mut self.directs, other);
                let publication = text(&format!("D|{k}|{conn}"));
                command(Command::Send { conn, publication });
                Deed::Direct(other, k)
            }
            "join" if other == n => {
                session.subscribe(&*channel);
                Deed::Join(n, channel)
            }
            "join" => {
                command(Command::Subscribe { conn, channel: channel.clone(), since: Since::Head });
                Deed::Join(other, channel)
            }
            "leave" if other == n => {
                session.unsubscribe(&*channel);
                Deed::Leave(n, channel)
            }
            "leave" => {
                command(Command::Unsubscribe { conn, channel: channel.clone() });
                Deed::Leave(other, channel)
            }
            "close" => {
                self.ended.insert(conn);
                if other == n && channel.is_empty() {
                    session.close(CloseCode(4001), "as you wish");
                    Deed::Close(n, 4001)
                } else {
                    command(Command::Close { conn, code: CloseCode(4002), reason: String::new() });
                    Deed::Close(other, 4002)
                }
            }
            other => panic!("{other}?"),
        };
        self.deeds.lock().unwrap().push(deed);
    }
}

impl Handler for Script {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        let channels = connect.channels.clone();
        Decision::Accept(Accept { user: connect.query("n"), channels, ..Accept::default() })
    }

    fn on_open(&mut self, session: &mut Session<'_>) {
        let n: usize = session.user().and_then(|user| user.parse().ok()).expect("a number");
        self.seen.lock().unwrap().opened.push((n, session.id()));
        self.conns.insert(n, session.id());
        let joins = ["broadcast", "public.a"].map(|channel| Deed::Join(n, channel.to_owned()));
        self.deeds.lock().unwrap().extend(joins);
        if n >= 100 {
            session.reply(Message::Text("R|1"));
            session.close(CloseCode(4003), "not today");
            session.reply(Message::Text("R|2"));
            self.ended.insert(session.id());
        }
    }

    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        assert!(!self.ended.contains(&session.id()), "a message of a session that is over");
        let n: usize = session.user().and_then(|user| user.parse().ok()).expect("a number");
        let Message::Text(text) = message else { panic!("no text") };
        for word in text.split(' ') {
            self.word(session, n, word);
        }
    }

    fn on_close(&mut self, conn: ConnId, _user: Option<&str>, code: CloseCode, _reason: &str) {
        self.ended.insert(conn);
        self.seen.lock().unwrap().closed.push((conn, code.0));
    }
}

fn script_world(dice: Dice, config: Config) -> (World, Arc<Mutex<Vec<Deed>>>) {
    let deeds = Arc::new(Mutex::new(Vec::new()));
    let host = deeds.clone();
    let world = World::with_handler(dice, config, 0, |shared, seen| {
        Box::new(Script {
            shared,
            seen,
            deeds: host,
            conns: HashMap::new(),
            ended: HashSet::new(),
            numbers: HashMap::new(),
            answers: HashMap::new(),
            directs: HashMap::new(),
        })
    });
    (world, deeds)
}

fn words(dice: &mut Dice, clients: usize) -> String {
    let word = |dice: &mut Dice| {
        let (whom, channel) = (dice.below(clients), dice.pick(&CHANNELS));
        match dice.below(40) {
            0..=13 => format!("publish::{channel}"),
            14..=22 => "answer".to_owned(),
            23..=28 => format!("send:{whom}"),
            29..=32 => format!("join:{whom}:{channel}"),
            33..=37 => format!("leave:{whom}:{channel}"),
            38 if dice.one_in(4) => "close".to_owned(),
            39 if dice.one_in(4) => format!("close:{whom}:handle"),
            _ => "answer".to_owned(),
        }
    };
    (0..dice.range(1, 6)).map(|_| word(dice)).collect::<Vec<_>>().join(" ")
}

/// Callbacks push, reply, subscribe and close, each other's connections among them. `steps` messages come in.
fn callbacks(seed: u64, slow: bool, log: (usize, usize)) -> u64 {
    const CLIENTS: usize = 6;
    let mut dice = Dice::from_seed(seed);
    let (log_bytes, log_publications) = log;
    let config = Config { log_bytes, log_publications, ..config(&mut dice) };
    let (mut world, deeds) = script_world(dice, config);
    connect(&mut world, CLIENTS - 2, slow);
    let mut waited = 0;
    for _ in 0..120 {
        if world.clients.len() < CLIENTS && world.dice.one_in(30) {
            // One more, in the middle of it.
            let n = world.connect(Role::Push, ListenerRole::Public, Reader::Fast, 1 << 20);
            world.clients[n].shake_hands(&format!("/ws?n={n}&channel=public.a"));
        }
        let n = world.dice.below(world.clients.len());
        for _ in 0..world.dice.range(1, 4) {
            if world.clients[n].can_send() {
                let text = words(&mut world.dice, CLIENTS);
                let (dice, client) = (&mut world.dice, &mut world.clients[n]);
                client.say(dice, true, text.as_bytes());
            }
        }
        world.pass_time(1_000);
        world.act();
        world.turn(false);
        waited += u64::from(world.audit.pending > 0);
    }
    everybody_reads(&mut world);
    let deeds = deeds.lock().unwrap();
    for client in &world.clients {
        check_exact(&format!("seed {seed}, client {}", client.n), &client.transcript, client.n, &deeds);
    }
    waited
}

#[test]
fn callbacks_are_taken_at_their_word() {
    for seed in 0..100 {
        callbacks(seed, seed % 2 == 0, (1 << 20, 1_024));
    }
}

#[test]
fn callbacks_are_taken_at_their_word_when_a_log_is_full() {
    // A log of two, visited by one at a time: what a callback publishes has to wait, and so has what it asks for next.
    let waited: u64 = (0..100).map(|seed| callbacks(seed, false, (4_096, 2))).sum();
    assert!(waited > 300, "nothing had to wait: {waited}");
}

#[test]
fn a_session_that_is_over_is_not_shown_again() {
    for seed in 0..100 {
        let mut dice = Dice::from_seed(seed);
        let config = config(&mut dice);
        let (mut world, deeds) = script_world(dice, config);
        for _ in 0..=100 {
            let n = world.connect(Role::Push, ListenerRole::Public, Reader::Fast, 1 << 20);
            world.clients[n].shake_hands(&format!("/ws?n={n}"));
            // Its messages come right behind the request, or in pieces.
            let (dice, client) = (&mut world.dice, &mut world.clients[n]);
            if n >= 98 {
                for text in ["answer", "close answer", "answer", "answer"] {
                    client.say(dice, true, text.as_bytes());
                }
            }
        }
        everybody_reads(&mut world);
        assert_eq!(world.reactor.counters().closed.get(CloseReason::Admin), 3);
        let said =
            |n: usize| heard(&world.clients[n].transcript).into_iter().filter_map(|segment| segment.then);
        let (answer, closed) = (Heard::Answer, Heard::Close);
        assert_eq!(said(98).collect::<Vec<_>>(), [answer(1), closed(4001)], "seed {seed}");
        assert_eq!(said(99).collect::<Vec<_>>(), [answer(1), closed(4001)], "seed {seed}");
        assert_eq!(said(100).collect::<Vec<_>>(), [answer(1), closed(4003)], "seed {seed}");
        let answers = deeds.lock().unwrap().iter().filter(|deed| matches!(deed, Deed::Answer(..))).count();
        assert_eq!(answers, 4, "one before the close and one behind it, of two clients");
        assert_eq!(world.alive(), 98, "on_close is called once for each on_open");
    }
}
