//! The members that the other nodes have, as this one has read it. Each change has a number, so that a reactor that
//! asks for all of a channel knows which of those on their way to it are among them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::member_id;
use super::roll::Standing;
use crate::push::PushError;
use crate::reactor::Shared;
use crate::reactor::engine::{Attended, MemberAfar};

/// For so long a node is kept that has no lease: those who have lost theirs with the server's data have it again then.
const KEPT: Duration = Duration::from_secs(12);

/// The members of one node, by channel and user.
type Members = HashMap<Arc<str>, HashMap<Box<str>, (u32, Option<Box<str>>)>>;

#[derive(Debug, Default)]
struct All {
    version: u64,
    nodes: HashMap<String, Members>,
    /// Since when nodes have no lease.
    missing: HashMap<String, Instant>,
}

/// The list.
#[derive(Debug, Default)]
pub(super) struct Mirror(Mutex<All>);

/// A change of one member of a node.
pub(super) type Change = (Box<str>, Box<str>, Standing);

/// Waits for reactors that are behind; false: they have ended.
type Pause<'a> = &'a mut dyn FnMut() -> bool;

impl Mirror {
    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The members of a channel at other nodes, and the number of the newest change among them.
    pub fn members(&self, channel: &str) -> (u64, Vec<MemberAfar>) {
        let all = self.lock();
        let mut found: HashMap<&str, (u32, Option<&str>)> = HashMap::new();
        let members = all.nodes.values().filter_map(|node| node.get(channel)).flatten();
        for (user, (connections, info)) in members.filter(|(user, _)| !user.is_empty()) {
            let known = found.entry(user).or_default();
            known.0 += connections;
            known.1 = known.1.or(info.as_deref());
        }
        let members = found.into_iter().map(|(user, (connections, info))| MemberAfar {
            user: user.into(),
            info: info.map(Into::into),
            connections,
        });
        (all.version, members.collect())
    }

    /// How many subscribers a channel has at other nodes: that is kept under no name.
    pub fn subscribers(&self, channel: &str) -> u64 {
        let all = self.lock();
        let counts = all.nodes.values().filter_map(|node| node.get(channel)?.get(""));
        counts.map(|(count, _)| u64::from(*count)).sum()
    }

    /// The channels with this beginning that have subscribers at other nodes.
    pub fn occupied(&self, prefix: &str) -> Vec<Arc<str>> {
        let all = self.lock();
        let channels = all
            .nodes
            .values()
            .flatten()
            .filter(|(name, users)| name.starts_with(prefix) && users.contains_key(""));
        let found: BTreeSet<&Arc<str>> = channels.map(|(name, _)| name).collect();
        found.into_iter().cloned().collect()
    }

    /// Whether no other node that has subscribers of a channel comes before this run of one.
    pub fn is_first(&self, channel: &str, origin: &str) -> bool {
        let all = self.lock();
        let others = all
            .nodes
            .iter()
            .filter(|(_, members)| members.get(channel).is_some_and(|users| users.contains_key("")));
        others.map(|(node, _)| member_id::run(node)).all(|other| other >= origin)
    }

    /// A member of a node stands so. False: the reactors have ended.
    pub fn set(&self, shared: &Shared, node: &str, change: Change, pause: Pause<'_>) -> bool {
        let (channel, user, standing) = change;
        loop {
            let mut all = self.lock();
            let members = all.nodes.get(node);
            let known = members.and_then(|members| members.get(&*channel)?.get(&user));
            let before = known.map_or(0, |(connections, _)| *connections);
            let (after, info) = standing.as_ref().map_or((0, None), |(after, info)| (*after, info.clone()));
            if after == before {
                return true;
            }
            let attended = Attended {
                version: all.version + 1,
                channel: channel.as_ref().into(),
                user: user.clone(),
                info: info.clone(),
                before,
                after,
            };
            match shared.attend(&attended) {
                Ok(()) => {
                    all.version += 1;
                    all.note(node, attended);
                    return true;
                }
                Err(PushError::InboxFull) => drop(all),
                Err(_) => return false,
            }
            if !pause() {
                return false;
            }
        }
    }

