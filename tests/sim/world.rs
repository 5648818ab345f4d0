//! A server with its clients and publishers, and the time they live in.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use wspush::endpoint::users::{UserAction, UserRequest};
use wspush::endpoint::{Handler, Receipt};
use wspush::journal::Journal;
use wspush::push::{Publication, PushError, PushOptions};
use wspush::reactor::audit::Audit;
use wspush::reactor::user_commands::UserCommand;
use wspush::reactor::{Command, Host, ListenerRole, Reactor, Readiness, Shared, Turn, Wake};
use wspush::time::Time;
use wspush::{Config, ConnId, Message};

use super::client::{Client, Reader, Role, Span, Stage};
use super::comeback::Comebacks;
use super::dice::Dice;
use super::handler::{Seen, host};
use super::net::{Faults, SimSocket};
use super::pieces::Flows;

/// Channels with publishers of their own.
pub const CHANNELS: [&str; 4] = ["broadcast", "public.a", "public.b", "side"];

/// As a publisher's thread does it.
pub fn publish(
    shared: &Shared,
    channel: Option<&str>,
    message: Message<'_>,
    options: PushOptions,
    unix_us: u64,
) -> Result<Receipt, PushError> {
    shared.publish(channel, Publication::new(message, options)?, unix_us, Wake::Yes)
}

/// A message to client `n` by the name of its user, which is its number.
pub fn to_user(n: usize, publication: Publication) -> Command {
    let action = UserAction::Push { publication, notes: Default::default() };
    let request = UserRequest::new(n.to_string(), action).expect("a name");
    Command::User(Box::new(UserCommand::new(request)))
}

/// A text as publishers give it.
pub fn text(text: &str) -> Publication {
    Publication::new(Message::Text(text), PushOptions::default()).expect("a text has bytes")
}

pub struct World {
    pub dice: Dice,
    pub config: Config,
    pub now_us: u64,
    pub reactor: Reactor<SimSocket>,
    pub shared: Arc<Shared>,
    pub clients: Vec<Client>,
    pub faults: Rc<RefCell<Faults>>,
    /// Receipts of all publications, by channel: number 1 is the first.
    pub published: BTreeMap<String, Vec<Receipt>>,
    /// How many of them are in the logs, as of the last turn.
    pub logged: BTreeMap<String, usize>,
    pub audit: Audit,
    pub turn: Turn,
    pub draining: bool,
    pub comebacks: Comebacks,
    /// The next offset of every channel and epoch, as of the last turn in which it was there.
    pub heads: BTreeMap<(String, u64), u64>,
    /// How many publications clients have asked for.
    pub v1_published: usize,
    pub flows: Flows,
    seen: Arc<Mutex<Seen>>,
    alive: HashSet<ConnId>,
    waiting: Vec<usize>,
}

fn time(now_us: u64) -> Time {
    Time { mono_us: now_us, unix_us: 1_700_000_000_000_000 + now_us }
}

impl World {
    pub fn new(dice: Dice, config: Config, log_start: u64) -> World {
        World::with_handler(dice, config, log_start, |_, seen| host(&seen))
    }

    /// A world whose host is another one. It gets what it pushes with, and where it notes who has come and gone.
    pub fn with_handler(
        dice: Dice,
        config: Config,
        log_start: u64,
        handler: impl FnOnce(Arc<Shared>, Arc<Mutex<Seen>>) -> Box<dyn Handler>,
    ) -> World {
        let now_us = 1_000_000;
        let now = time(now_us);
        let shared = Arc::new(Shared::new(&config, now.unix_us, Box::new(|| {})));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let journal = Journal::new(wspush::config::LogLevel::Debug, Box::new(|_, _| {}));
        let handler = handler(shared.clone(), seen.clone());
        let mut reactor = Reactor::new(
            config.clone(),
            shared.clone(),
            Host { handler, journal, descriptors: config.max_connections },
            now,
        );
        reactor.start_logs_at(log_start);
        reactor.set_verifier(wspush::auth::load(&config).expect("its keys are good"));
        #[cfg(feature = "tls")]
        reactor.set_acceptor(Some(super::tls_client::acceptor()));
        let faults = Faults { dice: dice.clone(), now_us, shortage: 0, short_write: 0 };
        World {
            dice,
            config,
            now_us,
            reactor,
            shared,
            clients: Vec::new(),
            faults: Rc::new(RefCell::new(faults)),
            published: CHANNELS.iter().map(|name| ((*name).to_owned(), Vec::new())).collect(),
            logged: CHANNELS.iter().map(|name| ((*name).to_owned(), 0)).collect(),
            audit: Audit::default(),
            turn: Turn { busy: false, due_ms: None, finished: false },
            draining: false,
            comebacks: Comebacks::default(),
            heads: BTreeMap::new(),
            v1_published: 0,
            flows: Flows::default(),
            seen,
            alive: HashSet::new(),
            waiting: Vec::new(),
        }
    }

