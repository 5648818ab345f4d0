//! From bytes to messages (RFC 6455 sections 5.4 to 5.6): the loop over one read, and what is kept between
//! two.
//!
//! A data frame that lies in the input as a whole, as nearly all do, is unmasked in place and handed out from
//! there. Everything else is moved to a [`Pool`] as it arrives, checked before it is stored, and put together
//! again in a scratch buffer when its end is here.

use super::Inflater;
use super::close::{self, CloseCode, Violation};
use super::frame::{self, Header, Opcode};
use super::mask::unmask;
use super::pool::{Chain, Pool};
use super::utf8::Utf8;
use crate::narrow;

mod image;
#[cfg(test)]
mod tests;

pub use image::AssemblyImage;

/// A peer's message or control frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// A ping; its payload belongs into the pong.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// The peer's close frame. Nothing after it counts (RFC 6455 section 5.5.1).
    Close {
        /// The code, if the frame has one.
        code: Option<CloseCode>,
        /// The reason, maybe empty.
        reason: &'a str,
    },
}

/// The result of a call of [`Assembler::next`].
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// The input is used up, but for what isn't consumed: the beginning of a header or of a control frame,
    /// which the caller keeps (less than [`frame::CONTROL_FRAME_MAX`] bytes) and puts in front of the next
    /// read.
    Need,
    /// Bytes went into the assembly; call again with the rest.
    Absorbed,
    /// Before more of a message can be kept there must be so many more free chunks in the pool. Call again with the
    /// rest when there are, or [`give_up`].
    NoRoom(usize),
    /// Something to act upon; then call again with the rest.
    Event(Event<'a>),
}

/// The state between reads of a message that spans frames or reads. Boxed by the caller, `None` while idle, and
/// to be given up through [`abandon`] only: its chunks belong to the pool.
#[derive(Debug, Default)]
pub struct Assembly {
    /// When it began, for a caller who limits its time and knows a clock.
    pub since_ms: Option<u64>,
    chain: Chain,
    /// Bytes of the current frame's payload that are still to come; 0 between two fragments.
    left: u64,
    mask: [u8; 4],
    utf8: Utf8,
    /// How far the current payload is into its mask.
    phase: u8,
    text: bool,
    /// Whether the collected bytes are deflated.
    deflated: bool,
    /// The current frame is the message's last.
    fin: bool,
}

/// Puts messages together: what every connection shares, and what is allowed on this one.
pub struct Assembler<'a, 'p> {
    /// Where pieces are kept.
    pub pool: &'p mut Pool,
    /// Where a message in pieces is put together.
    pub scratch: &'a mut Vec<u8>,
    /// With one, permessage-deflate is agreed on: deflated messages are collected as they come, inflated when they are
    /// whole, and bounded by `message_bytes_max` on both sides of it (see [`deflated_bytes_max`]).
    pub inflater: Option<&'a mut Inflater>,
    /// Bounds the sum of a message's fragments, and is held against every header, before its payload arrives.
    pub message_bytes_max: usize,
    /// How many chunks have to be left in the pool for others.
    pub reserve: usize,
}

/// Drops an assembly and gives its chunks back.
pub fn abandon(assembly: &mut Option<Box<Assembly>>, pool: &mut Pool) {
    if let Some(mut assembly) = assembly.take() {
        pool.release(&mut assembly.chain);
    }
}

/// How long the deflated form of a message may be that is no longer than `message_bytes_max`: data that can't be
/// compressed grows by a few bytes for each block, and senders choose how long theirs are.
pub const fn deflated_bytes_max(message_bytes_max: u64) -> u64 {
    message_bytes_max.saturating_add(message_bytes_max / 8 + 64)
}

/// Drops an assembly for which there is no room.
pub fn give_up(assembly: &mut Option<Box<Assembly>>, pool: &mut Pool) -> Violation {
    abandon(assembly, pool);
    Violation { code: CloseCode::TRY_AGAIN_LATER, reason: "out of assembly memory" }
}

