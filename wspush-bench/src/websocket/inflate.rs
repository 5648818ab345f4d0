//! Compressed messages (RFC 7692). Nobody was promised a context, so one inflater serves all connections.

use zlib_rs::{Inflate, InflateFlush, Status};

/// No server that is measured here sends a longer message.
const MESSAGE_MAX: usize = 64 << 20;
/// The largest window, so that whatever the server chose inflates.
const WINDOW_BITS: u8 = 15;
/// Cut off by the sender (RFC 7692 section 7.2.2).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Inflates messages of which each is complete in itself.
pub(super) struct Inflater {
    state: Inflate,
    /// The last message on the wire and inflated: a broadcast is the same for all, and so is its inflation.
    wire: Vec<u8>,
    message: Vec<u8>,
    /// Bytes of it in `message`, which only grows.
    size: usize,
    is_fresh: bool,
}

impl Default for Inflater {
    fn default() -> Self {
        Self {
            state: Inflate::new(false, WINDOW_BITS),
            wire: Vec::new(),
            message: Vec::new(),
            size: 0,
            is_fresh: false,
        }
    }
}

impl Inflater {
    /// The message that `wire` carries.
    pub(super) fn inflate(&mut self, wire: &[u8]) -> Result<&[u8], &'static str> {
        if !self.is_fresh || self.wire[..self.wire.len() - TAIL.len()] != *wire {
            self.is_fresh = false;
            self.wire.clear();
            self.wire.extend_from_slice(wire);
            self.wire.extend_from_slice(&TAIL);
            self.state.reset(false);
            self.size = self.run()?;
            self.is_fresh = true;
        }
        Ok(&self.message[..self.size])
    }

    /// Inflates all of `wire` and returns the message's size.
    fn run(&mut self) -> Result<usize, &'static str> {
        let (mut used, mut size) = (0, 0);
        loop {
            if size == self.message.len() {
                if size >= MESSAGE_MAX {
                    return Err("deflated message of more than 64 MiB");
                }
                self.message.resize((2 * size).clamp(4_096, MESSAGE_MAX), 0);
            }
            let status = self
                .state
                .decompress(&self.wire[used..], &mut self.message[size..], InflateFlush::SyncFlush)
                .map_err(|_| "deflated message does not inflate")?;
            (used, size) = (self.state.total_in() as usize, self.state.total_out() as usize);
            let left = self.wire.len() - used;
            match status {
                // A final block may end the message; then a zero byte stands before the tail (section 7.2.3.4).
                Status::StreamEnd if left <= TAIL.len() + 1 => return Ok(size),
                Status::StreamEnd => return Err("bytes behind the end of a deflated message"),
                // Room that was left over means that nothing was held back.
                Status::Ok | Status::BufError if left == 0 && size < self.message.len() => return Ok(size),
                Status::BufError if size < self.message.len() => {
                    return Err("deflated message is cut off");
                }
                Status::Ok | Status::BufError => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zlib_rs::{Deflate, DeflateFlush};

    fn deflate(message: &[u8]) -> Vec<u8> {
        let mut wire = vec![0; message.len() + 1_024];
        let mut state = Deflate::new(6, false, WINDOW_BITS);
        state.compress(message, &mut wire, DeflateFlush::SyncFlush).unwrap();
        wire.truncate(state.total_out() as usize);
        assert!(wire.ends_with(&TAIL));
        wire.truncate(wire.len() - TAIL.len());
        wire
    }

    #[test]
    fn messages_of_all_sizes_inflate_one_after_the_other() {
        let mut inflater = Inflater::default();
        // RFC 7692 section 7.2.3.1, and with no compression in 7.2.3.3.
        assert_eq!(inflater.inflate(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 7, 0]), Ok(&b"Hello"[..]));
        let stored = [0, 5, 0, 0xfa, 0xff, b'H', b'e', b'l', b'l', b'o', 0];
        assert_eq!(inflater.inflate(&stored), Ok(&b"Hello"[..]));
        // Section 7.2.3.4: a final block.
        assert_eq!(inflater.inflate(&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0]), Ok(&b"Hello"[..]));
        for size in [0, 1, 4_095, 4_096, 4_097, 100_000] {
            let message: Vec<u8> = (0..size).map(|at| (at / 3) as u8).collect();
            let wire = deflate(&message);
            for _ in 0..2 {
                assert_eq!(inflater.inflate(&wire), Ok(&message[..]), "{size}");
            }
        }
    }

    #[test]
    fn what_does_not_inflate_is_told_and_harms_nothing_after_it() {
        let mut inflater = Inflater::default();
        assert!(inflater.inflate(&[0xff; 20]).is_err());
        assert!(inflater.inflate(&[0xff; 20]).is_err(), "not taken for the last good one");
        let wire = deflate(b"Hello Hello Hello");
        assert_eq!(inflater.inflate(&wire), Ok(&b"Hello Hello Hello"[..]));
        // RFC 7692 section 7.2.3.2: this one needs the context of the one before it.
        assert!(inflater.inflate(&[0xf2, 0, 0x11, 0, 0]).is_err());
    }

    #[test]
    fn a_bomb_is_not_blown_up() {
        let wire = deflate(&vec![0; MESSAGE_MAX + 1]);
        assert_eq!(Inflater::default().inflate(&wire), Err("deflated message of more than 64 MiB"));
    }
}
