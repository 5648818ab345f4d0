//! A cluster of hundreds of nodes in virtual time: the real reactors, and the real readers, writers and memberships of
//! `src/cluster` as steps, with a server, a network and clients that a seed decides. Each client stands for very many:
//! a write to it takes its node as long as the writes to all of them.

pub mod ear;
pub mod net;
pub mod node;
pub mod scripts;
pub mod store;
mod verdict;

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use wspush::Config;
use wspush::cluster::Stepped;
use wspush::reactor::ListenerRole;

use super::dice::Dice;
use super::net::{Faults, Wire};
use super::wire;
use ear::Ear;
use net::{Net, Way};
use node::Node;
pub use verdict::Verdict;

pub const CALENDAR_US: u64 = 1_700_000_000_000_000;
const MS: u64 = 1_000;
const S: u64 = 1_000 * MS;

/// A write, as it was measured (docs/benchmarks.md).
const WRITE_NS: u64 = 6_010;
/// For so long the server holds a question of a reader that there is nothing for.
const BLOCK_US: u64 = 500 * MS;
/// A publisher or a client tries again.
const AGAIN_US: u64 = S;

/// The course of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub nodes: usize,
    /// Ears at each node, and how many connections there are.
    pub ears: usize,
    pub connections: u64,
    /// Publications, and the time in which they are posted.
    pub posts: usize,
    pub time_us: u64,
    /// One node in so many is slow; 0: none.
    pub slow: usize,
    /// Ways that are cut, nodes that die, failovers, and one command in so many whose connection is lost.
    pub cuts: usize,
    pub deaths: usize,
    pub failovers: usize,
    pub loss: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Read(usize),
    Write(usize),
    Turn(usize),
    Post(usize),
    Come(usize),
    Cut(usize),
    Die(usize),
    Replicate,
    Kill,
    Promote,
}

/// A publication, which is posted until it is answered.
#[derive(Debug)]
pub struct Post {
    pub channel: String,
    pub posted_us: u64,
    /// The node that it was posted to last, and its connection there.
    asked: Option<(usize, Rc<RefCell<Wire>>)>,
    pub tries: usize,
    /// Where it stands.
    pub place: Option<(u64, u64)>,
}

pub struct Fleet {
    plan: Plan,
    dice: Dice,
    config: Config,
    net: net::Shared,
    pub now_us: u64,
    nodes: Vec<Node>,
    pub ears: Vec<Ear>,
    pub posts: Vec<Post>,
    queue: BinaryHeap<Reverse<(u64, u64, Event)>>,
    events: u64,
    faults: Rc<RefCell<Faults>>,
}

/// Channels: one for everybody, and some for a part.
pub const EVERYBODY: &str = "all";
const PARTS: usize = 8;

fn config(plan: &Plan) -> Config {
    Config {
        max_connections: plan.ears * 8 + 64,
        connections_per_address_max: 0,
        heartbeat_ms: 0,
        channels: vec!["*".to_owned()],
        channels_max: 100,
        log_publications: 1_024,
        cluster_partitions: 4,
        cluster: Some("redis://simulated".to_owned()),
        ..Config::default()
    }
}

impl Fleet {
    pub fn new(mut dice: Dice, plan: Plan) -> Fleet {
        let now_us = S;
        let mut way = |_| Way { delay_us: dice.range(200, 3_000) as u64, ..Way::default() };
        let ways = (0..plan.nodes).map(&mut way).collect();
        let net = Arc::new(Mutex::new(Net::new(dice.clone(), now_us, ways)));
        let faults = Faults { dice: dice.clone(), now_us, shortage: 0, short_write: 0 };
        let mut fleet = Fleet {
            config: config(&plan),
            plan,
            dice,
            net,
            now_us,
            nodes: Vec::new(),
            ears: Vec::new(),
            posts: Vec::new(),
            queue: BinaryHeap::new(),
            events: 0,
            faults: Rc::new(RefCell::new(faults)),
        };
        fleet.begin();
        fleet
    }