impl<'a> Assembler<'a, '_> {
    /// Decodes the next thing in `input` and says how many bytes it took; unmasks in place.
    ///
    /// After a violation the assembly is gone and its chunks are free. Complete unfragmented frames allocate nothing.
    #[inline]
    pub fn next(
        self,
        input: &'a mut [u8],
        assembly: &mut Option<Box<Assembly>>,
    ) -> Result<(usize, Step<'a>), Violation> {
        // Its bytes are borrowed for the step's, the pool only for this call.
        let pool = &mut *self.pool;
        let this = Assembler { pool, ..self };
        let result = this.step(input, assembly);
        if result.is_err() {
            abandon(assembly, self.pool);
        }
        result
    }

    fn step(
        self,
        input: &'a mut [u8],
        assembly: &mut Option<Box<Assembly>>,
    ) -> Result<(usize, Step<'a>), Violation> {
        if input.is_empty() {
            return Ok((0, Step::Need));
        }
        if assembly.as_ref().is_some_and(|assembly| assembly.left > 0) {
            return self.absorb(input, 0, assembly);
        }
        let Some(header) = frame::decode_header(input, self.inflater.is_some())? else {
            return Ok((0, Step::Need));
        };
        let end = header.size as u64 + header.len;
        let whole = end <= input.len() as u64;
        if header.opcode.is_control() {
            if !whole {
                return Ok((0, Step::Need));
            }
            let (end, payload) = take(input, &header);
            return Ok((end, Step::Event(control(header.opcode, payload)?)));
        }
        check_order(&header, assembly.is_some())?;
        let buffered = assembly.as_ref().map_or(0, |assembly| assembly.chain.len());
        let deflated = header.deflated || assembly.as_ref().is_some_and(|assembly| assembly.deflated);
        let bytes_max = self.message_bytes_max as u64;
        let bytes_max = if deflated { deflated_bytes_max(bytes_max) } else { bytes_max };
        if buffered as u64 + header.len > bytes_max {
            return Err(Violation::too_big());
        }
        if whole && header.fin && assembly.is_none() {
            let (end, mut payload) = take(input, &header);
            if let Some(inflater) = self.inflater.filter(|_| deflated) {
                payload = inflater.message(std::iter::once(payload), self.message_bytes_max)?;
            }
            return Ok((end, Step::Event(data(header.opcode == Opcode::Text, payload)?)));
        }
        assembly.get_or_insert_default().begin(&header);
        self.absorb(input, header.size, assembly)
    }

    /// Takes what is there of the current frame's payload, which begins at `from`.
    fn absorb(
        self,
        input: &'a mut [u8],
        from: usize,
        assembly: &mut Option<Box<Assembly>>,
    ) -> Result<(usize, Step<'a>), Violation> {
        let Some(state) = assembly.as_deref_mut() else { return Ok((from, Step::Absorbed)) };
        let here = input.len() - from;
        let end = from + usize::try_from(state.left).map_or(here, |left| left.min(here));
        if !state.fin || state.left > here as u64 {
            let missing = self.pool.chunks_missing(&state.chain, end - from, self.reserve);
            if missing > 0 {
                return Ok((from, Step::NoRoom(missing)));
            }
        }
        let piece = &mut input[from..end];
        unmask(piece, state.mask, usize::from(state.phase));
        state.phase = (state.phase + narrow::to_u8(piece.len() % 4)) % 4;
        state.left -= piece.len() as u64;
        if state.left == 0 && state.fin {
            let text = state.text;
            if let Some(inflater) = self.inflater.filter(|_| state.deflated) {
                let pieces = self.pool.pieces(&state.chain).chain(std::iter::once(&*piece));
                let message = inflater.message(pieces, self.message_bytes_max)?;
                abandon(assembly, self.pool);
                return Ok((end, Step::Event(data(text, message)?)));
            }
            // The last piece goes straight behind the others; the whole text is checked once more, which costs
            // less than keeping a promise that the compiler can't see.
            let scratch = self.scratch;
            scratch.clear();
            self.pool.gather(&state.chain, scratch);
            scratch.extend_from_slice(piece);
            abandon(assembly, self.pool);
            return Ok((end, Step::Event(data(text, scratch)?)));
        }
        if state.text && !state.deflated && !state.utf8.push(piece) {
            return Err(Violation::not_utf8());
        }
        let appended = self.pool.append(&mut state.chain, piece, self.reserve);
        debug_assert!(appended, "there was room");
        Ok((end, Step::Absorbed))
    }
}

/// Unmasks a frame that lies in `input` as a whole; where it ends, and its payload.
pub(super) fn take<'a>(input: &'a mut [u8], header: &Header) -> (usize, &'a [u8]) {
    let end = header.size + narrow::to_usize(header.len);
    let payload = &mut input[header.size..end];
    unmask(payload, header.mask, 0);
    (end, payload)
}

/// A message is one frame, or a first fragment and continuations up to one with FIN (RFC 6455 section 5.4).
pub(super) fn check_order(header: &Header, in_message: bool) -> Result<(), Violation> {
    match (header.opcode == Opcode::Continuation, in_message) {
        (true, false) => Err(Violation::protocol("continuation of no message")),
        (false, true) => Err(Violation::protocol("new message inside a fragmented one")),
        _ => Ok(()),
    }
}

pub(super) fn control(opcode: Opcode, payload: &[u8]) -> Result<Event<'_>, Violation> {
    Ok(match opcode {
        Opcode::Ping => Event::Ping(payload),
        Opcode::Close => {
            let (code, reason) = close::parse_close(payload)?;
            Event::Close { code, reason }
        }
        _ => {
            debug_assert_eq!(opcode, Opcode::Pong);
            Event::Pong(payload)
        }
    })
}

fn data(text: bool, message: &[u8]) -> Result<Event<'_>, Violation> {
    if !text {
        return Ok(Event::Binary(message));
    }
    simdutf8::basic::from_utf8(message).map(Event::Text).map_err(|_| Violation::not_utf8())
}

impl Assembly {
    /// Bytes of the current frame's payload that are still to come.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Chunks of the pool that it holds.
    pub fn chunks(&self) -> usize {
        self.chain.chunks()
    }

    /// Turns to a new data frame.
    fn begin(&mut self, header: &Header) {
        if header.opcode != Opcode::Continuation {
            self.text = header.opcode == Opcode::Text;
            self.deflated = header.deflated;
        }
        self.fin = header.fin;
        self.mask = header.mask;
        self.phase = 0;
        self.left = header.len;
    }
}
