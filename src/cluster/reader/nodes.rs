//! The reader's part in what nodes tell each other: who is where, what is asked of all, and what is answered.

use redis::{Value, cmd};

use super::super::call::{self, Called, read_said};
use super::super::mirror::{self, read_changes};
use super::super::{reply, roll};
use super::{FIRST, Pause, Reader, Stop};
use crate::push::PushError;
use crate::reactor::Shared;

impl Reader {
    /// Takes in what has come of all that nodes have told each other.
    pub(super) fn load(&mut self, shared: &Shared, pause: Pause<'_>) -> Result<(), Stop> {
        let terms = self.terms.clone();
        self.is_to_load = false;
        let answer = self.link()?.ask(cmd("HGETALL").arg(terms.keys.of_nodes("revoked")))?;
        let users = reply::list(&answer).chunks_exact(2);
        let users = users.filter_map(|pair| Some((reply::text(&pair[0])?.into(), reply::number(&pair[1])?)));
        shared.revoked(users.collect());
        let answer = self.link()?.ask(cmd("HKEYS").arg(terms.keys.of_nodes("lease")))?;
        let live: Vec<&str> = reply::list(&answer).iter().filter_map(reply::text).collect();
        for node in live.iter().filter(|node| mirror::is_other(node, &terms.origin)) {
            let mut members = self.link()?.members_of(&terms, node)?;
            members.retain(|(channel, user, _)| roll::is_told(channel, user));
            if !terms.mirror.replace(shared, node, members, pause) {
                return Err(Stop::Over);
            }
        }
        for node in terms.mirror.nodes() {
            if !live.contains(&&*node) && !terms.mirror.remove(shared, &node, pause) {
                return Err(Stop::Over);
            }
        }
        Ok(())
    }

    /// Another node has told of its members, or is gone.
    pub(super) fn reflect(
        &self,
        shared: &Shared,
        node: &str,
        changes: Option<&str>,
        pause: Pause<'_>,
    ) -> Result<(), Stop> {
        let mirror = &self.terms.mirror;
        let is_done = match changes {
            _ if !mirror::is_other(node, &self.terms.origin) => true,
            None => mirror.remove(shared, node, pause),
            Some(changes) => {
                read_changes(changes).into_iter().all(|change| mirror.set(shared, node, change, pause))
            }
        };
        if is_done { Ok(()) } else { Err(Stop::Over) }
    }

    /// A node has answered a call of this one.
    pub(super) fn hear(&mut self, shared: &Shared, answer: &Value) {
        let [id, fields] = reply::list(answer) else { return };
        self.own = reply::text(id).unwrap_or(FIRST).to_owned();
        let fields = reply::list(fields);
        let find = |name: &str| {
            let pair = fields.chunks_exact(2).find(|pair| reply::text(&pair[0]) == Some(name));
            pair.and_then(|pair| reply::text(&pair[1]))
        };
        let said =
            (find("q").and_then(|ticket| ticket.parse().ok()), find("n"), find("j").and_then(read_said));
        if let (Some(ticket), Some(node), Some(said)) = said
            && let Some((asker, answered)) = self.terms.calls.say(ticket, node, said)
        {
            shared.answered(asker, answered);
        }
    }

    /// A node has called all, or those with one name.
    pub(super) fn called(
        &self,
        shared: &Shared,
        id: &str,
        called: &Called,
        pause: Pause<'_>,
    ) -> Result<(), Stop> {
        if let Some(user) = call::revoked(&called.call) {
            // By the server's clock: nobody's is behind that of the one who has asked.
            let ms: u64 = id.split_once('-').and_then(|(ms, _)| ms.parse().ok()).unwrap_or(0);
            shared.revoked([(user.into(), ms / 1_000)].into());
        }
        if called.node.as_ref().is_some_and(|node| *node != self.terms.node) {
            return Ok(());
        }
        loop {
            match shared.called(&called.call, called.return_to()) {
                Ok(()) => return Ok(()),
                Err(PushError::InboxFull) if pause() => {}
                Err(_) => return Err(Stop::Over),
            }
        }
    }
}
