//! The characters that names in protocols are made of, where settings and what peers send are held to the same ones.
//!
//! Every handshake asks for some twenty names and looks through some of its values, so this is written for speed: a
//! look into a table for a character, and a word at a time for letters of either case.

/// A set of characters.
pub struct Alphabet([bool; 256]);

/// RFC 9110 section 5.6.2: what needs no quoting.
static TOKEN: Alphabet = Alphabet::alphanumeric_and(b"!#$%&'*+-.^_`|~");

impl Alphabet {
    /// ASCII's letters and digits, and these.
    pub const fn alphanumeric_and(others: &[u8]) -> Alphabet {
        let (mut has, mut byte, mut i) = ([false; 256], 0u8, 0);
        while byte < 128 {
            has[byte as usize] = byte.is_ascii_alphanumeric();
            byte += 1;
        }
        while i < others.len() {
            has[others[i] as usize] = true;
            i += 1;
        }
        Alphabet(has)
    }

    /// Whether all of `bytes` are in it.
    pub fn has_all(&self, bytes: &[u8]) -> bool {
        bytes.iter().all(|&byte| self.0[usize::from(byte)])
    }
}

/// Whether `bytes` are a token (RFC 9110 section 5.6.2): one or more of the characters that need no quoting.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && TOKEN.has_all(bytes)
}

/// The longest word that is shown to whoever sent it, and in the log.
const SHOWN_MAX: usize = 32;

/// The characters of words.
static WORD: Alphabet = Alphabet::alphanumeric_and(b"_-.");

/// A peer's word in an error. What looks like no word may be a secret in the wrong place, and is not repeated.
pub fn shown(word: &[u8]) -> String {
    match str::from_utf8(word) {
        Ok(text) if word.len() <= SHOWN_MAX && WORD.has_all(word) => format!("{text:?}"),
        _ => format!("of {} bytes", word.len()),
    }
}

/// Whether both are the same but for the case of ASCII's letters, as `eq_ignore_ascii_case` has it.
#[inline]
pub fn is_same_name(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && are_same(a, b)
}

fn are_same(a: &[u8], b: &[u8]) -> bool {
    are_alike(a, b, lower)
}

/// Whether a field of a request is called `name`, which is written in small letters, digits and hyphens.
///
/// The field is a token: it has none of the control characters that a set bit makes into digits and hyphens.
#[inline]
pub fn is_field_name(field: &[u8], name: &[u8]) -> bool {
    debug_assert!(name.iter().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-')), "{name:?}");
    debug_assert!(is_token(field));
    field.len() == name.len() && is_called(field, name)
}

fn is_called(field: &[u8], name: &[u8]) -> bool {
    are_alike(field, name, |word| u64::from_le_bytes(word) | (0x20 * EACH))
}

/// Whether two that are as long as each other have the same words, when all that doesn't matter is out of them.
#[inline]
fn are_alike(a: &[u8], b: &[u8], word: impl Fn([u8; 8]) -> u64) -> bool {
    let same = |(a, b): (&[u8; 8], &[u8; 8])| word(*a) == word(*b);
    // The last words overlap those before them.
    if let (Some(a_last), Some(b_last)) = (a.last_chunk(), b.last_chunk()) {
        let firsts = a.as_chunks().0.iter().zip(b.as_chunks().0);
        return same((a_last, b_last)) && firsts.take((a.len() - 1) / 8).all(same);
    }
    same((&in_a_word(a), &in_a_word(b)))
}

/// All of a name that is shorter than a word, from its beginning and from its end.
fn in_a_word(name: &[u8]) -> [u8; 8] {
    let mut word = [0; 8];
    if let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        word[..4].copy_from_slice(first);
        word[4..].copy_from_slice(last);
    } else {
        word[..name.len()].copy_from_slice(name);
    }
    word
}

/// A bit in each byte of a word.
const EACH: u64 = 0x0101_0101_0101_0101;

/// The same with small letters.
fn lower(bytes: [u8; 8]) -> u64 {
    let word = u64::from_le_bytes(bytes);
    let without_top = word & (0x7f * EACH);
    // The top bit of a byte says so; no sum is carried into the next byte.
    let is_from_a = without_top + u64::from(0x80 - b'A') * EACH;
    let is_behind_z = without_top + u64::from(0x7f - b'Z') * EACH;
    let is_large = (is_from_a ^ is_behind_z) & !word & (0x80 * EACH);
    word | is_large >> 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tokens() {
        for token in ["a", "wspush.v1", "!#$%&'*+-.^_`|~09azAZ"] {
            assert!(is_token(token.as_bytes()), "{token}");
        }
        for other in ["", "a b", "a,b", "a\r\nb", "a\"", "a/b", "a;b", "a:b", "é", "\0", "\x7f"] {
            assert!(!is_token(other.as_bytes()), "{other:?}");
        }
    }

    #[test]
    fn each_character_alone_is_the_same_in_either_case_and_no_other() {
        for a in 0..=255_u8 {
            for b in 0..=255_u8 {
                for len in [1, 4, 8, 11] {
                    let (a, b) = ([a; 16], [b; 16]);
                    let (a, b) = (&a[..len], &b[..len]);
                    assert_eq!(is_same_name(a, b), a.eq_ignore_ascii_case(b), "{a:?} {b:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_field_is_found_by_its_name_in_either_case(
            name in "[a-z0-9-]{1,30}",
            field in "[!#$%&'*+.^_`|~A-Za-z0-9-]{1,30}",
        ) {
            prop_assert!(is_field_name(name.to_uppercase().as_bytes(), name.as_bytes()));
            prop_assert!(is_field_name(name.as_bytes(), name.as_bytes()));
            let is_same = field.eq_ignore_ascii_case(&name);
            prop_assert_eq!(is_field_name(field.as_bytes(), name.as_bytes()), is_same);
            let mut near = name.clone().into_bytes();
            *near.last_mut().unwrap() = field.as_bytes()[0];
            prop_assert_eq!(is_field_name(&near, name.as_bytes()), near.eq_ignore_ascii_case(name.as_bytes()));
        }

        #[test]
        fn names_are_the_same_as_the_standard_library_has_it(
            a in prop::collection::vec(any::<u8>(), 0..30),
            flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 0..4),
            shorter in any::<bool>(),
        ) {
            let mut b = a.clone();
            for (at, bit) in flips.iter().filter(|_| !a.is_empty()) {
                b[at.index(a.len())] ^= 1 << bit;
            }
            b.truncate(b.len() - usize::from(shorter && !b.is_empty()));
            prop_assert_eq!(is_same_name(&a, &b), a.eq_ignore_ascii_case(&b));
            let (small, large) = (a.to_ascii_lowercase(), a.to_ascii_uppercase());
            prop_assert!(is_same_name(&small, &large));
        }
    }
}
