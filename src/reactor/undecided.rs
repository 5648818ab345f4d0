//! Handshakes on which the host decides later ([`Decision::Pending`]), or a backend (`auth_webhook`). The request waits
//! as one whose body has not come: in the same memory, and no longer than `handshake_ms`.

use crate::endpoint::public::{self, Destination};
use crate::endpoint::{ConnId, Decision, Kind};
use crate::metrics::{RefuseReason, WorkKind};
use crate::protocol::head;
use crate::protocol::response::Refusal;

use super::backend::Earlier;
use super::connections::Gone;
use super::http::Progress;
use super::reactor::Reactor;
use super::slot::{Awaited, Body, BodyFraming, Flags, Phase, Request};
use super::socket::Socket;
use super::streams::StreamAsked;
use super::upgrade::Upgraded;
use super::work::{HEAD, HEAD_BYTE};

impl<S: Socket> Reactor<S> {
    /// Keeps a handshake, and what follows it, until it is decided.
    pub(super) fn await_decision(&mut self, index: usize, request: &[u8], rest: &[u8]) -> Result<(), Gone> {
        if !self.has_backlog_room(index, request.len() + rest.len()) {
            return self.overloaded(index, false);
        }
        self.await_with(index, request);
        self.keep_for_later(index, rest)
    }

    fn await_with(&mut self, index: usize, request: &[u8]) {
        let undecided = std::mem::take(&mut self.scratch.undecided);
        let now_ms = self.now.mono_ms();
        let slot = &mut self.connections.slots[index];
        slot.flags.set(Flags::UNDECIDED, true);
        self.connections.timers.handshakes.push(index, slot.serial, now_ms);
        self.hold(index, |slot| {
            let body = Some(Body {
                head: request.to_vec(),
                framing: BodyFraming::Length(0),
                bytes_max: 0,
                bytes: Vec::new(),
            });
            let request = Request { since_ms: now_ms, body, undecided, ..Request::default() };
            slot.extra_mut().http = Some(Box::new(request));
        });
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
        let request = slot.extra.as_mut().and_then(|extra| extra.http.as_mut());
        if let Some(request) = request.filter(|request| request.undecided.awaited == Awaited::Host) {
            let vouched = request.undecided.vouched.take().map(|claims| Ok(*claims));
            request.decided.get_or_insert_with(|| Box::new(Earlier { vouched, decided: Some(decision) }));
            self.go_on_later(index);
        }
    }

    /// Goes on with a handshake on which it is decided by now.
    pub(super) fn go_on_decided(&mut self, index: usize) -> Result<(), Gone> {
        // The host hears of it, so what its callbacks have asked for comes first.
        if !self.may_call_back(index)? {
            return Ok(());
        }
        let request = self.take_undecided(index);
        let Some(Request { body: Some(body), decided: Some(earlier), .. }) = request.map(|request| *request)
        else {
            return Ok(());
        };
        self.work.charge(WorkKind::Heads, HEAD + body.head.len() as u64 * HEAD_BYTE);
        let mut fields = head::Fields::new();
        let Ok(Some((head, used))) = head::parse(&body.head, body.head.len(), &mut fields) else {
            return Ok(());
        };
        let progress = match public::destination(&head, &self.config, &self.routes) {
            Destination::Stream(named) => {
                let asked = StreamAsked { head: &head, used: Some(used), named };
                self.answer_stream(index, asked, *earlier)?
            }
            // Of the sockets only those that are pushed to wait, and their paths may be others since a reload.
            destination => match self.upgrade(index, &head, socket_of(&destination), *earlier)? {
                Upgraded::Open => Progress::Upgraded(used),
                Upgraded::Pending => Progress::Undecided(used),
                Upgraded::Refused(refusal) => self.respond_refused(index, &head, &refusal, Some(used)),
            },
        };
        self.send_replies(index)?;
        match progress {
            Progress::Over => self.finish(index),
            // The backend has let it in, and now the host wants to think about it. What came behind is kept already.
            Progress::Undecided(_) => {
                self.await_with(index, &body.head);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The time is over: the client is told to come back.
    pub(super) fn decision_due(&mut self, index: usize) {
        let text = "the server has not decided in time whom to let in (handshake_ms)";
        let refusal = Refusal::fixed(503, text);
        let request = self.take_undecided(index).and_then(|request| request.body);
        let bytes = request.map_or(Vec::new(), |body| body.head);
        let mut fields = head::Fields::new();
        let head = head::parse(&bytes, bytes.len(), &mut fields).ok().flatten().map(|(head, _)| head);
        let asked = head.as_ref().map(|head| (head, public::destination(head, &self.config, &self.routes)));
        if let Some((head, Destination::Stream(named))) = asked {
            let asked = StreamAsked { head, used: None, named };
            self.refuse_stream(index, asked, (refusal, RefuseReason::Timeout));
        } else {
            let peer = self.connections.peer(index);
            self.refused(RefuseReason::Timeout, text, peer);
            self.say_no(index, &refusal);
        }
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

/// The kind of socket that was asked for.
fn socket_of(destination: &Destination) -> Kind {
    match destination {
        Destination::Socket(kind) => *kind,
        _ => Kind::PUSH,
    }
}
