//! A client of one of the nodes, which stands for many: it speaks `wspush.v1`, comes back to another node with its
//! positions when it is lost, and is told each offset of its channels once and in order, or just what it does not get.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::super::net::Wire;
use super::super::parse;
use super::super::wire::{self, CLOSE, PING, PONG, TEXT, masked};

/// A place: channel, epoch and offset.
pub type Place = (String, u64, u64);

/// Something that it was told it does not get: of a channel all from one epoch and offset to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    pub channel: String,
    pub from: (u64, u64),
    pub to: (u64, u64),
}

#[derive(Debug, Default)]
pub struct Ear {
    pub n: usize,
    pub channels: Vec<String>,
    /// The node that it is at, and its place there.
    pub node: Option<usize>,
    pub slot: Option<usize>,
    pub wire: Rc<RefCell<Wire>>,
    buf: Vec<u8>,
    is_open: bool,
    /// Where it stands: the epoch, and the offset that comes next.
    pub stands: BTreeMap<String, (u64, u64)>,
    /// Where it began.
    pub began: BTreeMap<String, (u64, u64)>,
    /// Publications that it has heard, and when.
    pub heard: BTreeMap<Place, (String, u64)>,
    pub missed: Vec<Missed>,
    /// Places that it has heard, and that were none when it came back.
    pub withdrawn: Vec<Place>,
    /// Where it began anew and is still to be told what lies before that: epoch, first and last offset.
    pub owed: BTreeMap<String, (u64, u64, u64)>,
    /// How often it has come back, and how often it was told that nothing is gone.
    pub comebacks: usize,
    pub recovered: usize,
}

impl Ear {
    pub fn new(n: usize, channels: Vec<String>) -> Ear {
        Ear { n, channels, ..Ear::default() }
    }

    /// A new connection, and what it asks for.
    pub fn come(&mut self) -> Rc<RefCell<Wire>> {
        let since = |channel: &String| match self.stands.get(channel) {
            Some((epoch, next)) => format!("channel={channel}&since={epoch}.{}", next - 1),
            None => format!("channel={channel}"),
        };
        let target =
            format!("/ws?broadcast=no&{}", self.channels.iter().map(since).collect::<Vec<_>>().join("&"));
        self.wire = Rc::new(RefCell::new(Wire { down_max: 1 << 20, ..Wire::default() }));
        self.wire.borrow_mut().push_up(&wire::upgrade(
            &target,
            "sim",
            &[("Sec-WebSocket-Protocol", "wspush.v1")],
        ));
        self.buf.clear();
        self.is_open = false;
        self.comebacks += usize::from(!self.stands.is_empty());
        self.wire.clone()
    }

    /// Reads what has come by then. False: the connection is over.
    pub fn read(&mut self, at_us: u64) -> bool {
        let bytes = self.wire.borrow_mut().pull_down(usize::MAX, at_us);
        self.buf.extend(bytes);
        if !self.is_open {
            let Some(response) = parse::response(&mut self.buf) else { return !self.wire.borrow().is_over() };
            if response.status != 101 {
                assert!(matches!(response.status, 503), "ear {}: {}", self.n, response.status);
                return false;
            }
            self.is_open = true;
        }
        while let Some(frame) = parse::frame(&mut self.buf, 0) {
            match frame.opcode {
                TEXT => self.hear(&serde_json::from_slice(&frame.payload).unwrap(), at_us),
                PING => self.wire.borrow_mut().push_up(&masked(true, PONG, &frame.payload)),
                CLOSE => return false,
                _ => {}
            }
        }
        !self.wire.borrow().is_over()
    }

