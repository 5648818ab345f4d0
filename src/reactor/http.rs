//! Requests: put together, routed, answered, one after the other on the same connection.

#[cfg(feature = "pusher")]
use crate::endpoint::apps::Admitted;
use crate::endpoint::caller::Caller;
use crate::endpoint::fallback::Doing;
use crate::endpoint::public::{self, Destination};
use crate::metrics::{RefuseReason, WorkKind};
use crate::narrow;
use crate::protocol::body::{Chunked, Framing};
use crate::protocol::head::{self, Head};
use crate::protocol::response::{self, Refusal, Response};

use super::addresses::NOWHERE;
use super::backend::Earlier;
use super::connections::Gone;
use super::reactor::{POOL_RESERVE, READ_BYTES, Reactor};
use super::refusal;
use super::slot::{Body, BodyFraming, Flags, Phase, Request, Slot};
use super::socket::Socket;
use super::streams::StreamAsked;
use super::upgrade::Upgraded;
use super::work::{BYTES, HEAD, HEAD_BYTE};

/// Where a piece of input has led.
pub(super) enum Progress {
    /// So many bytes are used; go on with the rest.
    Used(usize),
    /// So many are used, and what follows is for the transport that the connection has now.
    Upgraded(usize),
    /// The rest is not enough for a request.
    Incomplete,
    /// The rest has to wait: a callback may not run yet.
    Later,
    /// So many bytes are used; the answer and the rest have to wait.
    Listing(usize),
    /// So many bytes are a handshake on which the host decides later.
    Undecided(usize),
    /// Everything is said on this connection.
    Over,
}

/// The destination of a request, found once: when its head is whole.
pub(super) enum Asked {
    /// Something of an app's backend, and whether its signature lets it in.
    #[cfg(feature = "pusher")]
    Backend(Result<Admitted, Refusal>),
    /// The admin API, and who makes it, if the fence lets it pass.
    Admin(Result<Caller, Refusal>),
    /// Something of a public listener.
    Public(Destination),
}

impl Asked {
    /// Whether the answer depends on the request's body.
    fn takes_body(&self) -> bool {
        #[cfg(feature = "pusher")]
        if let Asked::Backend(admitted) = self {
            return admitted.is_ok();
        }
        match self {
            Asked::Public(Destination::Fallback(asked)) => asked.doing == Doing::Send,
            _ => matches!(self, Asked::Admin(Ok(_)) | Asked::Public(Destination::DemoPush)),
        }
    }
}

/// A request whose body is still to come.
struct Beginning<'a> {
    head: &'a Head<'a>,
    /// The bytes of the head.
    bytes: &'a [u8],
    framing: BodyFraming,
    /// The body may have so many bytes.
    bytes_max: usize,
}

/// A request that is all here.
pub(super) struct Whole<'a> {
    pub head: &'a Head<'a>,
    pub body: &'a [u8],
    /// Bytes of the input that it took; None: what follows is of no use.
    pub used: Option<usize>,
}

impl<S: Socket> Reactor<S> {
    /// Takes what came in on a connection that speaks HTTP.
    pub(super) fn http_input(&mut self, index: usize, input: &mut [u8]) -> Result<(), Gone> {
        let mut gathered = Vec::new();
        let Some(input) = self.take_chain(index, input, &mut gathered)? else { return Ok(()) };
        let mut at = 0;
        while at < input.len() {
            if !self.goes_on_with(index, at, &input[at..])? {
                return self.keep_for_later(index, &input[at..]);
            }
            match self.http_step(index, &input[at..])? {
                Progress::Used(n) => at += n,
                Progress::Upgraded(n) if at + n < input.len() => {
                    return self.open_input(index, &mut input[at + n..]);
                }
                // Mostly a client waits for the answer before it says anything.
                Progress::Upgraded(_) => break,
                Progress::Listing(n) => {
                    self.send_replies(index)?;
                    return self.keep_for_later(index, &input[at + n..]);
                }
                Progress::Undecided(n) => {
                    self.send_replies(index)?;
                    return self.await_decision(index, &input[at..at + n], &input[at + n..]);
                }
                Progress::Later => return self.keep_for_later(index, &input[at..]),
                Progress::Incomplete => {
                    self.stash_request(index, &input[at..])?;
                    break;
                }
                Progress::Over => {
                    self.send_replies(index)?;
                    return self.finish(index);
                }
            }
        }
        self.send_replies(index)
    }

    /// Whether a connection goes on with the rest of an input of which `used` bytes are used: it takes the answers to
    /// what came before, and has something left of its share.
    fn goes_on_with(&mut self, index: usize, used: usize, rest: &[u8]) -> Result<bool, Gone> {
        if self.scratch.replies.len() > READ_BYTES {
            self.send_replies(index)?;
            if self.connections.slots[index].flags.any(Flags::PAUSED) {
                return Ok(false);
            }
        }
        let postpones = used > 0 && self.work.postpones(rest);
        if postpones {
            self.send_replies(index)?;
        }
        Ok(!postpones)
    }

