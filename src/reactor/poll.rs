//! Long polling: a request that is answered when there is something. As long as it waits its connection is a
//! subscriber; with the answer it speaks HTTP again.

use crate::endpoint::Kind;
use crate::endpoint::streams::{self, LINES};
use crate::metrics::{ConnectionTransport, WorkKind};
use crate::protocol::chunk;
use crate::protocol::response::Response;
use crate::protocol::v1::ServerMessage;
use crate::push::positions::push_named;
use crate::push::presence::Departure;
use crate::push::{ChannelId, Cursor, Entry, FIRST_OFFSET, Gap, Missed, Recovery};

use super::admission::Refused;
use super::alike::Taken;
use super::backend::Earlier;
use super::connections::{Connections, Gone};
use super::http::Progress;
use super::lines;
use super::reactor::Reactor;
use super::slot::{Flags, Phase, Request, Slot};
use super::socket::Socket;
use super::streams::StreamAsked;
use super::transport::Transport;
use super::work::{BYTES, CALL, DEADLINE};

/// How long a poll waits that doesn't say.
const WAIT_S: u64 = 25;

/// A request that waits, or is answered.
#[derive(Clone, Debug, Default, serde::Deserialize, serde::Serialize)]
pub struct Poll {
    /// The page that asks, if it is a browser's: its answer is for that.
    page: Option<Box<str>>,
    /// Whether there may be further requests behind it.
    goes_on: bool,
    /// It knows its position by the tag of an earlier answer: nothing new is 304.
    is_conditional: bool,
    /// It is of HTTP/1.0, which has no chunks.
    is_whole: bool,
    /// When it is answered at the latest.
    until_ms: u64,
}

impl Poll {
    pub(super) fn page(&self) -> Option<&str> {
        self.page.as_deref()
    }
}

/// The answer to a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// The publications that there are, behind the gaps that there are.
    Publications,
    /// Nothing, and the position.
    Nothing,
    /// The position is gone.
    Gone,
}

impl<S> Slot<S> {
    /// The poll that waits on this connection.
    fn poll(&self) -> Option<&Poll> {
        let request = self.extra.as_ref()?.http.as_ref()?;
        request.poll.as_ref().filter(|_| self.is_polling())
    }

    /// Whether its client waits for the answer to a poll.
    pub fn is_polling(&self) -> bool {
        self.phase == Phase::Open && self.transport == Transport::Poll
    }
}

impl<S: Socket> Reactor<S> {
    /// Lets a client in, and answers its poll or lets it wait. None: the host decides later.
    pub(super) fn open_poll(
        &mut self,
        index: usize,
        asked: StreamAsked<'_>,
        earlier: Earlier,
    ) -> Result<Option<Result<Progress, Gone>>, Refused> {
        let StreamAsked { head, used, .. } = asked;
        let asking = asked.asking()?;
        if head.method == "HEAD" {
            self.check_asking(index, &asking)?;
            let mut response = streams::uncached(200, LINES, Vec::new());
            response.headers.extend(streams::cross_origin(asking.origin, &self.config.origins));
            return Ok(Some(Ok(self.respond(index, head, &response, used))));
        }
        let Some(mut admitted) = self.let_in(index, &asking, earlier)? else { return Ok(None) };
        self.begin_anew_where_nothing_was(&mut admitted);
        let (wait_s, is_first) = (admitted.wishes.wait_s.unwrap_or(WAIT_S), !admitted.wishes.has_since);
        let until_ms = self.now.mono_ms() + wait_s * 1_000;
        let poll = Poll {
            page: asking.origin.map(Box::from),
            goes_on: used.is_some() && head.keep_alive(),
            is_conditional: head.header("if-none-match").is_some(),
            is_whole: head.minor_version == 0,
            until_ms,
        };
        self.connections.slots[index].speak(Transport::Poll, 0);
        let entries = self.open(index, Kind::PUSH, &mut admitted);
        self.metrics.clients_admitted.bump(ConnectionTransport::Poll);
        let request = Request { poll: Some(poll), ..Request::default() };
        self.connections.slots[index].extra_mut().http = Some(Box::new(request));
        for &(id, _) in &admitted.channels {
            self.channels.get_mut(id).end_awaited();
        }
        let answer = match self.outcome(index, &entries) {
            Answer::Nothing if !is_first && wait_s > 0 => {
                self.await_publication(index, wait_s * 1_000);
                return Ok(Some(Ok(Progress::Listing(used.unwrap_or(0)))));
            }
            answer => answer,
        };
        let answered = self.answer_poll(index, answer, &entries);
        if answered.is_ok() {
            // With what lies behind the request.
            self.go_on_later(index);
        }
        Ok(Some(answered.map(|()| Progress::Listing(used.unwrap_or(0)))))
    }

