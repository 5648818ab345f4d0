//! The calls of this node to all, until each has said what it has to say, or its time is over.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::member_id;
use crate::reactor::engine::{Answered, Asker, Said};

/// For so long nodes are waited for.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Pending {
    asker: Asker,
    /// The runs of the nodes that are to answer, once they are known.
    expected: Option<Vec<String>>,
    said: Vec<(String, Said)>,
    until: Instant,
}

/// Those under way.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<HashMap<u64, Pending>>);

/// A call that is over.
pub(super) type Over = (Asker, Answered);

impl Calls {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Pending>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody is about to call.
    pub fn begin(&self, ticket: u64, asker: Asker, now: Instant) {
        let pending = Pending { asker, expected: None, said: Vec::new(), until: now + PATIENCE };
        self.lock().insert(ticket, pending);
    }

    /// Nobody has heard the call.
    pub fn withdraw(&self, ticket: u64) {
        self.lock().remove(&ticket);
    }

    /// These nodes have heard it.
    pub fn expect(&self, ticket: u64, nodes: Vec<String>) -> Option<Over> {
        let mut all = self.lock();
        all.get_mut(&ticket)?.expected = Some(nodes);
        end(&mut all, ticket, false)
    }

    /// A node has answered.
    pub fn say(&self, ticket: u64, node: &str, said: Said) -> Option<Over> {
        let mut all = self.lock();
        let pending = all.get_mut(&ticket)?;
        // After a lost connection the answers are read once more.
        if pending.said.iter().all(|(known, _)| known != node) {
            pending.said.push((node.to_owned(), said));
        }
        end(&mut all, ticket, false)
    }

    /// Those whose time is over.
    pub fn overdue(&self, now: Instant) -> Vec<Over> {
        let mut all = self.lock();
        let due: Vec<u64> =
            all.iter().filter(|(_, call)| call.until <= now).map(|(&ticket, _)| ticket).collect();
        due.into_iter().filter_map(|ticket| end(&mut all, ticket, true)).collect()
    }
}

fn end(all: &mut HashMap<u64, Pending>, ticket: u64, is_over: bool) -> Option<Over> {
    let pending = all.get(&ticket)?;
    let has_said = |node: &&String| pending.said.iter().any(|(known, _)| known == *node);
    let is_whole =
        pending.expected.as_ref().is_some_and(|expected| expected.iter().all(|node| has_said(&node)));
    if !is_over && !is_whole {
        return None;
    }
    let missing = pending.expected.iter().flatten().filter(|node| !has_said(node));
    let mut missing: Vec<String> = missing.map(|node| member_id::name(node).to_owned()).collect();
    let Pending { asker, mut said, .. } = all.remove(&ticket)?;
    said.iter_mut().for_each(|(node, _)| *node = member_id::name(node).to_owned());
    said.sort_by(|one, other| one.0.cmp(&other.0));
    missing.sort();
    Some((asker, Answered { ticket, said: Ok(said), missing }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16) -> Said {
        Said::Admin { status, body: String::new() }
    }

    fn names(over: Option<Over>) -> Option<(Vec<String>, Vec<String>)> {
        let (_, Answered { said, missing, .. }) = over?;
        Some((said.unwrap().into_iter().map(|(node, _)| node).collect(), missing))
    }

    #[test]
    fn a_call_is_over_when_all_have_answered() {
        let (calls, strings) = (Calls::default(), |all: &[&str]| -> Vec<String> {
            all.iter().map(|&one| one.to_owned()).collect()
        });
        let now = Instant::now();
        calls.begin(1, Asker::Reactor(0), now);
        // An answer may come before it is known who has heard it.
        assert!(calls.say(1, "b:1:2", said(200)).is_none());
        assert!(calls.say(1, "b:1:2", said(200)).is_none());
        assert!(calls.expect(1, strings(&["a:1:1", "b:1:2"])).is_none());
        assert_eq!(names(calls.say(1, "a:1:1", said(200))), Some((strings(&["a", "b"]), strings(&[]))));
        assert!(calls.say(1, "a:1:1", said(200)).is_none(), "it is over");
        calls.begin(2, Asker::Reactor(0), now);
        assert!(calls.expect(2, strings(&["a:1:1", "b:1:2"])).is_none());
        calls.say(2, "b:1:2", said(200));
        assert!(calls.overdue(now).is_empty());
        let over = calls.overdue(now + PATIENCE).pop();
        assert_eq!(names(over), Some((strings(&["b"]), strings(&["a"]))));
        calls.begin(3, Asker::Nobody, now);
        assert_eq!(names(calls.expect(3, Vec::new())), Some((strings(&[]), strings(&[]))), "nobody is there");
    }
}
