//! Clients of apps over plain HTTP, where a network breaks WebSockets. Each has a connection like any other, which
//! speaks frames; below it these are made [lines](Lines), in an answer without an end or for polls that come again and
//! again. What such a client says comes with requests of its own.

use crate::config::{PUSHER_SPOKEN, Transport as Named};
use crate::endpoint::fallback::{self, Doing, Fallback};
use crate::endpoint::public::unserved;
use crate::endpoint::{ConnId, Kind, streams};
use crate::metrics::{CloseReason, Metrics, RefuseReason};
use crate::narrow;
use crate::protocol::chunk;
use crate::protocol::pusher::lines::{self, Carrier, Lines};
use crate::protocol::response::{Refusal, Response};
use crate::push::Message;

use super::super::connections::Gone;
use super::super::http::{Progress, Whole};
use super::super::peers::PeerNews;
use super::super::reactor::{Encryption, Incoming, ListenerRole, READ_BYTES, Reactor};
use super::super::slot::{Aside, Flags, Phase, Slot};
use super::super::socket::Socket;
use super::super::waiting::Told;
use super::super::wire::{Sent, Wire, send};
use super::opening::NotLetIn;
use super::sessions::{PollDue, Poller};

/// Bytes of lines that one poll is answered with; the next one has the rest.
const POLLED_BYTES: usize = 256 << 10;

impl<S> Slot<S> {
    /// The lines that its frames become.
    pub(in super::super) fn lines(&self) -> Option<&Lines> {
        self.extra.as_ref().filter(|_| PUSHER_SPOKEN)?.aside.as_ref()?.lines.as_deref()
    }

    pub(in super::super) fn lines_mut(&mut self) -> Option<&mut Lines> {
        self.extra.as_mut().filter(|_| PUSHER_SPOKEN)?.aside.as_mut()?.lines.as_deref_mut()
    }

    /// Whether below its lines there is no TLS of this process.
    pub(in super::super) fn is_plain_below(&self) -> bool {
        self.lines().is_some() && self.extra.as_ref().is_none_or(|extra| extra.tls.is_none())
    }

    /// Whether it is one whose lines are polled, which has no socket.
    pub(in super::super) fn is_polled(&self) -> bool {
        self.lines().is_some_and(|lines| lines.carrier() != Carrier::Stream)
    }
}

impl Aside {
    /// Whether nothing is in it.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.stash.is_empty() && self.flow.is_none() && self.app.is_none() && self.lines.is_none()
    }
}

impl Wire {
    /// Writes to a connection whose frames are made lines.
    #[cold]
    pub(in super::super) fn write_lines<S: Socket>(
        &mut self,
        slot: &mut Slot<S>,
        metrics: &mut Metrics,
        first: &[u8],
        second: &[u8],
    ) -> Sent {
        if !PUSHER_SPOKEN {
            return Sent::Broken { taken: 0, cause: CloseReason::Internal };
        }
        let taken = first.len() + second.len();
        let exempt = slot.phase == Phase::Closing;
        let mut made = std::mem::take(&mut self.lines);
        let Some(lines) = slot.lines_mut() else {
            return Sent::Broken { taken: 0, cause: CloseReason::Internal };
        };
        let before = lines.held_bytes();
        lines.take(first, &mut made);
        lines.take(second, &mut made);
        let carrier = lines.carrier();
        let sent = match carrier {
            Carrier::Polls(index) => {
                self.polled.push(index);
                Sent::Bytes(0)
            }
            Carrier::Stream if slot.is_plain_below() => send(&mut slot.socket, metrics, &made, &[]),
            Carrier::Stream => self.seal_bytes(slot, metrics, &made, &[]),
        };
        let rest = &made[sent.taken()..];
        let is_held = !rest.is_empty() || matches!(sent, Sent::Held { .. });
        if let Some(lines) = slot.lines_mut() {
            lines.keep_unsent(rest);
            self.backlog_bytes = self.backlog_bytes - before + lines.held_bytes();
        }
        made.clear();
        made.shrink_to(READ_BYTES);
        self.lines = made;
        match sent {
            Sent::Broken { cause, .. } => Sent::Broken { taken, cause },
            _ if is_held && self.backlog_bytes > self.tls.backlog_bytes_max && !exempt => {
                Sent::Broken { taken, cause: CloseReason::Overload }
            }
            Sent::Short | Sent::Held { short: true, .. } => Sent::Held { taken, short: true },
            _ if is_held => Sent::Held { taken, short: false },
            _ => Sent::Bytes(taken),
        }
    }
}

