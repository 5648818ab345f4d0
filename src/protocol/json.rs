//! JSON as far as it is written for every publication (RFC 8259): strings, and bytes as base64. What is said seldom is
//! written by `serde_json`.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

use crate::narrow;

const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new());

/// The letter behind the backslash of a byte that is escaped (section 7); 0: nothing shorter than `u00XX`.
const fn short_escape(byte: u8) -> u8 {
    match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        _ => 0,
    }
}

/// JSON without the ends of lines that may stand between its tokens (RFC 8259 section 2), for formats in which they
/// mean something.
pub fn in_one_line(json: &[u8]) -> Cow<'_, [u8]> {
    let is_end = |byte: u8| matches!(byte, b'\n' | b'\r');
    if !json.iter().copied().any(is_end) {
        return Cow::Borrowed(json);
    }
    Cow::Owned(json.iter().map(|&byte| if is_end(byte) { b' ' } else { byte }).collect())
}

/// Appends UTF-8 text as a string, with its quotes.
pub fn push_string(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text;
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        out.extend_from_slice(word);
        let marks = special_bytes(u64::from_le_bytes(*word));
        if marks == 0 {
            rest = behind;
            continue;
        }
        // The lowest byte that is marked is marked rightly: what is borrowed goes upwards.
        let plain = marks.trailing_zeros() as usize / 8;
        out.truncate(out.len() - word.len() + plain);
        push_escaped(word[plain], out);
        rest = &rest[plain + 1..];
    }
    for &byte in rest {
        if byte < 0x20 || byte == b'"' || byte == b'\\' { push_escaped(byte, out) } else { out.push(byte) }
    }
    out.push(b'"');
}

/// Appends a byte that can't stand for itself.
fn push_escaped(byte: u8, out: &mut Vec<u8>) {
    let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
    match short_escape(byte) {
        0 => out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]),
        short => out.extend_from_slice(&[b'\\', short]),
    }
}

/// Marks the bytes of a word that must be escaped by their highest bits, and maybe some above the lowest of them.
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let control = word.wrapping_sub(0x20 * ONES) & !word;
    (control | zero(word ^ (u64::from(b'"') * ONES)) | zero(word ^ (u64::from(b'\\') * ONES))) & TOPS
}

/// Appends bytes as a string of base64 (RFC 4648 section 4), with its quotes.
pub fn push_base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = BASE64.encode_slice(bytes, &mut out[start..]);
    debug_assert_eq!(written.ok(), Some(out.len() - start), "the room is just what it takes");
    out.push(b'"');
}

/// `00` to `99`.
static PAIRS: [[u8; 2]; 100] = {
    let (mut pairs, mut n) = ([[0; 2]; 100], 0u8);
    while n < 100 {
        pairs[n as usize] = [b'0' + n / 10, b'0' + n % 10];
        n += 1;
    }
    pairs
};

/// Appends a number.
pub fn push_number(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    // Each division gives two of them.
    while number > 9 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[(number % 100) as usize]);
        number /= 100;
    }
    if number > 0 || at == digits.len() {
        at -= 1;
        digits[at] = b'0' + narrow::to_u8(narrow::to_usize(number));
    }
    out.extend_from_slice(&digits[at..]);
}

/// A number of digits alone, and as few of them as it takes.
pub fn decimal(text: &str) -> Option<u64> {
    let is_shortest = text == "0" || !text.is_empty() && !text.starts_with('0');
    let append = |number: u64, byte: u8| {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 { number.checked_mul(10)?.checked_add(digit.into()) } else { None }
    };
    if is_shortest { text.bytes().try_fold(0, append) } else { None }
}

/// Whether it is an object, if it is JSON at all. Serde takes an array for one, by the order of its fields.
pub fn is_object(json: &[u8]) -> bool {
    json.trim_ascii_start().first() == Some(&b'{')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn string(text: &str) -> String {
        let mut out = Vec::new();
        push_string(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings() {
        assert_eq!(string(""), r#""""#);
        assert_eq!(string("caf\u{e9} \u{2028}\u{7f}/"), "\"caf\u{e9} \u{2028}\u{7f}/\"");
        assert_eq!(string("a\"b\\c\n\t\r\u{8}\u{c}\0\u{1f}"), r#""a\"b\\c\n\t\r\b\f\u0000\u001f""#);
        for at in 0..24 {
            for byte in 0..128_u8 {
                let mut text = vec![b'x'; 24];
                text[at] = byte;
                let text = String::from_utf8(text).unwrap();
                assert_eq!(string(&text), serde_json::to_string(&text).unwrap(), "{byte} at {at}");
            }
        }
    }

    #[test]
    fn numbers_and_bytes() {
        let mut out = Vec::new();
        for number in (0..1_100).chain([9_999, 10_000, 1_795_257_271_813_595, u64::MAX]) {
            out.clear();
            push_number(number, &mut out);
            assert_eq!(out, number.to_string().as_bytes());
        }
        for (bytes, expected) in [(&b""[..], "\"\""), (b"\xff", "\"/w==\""), (b"\xfb\xf0\x01", "\"+/AB\"")] {
            out.clear();
            push_base64(bytes, &mut out);
            assert_eq!(out, expected.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn strings_are_as_serde_json_writes_them(text in any::<String>(), raw in "[\\x00-\\x7f]{0,40}") {
            for text in [text, raw] {
                prop_assert_eq!(string(&text), serde_json::to_string(&text).unwrap());
            }
        }
    }
}
