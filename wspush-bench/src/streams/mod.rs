//! The load's side of HTTP whose answers are messages: event streams, lines, and polls. Nothing outside this room knows
//! an event or a chunk.

mod chunks;
mod events;
mod polls;

use crate::http;
use crate::job::Job;
use crate::transport::{Answer, End, Kind, Receiver, payload};
use crate::worker::conn;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use events::Event;

/// The event that has bytes, as base64.
const BINARY: &[u8] = b"wspush.binary";
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// One of these transports, for all connections of one worker.
pub(crate) struct Streams {
    /// Requests of the connection whose turn it is.
    pub(crate) out: Vec<u8>,
    kind: Kind,
    /// The data of events are envelopes.
    is_enveloped: bool,
}

impl Streams {
    pub(crate) fn new(job: &Job) -> Self {
        let (_, query) = job.target.path.split_once('?').unwrap_or_default();
        let is_enveloped = query.split('&').any(|parameter| parameter == "format=json");
        Self { out: Vec::new(), kind: job.transport, is_enveloped }
    }

    pub(crate) fn open(&mut self, job: &Job) {
        polls::request(&mut self.out, job, &polls::Place::default());
    }

    /// Checks the head of the answer. A poll's first answer is one like all others.
    pub(crate) fn accept(&self, answer: &[u8]) -> Result<Option<Answer>, String> {
        let Some(head) = http::Head::parse(answer)? else { return Ok(None) };
        let is_poll = self.kind == Kind::Poll;
        if head.status != 200 && !(is_poll && head.status == 204) {
            return Err(format!("http {}", head.status));
        }
        let wanted: &[u8] = match self.kind {
            Kind::Sse => b"text/event-stream",
            Kind::Stream => http::LINES,
            _ => b"",
        };
        if !head.media_type.starts_with(wanted) {
            return Err(format!("an answer of another type than {}", String::from_utf8_lossy(wanted)));
        }
        let size = if is_poll { 0 } else { head.size };
        Ok(Some(Answer { size, may_deflate: false, is_chunked: head.is_chunked }))
    }

    pub(crate) fn take(&mut self, receiver: &mut Receiver<'_>, bytes: &[u8]) -> Result<(), End> {
        let bytes = conn::unite(receiver.conn.take_rare(|rare| &mut rare.input), bytes);
        let used = match self.kind {
            Kind::Poll => self.answers(receiver, &bytes)?,
            _ if receiver.conn.is_chunked => chunks::each(&bytes, |piece| self.body(receiver, piece))?,
            _ => self.body(receiver, &bytes).map(|()| bytes.len())?,
        };
        receiver.conn.keep_rare(|rare| &mut rare.input, conn::rest(bytes, used));
        Ok(())
    }

    /// A piece of what a response says that does not end.
    fn body(&mut self, receiver: &mut Receiver<'_>, piece: &[u8]) -> Result<(), End> {
        let bytes = conn::unite(receiver.conn.take_rare(|rare| &mut rare.body), piece);
        let mut start = 0;
        if !receiver.conn.is_begun {
            if bytes.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(&bytes) {
                receiver.conn.keep_rare(|rare| &mut rare.body, bytes.into_owned());
                return Ok(());
            }
            receiver.conn.is_begun = true;
            start = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        }
        let used = match self.kind {
            Kind::Sse => events::each(&bytes[start..], |event| self.event(receiver, &event))?,
            _ => lines(receiver, &bytes[start..])?,
        };
        receiver.conn.keep_rare(|rare| &mut rare.body, conn::rest(bytes, start + used));
        Ok(())
    }

    fn event(&self, receiver: &mut Receiver<'_>, event: &Event<'_>) -> Result<(), End> {
        match event.name {
            b"" | b"message" if self.is_enveloped => {
                if let Some(message) = payload(&event.data)? {
                    receiver.deliver(&message);
                }
            }
            b"" | b"message" => receiver.deliver(&event.data),
            BINARY => {
                let message = STANDARD.decode(&event.data);
                receiver.deliver(&message.map_err(|_| End::Fault("an event with broken base64"))?);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Takes whole lines of envelopes and returns their bytes. Blanks in front of one are heartbeats.
fn lines(receiver: &mut Receiver<'_>, bytes: &[u8]) -> Result<usize, End> {
    let mut used = 0;
    while let Some(length) = bytes[used..].iter().position(|byte| *byte == b'\n') {
        let line = bytes[used..used + length].trim_ascii();
        used += length + 1;
        if !line.is_empty()
            && let Some(message) = payload(line)?
        {
            receiver.deliver(&message);
        }
    }
    Ok(used)
}

#[cfg(test)]
mod tests;