impl<S: Socket> Reactor<S> {
    /// Writes the lines that a connection's socket has not taken. False: stop here.
    pub(in super::super) fn write_unsent_lines(&mut self, index: usize) -> bool {
        let slot = &mut self.connections.slots[index];
        if !PUSHER_SPOKEN || slot.lines().is_none_or(|lines| lines.unsent().is_empty()) {
            return true;
        }
        if slot.is_polled() {
            self.connections.set_blocked(index, true);
            return false;
        }
        let before = slot.backlog_bytes();
        let unsent = slot.lines_mut().map(Lines::take_unsent).unwrap_or_default();
        self.recount_backlog(index, before);
        let slot = &mut self.connections.slots[index];
        let sent = match slot.is_plain_below() {
            true => send(&mut slot.socket, &mut self.metrics, &unsent, &[]),
            false => self.wire.seal_bytes(slot, &mut self.metrics, &unsent, &[]),
        };
        let rest = &unsent[sent.taken()..];
        if !rest.is_empty() {
            self.hold(index, |slot| slot.lines_mut().map(|lines| lines.keep_unsent(rest)));
        }
        self.after_write(index, &sent, rest.is_empty())
    }

    /// Answers a request of such a client.
    pub(in super::super) fn answer_fallback(
        &mut self,
        index: usize,
        whole: Whole<'_>,
        asked: &Fallback,
    ) -> Result<Progress, Gone> {
        let Whole { head, body, used } = whole;
        if !PUSHER_SPOKEN {
            // No path leads here.
            return Ok(self.respond(index, head, &unserved(Named::Poll).into(), used));
        }
        if let Err(response) = fallback::check(head, &self.config.origins) {
            return Ok(self.respond(index, head, &response, used));
        }
        let page = head.single("origin").ok().flatten();
        let named = if asked.doing == Doing::Stream { Named::Stream } else { Named::Poll };
        if asked.doing != Doing::Send && !self.config.transports.contains(&named) {
            return Ok(self.respond(index, head, &unserved(named).into(), used));
        }
        match asked.doing {
            Doing::Send => {
                let serial = self.connections.slots[index].serial;
                let said = self.take_said(&asked.session, body);
                if !self.connections.has(index, serial) {
                    return Err(Gone);
                }
                let response = match said {
                    Ok(()) => fallback::answer(204, Vec::new(), page, &self.config.origins),
                    Err(refusal) => self.refused_fallback(refusal, page),
                };
                Ok(self.respond(index, head, &response, used))
            }
            Doing::Stream if head.minor_version == 0 => {
                let refusal = Refusal::fixed(505, "lines come in chunks, which HTTP/1.0 has not");
                Ok(self.respond(index, head, &refusal.into(), used))
            }
            Doing::Stream => self.open_app_stream(index, whole, asked),
            Doing::Poll => self.answer_app_poll(index, whole, asked),
        }
    }

    fn refused_fallback(&self, refusal: Refusal, page: Option<&str>) -> Response {
        let mut response = Response::from(refusal);
        response.headers.extend(streams::cross_origin(page, &self.config.origins));
        response
    }

    /// Tells a client by lines why it is not let in.
    fn turn_away_app(&mut self, index: usize, whole: &Whole<'_>, not: &NotLetIn) -> Progress {
        let peer = self.connections.peer(index);
        self.refused(not.reason, &not.why, peer);
        let page = whole.head.single("origin").ok().flatten();
        let response = fallback::answer(200, lines::refusal(not.code, &not.why), page, &self.config.origins);
        self.respond(index, whole.head, &response, whole.used)
    }

    fn open_app_stream(
        &mut self,
        index: usize,
        whole: Whole<'_>,
        asked: &Fallback,
    ) -> Result<Progress, Gone> {
        let page = whole.head.single("origin").ok().flatten();
        let number = match self.let_into_app(index, whole.head, page, &asked.key) {
            Ok(number) => number,
            Err(not) => return Ok(self.turn_away_app(index, &whole, &not)),
        };
        let fields = streams::cross_origin(page, &self.config.origins);
        streams::head(whole.head, fallback::LINES, fields)
            .write_head_of_stream(&mut self.scratch.replies, false);
        chunk::push(lines::OPEN, &mut self.scratch.replies);
        let lines = Lines::of_stream(self.scratch.replies.len());
        let slot = &mut self.connections.slots[index];
        slot.aside_mut().lines = Some(Box::new(lines));
        slot.flags.set(Flags::TLS, true);
        let begun = self.begin_app(index, number, &asked.session, Named::Stream);
        begun.map(|()| whole.used.map_or(Progress::Over, Progress::Upgraded))
    }