    fn begin(&mut self) {
        let began = Instant::now();
        for n in 0..self.plan.nodes {
            let mut node = Node::join(n, &self.config, &self.net, began);
            net::lock(&self.net).spent_us = 0;
            if self.plan.slow > 0 && n % self.plan.slow == 1 {
                node.slowness = 400;
                net::lock(&self.net).ways[n].delay_us = 50 * MS;
            }
            self.nodes.push(node);
            for at in [Event::Read(n), Event::Write(n), Event::Turn(n)] {
                let us = self.dice.below(1_000) as u64 * MS;
                self.add(self.now_us + us, at);
            }
            for _ in 0..self.plan.ears {
                let ear = self.ears.len();
                let channels = vec![EVERYBODY.to_owned(), format!("part{}", self.dice.below(PARTS))];
                self.ears.push(Ear::new(ear, channels));
                self.connect(ear, n);
            }
        }
        net::lock(&self.net).loss = self.plan.loss;
        let (begin_us, plan) = (self.now_us + 5 * S, self.plan.clone());
        let somewhen =
            |fleet: &mut Fleet| begin_us + fleet.dice.below((plan.time_us / MS) as usize) as u64 * MS;
        for n in 0..plan.posts {
            let at_us = somewhen(self);
            let channel = if n % 2 == 0 { EVERYBODY.to_owned() } else { format!("part{}", n % PARTS) };
            self.posts.push(Post { channel, posted_us: at_us, asked: None, tries: 0, place: None });
            self.add(at_us, Event::Post(n));
        }
        for _ in 0..plan.cuts {
            let at_us = somewhen(self);
            let node = self.dice.below(plan.nodes);
            self.add(at_us, Event::Cut(node));
        }
        for _ in 0..plan.deaths {
            let at_us = somewhen(self);
            let node = self.dice.below(plan.nodes);
            self.add(at_us, Event::Die(node));
        }
        for n in 0..plan.failovers as u64 {
            // One after the other, and each with a tail that is lost.
            let at_us = begin_us + (2 * n + 1) * plan.time_us / (2 * plan.failovers as u64 + 1);
            let lag_us = self.dice.pick(&[0, 20, 500, 2_000]) * MS;
            self.add(at_us - lag_us, Event::Replicate);
            self.add(at_us, Event::Kill);
            let away_us = self.dice.range(500, 8_000) as u64 * MS;
            self.add(at_us + away_us, Event::Promote);
        }
    }

    fn add(&mut self, at_us: u64, event: Event) {
        self.events += 1;
        let at_us = at_us.max(self.now_us);
        match event {
            Event::Read(n) => self.nodes[n].read_due = Some(at_us),
            Event::Write(n) => self.nodes[n].write_due = Some(at_us),
            Event::Turn(n) => self.nodes[n].turn_due = Some(at_us),
            _ => {}
        }
        self.queue.push(Reverse((at_us, self.events, event)));
    }

    /// The same, unless it is to come before.
    fn add_by(&mut self, at_us: u64, event: Event) {
        let due = match event {
            Event::Read(n) => self.nodes[n].read_due,
            Event::Write(n) => self.nodes[n].write_due,
            Event::Turn(n) => self.nodes[n].turn_due,
            _ => None,
        };
        if due.is_none_or(|due_us| due_us > at_us) {
            self.add(at_us, event);
        }
    }

    /// Lets so much time pass.
    pub fn run_for(&mut self, us: u64) {
        let end_us = self.now_us + us;
        while let Some(&Reverse((at_us, _, event))) = self.queue.peek()
            && at_us <= end_us
        {
            self.queue.pop();
            self.now_us = at_us;
            self.faults.borrow_mut().now_us = at_us;
            let mut net = net::lock(&self.net);
            (net.now_us, net.spent_us) = (at_us, 0);
            drop(net);
            self.happen(at_us, event);
        }
        self.now_us = end_us;
    }

