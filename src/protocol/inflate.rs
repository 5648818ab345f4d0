//! Deflated messages inflated (RFC 7692 section 7.2.2), never beyond what a message may have.
//!
//! Clients are told to use no context takeover, so one inflater serves all of them: about 50 KiB of state and 64 KiB of
//! room, from the first deflated message on.

use super::close::Violation;
use super::deflate::TAIL;
use crate::narrow;

/// Room for messages that is kept from one to the next.
const ROOM_AT_REST: usize = 64 << 10;

/// The bytes that are not sent at a message's end, and an empty final block behind them (RFC 1951 section 3.2.4): with
/// that a decoder ends if, and only if, the message itself has ended between two blocks.
pub(super) const END: [u8; 9] = {
    let mut end = [0; 9];
    end.split_at_mut(TAIL.len()).0.copy_from_slice(&TAIL);
    end.split_at_mut(TAIL.len()).1.copy_from_slice(&[1, 0, 0, 0xff, 0xff]);
    end
};

/// Inflates messages, each for itself.
#[derive(Default)]
pub struct Inflater {
    stream: Option<Box<zlib_rs::Inflate>>,
    room: Vec<u8>,
    /// Bytes of the message in the room.
    len: usize,
    /// Nothing has come since the beginning, or since a final block.
    between: bool,
    /// Bytes that have come in and gone out since somebody asked, also of messages that were none.
    done: u64,
}

impl Inflater {
    /// How many bytes it has taken in and given out since the last call.
    pub fn take_work(&mut self) -> u64 {
        std::mem::take(&mut self.done)
    }

