//! From bytes to pieces of messages (RFC 6455 sections 5.4 to 5.6), for a host that takes messages as they come:
//! nothing is put together, so a message may be as long as its sender likes.
//!
//! As much of a payload as is there is unmasked in place and handed out from there; of a deflated one so much is
//! inflated as there is room for, and the rest waits for the next step. A text's pieces are cut between characters: the
//! beginning of one whose end is missing stays in the input, or is put in front of the frame that has its end.

use crate::narrow;

use super::Inflating;
use super::close::Violation;
use super::frame::{self, Header, Opcode};
use super::mask::unmask;
use super::message::{Event, check_order, control, deflated_bytes_max, take};

#[cfg(test)]
mod tests;

/// Room for what comes out of a deflated message in one step.
pub const ROOM_BYTES: usize = 32 << 10;

/// A part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The bytes that have come; maybe none at a message's end.
    pub data: Data<'a>,
    /// Whether the message goes on.
    pub more: bool,
}

/// The contents of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data<'a> {
    /// Of a text: whole characters.
    Text(&'a str),
    /// Of a binary message.
    Binary(&'a [u8]),
}

/// The result of a call of [`Incoming::next`].
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// More bytes are needed; what isn't consumed the caller keeps and puts in front of the next read.
    Need,
    /// Bytes were taken that make no piece; call again with the rest.
    Absorbed,
    /// A deflated message begins: call again with [`Incoming::inflating`] set.
    NoDecoder,
    /// Hand it over, then call again with the rest.
    Piece(Piece<'a>),
    /// A control frame. No data events are among these.
    Control(Event<'a>),
}

/// The terms of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// permessage-deflate is agreed on.
    pub deflate: bool,
    /// Bounds a message, and is held against every header, before its payload arrives. `u64::MAX`: nothing does.
    pub bytes_max: u64,
}

/// The state between two steps.
#[derive(Debug, Default)]
pub struct Incoming {
    /// The decoder of the deflated message under way; the caller takes it back when that is over.
    pub inflating: Option<Box<Inflating>>,
    /// Payload of the message so far, the announced part of it included, as it is on the wire.
    bytes: u64,
    /// Bytes of payload that are still to be consumed: what is in front of the input, and what has to come.
    left: u64,
    mask: [u8; 4],
    /// So many bytes in front of the input are unmasked already.
    clear: u32,
    /// The first one of them has been given to the decoder: it stays as long as that may have more to say.
    is_fed: bool,
    /// How far the current payload is into its mask.
    phase: u8,
    /// The beginning of a character, where it can't stay in the input.
    tail: Tail,
    text: bool,
    deflated: bool,
    /// The current frame is the message's last.
    fin: bool,
    in_message: bool,
}

/// Up to three bytes that begin a character.
#[derive(Clone, Copy, Debug, Default)]
struct Tail {
    bytes: [u8; 3],
    len: u8,
}

impl Tail {
    fn set(&mut self, bytes: &[u8]) {
        self.bytes[..bytes.len()].copy_from_slice(bytes);
        self.len = narrow::to_u8(bytes.len());
    }

    /// Puts it into the room, and how much that is.
    fn put(&mut self, room: &mut [u8]) -> usize {
        let len = usize::from(std::mem::take(&mut self.len));
        room[..len].copy_from_slice(&self.bytes[..len]);
        len
    }
}

impl Incoming {
    /// Whether a message is under way.
    pub fn in_message(&self) -> bool {
        self.in_message
    }

    /// Bytes of the current frame's payload that are still to come, and those that are kept.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Decodes the next thing in `input` and says how many bytes it took. `room` is where a deflated message comes
    /// out. After a violation nothing more can be decoded.
    pub fn next<'a>(
        &mut self,
        input: &'a mut [u8],
        room: &'a mut Vec<u8>,
        terms: Terms,
    ) -> Result<(usize, Step<'a>), Violation> {
        if input.is_empty() {
            return Ok((0, Step::Need));
        }
        if self.left > 0 {
            return self.payload(input, 0, room, terms);
        }
        let Some(header) = frame::decode_header(input, terms.deflate)? else {
            return Ok((0, Step::Need));
        };
        if header.opcode.is_control() {
            if header.size as u64 + header.len > input.len() as u64 {
                return Ok((0, Step::Need));
            }
            let (end, payload) = take(input, &header);
            return Ok((end, Step::Control(control(header.opcode, payload)?)));
        }
        check_order(&header, self.in_message)?;
        let deflated = header.deflated || self.in_message && self.deflated;
        let bytes_max = if deflated { deflated_bytes_max(terms.bytes_max) } else { terms.bytes_max };
        if self.bytes.saturating_add(header.len) > bytes_max {
            return Err(Violation::too_big());
        }
        if deflated && self.inflating.is_none() {
            return Ok((0, Step::NoDecoder));
        }
        // A character's beginning from the frame before goes over the header, so that stays until there is more.
        if header.len > 0 && header.size == input.len() {
            return Ok((0, Step::Need));
        }
        self.begin(&header);
        self.payload(input, header.size, room, terms)
    }

    /// Turns to a new data frame.
    fn begin(&mut self, header: &Header) {
        if header.opcode != Opcode::Continuation {
            (self.text, self.deflated) = (header.opcode == Opcode::Text, header.deflated);
            self.in_message = true;
            if let Some(inflating) = self.inflating.as_mut().filter(|_| header.deflated) {
                inflating.begin();
            }
        }
        self.bytes = self.bytes.saturating_add(header.len);
        (self.fin, self.mask, self.phase, self.left) = (header.fin, header.mask, 0, header.len);
    }

    /// The message is over.
    fn end(&mut self) {
        (self.in_message, self.bytes) = (false, 0);
    }

    /// Takes what is there of the current frame's payload, which begins at `from`.
    fn payload<'a>(
        &mut self,
        input: &'a mut [u8],
        from: usize,
        room: &'a mut Vec<u8>,
        terms: Terms,
    ) -> Result<(usize, Step<'a>), Violation> {
        let here = input.len() - from;
        let end = from + narrow::clamped(self.left).min(here);
        let masked = &mut input[from + self.clear as usize..end];
        unmask(masked, self.mask, usize::from(self.phase));
        self.phase = (self.phase + narrow::to_u8(masked.len() % 4)) % 4;
        self.clear = narrow::to_u32(end - from);
        if self.deflated {
            let Some(mut inflating) = self.inflating.take() else { return Err(Violation::not_deflated()) };
            let step = self.inflate(&mut inflating, &input[from..end], room, terms.bytes_max);
            self.inflating = Some(inflating);
            return step.map(|(used, step)| (used.behind(from), step));
        }
        if self.text {
            return self.characters(input, from, end);
        }
        self.consume(end - from);
        let is_over = self.left == 0 && self.fin;
        if is_over {
            self.end();
        } else if from == end {
            return Ok((end, Step::Absorbed));
        }
        Ok((end, Step::Piece(Piece { data: Data::Binary(&input[from..end]), more: !is_over })))
    }

    /// So many bytes in front of the payload are used.
    fn consume(&mut self, bytes: usize) {
        self.left -= bytes as u64;
        self.clear -= narrow::to_u32(bytes);
    }

    /// Takes a text's payload as far as it is whole characters.
    fn characters<'a>(
        &mut self,
        input: &'a mut [u8],
        from: usize,
        end: usize,
    ) -> Result<(usize, Step<'a>), Violation> {
        let before = usize::from(self.tail.len);
        debug_assert!(before <= from, "there is a header to put it over");
        let start = from - before;
        self.tail.put(&mut input[start..from]);
        let bytes = &input[start..end];
        let text = whole_characters(bytes)?;
        let cut = text.len();
        let rest = bytes.len() - cut;
        let is_last = (end - from) as u64 == self.left;
        self.consume(end - from);
        if is_last {
            if self.fin && rest > 0 {
                return Err(Violation::not_utf8());
            }
            if self.fin {
                self.end();
            }
            self.tail.set(&bytes[cut..]);
            if cut == 0 && !self.fin {
                return Ok((end, Step::Absorbed));
            }
            return Ok((end, Step::Piece(Piece { data: Data::Text(text), more: !self.fin })));
        }
        // The beginning of a character stays where its end will come.
        self.left += rest as u64;
        self.clear = narrow::to_u32(rest);
        let used = start + cut;
        if cut > 0 {
            return Ok((used, Step::Piece(Piece { data: Data::Text(text), more: true })));
        }
        Ok((used, if used > 0 { Step::Absorbed } else { Step::Need }))
    }

    /// Inflates a step's worth of payload; how much of that is used.
    fn inflate<'a>(
        &mut self,
        inflating: &mut Inflating,
        payload: &[u8],
        room: &'a mut Vec<u8>,
        bytes_max: u64,
    ) -> Result<(Used, Step<'a>), Violation> {
        room.resize(ROOM_BYTES, 0);
        let mut len = self.tail.put(room);
        let fed = usize::from(std::mem::take(&mut self.is_fed));
        let (used, made) = inflating.push(&payload[fed..], &mut room[len..], bytes_max)?;
        len += made;
        let (taken, is_whole) = (fed + used, payload.len() as u64 == self.left);
        let is_all = taken == payload.len() && !inflating.is_full();
        let mut is_over = false;
        if is_all && is_whole && self.fin {
            let (made, is_done) = inflating.finish(&mut room[len..], bytes_max)?;
            len += made;
            is_over = is_done;
        }
        // As long as the decoder may have more to say, something stays in the input that brings us back here.
        let waits = taken == payload.len() && if self.fin && is_whole { !is_over } else { !is_all };
        let used = match (waits, taken) {
            (true, 0) => Used::NotEvenHeader,
            (true, _) => Used::Bytes(taken - 1),
            (false, _) => Used::Bytes(taken),
        };
        if let Used::Bytes(bytes) = used {
            self.is_fed = waits;
            self.consume(bytes);
        }
        if is_over {
            self.end();
        }
        let mut data = Data::Binary(&room[..len]);
        let mut cut = len;
        if self.text {
            let text = whole_characters(&room[..len])?;
            (data, cut) = (Data::Text(text), text.len());
            if is_over && cut < len {
                return Err(Violation::not_utf8());
            }
            self.tail.set(&room[cut..len]);
        }
        if cut == 0 && !is_over {
            return Ok((used, Step::Absorbed));
        }
        Ok((used, Step::Piece(Piece { data, more: !is_over })))
    }
}

/// How much of a payload a step has used.
enum Used {
    Bytes(usize),
    /// The message's last frame is empty, and the decoder has more to say: its header is read once more.
    NotEvenHeader,
}

impl Used {
    /// The same of an input whose payload begins at `from`.
    fn behind(self, from: usize) -> usize {
        match self {
            Used::Bytes(bytes) => from + bytes,
            Used::NotEvenHeader => 0,
        }
    }
}

/// The bytes as far as they are whole characters: all but the last three at the most.
fn whole_characters(bytes: &[u8]) -> Result<&str, Violation> {
    match simdutf8::compat::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) if error.error_len().is_none() => {
            let whole = &bytes[..error.valid_up_to()];
            simdutf8::basic::from_utf8(whole).map_err(|_| Violation::not_utf8())
        }
        Err(_) => Err(Violation::not_utf8()),
    }
}