    fn happen(&mut self, at_us: u64, event: Event) {
        match event {
            Event::Read(n) if self.nodes[n].read_due.take_if(|due| *due == at_us).is_some() => self.read(n),
            Event::Write(n) if self.nodes[n].write_due.take_if(|due| *due == at_us).is_some() => {
                self.write(n)
            }
            Event::Turn(n) if self.nodes[n].turn_due.take_if(|due| *due == at_us).is_some() => self.turn(n),
            Event::Read(_) | Event::Write(_) | Event::Turn(_) => {}
            Event::Post(n) => self.post(n),
            Event::Come(n) => {
                let node = self.living();
                self.connect(n, node);
            }
            Event::Cut(node) => {
                let us = self.dice.pick(&[100, 1_000, 4_000]) * MS;
                net::lock(&self.net).cut(node, us);
            }
            Event::Die(node) => self.die(node),
            Event::Replicate => net::lock(&self.net).replicate(),
            Event::Kill => net::lock(&self.net).kill(),
            Event::Promote => net::lock(&self.net).promote(),
        }
    }

    fn spent_us(&self) -> u64 {
        net::lock(&self.net).spent_us
    }

    /// A question of a node's reader.
    fn read(&mut self, n: usize) {
        if !self.nodes[n].is_alive {
            return;
        }
        let added = net::lock(&self.net).store().added;
        let rest_us = self.nodes[n].cluster.read().as_micros() as u64;
        let done_us = (self.now_us + self.spent_us() + rest_us).max(self.now_us + 1);
        // The server holds the next question until there is something.
        let waits = rest_us == 0 && !net::lock(&self.net).has_news(n);
        self.add(if waits { done_us + BLOCK_US } else { done_us }, Event::Read(n));
        self.after_step(n);
        self.spread(added, done_us);
    }

    /// A request of its writer.
    fn write(&mut self, n: usize) {
        if !self.nodes[n].is_alive {
            return;
        }
        let added = net::lock(&self.net).store().added;
        let rest_us = self.nodes[n].cluster.write().as_micros() as u64;
        let done_us = self.now_us + self.spent_us() + rest_us;
        let silence_us = if rest_us > 0 { 0 } else { Stepped::SILENCE.as_micros() as u64 };
        self.add((done_us + silence_us).max(self.now_us + 1), Event::Write(n));
        self.after_step(n);
        self.spread(added, done_us);
    }

    /// Those who wait for something to read are answered, if there is more than before.
    fn spread(&mut self, added: u64, done_us: u64) {
        if net::lock(&self.net).store().added > added {
            for other in 0..self.nodes.len() {
                let delay_us = net::lock(&self.net).ways[other].delay_us / 2;
                if self.nodes[other].is_alive {
                    self.add_by(done_us + delay_us, Event::Read(other));
                }
            }
        }
    }

    /// The reactor may have something to do, and the writer.
    fn after_step(&mut self, n: usize) {
        if let Some(at_us) = self.nodes[n].next_turn_us(self.now_us) {
            self.add_by(at_us, Event::Turn(n));
        }
        if self.nodes[n].cluster.has_to_write() {
            let at_us = self.now_us + self.spent_us() + 1;
            self.add_by(at_us, Event::Write(n));
        }
    }

    /// A turn of its reactor, which takes as long as the writes to all for whom its ears stand.
    fn turn(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        if !node.is_alive {
            return;
        }
        node.take_turn(self.now_us);
        let has_come = |&&ear: &&usize| !self.ears[ear].wire.borrow().down.is_empty();
        let written = node.ears.iter().filter(has_come).count() as u64;
        let all = self.plan.connections / (self.plan.nodes * self.plan.ears) as u64;
        let took_us = written * all * WRITE_NS * node.slowness / 100 / 1_000;
        node.busy_until_us = self.now_us + took_us;
        let at_us = node.busy_until_us;
        for ear in node.ears.clone() {
            if !self.ears[ear].read(at_us) {
                self.lose(ear);
            }
        }
        self.take_answers(n);
        self.after_step(n);
    }

    fn living(&mut self) -> usize {
        loop {
            let n = self.dice.below(self.nodes.len());
            if self.nodes[n].is_alive {
                return n;
            }
        }
    }

