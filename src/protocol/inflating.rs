//! A deflated message inflated as it comes (RFC 7692 section 7.2.2): so much at a time as there is room for.
//!
//! It keeps its window from one step to the next, so whoever is in the middle of such a message has one of its own.

use crate::narrow;

use super::close::Violation;
use super::inflate::END;

/// A decoder's memory: its window of 32 KiB, and its tables.
pub const INFLATING_BYTES: usize = 48 << 10;

/// The decoder of a message under way.
pub struct Inflating {
    stream: zlib_rs::Inflate,
    /// Nothing has come since the beginning, or since a final block.
    between: bool,
    /// The last step has filled its room, so there may be more without more input.
    is_full: bool,
    /// How much of [`END`] it has been given.
    ended: usize,
    /// Bytes of the message so far.
    made: u64,
    /// Bytes that have come in and gone out since somebody asked.
    done: u64,
}

impl Default for Inflating {
    fn default() -> Inflating {
        let stream = zlib_rs::Inflate::new(false, super::extensions::WINDOW_BITS_MAX);
        Inflating { stream, between: true, is_full: false, ended: 0, made: 0, done: 0 }
    }
}

impl std::fmt::Debug for Inflating {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflating").field("made", &self.made).finish_non_exhaustive()
    }
}

impl Inflating {
    /// Makes it ready for the next message.
    pub fn begin(&mut self) {
        self.stream.reset(false);
        (self.between, self.is_full, self.ended, self.made) = (true, false, 0, 0);
    }

    /// How many bytes it has taken in and given out since the last call.
    pub fn take_work(&mut self) -> u64 {
        std::mem::take(&mut self.done)
    }

    /// Whether more may come out of it without more going in.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Takes in what there is room for: how many bytes of the input are used, and how many are made.
    ///
    /// # Errors
    /// 1009 as soon as the message would have more than `bytes_max` bytes, 1007 if it isn't deflated data.
    pub fn push(
        &mut self,
        input: &[u8],
        room: &mut [u8],
        bytes_max: u64,
    ) -> Result<(usize, usize), Violation> {
        let (mut used, mut made) = (0, 0);
        // One byte more than allowed shows that there is more than allowed.
        let left = bytes_max.saturating_add(1).saturating_sub(self.made);
        let end = narrow::clamped(left).min(room.len());
        while made < end && (used < input.len() || self.is_full) {
            let (read, written) = (self.stream.total_in(), self.stream.total_out());
            let out = &mut room[made..end];
            let status = self.stream.decompress(&input[used..], out, zlib_rs::InflateFlush::SyncFlush);
            let taken = narrow::to_usize(self.stream.total_in() - read);
            let given = narrow::to_usize(self.stream.total_out() - written);
            (used, made) = (used + taken, made + given);
            self.made += given as u64;
            self.done += (taken + given) as u64;
            // First, since it may be that it is corrupt behind the limit: in which pieces it came makes no difference.
            if self.made > bytes_max {
                return Err(Violation::too_big());
            }
            let status = status.map_err(|_| Violation::not_deflated())?;
            let was_full = std::mem::replace(&mut self.is_full, made == end);
            if status == zlib_rs::Status::StreamEnd {
                // A message may have several final blocks (RFC 7692 section 7.2.3.5).
                self.stream.reset(false);
                (self.between, self.is_full) = (true, false);
            } else if taken > 0 || given > 0 {
                self.between = false;
            } else if !(was_full && used == input.len()) {
                return Err(Violation::not_deflated());
            }
        }
        Ok((used, made))
    }

