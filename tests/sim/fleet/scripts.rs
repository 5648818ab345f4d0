//! Our scripts, as `src/cluster/scripts/*.lua` have them, step for step.

use redis::Value;

use super::store::{Store, bulk};

/// Their texts begin with these words.
const NAMES: [(&str, &str); 10] = [
    ("publish", include_str!("../../../src/cluster/scripts/publish.lua")),
    ("forget", include_str!("../../../src/cluster/scripts/forget.lua")),
    ("look", include_str!("../../../src/cluster/scripts/look.lua")),
    ("tidy", include_str!("../../../src/cluster/scripts/tidy.lua")),
    ("call", include_str!("../../../src/cluster/scripts/call.lua")),
    ("reply", include_str!("../../../src/cluster/scripts/reply.lua")),
    ("nodes", include_str!("../../../src/cluster/scripts/nodes.lua")),
    ("beat", include_str!("../../../src/cluster/scripts/beat.lua")),
    ("who", include_str!("../../../src/cluster/scripts/who.lua")),
    ("inherit", include_str!("../../../src/cluster/scripts/inherit.lua")),
];

/// The name of a script.
pub fn name_of(body: &str) -> &'static str {
    NAMES.iter().find(|(_, text)| body.ends_with(text)).expect("one of ours").0
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("no number: {text}"))
}

/// Words as a table of Lua is answered.
fn table(words: &[&str]) -> Value {
    Value::Array(words.iter().map(|word| bulk(*word)).collect())
}

/// The three keys of a partition.
#[derive(Clone, Copy)]
struct Partition<'a> {
    log: &'a str,
    state: &'a str,
    top: &'a str,
}

fn partition(keys: &[String]) -> Partition<'_> {
    Partition { log: &keys[0], state: &keys[1], top: &keys[2] }
}

impl Store {
    fn now_ms(&self) -> u64 {
        self.now_us / 1_000
    }

    fn today(&self) -> u64 {
        self.now_us / 86_400_000_000
    }

    /// `epoch_of` of state.lua.
    fn epoch_of(&mut self, at: Partition<'_>, known_e: &str, known_n: &str) -> String {
        let has = self.hget(at.state, "e").cloned();
        let e = has.as_deref().map_or(0, number);
        let n = self.hget(at.state, "n").map_or(0, |n| number(n));
        let (known_e, known_n) = (number(known_e), number(known_n));
        if let Some(has) = has.filter(|_| e > known_e || (e == known_e && n >= known_n)) {
            return has;
        }
        let new = self.now_us.max(e.max(known_e) + 1).to_string();
        self.hashes.remove(at.top);
        self.hdel(at.state, "f");
        self.hdel(at.state, "t");
        self.hset(at.state, "e", &*new);
        let n = self.hincr(at.state, "n", 1).to_string();
        self.xadd(at.log, None, &[("k", "epoch"), ("p", &new), ("n", &n)]);
        new
    }

    /// `stand` of state.lua.
    fn stand(&self, at: Partition<'_>, channel: &str, e: &str) -> (u64, String) {
        let Some(has) = self.hget(at.top, channel) else {
            return (0, self.hget(at.state, "f").cloned().unwrap_or_else(|| e.to_owned()));
        };
        let mut parts = has.split(' ');
        let offset = number(parts.next().unwrap());
        let own = parts.next().filter(|own| !own.is_empty());
        (offset, own.unwrap_or(e).to_owned())
    }

    /// Runs a script.
    pub fn run(&mut self, name: &str, keys: &[String], argv: &[String]) -> Value {
        match name {
            "publish" => self.publish(keys, argv),
            "forget" => self.forget(keys, argv),
            "look" => self.look(keys, argv),
            "tidy" => self.tidy(keys, argv),
            "call" => self.call(keys, argv),
            "reply" => {
                let fields: Vec<(&str, &str)> = pairs(&argv[2..]);
                self.xadd(&keys[0], Some(number(&argv[0]) as usize), &fields);
                table(&["done"])
            }
            "nodes" => {
                let now = self.now_ms().to_string();
                Value::Array(vec![bulk(now), self.pairs(&keys[0]), self.pairs(&keys[1])])
            }
            "beat" => self.beat(keys, argv),
            "who" => self.who(keys, argv),
            "inherit" => self.inherit(keys, argv),
            other => panic!("no script {other}"),
        }
    }