    fn connect(&mut self, ear: usize, node: usize) {
        let wire = self.ears[ear].come();
        if !self.nodes[node].admit(&wire, ListenerRole::Public, &self.faults) {
            self.add(self.now_us + AGAIN_US, Event::Come(ear));
            return;
        }
        self.ears[ear].node = Some(node);
        self.nodes[node].ears.push(ear);
        self.add_by(self.now_us.max(self.nodes[node].busy_until_us), Event::Turn(node));
    }

    /// An ear has lost its connection: it comes back elsewhere.
    fn lose(&mut self, ear: usize) {
        if let Some(node) = self.ears[ear].node.take() {
            self.nodes[node].ears.retain(|known| *known != ear);
        }
        self.ears[ear].wire.borrow_mut().cut();
        let again_us = self.dice.range(100, 3_000) as u64 * MS;
        self.add(self.now_us + again_us, Event::Come(ear));
    }

    /// A node dies with all that it has.
    fn die(&mut self, n: usize) {
        if self.nodes.iter().filter(|node| node.is_alive).count() <= self.plan.nodes / 2 {
            return;
        }
        self.nodes[n].is_alive = false;
        for ear in self.nodes[n].ears.clone() {
            self.lose(ear);
        }
        for number in 0..self.posts.len() {
            if self.posts[number].asked.as_ref().is_some_and(|(node, _)| *node == n) {
                self.posts[number].asked = None;
                self.add(self.now_us + AGAIN_US, Event::Post(number));
            }
        }
    }

    /// Posts a publication to a node, the same with each try.
    fn post(&mut self, number: usize) {
        let node = self.living();
        let target = format!("/push?channel={}&idempotency_key=post-{number}", self.posts[number].channel);
        let request = wire::request(
            "POST",
            &target,
            "localhost",
            &[("Content-Type", "text/plain")],
            number.to_string().as_bytes(),
        );
        let up = Rc::new(RefCell::new(Wire { down_max: 1 << 20, ..Wire::default() }));
        up.borrow_mut().push_up(&request);
        self.posts[number].tries += 1;
        if !self.nodes[node].admit(&up, ListenerRole::Admin, &self.faults) {
            self.add(self.now_us + AGAIN_US, Event::Post(number));
            return;
        }
        self.posts[number].asked = Some((node, up));
        self.add_by(self.now_us.max(self.nodes[node].busy_until_us), Event::Turn(node));
    }

    /// Publishers of a node read their answers.
    fn take_answers(&mut self, n: usize) {
        for number in 0..self.posts.len() {
            let Some((_, up)) = self.posts[number].asked.as_ref().filter(|(node, _)| *node == n) else {
                continue;
            };
            let bytes: Vec<u8> = up.borrow().down.iter().copied().collect();
            let Some((response, _)) = wire::response(&bytes, "POST") else {
                assert!(!up.borrow().is_over(), "post {number} is not answered");
                continue;
            };
            up.borrow_mut().end_up();
            self.posts[number].asked = None;
            match response.status {
                200 => {
                    let place: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
                    let number_of = |name: &str| place[name].as_u64().unwrap_or_else(|| panic!("{place}"));
                    self.posts[number].place = Some((number_of("epoch"), number_of("offset")));
                }
                503 => self.add(self.now_us + AGAIN_US, Event::Post(number)),
                other => panic!("post {number}: {other}, {}", response.text()),
            }
        }
    }

    /// Where the channels stand in the end.
    pub fn heads(&self) -> BTreeMap<String, (u64, u64)> {
        net::heads(net::lock(&self.net).store(), &self.config.cluster_prefix, self.config.cluster_partitions)
    }
}

/// A whole run; what has come of it. Panics where somebody was told something wrong.
pub fn run(dice: Dice, plan: Plan) -> Verdict {
    let mut fleet = Fleet::new(dice, plan);
    fleet.run_for(5 * S + fleet.plan.time_us);
    net::lock(&fleet.net).loss = 0;
    fleet.run_for(30 * S);
    fleet.judge()
}