    /// The message has no more input: how many bytes are made, and whether those were the last.
    ///
    /// # Errors
    /// As [`push`](Self::push), and 1007 if it isn't all there.
    pub fn finish(&mut self, room: &mut [u8], bytes_max: u64) -> Result<(usize, bool), Violation> {
        // Some senders end with a final block and leave it at that, or send nothing for nothing.
        if self.between && self.ended == 0 {
            return Ok((0, true));
        }
        let (used, made) = self.push(&END[self.ended..], room, bytes_max)?;
        self.ended += used;
        let is_over = self.ended == END.len() && !self.is_full;
        if is_over && !self.between {
            return Err(Violation::not_deflated());
        }
        Ok((made, is_over))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Inflater;
    use crate::protocol::inflate::tests::{deflated, message_of};
    use proptest::prelude::*;

    /// Inflates a message that comes in pieces of `step` bytes, with so much room for each step.
    fn inflated(payload: &[u8], step: usize, room: usize, bytes_max: u64) -> Result<Vec<u8>, u16> {
        let (mut inflating, mut out, mut room) = (Inflating::default(), Vec::new(), vec![0; room]);
        // One that has seen something else before.
        let _ = inflating.push(b"\xf2\x48\xcd", &mut room, bytes_max);
        inflating.begin();
        let code = |violation: Violation| violation.code.0;
        for mut piece in payload.chunks(step) {
            while !piece.is_empty() || inflating.is_full() {
                let (used, made) = inflating.push(piece, &mut room, bytes_max).map_err(code)?;
                assert!(used > 0 || made > 0 || piece.is_empty());
                out.extend_from_slice(&room[..made]);
                piece = &piece[used..];
            }
        }
        loop {
            let (made, is_over) = inflating.finish(&mut room, bytes_max).map_err(code)?;
            out.extend_from_slice(&room[..made]);
            if is_over {
                return Ok(out);
            }
        }
    }

    /// It says the same as what inflates whole messages.
    fn check(payload: &[u8], bytes_max: usize) {
        let mut inflater = Inflater::default();
        let whole = inflater.message(std::iter::once(payload), bytes_max).map(<[u8]>::to_vec);
        let whole = whole.map_err(|violation| violation.code.0);
        for (step, room) in [(1, 1), (1, 100), (7, 3), (1_000, 258), (1_000, 100_000)] {
            assert_eq!(inflated(payload, step, room, bytes_max as u64), whole, "by {step}, room for {room}");
        }
    }

    #[test]
    fn the_examples_of_rfc_7692_and_what_is_none() {
        for payload in [
            &b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..],
            b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
            b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
            b"\xf3\x48\xcd\xc9\xc9\x07\x00",
            b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
            b"\x00",
            b"",
            b"\xff",
            b"\xf2\x48\xcd",
            b"\x07",
            b"\x4a\x4c\x02\x5e\x00\x00",
        ] {
            for bytes_max in [0, 1, 2, 4, 5, 1_000] {
                check(payload, bytes_max);
            }
        }
    }

    #[test]
    fn a_bomb_comes_out_in_steps_of_the_room() {
        let len = if cfg!(miri) { 3_000 } else { 1 << 20 };
        let bomb = deflated(&vec![0; len], zlib_rs::DeflateFlush::SyncFlush);
        let bomb = &bomb[..bomb.len() - 4];
        check(bomb, len);
        check(bomb, len - 1);
        let (mut inflating, mut room) = (Inflating::default(), vec![0; 1_000]);
        let (used, made) = inflating.push(bomb, &mut room, len as u64).unwrap();
        assert_eq!((made, inflating.is_full()), (1_000, true));
        assert_eq!(inflating.take_work(), (used + made) as u64);
    }

    proptest! {
        #[test]
        fn noise_is_judged_as_whole(payload in proptest::collection::vec(any::<u8>(), 0..200), max in 0usize..500) {
            check(&payload, max);
        }

        #[test]
        fn any_block_structure(
            parts in proptest::collection::vec(
                (proptest::collection::vec(0u8..4, 0..if cfg!(miri) { 30 } else { 300 }), any::<bool>()),
                1..5,
            ),
        ) {
            check(&message_of(&parts), 2_000);
        }
    }
}
