//! A server of several reactors, stepped by turns in an order that a seed decides. None of them gets a turn that nobody
//! has woken it for, and between any two steps publishers put something into the inboxes.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use wspush::config::{ChannelRule, LogLevel, SlowConsumer};
use wspush::endpoint::Receipt;
use wspush::journal::Journal;
use wspush::reactor::audit::Audit;
use wspush::reactor::shared::WakeUp;
use wspush::reactor::{Command, Host, ListenerRole, Reactor, Readiness, Shared, Turn};
use wspush::time::Time;
use wspush::{CloseCode, Config, ConnId};

use super::client::{Client, Reader, Role, Span};
use super::dice::Dice;
use super::handler::{Seen, host};
use super::net::{Faults, SimSocket};
use super::several_check::Met;
use super::world::{text, to_user};

/// Channels that clients are in; the last one only by what they say.
pub const CHANNELS: [&str; 3] = ["broadcast", "room.a", "room.b"];
const CLIENTS_MAX: usize = 24;

/// A reactor, what its clients' handler has seen, and whether it sleeps.
pub struct Seat {
    pub reactor: Reactor<SimSocket>,
    pub seen: Arc<Mutex<Seen>>,
    pub audit: Audit,
    pub turn: Turn,
    wake: Arc<AtomicBool>,
    /// How many publications of each channel are in its log.
    logged: BTreeMap<String, usize>,
    /// Its last turn was its last.
    pub ended: bool,
    waiting: Vec<usize>,
}

pub struct Several {
    pub dice: Dice,
    pub config: Config,
    pub now_us: u64,
    pub shared: Arc<Shared>,
    pub seats: Vec<Seat>,
    pub clients: Vec<Client>,
    /// The reactor that has each client.
    pub home: Vec<usize>,
    pub published: BTreeMap<String, Vec<Receipt>>,
    /// Open connections, and whose they are.
    pub alive: HashMap<ConnId, usize>,
    pub met: Met,
    faults: Rc<RefCell<Faults>>,
}

pub fn time(now_us: u64) -> Time {
    Time { mono_us: now_us, unix_us: 1_700_000_000_000_000 + now_us }
}

/// Bounds that are small enough to be met.
fn config(dice: &mut Dice) -> Config {
    let rules = ["* presence=true", "room.a presence=true priority=high"];
    let rule: ChannelRule = dice.pick(&rules).parse().expect("a rule");
    let logs = dice.pick(&[(1_500, 3), (200_000, 1_024), (200_000, 1_024)]);
    Config {
        max_connections: dice.pick(&[8, 1_000]),
        demo: true,
        heartbeat_ms: 0,
        close_wait_ms: 2_000,
        log_bytes: logs.0,
        log_publications: logs.1,
        deflate: cfg!(feature = "deflate") && dice.one_in(2),
        deflate_bytes_min: 40,
        channel_rule: vec![rule],
        presence_grace_ms: dice.pick(&[0, 400]),
        inbox_commands_max: dice.pick(&[4, 12, 65_536]),
        flush_slice: dice.pick(&[1, 3, 4_096]),
        slow_consumer: SlowConsumer::Close,
        drain_ms: 5_000,
        ..Config::default()
    }
}

impl Seat {
    fn new(number: usize, config: &Config, shared: &Arc<Shared>, wake: Arc<AtomicBool>, now: Time) -> Seat {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let journal = Journal::new(LogLevel::Error, Box::new(|_, _| {}));
        let host = Host { handler: host(&seen), journal, descriptors: config.max_connections };
        Seat {
            reactor: Reactor::nth(number, config.clone(), shared.clone(), host, now),
            seen,
            audit: Audit::default(),
            turn: Turn { busy: true, due_ms: None, finished: false },
            wake,
            logged: BTreeMap::new(),
            ended: false,
            waiting: Vec::new(),
        }
    }
}

