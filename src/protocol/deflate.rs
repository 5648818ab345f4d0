//! Frames deflated (RFC 7692 section 7.2.1): one compressor for the whole server, begun anew with every message.
//!
//! `zlib-rs` does the work: pure Rust, maintained by those who drive Rust's zlib, with the raw streams, the sync flush
//! and the reset that the extension needs. Of 1 KiB of JSON it makes 0.38 KiB in 17 microseconds at level 3, where
//! `miniz_oxide` takes 36; `libdeflate` takes 18, but is C and can't end a message without a final block.
//!
//! It takes about 240 KiB, from the first message on that is worth it. The window is always the largest one: a message
//! that is no longer than a smaller window has no reference that reaches further back, and a longer one isn't
//! compressed for a client with that window. So zlib's own trouble with a window of 2^8 never shows.

use crate::limits::FRAME_HEADER_BYTES_MAX;

use super::extensions::WINDOW_BITS_MAX;
use super::frame::{self, Opcode};

/// The end of a sync flush; it isn't sent (RFC 7692 section 7.2.1).
pub(super) const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Memory for a frame that is kept from one to the next.
const BUFFER_AT_REST: usize = 64 << 10;

/// Of a larger payload so much is tried first: a picture of some megabytes would hold up everybody for nothing.
const SAMPLE_BYTES: usize = 16 << 10;

/// Compresses messages, each for itself.
#[derive(Default)]
pub struct Deflater {
    level: u8,
    bytes_min: usize,
    stream: Option<Box<zlib_rs::Deflate>>,
    buffer: Vec<u8>,
    /// Bytes compressed since somebody asked.
    taken: u64,
}

impl Deflater {
    /// A compressor of this level, 1 (fast) to 9 (small), for messages from `bytes_min` bytes on. It has no memory
    /// before its first message.
    pub fn new(level: u8, bytes_min: usize) -> Deflater {
        Deflater { level, bytes_min, ..Deflater::default() }
    }

    /// How many bytes it has compressed since the last call.
    pub fn take_work(&mut self) -> u64 {
        std::mem::take(&mut self.taken)
    }

    /// The message as one deflated frame; `None` if it is too short for that, or wouldn't become shorter.
    pub fn frame(&mut self, opcode: Opcode, payload: &[u8]) -> Option<&[u8]> {
        if payload.len() < self.bytes_min.max(1) {
            return None;
        }
        if payload.len() > 4 * SAMPLE_BYTES {
            let sample = self.compress(&payload[..SAMPLE_BYTES])?;
            if sample > SAMPLE_BYTES - SAMPLE_BYTES / 16 {
                return None;
            }
        }
        let len = self.compress(payload)?;
        let (header, size) = frame::encode_deflated_header(opcode, len);
        let start = FRAME_HEADER_BYTES_MAX - size;
        self.buffer[start..FRAME_HEADER_BYTES_MAX].copy_from_slice(&header[..size]);
        Some(&self.buffer[start..FRAME_HEADER_BYTES_MAX + len])
    }

    /// Compresses into the buffer, behind the room for the header; how many bytes it became, always fewer.
    fn compress(&mut self, payload: &[u8]) -> Option<usize> {
        let level = i32::from(self.level);
        let stream =
            self.stream.get_or_insert_with(|| Box::new(zlib_rs::Deflate::new(level, false, WINDOW_BITS_MAX)));
        // A flush that has filled its room may not be over (zlib's manual on deflate()); one that has filled this much
        // was not worth it anyway.
        let room = payload.len() + TAIL.len();
        self.buffer.truncate(BUFFER_AT_REST.max(FRAME_HEADER_BYTES_MAX + room));
        self.buffer.shrink_to(BUFFER_AT_REST);
        if self.buffer.len() < FRAME_HEADER_BYTES_MAX + room {
            self.buffer.resize(FRAME_HEADER_BYTES_MAX + room, 0);
        }
        stream.reset();
        self.taken += payload.len() as u64;
        let out = &mut self.buffer[FRAME_HEADER_BYTES_MAX..FRAME_HEADER_BYTES_MAX + room];
        stream.compress(payload, out, zlib_rs::DeflateFlush::SyncFlush).ok()?;
        let written = usize::try_from(stream.total_out()).ok()?;
        let whole = written < room && stream.total_in() == payload.len() as u64;
        let len = out.get(..written).filter(|_| whole)?.strip_suffix(&TAIL)?.len();
        (len < payload.len()).then_some(len)
    }