    fn outcome(&self, index: usize, entries: &[(ChannelId, Entry)]) -> Answer {
        let gaps = entries.iter().filter(|(_, entry)| entry.recovery.and_then(Recovery::gap).is_some());
        let mut rules = gaps.map(|(id, _)| self.channels.get(*id).rules.missed).peekable();
        let has_gap = rules.peek().is_some();
        let slot = &self.connections.slots[index];
        if rules.any(|missed| missed == Missed::Report) {
            Answer::Gone
        } else if has_gap || self.subscriptions(slot).any(|(id, cursor)| self.is_behind(index, id, cursor)) {
            Answer::Publications
        } else {
            Answer::Nothing
        }
    }

    fn await_publication(&mut self, index: usize, wait_ms: u64) {
        let now_ms = self.now.mono_ms();
        let Connections { slots, timers, .. } = &mut self.connections;
        let serial = slots[index].serial;
        let deadlines = timers.polls.entry(wait_ms).or_default();
        deadlines.push_among(index, serial, now_ms, |index, serial, since_ms| {
            let slot = slots.get(index).filter(|slot| slot.serial == serial);
            slot.and_then(Slot::poll).is_some_and(|poll| poll.until_ms == since_ms + wait_ms)
        });
    }

    /// Answers the polls whose time is up, as far as the turn goes.
    pub(super) fn meet_polls(&mut self) {
        let now_ms = self.now.mono_ms();
        while !self.work.is_part_used()
            && let Some((index, serial)) = self.connections.timers.pop_due_poll(now_ms)
        {
            self.work.charge(WorkKind::Deadlines, DEADLINE);
            let slot = self.connections.get(index, serial).map(|slot| &*slot);
            if slot.and_then(Slot::poll).is_some_and(|poll| poll.until_ms <= now_ms) {
                let _ = self.answer_poll(index, Answer::Nothing, &[]);
            }
        }
    }

    /// There is something for a client that polls.
    pub(super) fn end_poll(&mut self, index: usize) {
        let _ = self.answer_poll(index, Answer::Publications, &[]);
    }

    /// A client that polls is told to go: there is nothing for it here, and it asks again.
    pub(super) fn dismiss_poll(&mut self, index: usize) -> Result<(), Gone> {
        if let Some(request) = self.connections.slots[index].extra_mut().http.as_mut()
            && let Some(poll) = &mut request.poll
        {
            poll.goes_on = false;
        }
        self.answer_poll(index, Answer::Nothing, &[])
    }

    /// Answers a client that polls, which then is no subscriber any more.
    fn answer_poll(
        &mut self,
        index: usize,
        answer: Answer,
        entries: &[(ChannelId, Entry)],
    ) -> Result<(), Gone> {
        let request = self.connections.slots[index].extra.as_mut().and_then(|extra| extra.http.take());
        let Some(poll) = request.and_then(|request| request.poll) else { return Ok(()) };
        let goes_on = poll.goes_on && self.exit.draining.is_none();
        if answer == Answer::Publications
            && entries.iter().all(|(_, entry)| entry.recovery.and_then(Recovery::gap).is_none())
            && !poll.is_whole
            && let Some(alike) = self.answer_alike(index, &poll, goes_on)
        {
            self.leave_poll(index);
            let said = self.say_answer(index, alike.bytes(), goes_on);
            self.scratch.answer = alike;
            return said;
        }
        let mut body = Vec::new();
        for (id, entry) in entries {
            if let Some(gap) = entry.recovery.and_then(Recovery::gap) {
                self.push_missed_line(*id, entry.position.epoch, gap, &mut body);
            }
        }
        let has_fallen = self.skip_fallen(index, &mut body);
        let answer = if has_fallen && answer == Answer::Nothing { Answer::Publications } else { answer };
        if answer == Answer::Publications {
            self.take_publications(index, &mut body);
        }
        // A channel that has begun anew and in which nothing was published yet has only another position.
        let has_none = answer == Answer::Publications && body.is_empty();
        let answer = if has_none { Answer::Nothing } else { answer };
        let tag = self.tag(index);
        self.leave_poll(index);
        let status = match answer {
            Answer::Publications => 200,
            Answer::Gone => 410,
            Answer::Nothing if poll.is_conditional && !has_fallen => 304,
            Answer::Nothing => 204,
        };
        let mut said = Vec::new();
        let is_whole = poll.is_whole || body.is_empty();
        let whole = if poll.is_whole { whole(&body) } else { Vec::new() };
        let mut response = streams::uncached(status, LINES, whole).with("ETag", tag);
        response.headers.extend(streams::cross_origin(poll.page(), &self.config.origins));
        if is_whole {
            response.write(&mut said, goes_on, false);
        } else {
            said = chunked(response, goes_on, &body);
        }
        self.say_answer(index, &said, goes_on)
    }

    /// Says the answer, and goes on with what the client says next.
    fn say_answer(&mut self, index: usize, said: &[u8], goes_on: bool) -> Result<(), Gone> {
        // Behind those to the requests before it.
        self.send_replies(index)?;
        self.push_out(index, said)?;
        if !goes_on {
            return self.finish(index);
        }
        let slot = &mut self.connections.slots[index];
        // Whatever was read has been taken up, unless it had to wait for this, or TLS has some of it.
        let has_more = slot.flags.any(Flags::PAUSED) || slot.flags.any(Flags::TLS) || !slot.kept().is_empty();
        slot.flags.set(Flags::PAUSED, false);
        self.pause_if_blocked(index);
        if has_more {
            self.go_on_later(index);
        }
        Ok(())
    }