impl Several {
    pub fn new(mut dice: Dice) -> Several {
        let (config, reactors) = (config(&mut dice), dice.range(2, 4));
        let now_us = 1_000_000;
        let woken: Vec<Arc<AtomicBool>> = (0..reactors).map(|_| Arc::new(AtomicBool::new(false))).collect();
        let wake = |woken: &Arc<AtomicBool>| -> WakeUp {
            let woken = woken.clone();
            Box::new(move || woken.store(true, Ordering::Relaxed))
        };
        let wakes = woken.iter().map(wake).collect();
        let shared = Arc::new(Shared::of_several(&config, time(now_us).unix_us, wakes));
        let seat = |(n, wake)| Seat::new(n, &config, &shared, wake, time(now_us));
        let seats = woken.into_iter().enumerate().map(seat).collect();
        let faults = Faults { dice: dice.clone(), now_us, shortage: 0, short_write: 0 };
        let mut server = Several {
            dice,
            now_us,
            seats,
            shared,
            clients: Vec::new(),
            home: Vec::new(),
            published: CHANNELS.iter().map(|name| ((*name).to_owned(), Vec::new())).collect(),
            alive: HashMap::new(),
            met: Met::default(),
            faults: Rc::new(RefCell::new(faults)),
            config,
        };
        // A subscriber who is the first of a channel is refused while others have no room to hear of that.
        if server.config.inbox_commands_max < 1_000 {
            CHANNELS.iter().for_each(|channel| server.publish_to(channel, 1));
            server.step_all();
        }
        server
    }

    fn pass_time(&mut self, us: u64) {
        self.now_us += us;
        self.faults.borrow_mut().now_us = self.now_us;
    }

    /// One thing that happens.
    pub fn happen(&mut self) {
        match self.dice.below(20) {
            0 | 1 => self.newcomer(),
            2..=6 => self.publish(),
            7 => self.send_to_one(),
            8 | 9 => self.command(),
            10 => self.speak(),
            11 => self.misbehave(),
            12 => {
                let us = self.dice.pick(&[1_000, 20_000, 120_000, 900_000]);
                self.pass_time(us);
                self.faults.borrow_mut().short_write = self.dice.pick(&[0, 3]);
            }
            _ => {
                self.act();
                let n = self.dice.below(self.seats.len());
                self.step(n, false);
            }
        }
    }

    /// A client that some reactor gets.
    fn newcomer(&mut self) {
        let n = self.clients.len();
        if n >= CLIENTS_MAX {
            return;
        }
        let reader = self.dice.pick(&[Reader::Fast, Reader::Fast, Reader::Slow(120), Reader::Never]);
        let down_max = self.dice.pick(&[1_000, 5_000, 1 << 20]);
        let mut client = Client::new(n, Role::Push, ListenerRole::Public, reader, down_max, self.now_us);
        client.offer = if self.dice.one_in(2) { super::deflate::OFFERS[1].0 } else { "" };
        let mut target = format!("/ws?n={n}");
        client.spans.insert("broadcast".to_owned(), Vec::new());
        if self.dice.one_in(2) {
            target += "&channel=room.a";
            client.spans.insert("room.a".to_owned(), Vec::new());
        }
        client.shake_hands(&target);
        client.send(usize::MAX);
        let home = self.dice.below(self.seats.len());
        self.clients.push(client);
        self.home.push(home);
        self.seats[home].waiting.push(n);
        // As the acceptor wakes the one that it deals to.
        self.seats[home].wake.store(true, Ordering::Relaxed);
    }

    /// One that is open, as far as the model knows.
    fn someone(&mut self) -> Option<(usize, ConnId)> {
        if self.clients.is_empty() {
            return None;
        }
        let n = self.dice.below(self.clients.len());
        self.clients[n].conn.filter(|conn| self.alive.contains_key(conn)).map(|conn| (n, conn))
    }

    fn send_to_one(&mut self) {
        let Some((n, conn)) = self.someone() else { return };
        let client = &mut self.clients[n];
        let publication = text(&format!("D|{}|{conn}", client.directs_sent + 1));
        let command = match client.directs_sent % 2 {
            0 => Command::Send { conn, publication },
            // For all reactors, and one of them knows the user.
            _ => to_user(n, publication),
        };
        client.directs_sent += usize::from(self.shared.command(command).is_ok());
    }

