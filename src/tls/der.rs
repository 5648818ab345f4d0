//! Distinguished Encoding Rules (X.690), as far as a certificate's subject and dates need them.

/// A tag and its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element<'a> {
    pub tag: u8,
    pub content: &'a [u8],
}

pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const PRINTABLE_STRING: u8 = 0x13;
pub(super) const TELETEX_STRING: u8 = 0x14;
pub(super) const IA5_STRING: u8 = 0x16;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const BMP_STRING: u8 = 0x1e;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// Takes the first element off `bytes`. None: there is no whole one.
pub(super) fn next<'a>(bytes: &mut &'a [u8]) -> Option<Element<'a>> {
    let (&[tag, first], rest) = bytes.split_first_chunk()?;
    // Long tags are in no certificate.
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(Element { tag, content })
}

/// The first element's content, if it has this tag.
pub(super) fn expect<'a>(bytes: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    next(bytes).filter(|element| element.tag == tag).map(|element| element.content)
}

/// All elements of a content, as far as they are whole.
pub(super) fn each(mut content: &[u8]) -> impl Iterator<Item = Element<'_>> {
    std::iter::from_fn(move || next(&mut content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_short_and_long() {
        let mut bytes = &[0x30, 2, 1, 2, 0x0c, 0x81, 1, 9, 0x0c, 0x82, 0, 1, 8][..];
        assert_eq!(next(&mut bytes), Some(Element { tag: SEQUENCE, content: &[1, 2] }));
        assert_eq!(expect(&mut bytes, UTF8_STRING), Some(&[9][..]));
        assert_eq!(expect(&mut bytes, UTC_TIME), None);
        assert!(bytes.is_empty());
    }

    #[test]
    fn what_is_not_whole_is_nothing() {
        for bytes in [
            &[][..],
            &[0x30],
            &[0x30, 1],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x81],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0],
            &[0x30, 0x85, 0, 0, 0, 0, 0],
            &[0x1f, 1, 0],
        ] {
            assert_eq!(next(&mut { bytes }), None, "{bytes:x?}");
        }
    }
}
