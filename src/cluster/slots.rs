//! How Redis Cluster spreads keys over its masters: by slots, each a checksum of what stands in a key's first braces.

use std::collections::HashMap;
use std::fmt::Display;

use redis::Value;

use super::reply;

const SLOTS: u16 = 16_384;

/// The slot of a key.
pub(super) fn slot(key: &[u8]) -> u16 {
    checksum(tag(key)) % SLOTS
}

/// The part of a key that counts.
fn tag(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|byte| *byte == b'{') else { return key };
    let rest = &key[open + 1..];
    match rest.iter().position(|byte| *byte == b'}') {
        None | Some(0) => key,
        Some(close) => &rest[..close],
    }
}

/// CRC-16/XMODEM.
fn checksum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc: u16, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

/// Which master has which slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SlotMap {
    /// First and last slot, and the master's address.
    ranges: Vec<(u16, u16, String)>,
    /// Those that have moved since.
    moved: HashMap<u16, String>,
}

impl SlotMap {
    /// Reads the answer to `CLUSTER SLOTS` of the server at this host, which need not say its own.
    pub fn read(answer: &Value, host: &str) -> Option<SlotMap> {
        let mut ranges = Vec::new();
        for range in reply::list(answer) {
            let [first, last, master, ..] = reply::list(range) else { return None };
            let [name, port, ..] = reply::list(master) else { return None };
            let name = reply::text(name).filter(|name| !name.is_empty() && *name != "?").unwrap_or(host);
            let slot = |value| u16::try_from(reply::number(value)?).ok();
            ranges.push((slot(first)?, slot(last)?, address(name, reply::number(port)?)));
        }
        Some(SlotMap { ranges, moved: HashMap::new() })
    }

    /// The master that has a slot; None: none has.
    pub fn of(&self, slot: u16) -> Option<&str> {
        let range = || self.ranges.iter().find(|(first, last, _)| (*first..=*last).contains(&slot));
        self.moved.get(&slot).or_else(|| range().map(|(_, _, address)| address)).map(String::as_str)
    }

    /// A slot is at this master now.
    pub fn set(&mut self, slot: u16, address: &str) {
        self.moved.insert(slot, address.to_owned());
    }

    /// All masters that have slots.
    pub fn masters(&self) -> Vec<String> {
        let mut all: Vec<String> = self.ranges.iter().map(|(_, _, address)| address.clone()).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Whether somebody has each slot.
    pub fn is_whole(&self) -> bool {
        self.ranges.iter().map(|(first, last, _)| u32::from(last - first) + 1).sum::<u32>()
            == u32::from(SLOTS)
    }
}

/// The host of an address.
pub(super) fn host_of(address: &str) -> &str {
    address.rsplit_once(':').map_or("", |(host, _)| host).trim_matches(['[', ']'])
}

/// An address as URLs have it.
pub(super) fn address(host: &str, port: impl Display) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// The answer of a server that does not have what is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// The slot is at this one from now on.
    Moved(u16, String),
    /// This command is for this one, as the slot is on its way there.
    Ask(String),
    /// Some of its keys have gone already: soon all have.
    TryAgain,
}

impl Elsewhere {
    /// Reads an answer; None: it is the answer. `host` is whose answer it is.
    pub fn read(answer: &Value, host: &str) -> Option<Elsewhere> {
        let Value::ServerError(problem) = answer else { return None };
        let place = || {
            let (slot, address_of) = problem.details()?.split_once(' ')?;
            let (name, port) = address_of.rsplit_once(':')?;
            let name = name.trim_start_matches('[').trim_end_matches(']');
            let name = if name.is_empty() { host } else { name };
            Some((slot.parse().ok()?, address(name, port.parse::<u64>().ok()?)))
        };
        match problem.code() {
            "MOVED" => place().map(|(slot, address)| Elsewhere::Moved(slot, address)),
            "ASK" => place().map(|(_, address)| Elsewhere::Ask(address)),
            "TRYAGAIN" => Some(Elsewhere::TryAgain),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(checksum(b"123456789"), 0x31c3);
        assert_eq!((slot(b"foo"), slot(b"{foo}bar"), slot(b"a{foo}{bar}")), (12_182, 12_182, 12_182));
        assert_eq!((slot(b"{}foo"), slot(b"a{b")), (checksum(b"{}foo") % SLOTS, checksum(b"a{b") % SLOTS));
        assert_eq!(slot(b"wspush:{3}:log"), slot(b"wspush:{3}:i:k{x}"));
    }

    #[test]
    fn a_map_has_all_slots_and_those_that_have_moved() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let range = |first, last, host: &str, port| {
            let server = Value::Array(vec![text(host), Value::Int(port), text("id")]);
            Value::Array(vec![Value::Int(first), Value::Int(last), server.clone(), server])
        };
        let answer = Value::Array(vec![range(0, 99, "", 7), range(100, 16_383, "::1", 8)]);
        let mut map = SlotMap::read(&answer, "h").unwrap();
        assert_eq!((map.of(99), map.of(100), map.is_whole()), (Some("h:7"), Some("[::1]:8"), true));
        map.set(99, "h:9");
        assert_eq!((map.of(99), map.of(98)), (Some("h:9"), Some("h:7")));
        assert_eq!(map.masters(), ["[::1]:8", "h:7"]);
        let part = SlotMap::read(&Value::Array(vec![range(5, 9, "h", 1)]), "h").unwrap();
        assert_eq!((part.of(4), part.is_whole()), (None, false));
        assert_eq!(SlotMap::read(&Value::Array(vec![Value::Int(1)]), "h"), None);
    }

    #[test]
    fn a_server_says_who_has_it() {
        let said = |line: &str| {
            let answer = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
            Elsewhere::read(&answer, "h")
        };
        assert_eq!(said("MOVED 3999 127.0.0.1:6381"), Some(Elsewhere::Moved(3_999, "127.0.0.1:6381".into())));
        assert_eq!(said("MOVED 3999 ::1:6381"), Some(Elsewhere::Moved(3_999, "[::1]:6381".into())));
        assert_eq!(said("MOVED 3999 :6381"), Some(Elsewhere::Moved(3_999, "h:6381".into())));
        assert_eq!(said("ASK 1 a:2"), Some(Elsewhere::Ask("a:2".into())));
        assert_eq!(said("TRYAGAIN Multiple keys"), Some(Elsewhere::TryAgain));
        assert_eq!((said("CLUSTERDOWN Hash slot"), said("MOVED x"), said("ERR MOVED")), (None, None, None));
    }
}