    fn command(&mut self) {
        let Some((n, conn)) = self.someone() else { return };
        let channel = self.dice.pick(&["room.a", "room.b"]).to_owned();
        let count = self.published[&channel].len();
        let spans = self.clients[n].spans.entry(channel.clone()).or_default();
        let is_in = spans.last().is_some_and(|span| span.left.is_none());
        let command = match self.dice.below(10) {
            0 => Command::Close { conn, code: CloseCode(4002), reason: "enough".to_owned() },
            _ if is_in => Command::Unsubscribe { conn, channel },
            _ => Command::Subscribe { conn, channel, since: wspush::push::Since::Head },
        };
        let (leaves, joins) =
            (matches!(command, Command::Unsubscribe { .. }), matches!(command, Command::Subscribe { .. }));
        if self.shared.command(command).is_err() {
            return;
        }
        if leaves && let Some(span) = spans.last_mut() {
            span.left = Some(count);
        }
        if joins {
            // It stands in the inbox behind just these.
            spans.push(Span { low: count, high: count, left: None });
        }
        self.met.moved_members += u64::from(leaves || joins);
    }

    fn speak(&mut self) {
        let Some((n, _)) = self.someone() else { return };
        let client = &mut self.clients[n];
        if client.can_send() {
            client.say(&mut self.dice, true, b"hello");
        }
    }

    fn misbehave(&mut self) {
        let Some((n, _)) = self.someone() else { return };
        let client = &mut self.clients[n];
        match self.dice.below(3) {
            0 => {
                client.gone = true;
                client.wire.borrow_mut().cut();
            }
            1 if client.can_send() => client.close(1000),
            _ => client.reader = Reader::Slow(self.dice.range(20, 300)),
        }
    }

    /// Every client sends and reads as it likes.
    fn act(&mut self) {
        for client in &mut self.clients {
            client.send(usize::MAX);
            match client.reader {
                Reader::Fast => client.read(usize::MAX, self.now_us),
                Reader::Slow(n) => client.read(self.dice.below(n + 1), self.now_us),
                Reader::Never => {}
            }
        }
    }

    /// Whether a reactor has a reason to wake.
    fn is_awake(&self, seat: usize) -> bool {
        let Seat { turn, wake, waiting, ended, .. } = &self.seats[seat];
        let has_edge = |(n, client): (usize, &Client)| {
            let wire = client.wire.borrow();
            self.home[n] == seat && client.slot.is_some() && wire.edge && !wire.closed
        };
        let is_due = turn.due_ms.is_some_and(|due_ms| due_ms * 1_000 <= self.now_us);
        let has_reason = turn.busy || is_due || wake.load(Ordering::Relaxed) || !waiting.is_empty();
        !ended && (has_reason || self.clients.iter().enumerate().any(has_edge))
    }

    /// One turn of a reactor that is awake, with publishers between its parts.
    fn step(&mut self, seat: usize, all: bool) {
        if !self.is_awake(seat) {
            return;
        }
        let now = time(self.now_us);
        let was_asleep = !self.seats[seat].turn.busy && self.seats[seat].wake.swap(false, Ordering::Relaxed);
        self.met.woken += u64::from(was_asleep);
        self.seats[seat].wake.store(false, Ordering::Relaxed);
        self.seats[seat].reactor.set_now(now);
        self.seats[seat].reactor.carry_out_before_events();
        self.interrupt(all);
        for (slot, event) in self.events(seat, all) {
            self.seats[seat].reactor.take_event(slot, event);
            self.interrupt(all);
        }
        for n in std::mem::take(&mut self.seats[seat].waiting) {
            self.admit(seat, n);
        }
        self.interrupt(all);
        let seat = &mut self.seats[seat];
        seat.turn = seat.reactor.turn(now);
        seat.reactor.show(now);
        seat.audit = seat.reactor.audit();
        if seat.turn.finished {
            seat.reactor.end();
            seat.ended = true;
        }
        self.look();
        self.check_done();
    }

    /// Another thread gets its chance.
    fn interrupt(&mut self, all: bool) {
        if !all && self.dice.one_in(6) {
            self.publish();
        }
    }

