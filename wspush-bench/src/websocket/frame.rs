//! The client's side of RFC 6455 section 5: server frames in, masked frames out.

pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// No server that is measured here sends more in a frame; a larger length is a parser that lost its place.
const PAYLOAD_MAX: u64 = 64 << 20;

/// A server frame's header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) fin: bool,
    /// RSV1: the message is deflated (RFC 7692 section 6).
    pub(super) is_deflated: bool,
    pub(super) opcode: u8,
    /// Bytes of the header itself.
    pub(super) size: usize,
    /// Bytes of the payload.
    pub(super) length: usize,
}

/// Reads a header; `Ok(None)` asks for more bytes, an error names what a server must not send. Deflated
/// messages may only come where that was negotiated.
pub(super) fn parse(bytes: &[u8], may_deflate: bool) -> Result<Option<Header>, &'static str> {
    let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
    let is_deflated = first & 0x40 != 0;
    if first & 0x30 != 0 || is_deflated && !may_deflate {
        return Err("reserved bit without an extension");
    }
    if second & 0x80 != 0 {
        return Err("masked server frame");
    }
    let opcode = first & 15;
    if !matches!(opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG) {
        return Err("reserved opcode");
    }
    // The first fragment speaks for the message, and control frames are never deflated.
    if is_deflated && !matches!(opcode, TEXT | BINARY) {
        return Err("deflated continuation or control frame");
    }
    let fin = first & 0x80 != 0;
    let (size, length) = match (second, rest) {
        (126, [high, low, ..]) => (4, u64::from(u16::from_be_bytes([*high, *low]))),
        (127, [a, b, c, d, e, f, g, h, ..]) => (10, u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h])),
        (126 | 127, _) => return Ok(None),
        (length, _) => (2, u64::from(length)),
    };
    if opcode >= CLOSE && (!fin || length > 125) {
        return Err("fragmented or long control frame");
    }
    if length > PAYLOAD_MAX {
        return Err("frame of more than 64 MiB");
    }
    Ok(Some(Header { fin, is_deflated, opcode, size, length: length as usize }))
}

/// Appends a whole masked frame.
pub(super) fn encode(out: &mut Vec<u8>, opcode: u8, payload: &[u8], mask: u32) {
    out.push(0x80 | opcode);
    match payload.len() {
        length @ 0..126 => out.push(0x80 | length as u8),
        length @ 126..65_536 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    let mask = mask.to_ne_bytes();
    out.extend_from_slice(&mask);
    let start = out.len();
    out.extend_from_slice(payload);
    let mut words = out[start..].chunks_exact_mut(4);
    for word in &mut words {
        for (byte, key) in word.iter_mut().zip(mask) {
            *byte ^= key;
        }
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(mask) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_all_three_forms() {
        let header = |fin, opcode, size, length| Header { fin, is_deflated: false, opcode, size, length };
        assert_eq!(parse(&[0x81, 5], false), Ok(Some(header(true, TEXT, 2, 5))));
        assert_eq!(parse(&[0x02, 126, 1, 0], false), Ok(Some(header(false, BINARY, 4, 256))));
        let long = [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0];
        assert_eq!(parse(&long, false), Ok(Some(header(true, BINARY, 10, 65_536))));
        for cut in 0..long.len() {
            assert_eq!(parse(&long[..cut], false), Ok(None), "cut to {cut}");
        }
        let deflated = Header { is_deflated: true, ..header(true, TEXT, 2, 5) };
        assert_eq!(parse(&[0xc1, 5], true), Ok(Some(deflated)));
    }

    #[test]
    fn what_a_server_must_not_send() {
        assert!(parse(&[0xc1, 0], false).is_err());
        for bad in [
            &[0x81, 0x80][..],
            &[0x83, 0],
            &[0x09, 0],
            &[0x88, 126, 0, 200],
            &[0xa1, 0],
            &[0xc9, 0],
            &[0xc0, 0],
        ] {
            assert!(parse(bad, true).is_err(), "{bad:x?}");
        }
    }

    #[test]
    fn an_encoded_frame_unmasks_to_its_payload() {
        for size in [0, 1, 3, 4, 125, 126, 700, 70_000] {
            let payload: Vec<u8> = (0..size).map(|at| at as u8).collect();
            let mut frame = Vec::new();
            encode(&mut frame, BINARY, &payload, 0x1234_5678);
            assert_eq!(frame[0], 0x82);
            let mask_at = frame.len() - size - 4;
            let unmasked: Vec<u8> = frame[mask_at + 4..]
                .iter()
                .enumerate()
                .map(|(at, byte)| byte ^ frame[mask_at + at % 4])
                .collect();
            assert_eq!(unmasked, payload);
        }
    }
}
