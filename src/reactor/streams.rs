//! Streams over plain HTTP: a request whose answer has no end. Its connection is a subscriber like any other.

use crate::config::Transport as Named;
use crate::endpoint::Kind;
use crate::endpoint::answer_fields;
use crate::endpoint::public::unserved;
use crate::endpoint::requests;
use crate::endpoint::streams::{self, EVENT_STREAM, LINES};
use crate::limits::APP_CHANNEL_NAME_BYTES_MAX;
use crate::metrics::{CloseReason, RefuseReason};
use crate::protocol::head::Head;
use crate::protocol::response::{Refusal, Response};
use crate::push::{Position, Since};

use super::admission::{Admitted, Asking, Refused};
use super::backend::Earlier;
use super::connections::Gone;
use super::http::Progress;
use super::reactor::Reactor;
use super::slot::Flags;
use super::socket::Socket;
use super::sse;
use super::stamp::Stamp;
use super::transport::{EventFormat, Transport};

/// Bytes of a channel's position beside its name: two numbers, and what is between them.
const POSITION_BYTES: usize = 43;

/// A request for a stream, and how many bytes of the input it took; None: what follows is of no use.
#[derive(Clone, Copy)]
pub(super) struct StreamAsked<'a> {
    pub head: &'a Head<'a>,
    pub used: Option<usize>,
    pub named: Named,
}

impl<'a> StreamAsked<'a> {
    /// The request, checked as far as its head goes.
    pub(super) fn asking(&self) -> Result<Asking<'a>, Refused> {
        let StreamAsked { head, named, .. } = *self;
        let origin = streams::check(head).map_err(|refusal| {
            let method = refusal.status == 405;
            (refusal, if method { RefuseReason::Method } else { RefuseReason::BadRequest })
        })?;
        Ok(Asking {
            head,
            origin,
            kind: Kind::PUSH,
            parameters: named.request_at(requests::path(head)).query,
            named,
        })
    }
}

impl<S: Socket> Reactor<S> {
    /// Answers a request for a stream, on which the host may have decided already.
    pub(super) fn answer_stream(
        &mut self,
        index: usize,
        asked: StreamAsked<'_>,
        earlier: Earlier,
    ) -> Result<Progress, Gone> {
        let StreamAsked { head, used, named } = asked;
        if head.method == "OPTIONS" {
            let page = head.single("origin").ok().flatten();
            return Ok(match streams::preflight(page, &self.config.origins) {
                Ok(response) => self.respond(index, head, &response, used),
                Err(refusal) => self.refuse_stream(index, asked, (refusal, RefuseReason::Origin)),
            });
        }
        if !self.config.transports.contains(&named) {
            return Ok(self.refuse_stream(index, asked, (unserved(named), RefuseReason::NotFound)));
        }
        match self.open_stream(index, asked, earlier) {
            Ok(None) => Ok(used.map_or(Progress::Over, Progress::Undecided)),
            Ok(Some(opened)) => opened,
            Err(refused) => Ok(self.refuse_stream(index, asked, refused)),
        }
    }

    pub(super) fn refuse_stream(
        &mut self,
        index: usize,
        asked: StreamAsked<'_>,
        (refusal, reason): Refused,
    ) -> Progress {
        let serial = self.connections.slots[index].serial;
        let (peer, later_ms) = (self.connections.peer(index), sse::later_ms(serial));
        self.refused(reason, &refusal.reason, peer);
        let StreamAsked { head, used, named } = asked;
        self.metrics.clients_refused.bump(named.label());
        // A client that is refused for want of room must not keep the little there is.
        let used = used.filter(|_| refusal.status != 503);
        let response = streams::refused(head, refusal, later_ms, &self.config.origins);
        self.respond(index, head, &response, used)
    }