    fn publish(&mut self, keys: &[String], argv: &[String]) -> Value {
        let count = number(&argv[6]) as usize;
        let key = keys.get(3 * count);
        if let Some(kept) = key.and_then(|key| self.texts.get(key)) {
            let (fingerprint, places) = kept.split_once(' ').unwrap();
            return if fingerprint == argv[2] { table(&["again", places]) } else { table(&["reused"]) };
        }
        let of = |i: usize| partition(&keys[3 * i..]);
        let mut epochs = std::collections::BTreeMap::new();
        for i in 0..count {
            let at = 7 + 6 * i;
            if !epochs.contains_key(of(i).state) {
                let epoch = self.epoch_of(of(i), &argv[at + 4], &argv[at + 5]);
                epochs.insert(of(i).state, epoch);
            }
        }
        if !argv[3].is_empty() {
            for i in 0..count {
                let channel = &argv[7 + 6 * i];
                let (offset, e) = self.stand(of(i), channel, &epochs[of(i).state]);
                if offset != number(&argv[3]) {
                    return table(&["differs", channel, &e, &offset.to_string()]);
                }
            }
        }
        let day = self.today();
        let (mut reply, mut places) = (vec!["placed".to_owned()], vec![argv[4].clone(), argv[5].clone()]);
        for i in 0..count {
            let (at, p) = (7 + 6 * i, epochs[of(i).state].clone());
            let channel = &argv[at];
            let (offset, e) = self.stand(of(i), channel, &p);
            let offset = (offset + 1).to_string();
            let own = if e == p { "" } else { &e };
            self.hset(of(i).top, channel, format!("{offset} {own} {day}"));
            let n = self.hincr(of(i).state, "n", 1).to_string();
            let sender = format!("{} {} {}", argv[4], number(&argv[5]) + i as u64, argv[at + 3]);
            let mut entry: Vec<(&str, &str)> = vec![
                ("p", &p),
                ("n", &n),
                ("c", channel),
                ("o", &offset),
                ("d", &argv[at + 1]),
                ("s", &sender),
            ];
            if !argv[at + 2].is_empty() {
                entry.push(("f", &argv[at + 2]));
            }
            if e != p {
                entry.push(("e", &e));
            }
            self.xadd(of(i).log, Some(number(&argv[0]) as usize), &entry);
            reply.extend([e.clone(), offset.clone(), p, n]);
            places.extend([e, offset]);
        }
        if let Some(key) = key {
            self.texts.insert(key.clone(), format!("{} {}", argv[2], places.join(" ")));
        }
        Value::Array(reply.into_iter().map(bulk).collect())
    }

    fn forget(&mut self, keys: &[String], argv: &[String]) -> Value {
        let at = partition(keys);
        let p = self.epoch_of(at, &argv[1], &argv[2]);
        let (_, e) = self.stand(at, &argv[0], &p);
        let (apart, now) = (argv.get(3), self.now_us);
        let own = apart.map_or(0, |own| number(own));
        if apart.is_some() {
            let (e_us, age_us) = (number(&e), number(&argv[4]));
            if e_us > own && e_us <= now && e_us > now.saturating_sub(age_us) {
                let n = self.hget(at.state, "n").cloned().unwrap();
                return table(&["placed", &e, "0", &p, &n]);
            }
        }
        let new = now.max(number(&e).max(number(&p)).max(own) + 1).to_string();
        let day = self.today();
        self.hset(at.top, &argv[0], format!("0 {new} {day}"));
        let n = self.hincr(at.state, "n", 1).to_string();
        let kind = if apart.is_some() { "apart" } else { "anew" };
        self.xadd(at.log, None, &[("k", kind), ("p", &p), ("n", &n), ("c", &argv[0]), ("e", &new)]);
        table(&["placed", &new, "0", &p, &n])
    }

    fn look(&mut self, keys: &[String], argv: &[String]) -> Value {
        let at = partition(keys);
        let p = self.epoch_of(at, &argv[0], &argv[1]);
        let heads = if argv[2] == "1" { self.pairs(at.top) } else { Value::Array(Vec::new()) };
        let n = self.hget(at.state, "n").cloned().unwrap();
        Value::Array(vec![bulk(p), bulk(n), bulk(self.newest(at.log)), heads])
    }

    /// All channels at once: a page of HSCAN may be as large as it likes.
    fn tidy(&mut self, keys: &[String], argv: &[String]) -> Value {
        let (at, limit) = (partition(keys), self.today().saturating_sub(number(&argv[0])));
        let day = |head: &str| head.rsplit(' ').next().and_then(|day| day.parse().ok()).unwrap_or(limit);
        let gone: Vec<String> =
            self.hash(at.top).filter(|(_, head)| day(head) < limit).map(|(name, _)| name.clone()).collect();
        gone.iter().for_each(|name| _ = self.hdel(at.top, name));
        self.hset(at.state, "t", "0");
        if !gone.is_empty() {
            let of = |field: &str| self.hget(at.state, field).map_or(0, |value| number(value));
            let f = self.now_us.max(of("e").max(of("f")) + 1);
            self.hset(at.state, "f", f.to_string());
        }
        bulk(gone.len().to_string())
    }

