//! The content of a measured message, in text-safe characters so that it passes as a text frame:
//!
//!     run (4 hex) | sequence number (8 hex) | send time (12 hex, ns) | checksum (8 hex) | pattern ...
//!
//! or the same stamp as the first value of a JSON object, `{"stamp":"...",...}`, for bodies that shrink as real
//! ones do.
//!
//! The time is that of `CLOCK_MONOTONIC`, mod 2^48. The run tag tells our messages from a server's own (a
//! greeting, the history of an earlier run). The checksum covers everything else, so that a flipped bit, a
//! cut or a splice of two messages shows.

use crate::json_body;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The smallest message, which is the stamp alone.
pub(crate) const SIZE_MIN: usize = 32;
/// The smallest JSON body.
pub(crate) const JSON_SIZE_MIN: usize = 96;
const SUM_AT: usize = 24;
const TIME_MASK: u64 = (1 << 48) - 1;

/// Sequence number and send time, as read from a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) sequence: u32,
    sent_ns: u64,
}

impl Stamp {
    /// Nanoseconds from the sending to `now_ns`; right for 78 hours.
    pub(crate) fn age_ns(self, now_ns: u64) -> u64 {
        now_ns.wrapping_sub(self.sent_ns) & TIME_MASK
    }
}

/// The bytes around the stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Body {
    Text,
    Json,
}

/// The receiver's judgement of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Whole(Stamp),
    /// Ours, but changed on the way. The stamp is what it claims to be, where that can still be read.
    Corrupt(Option<Stamp>),
    /// Not a message of this run.
    Foreign,
}

/// How the messages of a campaign are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Template {
    pub(crate) run: u16,
    pub(crate) body: Body,
    /// Bytes of a message.
    pub(crate) size: usize,
}

impl Template {
    /// Appends a message.
    pub(crate) fn compose(self, out: &mut Vec<u8>, sequence: u32, sent_ns: u64) {
        let Self { run, body, size } = self;
        let start = out.len();
        if body == Body::Json {
            out.extend_from_slice(json_body::HEAD.as_bytes());
        }
        let stamp_at = out.len() - start;
        push_hex(out, u64::from(run), 4);
        push_hex(out, u64::from(sequence), 8);
        push_hex(out, sent_ns & TIME_MASK, 12);
        push_hex(out, 0, 8);
        match body {
            // A window into the alphabet that moves with the sequence number: a byte out of its place is a wrong
            // byte.
            Body::Text => out.extend((SIZE_MIN..size).map(|at| b'a' + ((at + sequence as usize) % 26) as u8)),
            Body::Json => json_body::fill(out, start, u64::from(run) << 32 | u64::from(sequence), size),
        }
        let sum = checksum(&out[start..], stamp_at);
        let mut digits = Vec::with_capacity(8);
        push_hex(&mut digits, u64::from(sum), 8);
        out[start + stamp_at + SUM_AT..start + stamp_at + SIZE_MIN].copy_from_slice(&digits);
    }
}

/// Checks a message of run `run`.
pub(crate) fn check(message: &[u8], run: u16) -> Verdict {
    let stamp_at = if message.starts_with(json_body::HEAD.as_bytes()) { json_body::HEAD.len() } else { 0 };
    let Some(digits) = message.get(stamp_at..stamp_at + SIZE_MIN) else { return Verdict::Foreign };
    if hex(&digits[..4]) != Some(u64::from(run)) {
        return Verdict::Foreign;
    }
    let stamp = hex(&digits[4..12])
        .zip(hex(&digits[12..SUM_AT]))
        .map(|(sequence, sent_ns)| Stamp { sequence: sequence as u32, sent_ns });
    match stamp {
        Some(stamp) if hex(&digits[SUM_AT..]) == Some(u64::from(checksum(message, stamp_at))) => {
            Verdict::Whole(stamp)
        }
        stamp => Verdict::Corrupt(stamp),
    }
}

/// Word by word, since every receiver computes it for every message. Each step is a bijection of the state,
/// so one changed word always changes the 64-bit state, and the folded sum but for one time in 2^32.
fn checksum(message: &[u8], stamp_at: usize) -> u32 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut state = (message.len() as u64).wrapping_mul(ODD);
    for part in [&message[..stamp_at + SUM_AT], &message[stamp_at + SIZE_MIN..]] {
        let mut words = part.chunks_exact(8);
        for word in &mut words {
            let word =
                u64::from_le_bytes([word[0], word[1], word[2], word[3], word[4], word[5], word[6], word[7]]);
            state = (state.rotate_left(23) ^ word).wrapping_mul(ODD);
        }
        let tail = words.remainder().iter().fold(0, |tail, byte| tail << 8 | u64::from(*byte));
        state = (state.rotate_left(23) ^ tail).wrapping_mul(ODD);
    }
    (state ^ (state >> 32)) as u32
}

fn push_hex(out: &mut Vec<u8>, value: u64, digits: u32) {
    out.extend((0..digits).rev().map(|digit| b"0123456789abcdef"[(value >> (4 * digit)) as usize & 15]));
}

fn hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_as_it_was_composed() {
        let text = [32, 33, 40, 47, 512, 5_000].map(|size| (Body::Text, size));
        let json = [96, 97, 512, 5_000].map(|size| (Body::Json, size));
        for (body, size) in text.into_iter().chain(json) {
            let mut message = Vec::new();
            Template { run: 0xbeef, body, size }.compose(&mut message, 77, 1_234_567);
            assert_eq!(message.len(), size);
            assert!(message.is_ascii());
            let Verdict::Whole(stamp) = check(&message, 0xbeef) else { panic!("not whole") };
            assert_eq!((stamp.sequence, stamp.age_ns(1_234_600)), (77, 33));
            assert_eq!(check(&message, 0xbee0), Verdict::Foreign);
        }
    }

    #[test]
    fn every_changed_bit_and_every_cut_is_seen() {
        for (body, stamp_at, size) in [(Body::Text, 0, 61), (Body::Json, json_body::HEAD.len(), 320)] {
            let mut message = Vec::new();
            Template { run: 1, body, size }.compose(&mut message, 2, 3);
            for at in stamp_at + 4..message.len() {
                for bit in 0..8 {
                    message[at] ^= 1 << bit;
                    assert!(matches!(check(&message, 1), Verdict::Corrupt(_)), "byte {at} bit {bit}");
                    message[at] ^= 1 << bit;
                }
            }
            for size in stamp_at + SIZE_MIN..message.len() {
                assert!(matches!(check(&message[..size], 1), Verdict::Corrupt(_)), "cut to {size}");
            }
        }
    }

    #[test]
    fn the_send_time_wraps_harmlessly() {
        let mut message = Vec::new();
        Template { run: 1, body: Body::Text, size: 32 }.compose(&mut message, 0, TIME_MASK);
        let Verdict::Whole(stamp) = check(&message, 1) else { panic!("not whole") };
        assert_eq!(stamp.age_ns(TIME_MASK + 5), 5);
    }
}