    /// Appends a message as one frame, deflated where that is worth it and the client's window suffices.
    /// `window_bits` is what was agreed on with the client; 0: nothing.
    pub fn encode(&mut self, opcode: Opcode, payload: &[u8], window_bits: u8, out: &mut Vec<u8>) {
        let suffices = window_bits >= WINDOW_BITS_MAX || window_bits > 0 && payload.len() <= 1 << window_bits;
        match suffices.then(|| self.frame(opcode, payload)).flatten() {
            Some(frame) => out.extend_from_slice(frame),
            None => frame::encode(opcode, payload, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::inflate::Inflater;
    use proptest::prelude::*;

    fn inflated(frame: &[u8]) -> Vec<u8> {
        let (header, len) = frame::decode_server_header(frame).unwrap();
        assert_eq!(frame.len() - header, len as usize);
        let payload = &frame[header..];
        assert_eq!(frame[0] & 0xf0, 0xc0);
        Inflater::default().message(std::iter::once(payload), 1 << 24).unwrap().to_vec()
    }

    #[test]
    fn short_and_stubborn_messages_stay_as_they_are() {
        let mut deflater = Deflater::new(6, 100);
        assert_eq!(deflater.frame(Opcode::Text, &[b'a'; 99]), None);
        assert!(deflater.frame(Opcode::Text, &[b'a'; 100]).is_some());
        assert_eq!(deflater.frame(Opcode::Text, b""), None);
        let noise = |len: usize| {
            let next = |n: &u64| Some(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695));
            std::iter::successors(Some(7u64), next).map(|n| (n >> 56) as u8).take(len).collect::<Vec<_>>()
        };
        assert_eq!(deflater.frame(Opcode::Binary, &noise(300)), None);
        let mut picture = noise(SAMPLE_BYTES);
        picture.resize(100_000, 0);
        assert_eq!(deflater.frame(Opcode::Binary, &picture), None, "its beginning says enough");
        assert!(deflater.buffer.len() <= BUFFER_AT_REST.max(FRAME_HEADER_BYTES_MAX + 4 + SAMPLE_BYTES));
    }

    #[test]
    fn every_message_stands_for_itself() {
        let mut deflater = Deflater::new(3, 1);
        let text = b"the same words, the same words, the same words again and again".repeat(3);
        let first = deflater.frame(Opcode::Text, &text).unwrap().to_vec();
        assert!(first.len() < text.len() / 2);
        assert!(deflater.frame(Opcode::Binary, &text[7..]).is_some());
        assert_eq!(deflater.frame(Opcode::Text, &text).unwrap(), first, "nothing is left of the others");
        assert_eq!(inflated(&first), text);
    }

    #[test]
    fn a_small_window_gets_what_fits_it() {
        let mut deflater = Deflater::new(9, 1);
        for (bits, len, deflated) in [
            (8, 256, true),
            (8, 257, false),
            (9, 512, true),
            (9, 513, false),
            (15, if cfg!(miri) { 3_000 } else { 70_000 }, true),
            (0, 300, false),
        ] {
            let mut out = Vec::new();
            deflater.encode(Opcode::Text, &vec![b'z'; len], bits, &mut out);
            assert_eq!(out[0], if deflated { 0xc1 } else { 0x81 }, "{bits} bits, {len} bytes");
            // zlib's own inflater with that window takes it.
            if deflated {
                let mut inflate = zlib_rs::Inflate::new(false, bits);
                let (header, _) = frame::decode_server_header(&out).unwrap();
                let whole = [&out[header..], &TAIL].concat();
                let mut text = vec![0; len];
                inflate.decompress(&whole, &mut text, zlib_rs::InflateFlush::SyncFlush).unwrap();
                assert_eq!((inflate.total_out(), text), (len as u64, vec![b'z'; len]));
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_deflated_comes_back(
            level in 1u8..10,
            words in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 1..6),
            picks in proptest::collection::vec(any::<prop::sample::Index>(), 1..if cfg!(miri) { 20 } else { 400 }),
        ) {
            let message: Vec<u8> = picks.iter().flat_map(|pick| pick.get(&words).clone()).collect();
            let mut deflater = Deflater::new(level, 1);
            for payload in [&message[..], &message[..message.len() / 2]] {
                if let Some(frame) = deflater.frame(Opcode::Binary, payload) {
                    prop_assert!(frame.len() < frame::encoded_len(payload.len()));
                    prop_assert!(frame::are_whole(frame));
                    prop_assert_eq!(inflated(frame), payload);
                }
            }
        }
    }
}