    fn live(&self, leases: &str) -> Vec<String> {
        let now = self.now_ms();
        self.hash(leases).filter(|(_, until)| number(until) >= now).map(|(node, _)| node.clone()).collect()
    }

    fn call(&mut self, keys: &[String], argv: &[String]) -> Value {
        let at = partition(keys);
        let p = self.epoch_of(at, &argv[0], &argv[1]);
        let n = self.hincr(at.state, "n", 1).to_string();
        let mut entry: Vec<(&str, &str)> = vec![("p", &p), ("n", &n)];
        entry.extend(pairs(&argv[5..]));
        self.xadd(at.log, Some(number(&argv[2]) as usize), &entry);
        if !argv[3].is_empty() && (self.hash(&keys[4]).count() as u64) < number(&argv[4]) {
            let now_s = (self.now_us / 1_000_000).to_string();
            self.hset(&keys[4], &argv[3], now_s);
        }
        let live = self.live(&keys[3]).into_iter().map(bulk).collect();
        Value::Array(vec![bulk(p), bulk(n), Value::Array(live)])
    }

    fn beat(&mut self, keys: &[String], argv: &[String]) -> Value {
        let at = partition(keys);
        let p = self.epoch_of(at, &argv[0], &argv[1]);
        let (node, now) = (&argv[3], self.now_ms());
        if argv[6] == "renew" && self.hget(&keys[3], node).is_none() {
            return table(&["lost"]);
        }
        self.hset(&keys[3], node, (now + number(&argv[5])).to_string());
        self.hset(&keys[4], node, &*argv[4]);
        let live = self.live(&keys[3]);
        let gone: Vec<String> = self
            .hash(&keys[3])
            .filter(|(_, until)| number(until) < now)
            .map(|(node, _)| node.clone())
            .collect();
        for node in &gone {
            self.hdel(&keys[3], node);
            self.hdel(&keys[4], node);
            self.sets.entry(keys[5].clone()).or_default().insert(node.clone());
            let n = self.hincr(at.state, "n", 1).to_string();
            let max = Some(number(&argv[2]) as usize);
            self.xadd(at.log, max, &[("p", &p), ("n", &n), ("k", "gone"), ("w", node)]);
        }
        let n = self.hget(at.state, "n").cloned().unwrap();
        let dead: Vec<String> = self.sets.get(&keys[5]).into_iter().flatten().cloned().collect();
        let list = |words: Vec<String>| Value::Array(words.into_iter().map(bulk).collect());
        Value::Array(vec![bulk("kept"), bulk(p), bulk(n), list(live), list(gone), list(dead)])
    }

    fn who(&mut self, keys: &[String], argv: &[String]) -> Value {
        if self.hget(&keys[3], &argv[3]).is_none() {
            return table(&["lost"]);
        }
        let at = partition(keys);
        let p = self.epoch_of(at, &argv[0], &argv[1]);
        let mut reply = vec!["done"];
        for (member, known) in pairs(&argv[5..]) {
            reply.push(if known.is_empty() {
                let was_there = self.hdel(&keys[4], member);
                if was_there && self.hincr(&keys[5], member, -1) <= 0 {
                    self.hdel(&keys[5], member);
                    "0"
                } else {
                    ""
                }
            } else if self.hset(&keys[4], member, known) && self.hincr(&keys[5], member, 1) == 1 {
                "1"
            } else {
                ""
            });
        }
        if !argv[4].is_empty() {
            let n = self.hincr(at.state, "n", 1).to_string();
            let entry = [("p", &*p), ("n", &n), ("k", "who"), ("w", &argv[3]), ("j", &argv[4])];
            self.xadd(at.log, Some(number(&argv[2]) as usize), &entry);
        }
        table(&reply)
    }

    /// Which of them are counted off first is Redis's choice.
    fn inherit(&mut self, keys: &[String], argv: &[String]) -> Value {
        let members: Vec<String> =
            self.hash(&keys[0]).take(number(&argv[1]) as usize).map(|(member, _)| member.clone()).collect();
        let mut gone = vec![if members.is_empty() { "1" } else { "0" }];
        for member in &members {
            self.hdel(&keys[0], member);
            if self.hincr(&keys[1], member, -1) <= 0 {
                self.hdel(&keys[1], member);
                gone.push(member);
            }
        }
        if members.is_empty()
            && let Some(set) = self.sets.get_mut(&keys[2])
        {
            set.remove(&argv[0]);
        }
        table(&gone)
    }
}

/// Words by two.
fn pairs(words: &[String]) -> Vec<(&str, &str)> {
    words.chunks_exact(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect()
}