    /// Opens the connection of a session.
    fn begin_app(&mut self, index: usize, number: u32, session: &str, named: Named) -> Result<(), Gone> {
        let (admitted, entries) = self.open_app(index, number, 0);
        self.metrics.clients_admitted.bump(named.label());
        let slot = &mut self.connections.slots[index];
        slot.aside_mut().app.get_or_insert_default().session = Some(session.into());
        self.shared.app_sessions.enter(session, slot.id(index));
        self.begin_open(index, Kind::APP, &admitted, &entries)
    }

    /// Takes what the client of a session has said.
    fn take_said(&mut self, session: &str, body: &[u8]) -> Result<(), Refusal> {
        let said = fallback::said(body).ok_or(Refusal::fixed(400, "messages are a list of strings"))?;
        if said.len() > fallback::SAID_MAX {
            let (count, max) = (said.len(), fallback::SAID_MAX);
            return Err(Refusal::new(
                400,
                format!("{count} messages are more than the {max} of one request"),
            ));
        }
        let conn = self.shared.app_sessions.find(session);
        let conn = conn.ok_or(Refusal::fixed(404, "there is no such session, or not any more"))?;
        if conn.reactor() == self.shared.seat() || !self.shared.has_others() {
            self.app_said(conn, &said);
        } else {
            self.shared.tell_one(conn.reactor(), PeerNews::AppSaid { conn, said });
        }
        Ok(())
    }

    /// The client of a connection has said something, here or at another reactor.
    pub(in super::super) fn app_said(&mut self, conn: ConnId, said: &[String]) {
        if !PUSHER_SPOKEN {
            return;
        }
        let stamp = self.stamp();
        for text in said.iter().map(Some).chain([None]) {
            let Some(index) = self.find_open(conn) else { return };
            let slot = &mut self.connections.slots[index];
            slot.seen = stamp;
            slot.flags.set(Flags::PINGED, false);
            let Some(text) = text else { return };
            let replies = std::mem::take(&mut self.scratch.replies);
            if self.app_message(index, Message::Text(text)).is_ok() {
                let _ = self.send_replies(index);
            }
            self.scratch.replies = replies;
        }
    }

    /// Answers a poll, or lets it wait.
    fn answer_app_poll(
        &mut self,
        index: usize,
        whole: Whole<'_>,
        asked: &Fallback,
    ) -> Result<Progress, Gone> {
        let Whole { head, used, .. } = whole;
        let page = head.single("origin").ok().flatten();
        let serial = self.connections.slots[index].serial;
        let conn = match self.shared.app_sessions.find(&asked.session) {
            Some(conn) => conn,
            None => match self.begin_polled(index, &whole, asked) {
                Ok(conn) => conn,
                Err(progress) => return Ok(progress),
            },
        };
        if !self.connections.has(index, serial) {
            return Err(Gone);
        }
        let goes_on = used.is_some() && head.keep_alive();
        let waiting = self.begin_waiting(index, head, goes_on);
        let poller = Poller { seat: self.shared.seat(), waiting, page: page.map(Box::from) };
        if conn.reactor() == self.shared.seat() || !self.shared.has_others() {
            self.poll_app(conn, poller);
        } else {
            self.shared.tell_one(conn.reactor(), PeerNews::AppPoll { conn, poller });
        }
        Ok(Progress::Listing(used.unwrap_or(0)))
    }

    /// A connection for a session that is polled: one without a socket.
    fn begin_polled(
        &mut self,
        index: usize,
        whole: &Whole<'_>,
        asked: &Fallback,
    ) -> Result<ConnId, Progress> {
        let (head, page) = (whole.head, whole.head.single("origin").ok().flatten());
        let number = match self.let_into_app(index, head, page, &asked.key) {
            Ok(number) => number,
            Err(not) => return Err(self.turn_away_app(index, whole, &not)),
        };
        let peer = self.connections.peer(index);
        let made = S::nowhere().ok().and_then(|socket| {
            let (role, encryption) = (ListenerRole::Public, Encryption::None);
            self.admit_incoming(Incoming { socket, role, peer, encryption })
        });
        let Some(own) = made else {
            self.apps.leave(number);
            let why = "there is no room for another client".to_owned();
            let not = NotLetIn { code: 4_100, why, reason: RefuseReason::Full };
            return Err(self.turn_away_app(index, whole, &not));
        };
        let slot = &mut self.connections.slots[own];
        slot.aside_mut().lines = Some(Box::new(Lines::of_polls(narrow::to_u32(own))));
        slot.flags.set(Flags::TLS, true);
        let conn = slot.id(own);
        self.recount_backlog(own, 0);
        let replies = std::mem::take(&mut self.scratch.replies);
        if self.begin_app(own, number, &asked.session, Named::Poll).is_ok() {
            let _ = self.send_replies(own);
        }
        self.scratch.replies = replies;
        Ok(conn)
    }