    /// Keeps input that can't be taken up now.
    pub(super) fn keep_for_later(&mut self, index: usize, rest: &[u8]) -> Result<(), Gone> {
        if rest.is_empty() && self.connections.slots[index].kept().is_empty() {
            return Ok(());
        }
        if !self.has_backlog_room(index, rest.len()) {
            return self.overloaded(index, false);
        }
        self.hold(index, |slot| slot.keep(rest));
        Ok(())
    }

    /// Puts the part of a head that came before in front of what came now. None: it still is no whole head.
    fn take_chain<'a>(
        &mut self,
        index: usize,
        input: &'a mut [u8],
        gathered: &'a mut Vec<u8>,
    ) -> Result<Option<&'a mut [u8]>, Gone> {
        let request = self.connections.slots[index].extra.as_mut().and_then(|extra| extra.http.as_mut());
        let Some(request) = request.filter(|request| !request.chain.is_empty()) else {
            return Ok(Some(input));
        };
        let whole =
            input.contains(&b'\n') || request.chain.len() + input.len() > self.config.handshake_bytes_max;
        if !whole {
            // A head ends with a newline: without one there is nothing to parse again.
            self.stash_request(index, input)?;
            return Ok(None);
        }
        self.pool.gather(&request.chain, gathered);
        self.pool.release(&mut request.chain);
        self.count_chunks(index);
        gathered.extend_from_slice(input);
        Ok(Some(gathered))
    }

    /// Keeps the part of a head that is here, in chunks of the pool.
    fn stash_request(&mut self, index: usize, rest: &[u8]) -> Result<(), Gone> {
        let slot = &mut self.connections.slots[index];
        let reserve = match slot.phase {
            Phase::Admin if slot.flags.any(Flags::KNOWN) => 0,
            Phase::Admin => POOL_RESERVE / 2,
            _ => POOL_RESERVE,
        };
        let is_admin = slot.phase == Phase::Admin;
        let (now_ms, serial, served) = (self.now.mono_ms(), slot.serial, slot.flags.any(Flags::SERVED));
        let extra = slot.extra_mut();
        if extra.http.is_none() && served {
            self.connections.timers.handshakes.push(index, serial, now_ms);
        }
        let request =
            extra.http.get_or_insert_with(|| Box::new(Request { since_ms: now_ms, ..Request::default() }));
        let missing = self.pool.chunks_missing(&request.chain, rest.len(), reserve);
        if missing > 0 && (is_admin || !self.make_chunks_free(index, missing)) {
            return self
                .refuse_unfinished(index, "no memory left for incomplete requests (assembly_bytes_max)");
        }
        if let Some(request) = self.connections.slots[index].extra_mut().http.as_mut() {
            let appended = self.pool.append(&mut request.chain, rest, reserve);
            debug_assert!(appended, "there is room");
        }
        self.count_chunks(index);
        Ok(())
    }

    /// There is no room for a request that is not whole yet.
    pub(super) fn refuse_unfinished(&mut self, index: usize, reason: &'static str) -> Result<(), Gone> {
        self.refuse_for_memory(index, reason);
        self.send_replies(index)?;
        self.finish(index)
    }

    /// Takes one request, or a piece of a body.
    fn http_step(&mut self, index: usize, input: &[u8]) -> Result<Progress, Gone> {
        let body =
            self.connections.slots[index].extra.as_mut().and_then(|extra| extra.http.as_mut()?.body.as_mut());
        if body.is_some() {
            return self.body_step(index, input);
        }
        self.connections.slots[index].begin_request(self.now.mono_us);
        let mut fields = head::Fields::new();
        let parsed = head::parse(input, self.config.handshake_bytes_max, &mut fields);
        let bytes = match &parsed {
            Ok(Some((_, used))) => *used,
            _ => input.len().min(self.config.handshake_bytes_max),
        };
        self.work.charge(WorkKind::Heads, HEAD + bytes as u64 * HEAD_BYTE);
        let (head, used) = match &parsed {
            Ok(Some((head, used))) => (head, *used),
            Ok(None) => return Ok(Progress::Incomplete),
            Err(refusal) => return Ok(self.refuse(index, refusal)),
        };
        if !self.config.trusted_proxies.is_empty() {
            self.read_forwarded(index, head);
        }
        let asked = self.asked(index, head);
        if self.opens_too_soon(index, &asked)? {
            return Ok(Progress::Later);
        }
        let bytes_max = if asked.takes_body() { self.body_bytes_max(index, &asked) } else { usize::MAX };
        let framing = match head.body(bytes_max) {
            Ok(framing) => framing,
            Err(refusal) => return Ok(self.refuse(index, &refusal)),
        };
        let rest = &input[used..];
        match framing {
            Framing::None => self.dispatch(index, Whole { head, body: &[], used: Some(used) }, asked),
            Framing::Length(n) if n <= rest.len() => {
                self.dispatch(index, Whole { head, body: &rest[..n], used: Some(used + n) }, asked)
            }
            // Nobody would read the rest of it: the answer comes at once, and is the last one.
            _ if !asked.takes_body() => self.dispatch(index, Whole { head, body: &[], used: None }, asked),
            Framing::Length(n) => {
                let framing = BodyFraming::Length(n);
                Ok(self.begin_body(index, Beginning { head, bytes: &input[..used], framing, bytes_max }))
            }
            Framing::Chunked => {
                let framing = BodyFraming::Chunked(Chunked::default());
                Ok(self.begin_body(index, Beginning { head, bytes: &input[..used], framing, bytes_max }))
            }
        }
    }

    /// Whether it is a handshake on which the host can't be asked yet: see `may_call_back`.
    fn opens_too_soon(&mut self, index: usize, asked: &Asked) -> Result<bool, Gone> {
        let opens = matches!(asked, Asked::Public(destination) if destination.is_push());
        Ok(opens && !self.has_carried_out(self.shared.own().last()) && !self.may_call_back(index)?)
    }

    /// Finds what a request asks for. A client that passes the fence is known from here on.
    #[inline(always)]
    fn asked(&mut self, index: usize, head: &Head<'_>) -> Asked {
        #[cfg(feature = "pusher")]
        if !self.apps.are_none()
            && let Some(asked) = self.asked_by_backend(index, head)
        {
            return asked;
        }
        if self.connections.slots[index].phase != Phase::Admin {
            return Asked::Public(public::destination(head, &self.config, &self.routes));
        }
        Asked::Admin(self.caller(index, head))
    }

    /// A body of this request may have so many bytes.
    fn body_bytes_max(&self, index: usize, asked: &Asked) -> usize {
        #[cfg(feature = "pusher")]
        if let Asked::Backend(Ok(admitted)) = asked {
            return admitted.body_bytes_max();
        }
        let _ = asked;
        match self.connections.slots[index].phase {
            Phase::Admin => self.config.admin_body_bytes_max,
            _ => self.config.message_bytes_max,
        }
    }

    fn begin_body(&mut self, index: usize, beginning: Beginning<'_>) -> Progress {
        let Beginning { head, bytes, framing, bytes_max } = beginning;
        if head.expects_continue() {
            self.scratch.replies.extend_from_slice(response::CONTINUE);
        }
        let (now_ms, slot) = (self.now.mono_ms(), &mut self.connections.slots[index]);
        if slot.extra.as_ref().is_none_or(|extra| extra.http.is_none()) {
            self.connections.timers.handshakes.push(index, slot.serial, now_ms);
        }
        if !self.has_backlog_room(index, bytes.len()) {
            return self.refuse_for_memory(index, "no memory left for request bodies (backlog_bytes_max)");
        }
        self.hold(index, |slot| {
            let request = || Box::new(Request { since_ms: now_ms, ..Request::default() });
            let request = slot.extra_mut().http.get_or_insert_with(request);
            request.body = Some(Body { head: bytes.to_vec(), framing, bytes_max, bytes: Vec::new() });
        });
        Progress::Used(bytes.len())
    }

    fn body_step(&mut self, index: usize, input: &[u8]) -> Result<Progress, Gone> {
        self.work.charge(WorkKind::Heads, input.len() as u64 / BYTES);
        if !self.has_backlog_room(index, input.len()) {
            return Ok(self.refuse_for_memory(index, "no memory left for request bodies (backlog_bytes_max)"));
        }
        let (used, whole) = match self.hold(index, |slot| take_piece(slot, input)) {
            Ok(step) => step,
            Err(refusal) => return Ok(self.refuse(index, &refusal)),
        };
        if !whole {
            return Ok(Progress::Used(used));
        }
        let taken = self.hold(index, |slot| slot.extra_mut().http.as_mut()?.body.take());
        let Some(Body { head, bytes, .. }) = taken else { return Ok(Progress::Used(used)) };
        let mut fields = head::Fields::new();
        match head::parse(&head, head.len(), &mut fields) {
            Ok(Some((head, _))) => {
                let asked = self.asked(index, &head);
                self.dispatch(index, Whole { head: &head, body: &bytes, used: Some(used) }, asked)
            }
            Ok(None) => Ok(self.refuse(index, &Refusal::fixed(400, "incomplete request head"))),
            Err(refusal) => Ok(self.refuse(index, &refusal)),
        }
    }

    /// Answers a request.
    fn dispatch(&mut self, index: usize, whole: Whole<'_>, asked: Asked) -> Result<Progress, Gone> {
        self.end_request(index);
        match asked {
            #[cfg(feature = "pusher")]
            Asked::Backend(admitted) => Ok(self.answer_backend(index, whole, admitted)),
            Asked::Admin(passed) => Ok(self.answer_admin(index, whole, passed)),
            Asked::Public(destination) => self.answer_public(index, whole, destination),
        }
    }

    fn answer_public(&mut self, index: usize, whole: Whole<'_>, to: Destination) -> Result<Progress, Gone> {
        let Whole { head, body, used } = whole;
        Ok(match to {
            Destination::Respond(response) => self.respond(index, head, &response, used),
            Destination::Refuse(refusal) => {
                self.note_refusal(index, refusal.status, &refusal.reason);
                let response = refusal::for_page(head, refusal, &self.config.origins);
                self.respond(index, head, &response, used)
            }
            Destination::Fallback(asked) => self.answer_fallback(index, whole, &asked)?,
            Destination::Readiness => self.respond(index, head, &self.readiness(), used),
            Destination::DemoInfo => self.respond(index, head, &self.demo_info(), used),
            Destination::DemoPush => {
                let response = self.demo_push(index, head, body);
                self.respond(index, head, &response, used)
            }
            Destination::Socket(kind) => match self.upgrade(index, head, kind, Earlier::default())? {
                Upgraded::Open => used.map_or(Progress::Over, Progress::Upgraded),
                Upgraded::Pending => used.map_or(Progress::Over, Progress::Undecided),
                Upgraded::Refused(refusal) => self.respond_refused(index, head, &refusal, used),
            },
            Destination::Stream(named) => {
                self.answer_stream(index, StreamAsked { head, used, named }, Earlier::default())?
            }
        })
    }

    /// The request at hand has been read whole.
    fn end_request(&mut self, index: usize) {
        let before = self.connections.slots[index].backlog_bytes();
        let slot = &mut self.connections.slots[index];
        slot.flags.set(Flags::SERVED, true);
        if let Some(extra) = &mut slot.extra
            && let Some(mut request) = extra.http.take()
        {
            self.pool.release(&mut request.chain);
            self.shares.chunks.set(narrow::to_u32(index), 0, || NOWHERE);
        }
        slot.tidy();
        self.recount_backlog(index, before);
    }

    pub(super) fn respond(
        &mut self,
        index: usize,
        head: &Head<'_>,
        response: &Response,
        used: Option<usize>,
    ) -> Progress {
        let stays =
            head.keep_alive() && self.exit.draining.is_none() && self.may_stay(index, response.status);
        let used = used.filter(|_| stays);
        if self.connections.slots[index].phase == Phase::Admin && response.status >= 400 {
            self.metrics.admin_refused += 1;
        }
        self.work.charge(WorkKind::Heads, response.body.len() as u64 / BYTES);
        response.write(&mut self.scratch.replies, used.is_some(), head.method == "HEAD");
        used.map_or(Progress::Over, Progress::Used)
    }

    /// Answers what is no proper request. Where the next one would begin nobody knows, so this is the last answer.
    fn refuse(&mut self, index: usize, refusal: &Refusal) -> Progress {
        if self.connections.slots[index].phase == Phase::Http {
            self.note_refusal(index, refusal.status, &refusal.reason);
        } else {
            self.metrics.admin_refused += 1;
        }
        self.say_no(index, refusal);
        Progress::Over
    }

    /// As [`refuse`](Self::refuse), for want of memory.
    fn refuse_for_memory(&mut self, index: usize, text: &'static str) -> Progress {
        let peer = self.connections.peer(index);
        self.refused(RefuseReason::Overload, text, peer);
        self.say_no(index, &Refusal::fixed(503, text));
        Progress::Over
    }
}

/// Puts a piece of input to the body that it belongs to: how much of it, and whether the body is whole now.
fn take_piece<S>(slot: &mut Slot<S>, input: &[u8]) -> Result<(usize, bool), Refusal> {
    let request = slot.extra_mut().http.get_or_insert_default();
    let Some(body) = &mut request.body else { return Ok((0, false)) };
    match &mut body.framing {
        BodyFraming::Length(missing) => {
            let n = input.len().min(*missing);
            body.bytes.extend_from_slice(&input[..n]);
            *missing -= n;
            Ok((n, *missing == 0))
        }
        BodyFraming::Chunked(chunked) => chunked.decode(input, &mut body.bytes, body.bytes_max),
    }
}