    /// Lets the client in, and begins its stream. None: the host decides later.
    fn open_stream(
        &mut self,
        index: usize,
        asked: StreamAsked<'_>,
        earlier: Earlier,
    ) -> Result<Option<Result<Progress, Gone>>, Refused> {
        let StreamAsked { head, used, named } = asked;
        if named == Named::Poll {
            return self.open_poll(index, asked, earlier);
        }
        let asking = asked.asking()?;
        let fields = streams::cross_origin(asking.origin, &self.config.origins);
        let answer = match named {
            Named::Stream if head.minor_version == 0 => {
                let text =
                    "lines come in chunks, which HTTP/1.0 has not; nginx has proxy_http_version 1.1 for that";
                return Err((Refusal::fixed(505, text), RefuseReason::Version));
            }
            Named::Stream => streams::head(head, LINES, fields),
            Named::Sse | Named::Poll | Named::WebSocket => streams::head(head, EVENT_STREAM, fields),
        };
        if head.method == "HEAD" {
            self.check_asking(index, &asking)?;
            return Ok(Some(Ok(self.respond_head_of_stream(index, head, &answer, used))));
        }
        let Some(mut admitted) = self.let_in(index, &asking, earlier)? else { return Ok(None) };
        self.begin_anew_where_nothing_was(&mut admitted);
        let transport = match named {
            Named::Stream => Transport::Stream,
            _ if admitted.wishes.is_json => Transport::Sse(EventFormat::Json),
            _ => Transport::Sse(EventFormat::Raw),
        };
        self.speak_stream(index, transport, &admitted)?;
        let entries = self.open(index, Kind::PUSH, &mut admitted);
        self.metrics.clients_admitted.bump(named.label());
        answer.write_head_of_stream(&mut self.scratch.replies, false);
        answer_fields::push_into_head(admitted.accept.headers(), &mut self.scratch.replies);
        let begun = self.begin_open(index, Kind::PUSH, &admitted, &entries);
        Ok(Some(begun.map(|()| used.map_or(Progress::Over, Progress::Upgraded))))
    }

    /// The form depends on whether the stream has several channels, and its client must be able to say where it stands
    /// in all of them when it comes back.
    fn speak_stream(
        &mut self,
        index: usize,
        transport: Transport,
        admitted: &Admitted,
    ) -> Result<(), Refused> {
        let names = admitted.accept.channels.iter().map(String::len);
        let bytes: usize = names.map(|len| len.min(APP_CHANNEL_NAME_BYTES_MAX) + POSITION_BYTES).sum();
        let most = self.config.handshake_bytes_max / 2;
        if bytes > most && transport != Transport::Stream {
            self.connections.give_back_open();
            admitted.channels.iter().for_each(|&(id, _)| self.abandon_opened(id));
            let text = format!(
                "the positions in so many channels may take {bytes} bytes, more than {most}, and a client that \
                 comes back has to fit them into a request (handshake_bytes_max)"
            );
            return Err((Refusal::new(400, text), RefuseReason::ForbiddenChannel));
        }
        let untaken_ms = self.config.heartbeat_ms.saturating_add(self.config.pong_wait_ms);
        let beats = self.config.heartbeat_ms > 0;
        let slot = &mut self.connections.slots[index];
        slot.speak(transport, 0);
        if admitted.channels.len() != 1 {
            slot.form = slot.form.of_many();
        }
        if beats {
            // Nothing is heard from it: that bytes are taken is the only sign of life. Where there is no such time, as
            // on a Unix socket, a peer can't vanish without a word either.
            let _ = slot.socket.set_untaken_ms_max(u32::try_from(untaken_ms).unwrap_or(u32::MAX));
        }
        Ok(())
    }

    /// A channel that nobody has published to is forgotten with its last subscriber, and is another one to a client
    /// that comes back. It has had nothing there, so it stands in front of all that was published since.
    pub(super) fn begin_anew_where_nothing_was(&self, admitted: &mut Admitted) {
        for (id, since) in &mut admitted.channels {
            if let Since::Position(Position { offset: 0, epoch }) = since {
                *epoch = self.channels.get(*id).epoch;
            }
        }
    }

    fn respond_head_of_stream(
        &mut self,
        index: usize,
        head: &Head<'_>,
        answer: &Response,
        used: Option<usize>,
    ) -> Progress {
        let used = used.filter(|_| head.keep_alive() && self.exit.draining.is_none());
        debug_assert!(self.connections.slots.contains(index));
        answer.write_head_of_stream(&mut self.scratch.replies, used.is_some());
        used.map_or(Progress::Over, Progress::Used)
    }

    /// Says something on a stream that has been silent, which nobody has to answer; one whose socket has been full
    /// for long takes nothing any more.
    pub(super) fn stream_heartbeat(&mut self, index: usize, silent_ms: u64, beat: &[u8]) {
        let now_ms = self.now.mono_ms();
        let slot = &mut self.connections.slots[index];
        if slot.flags.any(Flags::BLOCKED) {
            if silent_ms >= self.config.heartbeat_ms.saturating_add(self.config.pong_wait_ms) {
                self.remove(index, CloseReason::Heartbeat);
            }
        } else if silent_ms >= self.config.heartbeat_ms {
            slot.seen = Stamp::at(now_ms);
            self.metrics.pings_sent += 1;
            let _ = self.push_out(index, beat);
        }
    }

    /// The last of a stream is written: it ends, and with it the connection.
    pub(super) fn end_answer(&mut self, index: usize) -> Result<(), Gone> {
        self.await_peer_close(index);
        self.finish(index)
    }
}