    pub fn unix_us(&self) -> u64 {
        time(self.now_us).unix_us
    }

    /// So many turns, before each of which everybody sends what it has to say and reads, but those that never do.
    pub fn everybody_acts(&mut self, turns: u64, us_between: u64) {
        for _ in 0..turns {
            self.pass_time(us_between);
            for client in &mut self.clients {
                client.send(usize::MAX);
                if client.reader != Reader::Never {
                    client.read(usize::MAX, self.now_us);
                }
            }
            self.turn(true);
        }
    }

    /// As a publisher's thread does it.
    pub fn push(&self, channel: Option<&str>, message: Message<'_>) -> Result<Receipt, PushError> {
        publish(&self.shared, channel, message, PushOptions::default(), self.unix_us())
    }

    /// How many publications a channel has, in the inbox or the log.
    pub fn count(&self, channel: &str) -> usize {
        self.published.get(channel).map_or(0, Vec::len)
    }

    /// A client that will be accepted with the next turn.
    pub fn connect(&mut self, role: Role, listener: ListenerRole, reader: Reader, down_max: usize) -> usize {
        let n = self.clients.len();
        #[allow(unused_mut)] // Without TLS nothing is changed.
        let mut client = Client::new(n, role, listener, reader, down_max, self.now_us);
        #[cfg(feature = "tls")]
        if self.dice.one_in(4) {
            client.tls = Some(Box::new(super::tls_client::TlsClient::new(self.dice.one_in(2))));
        }
        self.clients.push(client);
        self.waiting.push(n);
        n
    }

    pub fn pass_time(&mut self, us: u64) {
        self.now_us += us;
        self.faults.borrow_mut().now_us = self.now_us;
    }

    /// One turn of the poll loop, as `EventLoop::poll_once` does it. Without `all` some events come later.
    pub fn turn(&mut self, all: bool) {
        let now = time(self.now_us);
        let mut events = Vec::new();
        for (n, client) in self.clients.iter().enumerate() {
            let mut wire = client.wire.borrow_mut();
            let Some(slot) = client.slot.filter(|_| !wire.closed) else { continue };
            if wire.edge && (all || !self.dice.one_in(3)) {
                wire.edge = false;
                let (readable, writable) = wire.readiness();
                let ended = wire.up_ended || wire.reset;
                events.push((n, slot, Readiness { readable, writable, ended }));
            }
        }
        if self.dice.one_in(4) {
            let slot = self.dice.below(self.clients.len() + 2);
            let (readable, writable) = (self.dice.one_in(2), self.dice.one_in(2));
            let ended = self.dice.one_in(8);
            events.push((usize::MAX, slot, Readiness { readable, writable, ended }));
        }
        for left in (1..events.len()).rev() {
            events.swap(left, self.dice.below(left + 1));
        }
        self.reactor.set_now(now);
        for (n, slot, event) in events {
            if self.reactor.has_time() {
                self.reactor.take_event(slot, event);
                continue;
            }
            self.reactor.leave_events();
            if let Some(client) = self.clients.get(n) {
                client.wire.borrow_mut().edge = true;
            }
        }
        let budget = if all { usize::MAX } else { self.dice.below(8) };
        for n in self.waiting.drain(..budget.min(self.waiting.len())).collect::<Vec<_>>() {
            self.admit(n);
        }
        self.turn = self.reactor.turn(now);
        self.reactor.show(now);
        self.audit = self.reactor.audit();
        self.look();
    }

    fn admit(&mut self, n: usize) {
        let client = &mut self.clients[n];
        let host = client.host.unwrap_or((n % 250 + 1) as u8);
        let address = format!("192.0.2.{host}:{}", 1000 + n).parse().ok();
        let socket = SimSocket { wire: client.wire.clone(), faults: self.faults.clone(), peer: address };
        client.began_us = self.now_us;
        client.slot = match client.tls {
            None => self.reactor.admit(socket, client.listener, address),
            Some(_) => self.reactor.admit_tls(socket, client.listener, address),
        };
        if let Some(slot) = client.slot {
            client.wire.borrow_mut().edge = true;
            self.reactor.take_event(slot, Readiness::NEW);
        }
    }

