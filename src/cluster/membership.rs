//! This node among the others: it renews its lease, and sees to those whose lease is over.
//!
//! Leases are counted by the server's clock alone. A node that was away for longer than its lease is gone to the
//! others; when it comes back it is a new member of the cluster, of which they hear all that it has.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use redis::{Cmd, cmd};
use serde_json::json;

use super::connect::{Link, strange};
use super::mirror::{changes_json, standing_text};
use super::roll::Member;
use super::{Terms, reply};
use crate::limits::CLUSTER_IDLE_DAYS;
use crate::reactor::Shared;
use crate::reactor::engine::HappenedAfar;

/// So long a node is there that is not heard of.
const LEASE: Duration = Duration::from_secs(10);
/// Between two times that it is heard of.
const BEAT: Duration = Duration::from_secs(3);

/// For so long the members of a node that is gone are left to those who have noticed it.
const LEFT: Duration = Duration::from_secs(6);
/// So many members at once.
const CHANGES: usize = 128;
const INHERITED: usize = 256;
/// Channels that are looked at with each beat.
const TIDIED: usize = 100;

/// The membership.
pub(super) struct Membership {
    /// How often it has begun.
    count: u64,
    has_joined: bool,
    due: Instant,
    /// Nodes that are gone, whose members are still to be counted off, and from when on that is for this node.
    gone: BTreeMap<String, Instant>,
    /// The membership before this one, until the others know what this one has.
    former: Option<String>,
    /// The partition whose idle channels are looked for next.
    tidied: usize,
}

/// Whether there is more to do at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum More {
    Yes,
    No,
}

impl Membership {
    pub fn new(now: Instant) -> Membership {
        Membership { count: 1, has_joined: false, due: now, gone: BTreeMap::new(), former: None, tidied: 0 }
    }

    /// Its name in Redis.
    fn id(&self, terms: &Terms) -> String {
        format!("{}#{}", terms.origin, self.count)
    }

    /// It is no member any more: it will be another one.
    fn begin_anew(&mut self, terms: &Terms) {
        self.former = Some(self.id(terms));
        self.count += 1;
        self.has_joined = false;
        self.due = terms.outside.now();
        terms.roll.tell_anew();
    }

    /// Does what is due, a part of it.
    ///
    /// # Errors
    /// The connection's.
    pub fn tend(&mut self, link: &mut Link, terms: &Terms, shared: &Shared) -> Result<More, String> {
        if terms.outside.now() >= self.due {
            self.beat(link, terms, shared)?;
            self.tidy(link, terms)?;
            self.due = terms.outside.now() + BEAT;
        }
        let has_inherited = self.inherit(link, terms, shared)?;
        self.tell_changes(link, terms, shared)?;
        if !self.has_joined || terms.roll.has_changed() || has_inherited {
            return Ok(More::Yes);
        }
        if let Some(former) = &self.former {
            let mut command = nodes_command(&link.scripts.call, terms, &["lease", "revoked"]);
            command.arg("").arg(0).arg("k").arg("gone").arg("w").arg(former);
            link.ask(&command)?;
            self.former = None;
        }
        Ok(More::No)
    }

    fn beat(&mut self, link: &mut Link, terms: &Terms, shared: &Shared) -> Result<(), String> {
        loop {
            let mut command = nodes_command(&link.scripts.beat, terms, &["lease", "info", "dead"]);
            command.arg(self.id(terms)).arg(info(terms, shared));
            command.arg(LEASE.as_millis().to_string()).arg(if self.has_joined { "renew" } else { "join" });
            let answer = link.ask(&command)?;
            match reply::list(&answer) {
                [said] if reply::text(said) == Some("lost") => self.begin_anew(terms),
                [_, epoch, entry, live, gone, dead] => {
                    let number = |value| reply::number(value).ok_or_else(strange);
                    terms.known.note(terms.keys.partitions(), number(epoch)?, number(entry)?);
                    self.has_joined = true;
                    let texts = |value| reply::list(value).iter().filter_map(reply::text).map(str::to_owned);
                    terms.set_live(texts(live).collect());
                    let now = terms.outside.now();
                    self.gone.extend(texts(gone).map(|node| (node, now)));
                    for node in texts(dead) {
                        self.gone.entry(node).or_insert(now + LEFT);
                    }
                    return Ok(());
                }
                _ => return Err(strange()),
            }
        }
    }

