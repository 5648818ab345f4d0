//! Handshakes on which the host decides later ([`Decision::Pending`]). The request waits as one whose body has not
//! come: in the same memory, and no longer than `handshake_ms`.

use crate::endpoint::{ConnId, Decision, Kind};
use crate::metrics::{RefuseReason, WorkKind};
use crate::protocol::head;
use crate::protocol::response::Refusal;

use super::connections::Gone;
use super::http::Progress;
use super::reactor::Reactor;
use super::slot::{Body, BodyFraming, Flags, Phase, Request};
use super::socket::Socket;
use super::upgrade::Upgraded;
use super::work::{HEAD, HEAD_BYTE};

impl<S: Socket> Reactor<S> {
    /// Keeps a handshake, and what follows it, until the host has decided.
    pub(super) fn await_decision(&mut self, index: usize, request: &[u8], rest: &[u8]) -> Result<(), Gone> {
        if !self.has_backlog_room(index, request.len() + rest.len()) {
            return self.overloaded(index, false);
        }
        let now_ms = self.now.mono_ms();
        let slot = &mut self.connections.slots[index];
        slot.flags.set(Flags::UNDECIDED, true);
        self.connections.timers.handshakes.push(index, slot.serial, now_ms);
        self.hold(index, |slot| {
            let body =
                Some(Body { head: request.to_vec(), framing: BodyFraming::Length(0), bytes: Vec::new() });
            slot.extra_mut().http = Some(Box::new(Request { since_ms: now_ms, body, ..Request::default() }));
        });
        self.keep_for_later(index, rest)
    }

    /// Notes what the host has decided; the handshake goes on when nobody else's is at hand. Nothing happens if the
    /// client has gone, was refused for want of a decision, or has one already.
    pub(super) fn decide_later(&mut self, conn: ConnId, decision: Decision) {
        let index = conn.slot();
        let Some(slot) = self.connections.get(index, conn.serial()) else { return };
        let is_undecided = slot.phase == Phase::Http && slot.flags.any(Flags::UNDECIDED);
        if decision == Decision::Pending || !is_undecided {
            return;
        }
        if let Some(request) = slot.extra.as_mut().and_then(|extra| extra.http.as_mut()) {
            request.decided.get_or_insert(Box::new(decision));
            self.go_on_later(index);
        }
    }

    /// Goes on with a handshake on which the host has decided by now.
    pub(super) fn go_on_decided(&mut self, index: usize) -> Result<(), Gone> {
        // The host hears of it, so what its callbacks have asked for comes first.
        if !self.may_call_back(index)? {
            return Ok(());
        }
        let request = self.take_undecided(index);
        let Some(Request { body: Some(body), decided: Some(decision), .. }) = request.map(|request| *request)
        else {
            return Ok(());
        };
        self.work.charge(WorkKind::Heads, HEAD + body.head.len() as u64 * HEAD_BYTE);
        let mut fields = head::Fields::new();
        let Ok(Some((head, used))) = head::parse(&body.head, body.head.len(), &mut fields) else {
            return Ok(());
        };
        let progress = match self.upgrade(index, &head, Kind::Push, Some(*decision))? {
            Upgraded::Open | Upgraded::Pending => Progress::Upgraded(used),
            Upgraded::Refused(refusal) => self.respond_refused(index, &head, &refusal, Some(used)),
        };
        self.send_replies(index)?;
        match progress {
            Progress::Over => self.finish(index),
            _ => Ok(()),
        }
    }

    /// The host's time is over: the client is told to come back.
    pub(super) fn decision_due(&mut self, index: usize) {
        let text = "the server has not decided in time whom to let in (handshake_ms)";
        let peer = self.connections.slots[index].socket.peer();
        self.refused(RefuseReason::Timeout, text, peer);
        self.take_undecided(index);
        self.say_no(index, &Refusal::fixed(503, text));
        let _ = self.send_replies(index).and_then(|()| self.finish(index));
    }

    fn take_undecided(&mut self, index: usize) -> Option<Box<Request>> {
        self.hold(index, |slot| {
            slot.flags.set(Flags::UNDECIDED, false);
            let request = slot.extra.as_mut().and_then(|extra| extra.http.take());
            slot.tidy();
            request
        })
    }
}