    /// Somebody polls a connection of this reactor.
    pub(in super::super) fn poll_app(&mut self, conn: ConnId, poller: Poller) {
        if !PUSHER_SPOKEN {
            return;
        }
        let (index, stamp) = (conn.slot(), self.stamp());
        let Some(slot) = self.connections.get(index, conn.serial()) else {
            return self.answer_poller(poller, Vec::new());
        };
        if !slot.is_polled() {
            // A stream of the same session: its client has given that up.
            return self.answer_poller(poller, lines::refusal(4_200, "the session has a stream"));
        }
        slot.seen = stamp;
        slot.flags.set(Flags::PINGED, false);
        let place = (narrow::to_u32(index), slot.serial);
        if let Some(former) = self.apps.polls.set(place, Some(poller), self.now.mono_ms()) {
            self.answer_poller(former, Vec::new());
        }
        self.answer_if_told(index);
    }

    /// Answers those who wait for lines that have come.
    pub(in super::super) fn answer_told_polls(&mut self) {
        if !PUSHER_SPOKEN {
            return;
        }
        while let Some(index) = self.wire.polled.pop() {
            self.answer_if_told(index as usize);
        }
    }

    fn answer_if_told(&mut self, index: usize) {
        let slot = narrow::to_u32(index);
        let Some(serial) = self.apps.polls.awaited(slot) else { return };
        let is_there = self.connections.has(index, serial);
        let told = if is_there { self.take_lines(index) } else { Vec::new() };
        if told.is_empty() && is_there {
            return;
        }
        let poller = if self.connections.has(index, serial) {
            self.apps.polls.set((slot, serial), None, self.now.mono_ms())
        } else {
            self.apps.polls.forget(slot)
        };
        if let Some(poller) = poller {
            self.answer_poller(poller, told);
        }
    }

    /// The lines that a connection has, and those that it gets as it can be written to now.
    fn take_lines(&mut self, index: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < POLLED_BYTES && self.connections.slots.get(index).is_some_and(Slot::is_polled) {
            let more = self.hold(index, |slot| slot.lines_mut().map(Lines::take_unsent)).unwrap_or_default();
            if more.is_empty() {
                break;
            }
            all.extend_from_slice(&more);
            self.writable(index);
        }
        all
    }

    /// Answers a poll with these lines, wherever it waits.
    fn answer_poller(&mut self, poller: Poller, lines: Vec<u8>) {
        if poller.seat == self.shared.seat() {
            self.answer_poll_here(poller, lines);
        } else {
            self.shared.tell_one(poller.seat, PeerNews::AppPolled { poller, lines });
        }
    }

    /// The same at its own reactor.
    pub(in super::super) fn answer_poll_here(&mut self, poller: Poller, lines: Vec<u8>) {
        if !PUSHER_SPOKEN {
            return;
        }
        let response = fallback::answer(200, lines, poller.page.as_deref(), &self.config.origins);
        self.inbox.answers.push_back(Told::Connection(poller.waiting, response));
    }

    /// Does what is due at connections that are polled, as far as the turn goes.
    pub(in super::super) fn meet_app_polls(&mut self) {
        let now_ms = self.now.mono_ms();
        while !self.work.is_part_used()
            && let Some(((slot, serial), due)) = self.apps.polls.pop_due(now_ms)
        {
            self.work.charge(crate::metrics::WorkKind::Deadlines, super::super::work::DEADLINE);
            let index = slot as usize;
            let is_there = self.connections.has(index, serial);
            match due {
                PollDue::Answer(poller) => {
                    if is_there {
                        self.apps.polls.set((slot, serial), None, now_ms);
                    }
                    self.answer_poller(poller, lines::HEARTBEAT.to_vec());
                }
                PollDue::Absent if is_there => self.remove(index, CloseReason::Heartbeat),
                PollDue::Absent => {}
            }
        }
    }

    /// A connection of an app goes: its session with it, and who waits for its lines gets the last of them.
    pub(super) fn leave_session(&mut self, index: usize) {
        let slot = &self.connections.slots[index];
        let Some(session) = slot.app_session().and_then(|app| app.session.as_deref()) else { return };
        self.shared.app_sessions.leave(session, slot.id(index));
        if slot.is_polled() {
            self.wire.polled.push(narrow::to_u32(index));
        }
    }
}
