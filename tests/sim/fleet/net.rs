//! The way between the nodes and their server: delay, connections that are lost before or behind a command, a server
//! that dies and one that takes its place without having all of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use redis::{Cmd, Pipeline, Value};
use wspush::cluster::outside::{Opened, Outside, Wire};

use super::super::dice::Dice;
use super::CALENDAR_US;
use super::store::Store;

/// The way of a node to the server.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// There and back.
    pub delay_us: u64,
    /// Until then nothing gets through.
    pub cut_until_us: u64,
    /// How often it was cut: connections that were there before are lost.
    pub cuts: u64,
    /// Entries that were there when it has read last.
    pub seen: u64,
}

/// Two servers of which one is the master, and the ways to them.
#[derive(Debug)]
pub struct Net {
    pub dice: Dice,
    pub now_us: u64,
    /// The time that the step under way has waited for answers.
    pub spent_us: u64,
    pub ways: Vec<Way>,
    /// One command in so many loses its connection; 0: none.
    pub loss: usize,
    stores: [Store; 2],
    /// None: there is none for now.
    master: Option<usize>,
    /// The one that newcomers are led to.
    announced: usize,
    /// How often a master was lost, by which connections are told apart.
    pub failovers: u64,
    pub lost_wires: u64,
}

pub type Shared = Arc<Mutex<Net>>;

pub fn lock(net: &Shared) -> MutexGuard<'_, Net> {
    net.lock().unwrap()
}

impl Net {
    pub fn new(dice: Dice, now_us: u64, ways: Vec<Way>) -> Net {
        Net {
            dice,
            now_us,
            spent_us: 0,
            ways,
            loss: 0,
            stores: Default::default(),
            master: Some(0),
            announced: 0,
            failovers: 0,
            lost_wires: 0,
        }
    }

    /// The data of whoever is the master, or will be.
    pub fn store(&self) -> &Store {
        &self.stores[self.master.unwrap_or(self.announced)]
    }

    /// The other server has all that there is by now.
    pub fn replicate(&mut self) {
        let from = self.master.unwrap_or(self.announced);
        self.stores[1 - from] = self.stores[from].clone();
    }

    /// The master dies.
    pub fn kill(&mut self) {
        self.master = None;
        self.failovers += 1;
    }

    /// The other one takes its place, with what it has.
    pub fn promote(&mut self) {
        self.announced = 1 - self.announced;
        self.master = Some(self.announced);
    }

    /// The former master comes back, as it was when it died: with its data, but perhaps not the last of it.
    pub fn restart(&mut self) {
        self.master = Some(self.announced);
    }

    /// A way is cut for so long.
    pub fn cut(&mut self, node: usize, us: u64) {
        let way = &mut self.ways[node];
        way.cuts += 1;
        way.cut_until_us = self.now_us + us;
    }

    /// Whether there is something that a node has not read.
    pub fn has_news(&self, node: usize) -> bool {
        self.ways[node].seen < self.store().added
    }

    fn at_us(&self) -> u64 {
        self.now_us + self.spent_us
    }
}

/// A node's view of it.
pub struct SimOutside {
    pub net: Shared,
    pub node: usize,
    pub began: Instant,
}

impl Outside for SimOutside {
    fn open(&self, connect: Duration, answer: Duration) -> Result<Opened, String> {
        let mut net = lock(&self.net);
        let (way, at_us) = (net.ways[self.node].clone(), net.at_us());
        if way.cut_until_us > at_us {
            net.spent_us += (connect.as_micros() as u64).min(way.cut_until_us - at_us);
            return Err("no answer in time".to_owned());
        }
        net.spent_us += way.delay_us;
        let Some(server) = net.master else { return Err("the connection is refused".to_owned()) };
        let wire = SimWire {
            net: self.net.clone(),
            node: self.node,
            server,
            of: (way.cuts, net.failovers),
            patience: answer,
        };
        Ok(Opened { wire: Box::new(wire), server: format!("redis-{server}") })
    }

