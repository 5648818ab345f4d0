//! Who is in the channels, as a client of `wspush.v1` has been told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wspush::endpoint::Control;

use super::world::World;

/// One channel's members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    Listed(BTreeSet<String>),
    /// They are too many.
    Counted,
}

/// All that a client knows of members.
#[derive(Debug, Default)]
pub struct Views {
    /// Channels that have some.
    with_presence: BTreeSet<String>,
    /// Those of which it was told who is there. It hears of others as well, and can't tell what that leads to.
    known: BTreeMap<String, View>,
}

impl View {
    fn of(count: u64, members: Option<BTreeSet<String>>) -> View {
        assert!(members.as_ref().is_none_or(|members| members.len() as u64 == count), "{count} {members:?}");
        members.map_or(View::Counted, View::Listed)
    }

    fn read(said: &Value) -> View {
        let name = |member: &Value| member["user"].as_str().expect("a name").to_owned();
        let members = said.get("members").map(|members| {
            let all = members.as_array().expect("a list");
            let names: BTreeSet<String> = all.iter().map(name).collect();
            assert_eq!(names.len(), all.len(), "somebody is there twice: {said}");
            names
        });
        View::of(said["count"].as_u64().expect("a number"), members)
    }
}

impl Views {
    pub fn new(with_presence: BTreeSet<String>) -> Views {
        Views { with_presence, ..Views::default() }
    }

    pub fn has(&self, channel: &str) -> bool {
        self.with_presence.contains(channel)
    }

    /// It is told who is there, in place of all that it knew.
    pub fn shown(&mut self, channel: &str, said: &Value) {
        self.known.insert(channel.to_owned(), View::read(said));
    }

    /// Somebody has come or gone.
    pub fn changed(&mut self, channel: &str, user: &str, is_there: bool) {
        assert!(self.has(channel), "{channel} has no presence, and {user} is told of");
        match self.known.get_mut(channel) {
            Some(View::Listed(members)) if is_there => _ = members.insert(user.to_owned()),
            Some(View::Listed(members)) => _ = members.remove(user),
            // One that was too slow hears now what was before they were too many.
            Some(View::Counted) | None => {}
        }
    }

    /// It hears no more of a channel.
    pub fn leave(&mut self, channel: &str) {
        self.known.remove(channel);
    }
}

impl World {
    /// A client that has heard everything knows who is there.
    pub fn check_views(&self, n: usize, who: &str) {
        let Some(v1) = &self.clients[n].v1 else { return };
        for (channel, view) in &v1.views.known {
            let found = self.reactor.presence(channel).flatten().expect("a channel with presence");
            let members = found.members.map(|all| all.into_iter().map(|member| member.user).collect());
            assert_eq!(*view, View::of(found.count, members), "{who}: {channel}");
        }
    }
}