    fn events(&mut self, seat: usize, all: bool) -> Vec<(usize, Readiness)> {
        let mut events = Vec::new();
        for (n, client) in self.clients.iter().enumerate().filter(|(n, _)| self.home[*n] == seat) {
            let mut wire = client.wire.borrow_mut();
            let Some(slot) = client.slot.filter(|_| !wire.closed) else { continue };
            if wire.edge && (all || !self.dice.one_in(3)) {
                wire.edge = false;
                let (readable, writable) = wire.readiness();
                events.push((n, slot, Readiness { readable, writable, ended: wire.up_ended || wire.reset }));
            }
        }
        for left in (1..events.len()).rev() {
            events.swap(left, self.dice.below(left + 1));
        }
        events.into_iter().map(|(_, slot, event)| (slot, event)).collect()
    }

    fn admit(&mut self, seat: usize, n: usize) {
        let client = &mut self.clients[n];
        let address = format!("192.0.2.{}:{}", n + 1, 1_000 + n).parse().ok();
        let socket = SimSocket { wire: client.wire.clone(), faults: self.faults.clone(), peer: address };
        client.began_us = self.now_us;
        let reactor = &mut self.seats[seat].reactor;
        client.slot = reactor.admit(socket, client.listener, address);
        if let Some(slot) = client.slot {
            client.wire.borrow_mut().edge = true;
            reactor.take_event(slot, Readiness::NEW);
        }
    }

    /// Brings the model up to date with what the handlers have seen and the logs hold.
    fn look(&mut self) {
        for at in 0..self.seats.len() {
            let seen = self.seats[at].seen.clone();
            let mut seen = seen.lock().unwrap();
            for (n, conn) in seen.opened.drain(..) {
                assert!(self.alive.insert(conn, n).is_none(), "a connection's id is used twice");
                assert_eq!((conn.reactor(), self.home[n]), (at, at), "the id names its reactor");
                let client = &mut self.clients[n];
                client.conn = Some(conn);
                for (channel, spans) in &mut client.spans {
                    let low = self.seats[at].logged.get(channel).copied().unwrap_or(0);
                    spans.push(Span { low, high: self.published[channel].len(), left: None });
                }
            }
            for (conn, code) in seen.closed.drain(..) {
                assert!(self.alive.remove(&conn).is_some(), "on_close without on_open");
                self.met.closed_slow += u64::from(code == 1013);
            }
            let Seat { audit, logged: known, .. } = &mut self.seats[at];
            for (name, epoch, next) in &audit.channels {
                let Some(receipts) = self.published.get(name) else { continue };
                let logged = receipts.partition_point(|r| (r.epoch, r.offset) < (*epoch, *next));
                let before = known.insert(name.clone(), logged).unwrap_or(0);
                assert!(logged >= before, "reactor {at}: {name} has lost publications");
            }
        }
    }

    /// As much of what there is to do as is done in a moment.
    fn step_all(&mut self) {
        for seat in 0..self.seats.len() {
            self.step(seat, true);
            for _ in 0..200 {
                if !self.seats[seat].turn.busy {
                    break;
                }
                self.step(seat, true);
            }
        }
    }

    /// So much time, in which those that are due have their turns.
    pub fn rest_for(&mut self, us: u64) {
        for _ in 0..us / 100_000 {
            self.pass_time(100_000);
            self.step_all();
        }
    }

    /// Lets everything come to rest. Nobody is stepped who sleeps: one that should have been woken is found here.
    pub fn settle(&mut self) {
        self.faults.borrow_mut().short_write = 0;
        let mut quiet = 0;
        for _ in 0..20_000 {
            self.pass_time(20_000);
            let moved = |clients: &[Client]| clients.iter().map(|c| c.wire.borrow().moved).sum::<u64>();
            let before = moved(&self.clients);
            for client in self.clients.iter_mut().filter(|client| client.reader != Reader::Never) {
                client.send(usize::MAX);
                client.read(usize::MAX, self.now_us);
            }
            self.step_all();
            let is_busy =
                self.seats.iter().any(|seat| !seat.ended && (seat.turn.busy || seat.audit.paced > 0));
            quiet = if moved(&self.clients) == before && !is_busy { quiet + 1 } else { 0 };
            if quiet > 60 {
                let asleep = self.seats.iter().filter(|seat| !seat.ended).count();
                assert!(self.shared.waiting() == 0 || asleep == 0, "a reactor was not woken for its inbox");
                return;
            }
        }
        panic!(
            "the server never comes to rest: {:?}",
            self.seats.iter().map(|seat| seat.turn).collect::<Vec<_>>()
        );
    }
}