    /// A node has these members, and no others.
    pub fn replace(&self, shared: &Shared, node: &str, members: Vec<Change>, pause: Pause<'_>) -> bool {
        let named: HashSet<(&str, &str)> =
            members.iter().map(|(channel, user, _)| (&**channel, &**user)).collect();
        let gone: Vec<Change> = {
            let all = self.lock();
            let known = all.nodes.get(node).into_iter().flatten();
            let known =
                known.flat_map(|(channel, users)| users.keys().map(move |user| (&**channel, &**user)));
            let gone = known.filter(|member| !named.contains(member));
            gone.map(|(channel, user)| (channel.into(), user.into(), None)).collect()
        };
        members.into_iter().chain(gone).all(|change| self.set(shared, node, change, pause))
    }

    /// A node is gone, or has none of its members.
    pub fn remove(&self, shared: &Shared, node: &str, pause: Pause<'_>) -> bool {
        self.lock().missing.remove(node);
        let is_done = self.replace(shared, node, Vec::new(), pause);
        self.lock().nodes.remove(node);
        is_done
    }

    /// These nodes are there; those that have not been for a while are gone.
    pub fn settle(&self, shared: &Shared, live: &[String], now: Instant, pause: Pause<'_>) -> bool {
        let due: Vec<String> = {
            let mut all = self.lock();
            let All { nodes, missing, .. } = &mut *all;
            missing.retain(|node, _| nodes.contains_key(node) && !live.contains(node));
            for node in nodes.keys().filter(|node| !live.contains(node)) {
                missing.entry(node.clone()).or_insert(now);
            }
            let due = missing.iter().filter(|(_, since)| now.duration_since(**since) >= KEPT);
            due.map(|(node, _)| node.clone()).collect()
        };
        due.iter().all(|node| self.remove(shared, node, pause))
    }

    /// The nodes that have members.
    pub fn nodes(&self) -> Vec<String> {
        self.lock().nodes.keys().cloned().collect()
    }
}

impl All {
    fn note(&mut self, node: &str, attended: Attended) {
        let Attended { channel, user, info, after, .. } = attended;
        let members = self.nodes.entry(node.to_owned()).or_default();
        if after > 0 {
            members.entry(channel).or_default().insert(user, (after, info));
            return;
        }
        if let Some(users) = members.get_mut(&channel) {
            users.remove(&user);
            if users.is_empty() {
                members.remove(&channel);
            }
        }
        if members.is_empty() {
            self.nodes.remove(node);
        }
    }
}

/// Whether changes of this node are another one's.
pub(super) fn is_other(node: &str, origin: &str) -> bool {
    member_id::run(node) != origin
}

/// Changes, as they are told.
pub(super) fn changes_json<'a>(changes: impl Iterator<Item = (&'a str, &'a str, &'a Standing)>) -> String {
    let one = |(channel, user, standing): (&str, &str, &Standing)| {
        let (connections, info) = standing.as_ref().map_or((0, None), |(n, info)| (*n, info.as_deref()));
        serde_json::json!([channel, user, connections, info])
    };
    Json::Array(changes.map(one).collect()).to_string()
}

/// Reads them.
pub(super) fn read_changes(text: &str) -> Vec<Change> {
    let Ok(Json::Array(changes)) = serde_json::from_str(text) else { return Vec::new() };
    let one = |change: &Json| {
        let connections = u32::try_from(change.get(2)?.as_u64()?).ok()?;
        let info = change.get(3).and_then(Json::as_str).map(Into::into);
        let standing = (connections > 0).then_some((connections, info));
        Some((change.get(0)?.as_str()?.into(), change.get(1)?.as_str()?.into(), standing))
    };
    changes.iter().filter_map(one).collect()
}

/// How a member stands, as Redis keeps it.
pub(super) fn standing_text(standing: &Standing) -> String {
    match standing {
        None => String::new(),
        Some((connections, None)) => connections.to_string(),
        Some((connections, Some(info))) => format!("{connections} {info}"),
    }
}