    /// Inflates a message that lies in pieces.
    ///
    /// # Errors
    /// 1009 as soon as it would have more than `bytes_max` bytes, 1007 if it isn't deflated data or not all of it.
    pub fn message<'p>(
        &mut self,
        pieces: impl Iterator<Item = &'p [u8]>,
        bytes_max: usize,
    ) -> Result<&[u8], Violation> {
        self.room.truncate(ROOM_AT_REST);
        self.room.shrink_to(ROOM_AT_REST);
        (self.len, self.between) = (0, true);
        if let Some(stream) = &mut self.stream {
            stream.reset(false);
        }
        for piece in pieces {
            self.push(piece, bytes_max)?;
        }
        // Some senders end with a final block and leave it at that, or send nothing for nothing.
        if !self.between {
            self.push(&END, bytes_max)?;
        }
        if !self.between {
            return Err(Violation::not_deflated());
        }
        Ok(&self.room[..self.len])
    }

    fn push(&mut self, mut piece: &[u8], bytes_max: usize) -> Result<(), Violation> {
        let stream = self.stream.get_or_insert_with(|| {
            Box::new(zlib_rs::Inflate::new(false, super::extensions::WINDOW_BITS_MAX))
        });
        // One byte more than allowed shows that there is more than allowed.
        let end = bytes_max.saturating_add(1);
        while !piece.is_empty() {
            if self.len == self.room.len() {
                let size = (2 * self.len).max(ROOM_AT_REST).min(end);
                self.room.resize(size.max(self.len), 0);
            }
            let room_end = self.room.len().min(end);
            let out = &mut self.room[self.len..room_end];
            let (read, written) = (stream.total_in(), stream.total_out());
            let status = stream.decompress(piece, out, zlib_rs::InflateFlush::SyncFlush);
            let used = narrow::to_usize(stream.total_in() - read);
            let made = narrow::to_usize(stream.total_out() - written);
            self.len += made;
            self.done += (used + made) as u64;
            // First, since it may be that it is corrupt behind the limit: in which pieces it came makes no difference.
            if self.len > bytes_max {
                return Err(Violation::too_big());
            }
            let status = status.map_err(|_| Violation::not_deflated())?;
            piece = &piece[used..];
            self.between = status == zlib_rs::Status::StreamEnd;
            if self.between {
                // A message may have several final blocks (RFC 7692 section 7.2.3.5).
                stream.reset(false);
            } else if used == 0 && made == 0 {
                return Err(Violation::not_deflated());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::protocol::close::CloseCode;
    use proptest::prelude::*;

    fn inflated(payload: &[u8], bytes_max: usize) -> Result<Vec<u8>, CloseCode> {
        let mut inflater = Inflater::default();
        let whole = inflater.message(std::iter::once(payload), bytes_max).map(<[u8]>::to_vec);
        // In pieces, by an inflater that has seen something else before.
        let mut inflater = Inflater::default();
        let _ = inflater.message([&b"\xf2\x48\xcd\xc9\xc9"[..]].into_iter(), 1 << 20);
        let split = inflater.message(payload.chunks(1), bytes_max).map(<[u8]>::to_vec);
        assert_eq!(whole, split);
        whole.map_err(|violation| violation.code)
    }

    pub fn deflated(message: &[u8], flush: zlib_rs::DeflateFlush) -> Vec<u8> {
        let mut stream = zlib_rs::Deflate::new(9, false, 15);
        let mut out = vec![0; message.len() + 100];
        stream.compress(message, &mut out, flush).unwrap();
        out.truncate(stream.total_out() as usize);
        out
    }

    /// A message of these parts, each of which may end with a final block.
    pub fn message_of(parts: &[(Vec<u8>, bool)]) -> Vec<u8> {
        let mut payload = Vec::new();
        for (part, ends) in parts {
            let flush = if *ends { zlib_rs::DeflateFlush::Finish } else { zlib_rs::DeflateFlush::SyncFlush };
            payload.extend(deflated(part, flush));
        }
        if payload.ends_with(&TAIL) {
            payload.truncate(payload.len() - 4);
        } else {
            payload.push(0);
        }
        payload
    }

    #[test]
    fn the_examples_of_rfc_7692() {
        // Section 7.2.3: one block, no compression, a final block, two blocks, an empty fragment.
        assert_eq!(inflated(b"\xf2\x48\xcd\xc9\xc9\x07\x00", 5), Ok(b"Hello".to_vec()));
        assert_eq!(inflated(b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 5), Ok(b"Hello".to_vec()));
        assert_eq!(inflated(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 5), Ok(b"Hello".to_vec()));
        let two_blocks = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00";
        assert_eq!(inflated(two_blocks, 5), Ok(b"Hello".to_vec()));
        assert_eq!(inflated(b"\x00", 5), Ok(Vec::new()));
    }

    #[test]
    fn final_blocks_end_nothing() {
        let hello = b"\xf3\x48\xcd\xc9\xc9\x07\x00";
        assert_eq!(inflated(hello, 5), Ok(b"Hello".to_vec()), "without the octet behind it");
        assert_eq!(inflated(&[&hello[..], hello, b"\x00"].concat(), 10), Ok(b"HelloHello".to_vec()));
        assert_eq!(inflated(b"", 5), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_deflated_message() {
        let long = deflated(&[b'x'; 1000], zlib_rs::DeflateFlush::SyncFlush);
        let cut = &long[..long.len() - 7];
        let cases: [&[u8]; 6] =
            [b"\xff", b"Hello, world", b"\xf2\x48\xcd", b"\x00\x05\x00\xfa\xff\x48\x65", b"\x07", cut];
        for payload in cases {
            assert_eq!(inflated(payload, 1 << 20), Err(CloseCode::INVALID_PAYLOAD), "{payload:x?}");
        }
    }

    #[test]
    fn corrupt_behind_the_limit_is_too_big() {
        // Two letters and a reference to what was before them: fixed codes (RFC 1951 section 3.2.6).
        let payload = b"\x4a\x4c\x02\x5e\x00\x00";
        assert_eq!(inflated(payload, 1), Err(CloseCode::MESSAGE_TOO_BIG));
        assert_eq!(inflated(payload, 2), Err(CloseCode::INVALID_PAYLOAD));
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let (len, deflated_bytes_max) = if cfg!(miri) { (3_000, 100) } else { (10 << 20, 12_000) };
        let mut bomb = deflated(&vec![0; len], zlib_rs::DeflateFlush::SyncFlush);
        bomb.truncate(bomb.len() - 4);
        assert!(bomb.len() < deflated_bytes_max);
        let mut inflater = Inflater::default();
        for bytes_max in [125, len / 160, len - 1] {
            let result = inflater.message(bomb.chunks(100), bytes_max).map(<[u8]>::len);
            assert_eq!(result, Err(Violation::too_big()));
            let done = inflater.take_work();
            assert!(
                (bytes_max as u64..(bytes_max + deflated_bytes_max + 2) as u64).contains(&done),
                "{done}"
            );
            assert!(inflater.room.len() <= (bytes_max + 1).max(ROOM_AT_REST));
        }
        assert_eq!(inflater.message(bomb.chunks(100), len).map(<[u8]>::len), Ok(len));
        assert_eq!(inflater.message(std::iter::once(&b"\x00"[..]), 125), Ok(&[][..]));
        assert!(inflater.room.capacity() <= ROOM_AT_REST, "what one message took is given back");
    }

    proptest! {
        #[test]
        fn noise_never_breaks_it(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(message) = inflated(&payload, 1_000) {
                prop_assert!(message.len() <= 1_000);
            }
        }

        #[test]
        fn any_block_structure(
            parts in proptest::collection::vec(
                (proptest::collection::vec(any::<u8>(), 0..if cfg!(miri) { 30 } else { 300 }), any::<bool>()),
                1..5,
            ),
        ) {
            let payload = message_of(&parts);
            let whole = parts.iter().flat_map(|(part, _)| part.clone()).collect::<Vec<_>>();
            prop_assert_eq!(inflated(&payload, whole.len()), Ok(whole.clone()));
            if !whole.is_empty() {
                prop_assert_eq!(inflated(&payload, whole.len() - 1), Err(CloseCode::MESSAGE_TOO_BIG));
            }
        }
    }
}