    /// Brings the model up to date with what the handler has seen and the logs hold.
    fn look(&mut self) {
        let mut seen = self.seen.lock().unwrap();
        for (n, conn) in seen.opened.drain(..) {
            assert!(self.alive.insert(conn), "a connection's id is used twice");
            // A raw client may say any number.
            let Some(client) = self.clients.get_mut(n) else { continue };
            client.conn = Some(conn);
            for (channel, spans) in &mut client.spans {
                let low = self.logged.get(channel).copied().unwrap_or(0);
                spans.push(Span { low, high: self.published[channel].len(), left: None });
            }
        }
        for (n, channel, joins) in seen.wished.drain(..) {
            let (Some(&low), Some(client)) = (self.logged.get(&channel), self.clients.get_mut(n)) else {
                continue;
            };
            let high = self.published[&channel].len();
            let spans = client.spans.entry(channel).or_default();
            match spans.last_mut().filter(|span| span.left.is_none()) {
                Some(span) if !joins => span.left = Some(high),
                None if joins => spans.push(Span { low, high, left: None }),
                _ => {}
            }
        }
        for (conn, code) in seen.closed.drain(..) {
            assert!(self.alive.remove(&conn), "on_close without on_open");
            assert!(code == 1005 || code == 1006 || wspush::CloseCode(code).is_valid_on_wire(), "{code}");
        }
        for (name, epoch, next) in &self.audit.channels {
            // 0: nothing was ever logged.
            self.heads.insert((name.clone(), *epoch), (*next).max(1));
            let Some(receipts) = self.published.get(name) else { continue };
            let logged = receipts.partition_point(|r| (r.epoch, r.offset) < (*epoch, *next));
            let before = self.logged.insert(name.clone(), logged).unwrap_or(0);
            assert!(logged >= before, "{name} has lost publications");
        }
        drop(seen);
        self.note_positions();
    }

    /// Connections for which `on_open` was called and `on_close` was not.
    pub fn alive(&self) -> usize {
        self.alive.len()
    }

    /// Every client sends and reads as it likes.
    pub fn act(&mut self) {
        for client in &mut self.clients {
            let n = if self.dice.one_in(3) { self.dice.range(1, 20) } else { 1 << 20 };
            if let Some(tls) = &mut client.tls
                && self.dice.one_in(100)
            {
                tls.change_keys();
            }
            client.send(n);
            match client.reader {
                Reader::Fast => client.read(usize::MAX, self.now_us),
                Reader::Slow(n) => client.read(self.dice.below(n + 1), self.now_us),
                Reader::Never => {}
            }
        }
    }

    /// Lets everything come to rest: all but those that never read take what is there, and nothing fails.
    pub fn settle(&mut self) {
        let mut quiet = 0;
        // Two hundred pipelined answers take ten thousand turns to someone whose network takes 130 bytes in each.
        for _ in 0..50_000 {
            self.pass_time(20_000);
            self.end_flows();
            let before = self.moved();
            for client in &mut self.clients {
                client.send(usize::MAX);
                if client.reader != Reader::Never {
                    client.read(usize::MAX, self.now_us);
                }
            }
            self.turn(true);
            // A ping and its pong are not unrest.
            let resting = self.moved() - before <= 32
                && !self.turn.busy
                && self.shared.waiting() == 0
                && self.audit.paced == 0
                && self.has_ended_flows();
            quiet = if resting { quiet + 1 } else { 0 };
            if quiet > 8 || self.turn.finished {
                for client in self.clients.iter_mut().filter(|client| client.reader != Reader::Never) {
                    client.read(usize::MAX, self.now_us);
                }
                return;
            }
        }
        panic!("the server never comes to rest: {:?}, {:?}", self.turn, self.audit);
    }

    fn moved(&self) -> u64 {
        self.clients.iter().map(|client| client.wire.borrow().moved).sum()
    }

    /// Ends every connection the way its client likes, and lets the deadlines pass.
    pub fn part(&mut self) {
        for client in &mut self.clients {
            let can_close = !matches!(client.role, Role::Http | Role::Raw | Role::Stream)
                && client.reader != Reader::Never;
            if client.can_send() && can_close {
                client.close(1000);
            } else if client.role == Role::Raw && client.n % 2 == 0 && client.reader == Reader::Fast {
                client.wire.borrow_mut().end_up();
            } else if client.stage != Stage::Over {
                client.gone = true;
                client.wire.borrow_mut().cut();
            }
        }
        self.settle();
        self.pass_time(self.config.close_wait_ms.max(self.config.drain_ms) * 1000 + 1_000_000);
        self.settle();
    }
}