/// Reads it.
pub(super) fn read_standing(text: &str) -> Standing {
    let (connections, info) = text.split_once(' ').map_or((text, None), |(n, info)| (n, Some(info.into())));
    connections.parse().ok().filter(|connections| *connections > 0).map(|connections| (connections, info))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn changes_come_as_they_were_told() {
        let standings: [Standing; 3] = [None, Some((1, None)), Some((3, Some("{\"a\": 1}".into())))];
        let told = changes_json(standings.iter().map(|standing| ("a b", "ann", standing)));
        let read: Vec<Standing> = read_changes(&told).into_iter().map(|(_, _, standing)| standing).collect();
        assert_eq!(read, standings);
        for standing in &standings {
            assert_eq!(&read_standing(&standing_text(standing)), standing);
        }
        assert!(read_changes("{}").is_empty() && read_changes("[[1]]").is_empty());
    }

    #[test]
    fn subscribers_are_counted_beside_members() {
        let shared = Shared::new(&Config::default(), 1, Box::new(|| {}));
        let (mirror, mut pause) = (Mirror::default(), || false);
        let change = |channel: &str, count| -> Change {
            (channel.into(), "".into(), (count > 0).then_some((count, None)))
        };
        for (node, channel, count) in [("b:1:1#1", "pusher/3/a", 2), ("c:1:1#1", "pusher/3/a", 5)] {
            assert!(mirror.set(&shared, node, change(channel, count), &mut pause));
        }
        assert!(mirror.set(&shared, "c:1:1#1", change("pusher/4/a", 1), &mut pause));
        assert_eq!((mirror.subscribers("pusher/3/a"), mirror.subscribers("pusher/3/b")), (7, 0));
        assert!(mirror.members("pusher/3/a").1.is_empty(), "nobody in particular");
        assert_eq!(mirror.occupied("pusher/3/"), [Arc::<str>::from("pusher/3/a")]);
        assert_eq!(mirror.occupied("pusher/").len(), 2);
        let first = |origin| mirror.is_first("pusher/3/a", origin);
        assert_eq!(["a:1:1", "b:1:1", "c:1:1"].map(first), [true, true, false]);
        assert!(mirror.set(&shared, "b:1:1#1", change("pusher/3/a", 0), &mut pause));
        assert_eq!((mirror.subscribers("pusher/3/a"), mirror.is_first("pusher/3/a", "c:1:1")), (5, true));
    }

    #[test]
    fn nodes_come_and_go_with_their_members() {
        let shared = Shared::new(&Config::default(), 1, Box::new(|| {}));
        let (mirror, mut pause) = (Mirror::default(), || false);
        let change = |user: &str, connections| -> Change {
            ("c".into(), user.into(), (connections > 0).then_some((connections, None)))
        };
        let count = || mirror.members("c").1.iter().map(|member| member.connections).sum::<u32>();
        for node in ["a:1:1#1", "b:1:1#1"] {
            assert!(mirror.set(&shared, node, change("ann", 2), &mut pause));
            assert!(mirror.set(&shared, node, change("ann", 2), &mut pause), "once more");
        }
        assert_eq!((count(), mirror.members("c").0, shared.waiting()), (4, 2, 2));
        assert!(mirror.replace(&shared, "a:1:1#1", vec![change("bob", 1)], &mut pause));
        assert_eq!((count(), mirror.members("c").1.len()), (3, 2));
        let (now, live) = (Instant::now(), ["a:1:1#1".to_owned()]);
        assert!(mirror.settle(&shared, &live, now, &mut pause));
        assert_eq!(count(), 3, "it may have lost its lease with the server's data");
        assert!(mirror.settle(&shared, &live, now + KEPT, &mut pause));
        assert_eq!((count(), mirror.nodes()), (1, vec!["a:1:1#1".to_owned()]));
        assert!(mirror.remove(&shared, "a:1:1#1", &mut pause));
        assert_eq!((count(), mirror.nodes()), (0, Vec::new()));
        shared.stop();
        assert!(!mirror.set(&shared, "a:1:1#1", change("ann", 1), &mut pause));
    }
}
