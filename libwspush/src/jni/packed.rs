//! Several texts in one byte array: each is its length (32 bits, big endian as Java's streams) and its bytes.

/// Appends a part.
pub(super) fn put(out: &mut Vec<u8>, part: &[u8]) {
    let len = u32::try_from(part.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(&part[..len as usize]);
}

/// Packs all parts.
pub(super) fn pack<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    parts.into_iter().for_each(|part| put(&mut out, part));
    out
}

/// Takes the parts out again; None if they are not whole, or one is not UTF-8.
pub(super) fn unpack(bytes: &[u8]) -> Option<Vec<&str>> {
    parts(bytes)?.into_iter().map(|part| std::str::from_utf8(part).ok()).collect()
}

/// The same, where parts may be any bytes.
pub(super) fn parts(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let (len, rest) = bytes.split_first_chunk::<4>()?;
        let (part, rest) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
        parts.push(part);
        bytes = rest;
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_again() {
        let texts = ["", "a", "gr\u{fc}\u{df}e\0\n"];
        let packed = pack(texts.map(str::as_bytes));
        assert_eq!(unpack(&packed).unwrap(), texts);
        assert_eq!(unpack(b""), Some(vec![]));
        for end in 1..packed.len() {
            // It ends between two parts, or is refused.
            assert!(unpack(&packed[..end]).is_none_or(|parts| texts.starts_with(&parts)), "{end}");
        }
        assert_eq!(unpack(&[0, 0, 0, 1, 0xff]), None);
        assert_eq!(parts(&[0, 0, 0, 1, 0xff]), Some(vec![&b"\xff"[..]]));
        assert_eq!(unpack(&[0xff; 8]), None);
    }
}