    fn hear(&mut self, said: &Value, at_us: u64) {
        let number = |value: &Value| match value {
            Value::String(text) => text.parse::<u64>().unwrap(),
            other => other.as_u64().unwrap_or_else(|| panic!("{other} in {said}")),
        };
        if let Some(subscribed) = said.get("subscribed") {
            let channel = subscribed["channel"].as_str().unwrap().to_owned();
            let is_recovered = subscribed["recovered"] == true;
            self.subscribed(
                channel,
                (number(&subscribed["epoch"]), number(&subscribed["offset"])),
                is_recovered,
            );
        } else if let Some(missed) = said.get("missed") {
            let channel = missed["channel"].as_str().unwrap().to_owned();
            let (from, to) = (number(&missed["from"]), number(&missed["to"]));
            self.miss(channel, number(&missed["epoch"]), (from, to));
        } else if said.get("offset").is_some() {
            let channel = said["channel"].as_str().unwrap().to_owned();
            let (epoch, offset) = (number(&said["epoch"]), number(&said["offset"]));
            let stand = self.stands.get_mut(&channel).unwrap_or_else(|| panic!("ear {}: {said}", self.n));
            assert_eq!(*stand, (epoch, offset), "ear {} stands there in {channel}, and hears {said}", self.n);
            stand.1 += 1;
            let text = said["data"].as_str().unwrap().to_owned();
            assert!(self.heard.insert((channel, epoch, offset), (text, at_us)).is_none(), "twice: {said}");
        } else {
            assert!(said.get("connected").is_some(), "ear {}: {said}", self.n);
        }
    }

    /// It stands behind this place.
    fn subscribed(&mut self, channel: String, (epoch, offset): (u64, u64), is_recovered: bool) {
        match self.stands.insert(channel.clone(), (epoch, offset + 1)) {
            None => _ = self.began.insert(channel, (epoch, offset + 1)),
            Some(before) if is_recovered => {
                assert_eq!((epoch, offset + 1), before, "ear {}: recovered, and elsewhere", self.n);
                self.recovered += 1;
            }
            Some((before, next)) if epoch == before && offset + 1 < next => {
                self.withdraw(channel, epoch, offset)
            }
            Some((before, next)) => {
                let from = if epoch == before { next } else { 1 };
                self.owe(&channel, epoch, (from, offset));
                self.missed.push(Missed { channel, from: (before, next), to: (epoch, offset) });
            }
        }
    }

    /// It is to be told that it does not get these.
    fn owe(&mut self, channel: &str, epoch: u64, (from, to): (u64, u64)) {
        // Of nothing nobody is told.
        if from <= to {
            self.owed.insert(channel.to_owned(), (epoch, from, to));
        }
    }

    /// The server has died with the last that it has heard, and nobody has noticed that yet: it is told that its
    /// position is none, and that it has nothing of this life.
    fn withdraw(&mut self, channel: String, epoch: u64, offset: u64) {
        self.owe(&channel, epoch, (1, offset));
        let is_gone = |(known, of, _): &Place| *known == channel && *of == epoch;
        let gone: Vec<Place> = self.heard.keys().filter(|place| is_gone(place)).cloned().collect();
        gone.iter().for_each(|place| _ = self.heard.remove(place));
        self.withdrawn.extend(gone);
    }

    fn miss(&mut self, channel: String, epoch: u64, (from, to): (u64, u64)) {
        if let Some(owed) = self.owed.remove(&channel) {
            return assert_eq!(owed, (epoch, from, to), "ear {} is told so of {channel}", self.n);
        }
        let (before, next) =
            self.stands.insert(channel.clone(), (epoch, to + 1)).expect("a channel of its own");
        let begins = if epoch == before { next } else { 1 };
        assert!(
            epoch >= before && from == begins && to + 1 >= from,
            "ear {}: {from} to {to} of {epoch} at {next} of {before}",
            self.n
        );
        self.missed.push(Missed { channel, from: (before, next), to: (epoch, to) });
    }

    /// Whether it has heard a publication, was told that it does not get it, or came behind it.
    pub fn knows_of(&self, place: &Place) -> bool {
        let (channel, epoch, offset) = place;
        let is_told = |missed: &Missed| {
            missed.channel == *channel && (missed.from..=missed.to).contains(&(*epoch, *offset))
        };
        self.heard.contains_key(place)
            || self.withdrawn.contains(place)
            || self.began.get(channel).is_none_or(|began| (*epoch, *offset) < *began)
            || self.missed.iter().any(is_told)
    }
}