    /// Lets a partition forget channels that have been idle for too long.
    fn tidy(&mut self, link: &mut Link, terms: &Terms) -> Result<(), String> {
        let mut command = cmd("EVALSHA");
        command.arg(&link.scripts.tidy).arg(3);
        terms.keys.of_partition(self.tidied).iter().for_each(|key| _ = command.arg(key));
        link.ask(command.arg(CLUSTER_IDLE_DAYS).arg(TIDIED))?;
        self.tidied = (self.tidied + 1) % terms.keys.partitions();
        Ok(())
    }

    /// Counts off members of a node that is gone; whether there are more.
    fn inherit(&mut self, link: &mut Link, terms: &Terms, shared: &Shared) -> Result<bool, String> {
        let now = terms.outside.now();
        let Some(node) = self.gone.iter().find(|(_, from)| **from <= now).map(|(node, _)| node.clone())
        else {
            return Ok(false);
        };
        let mut command = cmd("EVALSHA");
        command.arg(&link.scripts.inherit).arg(3).arg(terms.keys.of_nodes(&format!("of:{node}")));
        command.arg(terms.keys.of_nodes("who")).arg(terms.keys.of_nodes("dead")).arg(&node).arg(INHERITED);
        let answer = link.ask(&command)?;
        let [is_over, members @ ..] = reply::list(&answer) else { return Err(strange()) };
        for member in members.iter().filter_map(reply::text).filter_map(Member::of) {
            tell(shared, member, None, false);
        }
        if reply::text(is_over) == Some("1") {
            self.gone.remove(&node);
        }
        Ok(true)
    }

    /// Tells the others which members have come and gone here.
    fn tell_changes(&mut self, link: &mut Link, terms: &Terms, shared: &Shared) -> Result<(), String> {
        if !self.has_joined {
            return Ok(());
        }
        let taken = terms.roll.take(terms.outside.now(), CHANGES);
        if taken.is_empty() {
            return Ok(());
        }
        let node = self.id(terms);
        let keys = ["lease", &format!("of:{node}"), "who"];
        let mut command = nodes_command(&link.scripts.who, terms, &keys);
        let told = taken.iter().filter(|(member, _)| member.is_told());
        let told: Vec<_> =
            told.map(|(member, standing)| (&*member.channel, &*member.user, standing)).collect();
        let json = if told.is_empty() { String::new() } else { changes_json(told.into_iter()) };
        command.arg(&node).arg(json);
        for (member, standing) in &taken {
            command.arg(member.field()).arg(standing_text(standing));
        }
        let answer = match link.ask(&command) {
            Ok(answer) => answer,
            Err(why) => {
                terms.roll.put_back(taken);
                return Err(why);
            }
        };
        match reply::list(&answer) {
            [said, changes @ ..] if reply::text(said) == Some("done") => {
                for ((member, standing), change) in taken.into_iter().zip(changes) {
                    match reply::text(change) {
                        Some("1") => tell(shared, member, standing.and_then(|(_, info)| info), true),
                        Some("0") => tell(shared, member, None, false),
                        _ => {}
                    }
                }
                Ok(())
            }
            [said] if reply::text(said) == Some("lost") => {
                terms.roll.put_back(taken);
                self.begin_anew(terms);
                Ok(())
            }
            _ => Err(strange()),
        }
    }
}

/// The beginning of a command about what nodes tell each other, and about these keys.
fn nodes_command(script: &str, terms: &Terms, keys: &[&str]) -> Cmd {
    let partition = terms.keys.partitions();
    let (epoch, entry) = terms.known.of(partition);
    let mut command = cmd("EVALSHA");
    command.arg(script).arg(3 + keys.len());
    terms.keys.of_partition(partition).iter().for_each(|key| _ = command.arg(key));
    keys.iter().for_each(|what| _ = command.arg(terms.keys.of_nodes(what)));
    command.arg(epoch).arg(entry).arg(terms.entries);
    command
}

/// Of this it is for this node to tell.
fn tell(shared: &Shared, member: Member, info: Option<Box<str>>, has_come: bool) {
    let user = Some(member.user).filter(|user| !user.is_empty());
    shared.happened(HappenedAfar { channel: member.channel, user, info, has_come });
}

/// A node's own account of itself.
fn info(terms: &Terms, shared: &Shared) -> String {
    let info = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "since_ms": terms.since_ms,
        "connections": shared.stats().connections,
        "lag_ms": terms.counts.lag_ms(terms.outside.unix_us()),
    });
    info.to_string()
}