    /// The subscriptions are over, and the connection speaks HTTP.
    fn leave_poll(&mut self, index: usize) {
        // Its next poll is on its way: who is a member of a channel stays one until then, if that is soon.
        self.leave_channels(index, Departure::Lost(self.now.mono_ms()));
        self.connections.leave_user(index);
        let stamp = self.stamp();
        self.connections.leave_open(index);
        let slot = &mut self.connections.slots[index];
        slot.phase = Phase::Http;
        slot.speak(Transport::default(), 0);
        slot.grant(&crate::auth::Rights::default());
        slot.extra_mut().user = None;
        drop(slot.take_hosted());
        slot.flags.set(Flags::SERVED, true);
        slot.seen = stamp;
        slot.tidy();
    }

    /// Where the client stands, as the tag of an answer.
    fn tag(&self, index: usize) -> String {
        let slot = &self.connections.slots[index];
        let mut tag = b"\"".to_vec();
        let all: Vec<(ChannelId, Cursor)> = self.subscriptions(slot).collect();
        for (n, &(id, cursor)) in all.iter().enumerate() {
            let channel = self.channels.get(id);
            let position = channel.position(cursor, slot.form).unwrap_or(channel.head_position());
            match all.len() {
                1 => position.push_to(&mut tag),
                _ => push_named(&channel.name, position, n == 0, &mut tag),
            }
        }
        tag.push(b'"');
        String::from_utf8_lossy(&tag).into_owned()
    }

    /// Appends the publications that have gone since its poll has found them, as another one has needed the memory; it
    /// goes on behind them. Whether there are any.
    fn skip_fallen(&mut self, index: usize, out: &mut Vec<u8>) -> bool {
        let slot = &self.connections.slots[index];
        let form = slot.form;
        let fallen = self.subscriptions(slot).filter(|&(id, cursor)| self.is_fallen(index, id, cursor));
        let fallen: Vec<(ChannelId, Cursor)> = fallen.collect();
        for &(id, cursor) in &fallen {
            let channel = self.channels.get_mut(id);
            let known = channel.ring(form).and_then(|ring| ring.gap_to_newest(cursor));
            let newest = channel.skip_to_newest(form);
            let (epoch, position) = (channel.epoch, channel.position(newest, form));
            // Of a channel that has begun anew nobody knows where it stood.
            let whole = position.map(|at| Gap { from: FIRST_OFFSET, to: at.offset });
            self.channels.touch(id);
            self.set_cursor(index, id, newest);
            self.metrics.slow_skipped += 1;
            if let Some(gap) = known.or(whole).filter(|gap| gap.from <= gap.to) {
                self.push_missed_line(id, epoch, gap, out);
            }
        }
        !fallen.is_empty()
    }

    fn push_missed_line(&self, id: ChannelId, epoch: u64, Gap { from, to }: Gap, out: &mut Vec<u8>) {
        let (channel, mut object) = (self.channels.get(id), Vec::new());
        ServerMessage::Missed { channel: &channel.name, epoch, from, to }.push(None, &mut object);
        lines::push(&object, out);
    }

    /// Appends the publications that a client has still to get, as they lie in the logs, and moves its cursors behind
    /// them: so many as may wait for a connection, but always one. The rest is there for its next poll.
    fn take_publications(&mut self, index: usize, out: &mut Vec<u8>) {
        let form = self.connections.slots[index].form;
        let all: Vec<(ChannelId, Cursor)> = self.subscriptions(&self.connections.slots[index]).collect();
        for (id, cursor) in all {
            let Some((from, to)) = self.stretch_to_take(index, (id, cursor), out.len()) else { continue };
            let Some(log) = self.channels.get(id).log_in(form) else { continue };
            let (first, second) = log.slices_between(from, to);
            out.extend_from_slice(first);
            out.extend_from_slice(second);
            let taken = Taken::of(log, (from, to));
            self.note_taken(index, id, taken);
        }
        self.work.charge(WorkKind::Send, CALL + out.len() as u64 / BYTES);
    }

    /// More from a client that waits: it is taken up behind the answer, and nothing more is read before that.
    pub(super) fn poll_input(&mut self, index: usize, input: &[u8]) -> Result<(), Gone> {
        self.send_replies(index)?;
        self.keep_for_later(index, input)
    }
}

/// The data of chunks.
fn whole(chunks: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    chunk::push_data(chunks, &mut data);
    data
}

/// An answer in chunks, as they lie in the log.
fn chunked(head: Response, goes_on: bool, chunks: &[u8]) -> Vec<u8> {
    let mut said = Vec::with_capacity(512 + chunks.len());
    head.with("Transfer-Encoding", "chunked").write_head_of_stream(&mut said, goes_on);
    said.extend_from_slice(chunks);
    said.extend_from_slice(chunk::LAST);
    said
}
