//! A Redis server in memory, as far as a cluster uses one: hashes, streams, and the commands that our connections
//! send. The scripts are in `scripts.rs`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use redis::Value;

/// The streams are cut when they have so many more entries than they are to have, as real ones are by whole nodes.
const SLACK: usize = 100;

pub fn bulk(text: impl Into<Vec<u8>>) -> Value {
    Value::BulkString(text.into())
}

/// The id of an entry.
pub type Id = (u64, u64);

fn id_text((ms, count): Id) -> String {
    format!("{ms}-{count}")
}

fn id_of(text: &str) -> Id {
    let (ms, count) = text.split_once('-').unwrap_or((text, "0"));
    (ms.parse().unwrap(), count.parse().unwrap())
}

/// A stream: entries as they are answered.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    entries: VecDeque<(Id, Value)>,
    last: Id,
}

/// All that a server has.
#[derive(Clone, Debug, Default)]
pub struct Store {
    pub hashes: BTreeMap<String, BTreeMap<String, String>>,
    streams: BTreeMap<String, Stream>,
    pub sets: BTreeMap<String, BTreeSet<String>>,
    pub texts: BTreeMap<String, String>,
    /// The server's clock.
    pub now_us: u64,
    /// Entries that were ever added.
    pub added: u64,
}

impl Store {
    pub fn hget(&self, key: &str, field: &str) -> Option<&String> {
        self.hashes.get(key)?.get(field)
    }

    /// Whether the field is new.
    pub fn hset(&mut self, key: &str, field: &str, value: impl Into<String>) -> bool {
        self.hashes.entry(key.to_owned()).or_default().insert(field.to_owned(), value.into()).is_none()
    }

    /// Whether it was there.
    pub fn hdel(&mut self, key: &str, field: &str) -> bool {
        let Some(hash) = self.hashes.get_mut(key) else { return false };
        let was_there = hash.remove(field).is_some();
        if hash.is_empty() {
            self.hashes.remove(key);
        }
        was_there
    }

    pub fn hincr(&mut self, key: &str, field: &str, by: i64) -> i64 {
        let value = self.hget(key, field).map_or(0, |value| value.parse::<i64>().unwrap()) + by;
        self.hset(key, field, value.to_string());
        value
    }

    pub fn hash(&self, key: &str) -> impl Iterator<Item = (&String, &String)> {
        self.hashes.get(key).into_iter().flatten()
    }

    /// A hash as it is answered, field by field.
    pub fn pairs(&self, key: &str) -> Value {
        Value::Array(self.hash(key).flat_map(|(field, value)| [bulk(&**field), bulk(&**value)]).collect())
    }

    /// Adds an entry, and cuts a stream that is to have so many.
    pub fn xadd(&mut self, key: &str, max: Option<usize>, fields: &[(&str, &str)]) {
        let ms = self.now_us / 1_000;
        let stream = self.streams.entry(key.to_owned()).or_default();
        let id = if ms > stream.last.0 { (ms, 0) } else { (stream.last.0, stream.last.1 + 1) };
        let fields = fields.iter().flat_map(|(name, value)| [bulk(*name), bulk(*value)]).collect();
        stream.entries.push_back((id, Value::Array(vec![bulk(id_text(id)), Value::Array(fields)])));
        stream.last = id;
        if let Some(max) = max.filter(|max| stream.entries.len() > max + SLACK) {
            stream.entries.drain(..stream.entries.len() - max);
        }
        self.added += 1;
    }

    /// The newest entries up to one, the newest first.
    fn xrevrange(&self, key: &str, upto: &str, count: usize) -> Vec<Value> {
        let Some(stream) = self.streams.get(key) else { return Vec::new() };
        let end = match upto {
            "+" => stream.entries.len(),
            before => {
                let id = id_of(before.strip_prefix('(').expect("the one before"));
                stream.entries.partition_point(|(known, _)| *known < id)
            }
        };
        stream.entries.range(..end).rev().take(count).map(|(_, entry)| entry.clone()).collect()
    }

    /// The id of the newest entry.
    pub fn newest(&self, key: &str) -> String {
        let newest = self.streams.get(key).and_then(|stream| stream.entries.back());
        id_text(newest.map_or((0, 0), |(id, _)| *id))
    }

    fn xread(&self, count: usize, keys: &[String], after: &[String]) -> Value {
        let read = |(key, after): (&String, &String)| {
            let (stream, after) = (self.streams.get(key)?, id_of(after));
            let from = stream.entries.partition_point(|(id, _)| *id <= after);
            let entries: Vec<Value> =
                stream.entries.range(from..).take(count).map(|(_, entry)| entry.clone()).collect();
            (!entries.is_empty()).then(|| Value::Array(vec![bulk(&**key), Value::Array(entries)]))
        };
        let all: Vec<Value> = keys.iter().zip(after).filter_map(read).collect();
        if all.is_empty() { Value::Nil } else { Value::Array(all) }
    }

    /// The answer to a command.
    pub fn command(&mut self, words: &[String]) -> Value {
        let word = |n: usize| words[n].as_str();
        match word(0) {
            "PING" => Value::SimpleString("PONG".to_owned()),
            "INFO" => bulk("redis_version:7.0.15\r\nmaxmemory_policy:noeviction\r\nrole:master\r\n"),
            "SCRIPT" => bulk(super::scripts::name_of(word(2))),
            "EVALSHA" => {
                let (count, rest) = (word(2).parse::<usize>().unwrap(), &words[3..]);
                self.run(word(1), &rest[..count], &rest[count..])
            }
            "HSETNX" => {
                let is_new = self.hget(word(1), word(2)).is_none();
                if is_new {
                    self.hset(word(1), word(2), word(3));
                }
                Value::Int(i64::from(is_new))
            }
            "HGET" => self.hget(word(1), word(2)).map_or(Value::Nil, |value| bulk(&**value)),
            "HGETALL" => self.pairs(word(1)),
            "HKEYS" => Value::Array(self.hash(word(1)).map(|(field, _)| bulk(&**field)).collect()),
            "HSCAN" => Value::Array(vec![bulk("0"), self.pairs(word(1))]),
            "XREVRANGE" => {
                assert_eq!((word(3), word(4)), ("-", "COUNT"));
                Value::Array(self.xrevrange(word(1), word(2), word(5).parse().unwrap()))
            }
            "XREAD" => {
                assert_eq!((word(1), word(3), word(5)), ("COUNT", "BLOCK", "STREAMS"));
                let (keys, after) = words[6..].split_at((words.len() - 6) / 2);
                self.xread(word(2).parse().unwrap(), keys, after)
            }
            other => panic!("a server of the simulator has no {other}"),
        }
    }
}
