//! How a refusal is said: JSON on the admin listener, a line of text on the public ones, or a close frame.

use crate::endpoint::streams::cross_origin;
use crate::endpoint::{Kind, admin, public, refusals};
use crate::protocol::handshake::Upgrade;
use crate::protocol::head::Head;
use crate::protocol::response::{Refusal, Response};

use super::connections::Gone;
use super::http::Progress;
use super::reactor::{ListenerRole, Reactor};
use super::slot::{Flags, Phase};
use super::socket::Socket;
use super::transport::Transport;

/// A refusal as the listener says it.
pub(super) fn response(role: ListenerRole, refusal: &Refusal) -> Response {
    match role {
        ListenerRole::Admin => admin::refused(refusal),
        ListenerRole::Public => Response::from(refusal.clone()),
    }
}

/// The same as a page of another origin can read it, if it may: one that has taken a wrong path is to see that.
pub(super) fn for_page(head: &Head<'_>, refusal: Refusal, origins: &[String]) -> Response {
    let mut response = Response::from(refusal);
    let page = head.single("origin").ok().flatten();
    response.headers.extend(cross_origin(page, origins));
    response
}

impl<S: Socket> Reactor<S> {
    /// Answers a handshake that is refused.
    pub(super) fn respond_refused(
        &mut self,
        index: usize,
        head: &Head<'_>,
        refusal: &Refusal,
        used: Option<usize>,
    ) -> Progress {
        // A client that is refused for want of room must not keep the little there is.
        let used = used.filter(|_| refusal.status != 503);
        self.respond(index, head, &response(ListenerRole::Public, refusal), used)
    }

    /// Whether newcomers are let in, as the public listener says it.
    pub(super) fn readiness(&self) -> Response {
        let newcomers = self.check_newcomers().map_err(|(refusal, _)| refusal);
        match newcomers.and_then(|()| self.check_engine()) {
            Ok(()) => public::ready(),
            Err(refusal) => response(ListenerRole::Public, &refusal),
        }
    }

    /// The listener that a connection which speaks HTTP came in by.
    pub(super) fn role(&self, index: usize) -> ListenerRole {
        if self.connections.slots[index].phase == Phase::Admin {
            ListenerRole::Admin
        } else {
            ListenerRole::Public
        }
    }

    /// Puts a refusal into `replies`, as the last answer on this connection.
    pub(super) fn say_no(&mut self, index: usize, refusal: &Refusal) {
        response(self.role(index), refusal).write(&mut self.scratch.replies, false, false);
    }

    /// Answers 101 and a close frame that says why, and waits for the peer's close frame. To everybody else
    /// such a connection has never been open: no callback hears of it, and it counts as refused.
    pub(super) fn refuse_by_close(
        &mut self,
        index: usize,
        upgrade: &Upgrade<'_>,
        kind: Kind,
        refusal: &Refusal,
    ) -> Result<(), Gone> {
        let speaks = |name: &str| self.routes.speaks(kind, &self.config, name);
        refusals::respond(upgrade, refusal, speaks, &mut self.scratch.replies);
        self.await_refused(index)
    }

    /// Sends the answer to a client that is refused so, and waits for its close frame.
    pub(super) fn await_refused(&mut self, index: usize) -> Result<(), Gone> {
        let slot = &mut self.connections.slots[index];
        slot.phase = Phase::Closing;
        slot.kind = Kind::REFUSED;
        slot.transport = Transport::WebSocket;
        // The bit means something else on an open connection.
        slot.flags.set(Flags::SERVED, false);
        let serial = slot.serial;
        self.connections.census.closing += 1;
        self.connections.timers.closes.push(index, serial, self.now.mono_ms());
        self.send_replies(index)
    }
}