    fn is_still(&self, server: &str, _within: Duration) -> bool {
        server == format!("redis-{}", lock(&self.net).announced)
    }

    fn address(&self) -> String {
        "redis".to_owned()
    }

    fn now(&self) -> Instant {
        self.began + Duration::from_micros(lock(&self.net).at_us())
    }

    fn unix_us(&self) -> u64 {
        CALENDAR_US + lock(&self.net).at_us()
    }

    fn rest(&self, _time: Duration) {
        panic!("node {}: its inbox is full", self.node);
    }
}

/// A connection of a node to a server.
struct SimWire {
    net: Shared,
    node: usize,
    server: usize,
    /// Cuts and failovers by when it was made: it has not outlived any.
    of: (u64, u64),
    patience: Duration,
}

fn words(command: &Cmd) -> Vec<String> {
    let word = |arg: redis::Arg<&[u8]>| match arg {
        redis::Arg::Simple(bytes) => String::from_utf8(bytes.to_vec()).expect("text alone is published here"),
        _ => panic!("a cursor"),
    };
    command.args_iter().map(word).collect()
}

impl SimWire {
    fn answers(&mut self, commands: &[Vec<String>]) -> Result<Vec<Value>, String> {
        let mut net = lock(&self.net);
        let way = net.ways[self.node].clone();
        if self.of != (way.cuts, net.failovers) || net.master != Some(self.server) {
            // A connection that is cut says nothing; a server that has died is noticed.
            net.spent_us +=
                if self.of.0 == way.cuts { way.delay_us } else { self.patience.as_micros() as u64 };
            net.lost_wires += 1;
            return Err("no answer in time".to_owned());
        }
        let is_lost = net.loss > 0 && {
            let one_in = net.loss;
            net.dice.one_in(one_in)
        };
        if is_lost && net.dice.one_in(2) {
            net.lost_wires += 1;
            return Err("the connection is lost".to_owned());
        }
        let calendar_us = CALENDAR_US + net.at_us() + way.delay_us / 2;
        net.spent_us += way.delay_us;
        let store = &mut net.stores[self.server];
        store.now_us = store.now_us.max(calendar_us);
        let answers: Vec<Value> = commands.iter().map(|words| store.command(words)).collect();
        if commands.iter().any(|words| words[0] == "XREAD") {
            let added = store.added;
            net.ways[self.node].seen = added;
        }
        if is_lost {
            net.lost_wires += 1;
            return Err("the connection is lost".to_owned());
        }
        Ok(answers)
    }
}

impl Wire for SimWire {
    fn ask(&mut self, commands: &Pipeline) -> Result<Vec<Value>, String> {
        let commands: Vec<Vec<String>> = commands.cmd_iter().map(words).collect();
        self.answers(&commands)
    }

    fn ask_one(&mut self, command: &Cmd) -> Result<Value, String> {
        self.answers(&[words(command)]).map(|mut answers| answers.remove(0))
    }

    fn set_patience(&mut self, answer: Duration) -> Result<(), String> {
        self.patience = answer;
        Ok(())
    }
}

/// Where the channels stand, as a server has them: epoch and newest offset.
pub fn heads(store: &Store, prefix: &str, partitions: usize) -> BTreeMap<String, (u64, u64)> {
    let mut heads = BTreeMap::new();
    for n in 0..partitions {
        let Some(epoch) = store.hget(&format!("{prefix}:{{{n}}}:state"), "e") else { continue };
        for (channel, head) in store.hash(&format!("{prefix}:{{{n}}}:top")) {
            let mut parts = head.split(' ');
            let offset = parts.next().unwrap().parse().unwrap();
            let own = parts.next().filter(|own| !own.is_empty()).unwrap_or(epoch);
            heads.insert(channel.clone(), (own.parse().unwrap(), offset));
        }
    }
    heads
}
