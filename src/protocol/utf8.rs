//! UTF-8 checked as it arrives (RFC 6455 section 8.1), failing on the first byte that proves it wrong.

use crate::narrow;

/// The state of a text that arrives in pieces: the bytes of a character whose end isn't there yet.
#[derive(Clone, Debug, Default, serde::Deserialize, serde::Serialize)]
pub struct Utf8 {
    tail: [u8; 4],
    len: u8,
}

impl Utf8 {
    /// Takes the next piece. `false`: the text can't become valid any more, whatever follows.
    pub fn push(&mut self, mut bytes: &[u8]) -> bool {
        while self.len > 0 {
            let Some((&byte, rest)) = bytes.split_first() else { return true };
            bytes = rest;
            self.tail[usize::from(self.len)] = byte;
            self.len += 1;
            // The standard library names an incomplete sequence only if it may still become valid (it knows
            // the narrow second bytes behind E0, ED, F0 and F4), so at most three bytes stay in the tail.
            match std::str::from_utf8(&self.tail[..usize::from(self.len)]) {
                Ok(_) => self.len = 0,
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return false,
            }
        }
        let Err(error) = simdutf8::compat::from_utf8(bytes) else { return true };
        if error.error_len().is_some() {
            return false;
        }
        let tail = &bytes[error.valid_up_to()..];
        self.tail[..tail.len()].copy_from_slice(tail);
        self.len = narrow::to_u8(tail.len());
        true
    }

    /// Whether the text may end here: no character is incomplete.
    pub fn finish(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// An independent judge: the table of RFC 3629 section 4. Whether `bytes` begin some valid text, and
    /// whether they are one.
    fn judge(mut bytes: &[u8]) -> (bool, bool) {
        while let [first, rest @ ..] = bytes {
            let (low, high, more) = match first {
                0x00..=0x7f => {
                    bytes = rest;
                    continue;
                }
                0xc2..=0xdf => (0x80, 0xbf, 1),
                0xe0 => (0xa0, 0xbf, 2),
                0xed => (0x80, 0x9f, 2),
                0xe1..=0xef => (0x80, 0xbf, 2),
                0xf0 => (0x90, 0xbf, 3),
                0xf1..=0xf3 => (0x80, 0xbf, 3),
                0xf4 => (0x80, 0x8f, 3),
                _ => return (false, false),
            };
            for i in 0..more {
                let Some(&byte) = rest.get(i) else { return (true, false) };
                let (low, high) = if i == 0 { (low, high) } else { (0x80, 0xbf) };
                if !(low..=high).contains(&byte) {
                    return (false, false);
                }
            }
            bytes = &rest[more..];
        }
        (true, true)
    }

    /// Pushes pieces of `step` bytes and compares the verdict after each with the judge's.
    fn check(text: &[u8], step: usize) {
        let mut utf8 = Utf8::default();
        let mut end = 0;
        for piece in text.chunks(step) {
            end += piece.len();
            let (possible, complete) = judge(&text[..end]);
            assert_eq!(utf8.push(piece), possible, "{text:x?} up to {end}, by {step}");
            if !possible {
                return;
            }
            assert_eq!(utf8.finish(), complete, "{text:x?} up to {end}, by {step}");
        }
        assert_eq!(std::str::from_utf8(text).is_ok(), utf8.finish());
    }

    #[test]
    fn every_short_sequence_of_interesting_bytes() {
        let bytes = [
            0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec,
            0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xfe, 0xff,
        ];
        // All of them take Miri hours.
        let step = if cfg!(miri) { 7 } else { 1 };
        for a in bytes.into_iter().step_by(step) {
            for b in bytes.into_iter().step_by(step) {
                for c in bytes.into_iter().step_by(step) {
                    for d in [0x41, 0x7f, 0x80, 0xbf, 0xc2, 0xf0, 0xff] {
                        for size in 1..=4 {
                            check(&[a, b, c, d], size);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn every_pair_of_bytes() {
        for pair in (0..=u16::MAX).step_by(if cfg!(miri) { 251 } else { 1 }) {
            check(&pair.to_be_bytes(), 1);
            check(&pair.to_be_bytes(), 2);
        }
    }

    #[test]
    fn autobahn_6_4_fails_on_the_byte() {
        let valid = "κόσμε".as_bytes();
        let mut utf8 = Utf8::default();
        assert!(utf8.push(valid));
        assert!(utf8.push(b"\xf4"));
        assert!(!utf8.push(b"\x90"));
        let text = [&"é".repeat(100).into_bytes()[..], b"\xf4\x90"].concat();
        assert!(!Utf8::default().push(&text));
        assert!(Utf8::default().push(&text[..text.len() - 1]));
    }

    #[test]
    fn size() {
        assert!(size_of::<Utf8>() <= 8);
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces(bytes in vec(any::<u8>(), 0..64), step in 1usize..70) {
            check(&bytes, step);
        }

        #[test]
        fn any_text_with_one_byte_changed(text in "\\PC{0,120}", at: usize, byte: u8, step in 1usize..200) {
            let mut text = text.into_bytes();
            check(&text, step);
            if !text.is_empty() {
                let at = at % text.len();
                text[at] = byte;
                check(&text, step);
            }
        }
    }
}
