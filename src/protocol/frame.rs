//! The frame codec (RFC 6455 section 5.2): headers from clients in, whole frames from the server out.

use crate::limits::{CONTROL_PAYLOAD_BYTES_MAX, FRAME_HEADER_BYTES_MAX};
use crate::narrow;

use super::close::Violation;

/// A frame from a client has its mask behind the length.
const MASK_BYTES: usize = 4;
/// Longest header of a frame from a client.
const CLIENT_HEADER_MAX: usize = FRAME_HEADER_BYTES_MAX + MASK_BYTES;
/// Longest control frame from a client, and so one more than what may have to be kept between two reads.
pub const CONTROL_FRAME_MAX: usize = 2 + MASK_BYTES + CONTROL_PAYLOAD_BYTES_MAX;

const _: () = assert!(CLIENT_HEADER_MAX < CONTROL_FRAME_MAX);

const FIN: u8 = 0x80;
const RSV: u8 = 0x70;
/// Set on the first frame of a deflated message (RFC 7692 section 6).
const RSV1: u8 = 0x40;
const MASKED: u8 = 0x80;
const LEN_16: u8 = 126;
const LEN_64: u8 = 127;

/// The kinds of frames (RFC 6455 section 11.8).
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// The next fragment of the message that is under way.
    Continuation = 0,
    /// A text message or its first fragment.
    Text = 1,
    /// A binary message or its first fragment.
    Binary = 2,
    /// Close, with an optional code and reason.
    Close = 8,
    /// Ping: to be answered by a pong with the same payload.
    Ping = 9,
    /// Pong, asked for or not.
    Pong = 10,
}

impl Opcode {
    /// The opcode in the low half of a frame's first byte; the others are reserved.
    const fn from_nibble(nibble: u8) -> Option<Self> {
        Some(match nibble {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    /// Control frames are short, never fragmented, and may stand between fragments (RFC 6455 section 5.5).
    pub const fn is_control(self) -> bool {
        self as u8 & 8 != 0
    }
}

/// The header of a client's frame.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Last fragment of its message.
    pub fin: bool,
    /// The message that begins with this frame is deflated (RFC 7692 section 6).
    pub deflated: bool,
    /// The kind of frame.
    pub opcode: Opcode,
    /// Masking key.
    pub mask: [u8; 4],
    /// Bytes of payload that follow.
    pub len: u64,
    /// Bytes of the header itself: 6, 8 or 14.
    pub size: usize,
}

/// Decodes the header of a client's frame (RFC 6455 section 5.2); `None`: more bytes are needed.
///
/// With `deflate` RSV1 is allowed where RFC 7692 section 6 puts it: on the first frame of a message, never on a
/// continuation or a control frame. It fails on the earliest byte that proves the violation, so that nobody waits for
/// the rest of a frame that can't become a valid one.
#[inline]
pub fn decode_header(bytes: &[u8], deflate: bool) -> Result<Option<Header>, Violation> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let deflated = deflate && first & RSV == RSV1 && matches!(first & 0x0f, 1 | 2);
    if first & RSV != 0 && !deflated {
        return Err(Violation::protocol("reserved bit set"));
    }
    let Some(opcode) = Opcode::from_nibble(first & 0x0f) else {
        return Err(Violation::protocol("reserved opcode"));
    };
    let fin = first & FIN != 0;
    if opcode.is_control() && !fin {
        return Err(Violation::protocol("fragmented control frame"));
    }
    let Some(&second) = bytes.get(1) else { return Ok(None) };
    if second & MASKED == 0 {
        return Err(Violation::protocol("frame not masked"));
    }
    let short = second & !MASKED;
    if opcode.is_control() && usize::from(short) > CONTROL_PAYLOAD_BYTES_MAX {
        return Err(Violation::protocol("control frame over 125 bytes"));
    }
    let Some((len, at)) = (match short {
        LEN_16 => extended_16(&bytes[2..])?,
        LEN_64 => extended_64(&bytes[2..])?,
        short => Some((u64::from(short), 2)),
    }) else {
        return Ok(None);
    };
    let mask = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
    Ok(mask.map(|&mask| Header { fin, deflated, opcode, mask, len, size: at + 4 }))
}

/// The 16-bit length and where the header goes on behind it.
fn extended_16(bytes: &[u8]) -> Result<Option<(u64, usize)>, Violation> {
    let Some(len) = bytes.first_chunk() else { return Ok(None) };
    let len = u16::from_be_bytes(*len);
    if len < u16::from(LEN_16) {
        return Err(Violation::protocol("length not in its shortest form"));
    }
    Ok(Some((u64::from(len), 4)))
}

/// The 64-bit length and where the header goes on behind it.
fn extended_64(bytes: &[u8]) -> Result<Option<(u64, usize)>, Violation> {
    if bytes.first().is_some_and(|high| high & 0x80 != 0) {
        return Err(Violation::protocol("length over 63 bits"));
    }
    // Six zero bytes leave 16 bits, which have a shorter form.
    if bytes.first_chunk() == Some(&[0; 6]) {
        return Err(Violation::protocol("length not in its shortest form"));
    }
    Ok(bytes.first_chunk().map(|len| (u64::from_be_bytes(*len), 10)))
}

/// The header of an unfragmented server frame, and how many of the bytes count.
#[inline]
pub fn encode_header(opcode: Opcode, len: usize) -> ([u8; FRAME_HEADER_BYTES_MAX], usize) {
    debug_assert!(!opcode.is_control() || len <= CONTROL_PAYLOAD_BYTES_MAX);
    let mut header = [0; FRAME_HEADER_BYTES_MAX];
    header[0] = FIN | opcode as u8;
    if len < usize::from(LEN_16) {
        header[1] = narrow::to_u8(len);
        (header, 2)
    } else if let Ok(len) = u16::try_from(len) {
        header[1] = LEN_16;
        header[2..4].copy_from_slice(&len.to_be_bytes());
        (header, 4)
    } else {
        header[1] = LEN_64;
        header[2..10].copy_from_slice(&(len as u64).to_be_bytes());
        (header, 10)
    }
}

/// Appends a whole unfragmented server frame.
pub fn encode(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    let (header, size) = encode_header(opcode, payload.len());
    out.reserve(size + payload.len());
    out.extend_from_slice(&header[..size]);
    out.extend_from_slice(payload);
}

/// The header of an unfragmented server frame with a deflated payload (RFC 7692 section 6), and how many of the bytes
/// count.
pub fn encode_deflated_header(opcode: Opcode, len: usize) -> ([u8; FRAME_HEADER_BYTES_MAX], usize) {
    let (mut header, size) = encode_header(opcode, len);
    header[0] |= RSV1;
    (header, size)
}

/// Bytes that [`encode`] appends for a payload of this length.
pub const fn encoded_len(payload_len: usize) -> usize {
    let header = match payload_len {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    };
    header + payload_len
}

/// Length of the header and of the payload of the server frame that `bytes` begins with; `None` when it is no
/// such frame, or the header isn't all there. RSV1 is let through: a deflated frame has it set (RFC 7692
/// section 6).
pub fn decode_server_header(bytes: &[u8]) -> Option<(usize, u64)> {
    let (&[first, short], rest) = bytes.split_first_chunk()?;
    if first & 0x30 != 0 || short & MASKED != 0 {
        return None;
    }
    let opcode = Opcode::from_nibble(first & 0x0f)?;
    if opcode.is_control() && (first & FIN == 0 || usize::from(short) > CONTROL_PAYLOAD_BYTES_MAX) {
        return None;
    }
    match short {
        LEN_16 => Some((4, extended_16(rest).ok()??.0)),
        LEN_64 => Some((10, extended_64(rest).ok()??.0)),
        short => Some((2, u64::from(short))),
    }
}

/// Whether `bytes` are nothing but whole server frames: what a log holds.
pub fn are_whole(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let Some((header, len)) = decode_server_header(bytes) else { return false };
        let Some(rest) = usize::try_from(len).ok().and_then(|len| bytes[header..].get(len..)) else {
            return false;
        };
        bytes = rest;
    }
    true
}

/// Where the frame ends that byte number `at` of some whole server frames belongs to; `at` itself where one begins.
pub fn boundary_at(frames: &[u8], at: usize) -> Option<usize> {
    let mut end = 0usize;
    while end < at {
        let (header, len) = decode_server_header(frames.get(end..)?)?;
        end = end.checked_add(header)?.checked_add(usize::try_from(len).ok()?)?;
    }
    (end <= frames.len()).then_some(end)
}

/// Whether the last bytes look like a client's whole close frame. For a stream in which frames can't be told apart any
/// more, so it may be wrong in both directions.
pub fn ends_with_close(bytes: &[u8]) -> bool {
    let close = 0x80 | Opcode::Close as u8;
    (0..=CONTROL_PAYLOAD_BYTES_MAX.min(bytes.len().saturating_sub(6))).any(|len| {
        let frame = bytes.len().checked_sub(6 + len).map(|start| &bytes[start..]);
        frame.is_some_and(|frame| frame[0] == close && usize::from(frame[1]) == 0x80 | len)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_frame_is_made_out_at_the_end_of_anything() {
        let close = [0x88, 0x82, 1, 2, 3, 4, 0x02, 0xea];
        assert!(ends_with_close(&close));
        assert!(ends_with_close(&[&[0xff; 300][..], &close].concat()));
        assert!(ends_with_close(&[0x88, 0x80, 1, 2, 3, 4]));
        assert!(!ends_with_close(&close[..7]));
        assert!(!ends_with_close(&[&close[..], &[0]].concat()));
        assert!(!ends_with_close(&[0; 200]) && !ends_with_close(&[]));
    }

    #[test]
    fn where_a_frame_ends() {
        let mut frames = Vec::new();
        for len in [0, 5, 300] {
            encode(Opcode::Binary, &vec![7; len], &mut frames);
        }
        let found: Vec<_> = [0, 1, 2, 3, 8, 9, 10, 312, 313].map(|at| boundary_at(&frames, at)).into();
        let ends = [0, 2, 2, 9, 9, 9, 313, 313, 313].map(Some);
        assert_eq!(found, ends);
        assert_eq!(boundary_at(&frames[..200], 100), None, "the last one is not whole");
        assert_eq!(boundary_at(b"HTTP/1.1 101 Switching Protocols", 9), None, "no frame");
    }

    use proptest::prelude::*;

    const LENGTHS: [usize; 10] = [0, 1, 5, 125, 126, 127, 255, 65535, 65536, 70000];

    /// A header as a client writes it; the tests of the other files have their own fuller one.
    fn client_header(first: u8, len: usize) -> Vec<u8> {
        let (header, size) = encode_header(Opcode::Binary, len);
        let mut out = header[..size].to_vec();
        out[0] = first;
        out[1] |= MASKED;
        out.extend([1, 2, 3, 4]);
        out
    }

    #[test]
    fn headers_of_every_length_whole_and_byte_by_byte() {
        for len in LENGTHS {
            let bytes = client_header(0x82, len);
            for cut in 0..bytes.len() {
                assert_eq!(decode_header(&bytes[..cut], false), Ok(None), "{len} cut at {cut}");
            }
            let size = bytes.len();
            let header = Header {
                fin: true,
                deflated: false,
                opcode: Opcode::Binary,
                mask: [1, 2, 3, 4],
                len: len as u64,
                size,
            };
            assert_eq!(decode_header(&bytes, false), Ok(Some(header)));
            assert_eq!(decode_header(&[&bytes[..], b"payload"].concat(), false), Ok(Some(header)));
        }
    }

    #[test]
    fn server_frames_of_every_length() {
        for len in LENGTHS {
            let mut out = Vec::new();
            encode(Opcode::Text, &vec![b'a'; len], &mut out);
            assert_eq!(out.len(), encoded_len(len));
            assert_eq!(decode_server_header(&out), Some((out.len() - len, len as u64)));
            assert!(are_whole(&out) && are_whole(&out.repeat(3)));
            assert!(!are_whole(&out[..out.len() - 1]));
            assert_eq!(decode_header(&out, false).unwrap_err().reason, "frame not masked");
        }
    }

    #[test]
    fn rfc_examples() {
        let mut out = Vec::new();
        encode(Opcode::Text, b"Hello", &mut out);
        assert_eq!(out, b"\x81\x05Hello");
        let header = decode_header(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", false).unwrap().unwrap();
        assert_eq!((header.len, header.size, header.mask), (5, 6, [0x37, 0xfa, 0x21, 0x3d]));
        assert_eq!(encode_header(Opcode::Binary, 256).0[..4], [0x82, 0x7e, 0x01, 0x00]);
        assert_eq!(encode_header(Opcode::Binary, 65536).0, [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn violations_show_at_their_earliest_byte() {
        let cases: [(&[u8], &str); 14] = [
            (b"\xc1", "reserved bit set"),
            (b"\xa1", "reserved bit set"),
            (b"\x91", "reserved bit set"),
            (b"\x83", "reserved opcode"),
            (b"\x87", "reserved opcode"),
            (b"\x8b", "reserved opcode"),
            (b"\x8f", "reserved opcode"),
            (b"\x09", "fragmented control frame"),
            (b"\x81\x05", "frame not masked"),
            (b"\x89\xfe", "control frame over 125 bytes"),
            (b"\x88\xff", "control frame over 125 bytes"),
            (b"\x81\xfe\x00\x7d", "length not in its shortest form"),
            (b"\x81\xff\x80", "length over 63 bits"),
            (b"\x81\xff\0\0\0\0\0\0", "length not in its shortest form"),
        ];
        for (bytes, reason) in cases {
            assert_eq!(decode_header(bytes, false), Err(Violation::protocol(reason)), "{bytes:x?}");
            assert_eq!(decode_header(&bytes[..bytes.len() - 1], false), Ok(None), "{bytes:x?}");
        }
    }

    #[test]
    fn rsv1_stands_on_the_first_frame_of_a_message_only() {
        for first in [0xc1, 0xc2, 0x41, 0x42] {
            let header = decode_header(&client_header(first, 3), true).unwrap().unwrap();
            assert_eq!((header.deflated, header.fin), (true, first & FIN != 0));
            assert!(decode_header(&[first], false).is_err());
        }
        for first in [0xc0, 0x40, 0xc8, 0xc9, 0xca, 0xe1, 0xd1, 0xf1, 0xa1, 0x91] {
            let violation = Violation::protocol("reserved bit set");
            assert_eq!(decode_header(&[first], true), Err(violation), "{first:x}");
        }
        assert!(!decode_header(&client_header(0x81, 3), true).unwrap().unwrap().deflated);
    }

    #[test]
    fn a_deflated_frame_has_its_bit() {
        assert_eq!(encode_deflated_header(Opcode::Binary, 7).0[..2], [0xc2, 7]);
    }

    #[test]
    fn what_no_log_may_hold() {
        for bytes in [&b"\x81"[..], b"\x81\x85abcd", b"\xa1\0", b"\x83\0", b"\x09\0", b"\x81\x7e\0\x05hello"]
        {
            assert!(!are_whole(bytes), "{bytes:x?}");
        }
        assert!(are_whole(b"") && are_whole(b"\xc1\x01x"));
    }

    proptest! {
        #[test]
        fn a_verdict_never_changes_with_more_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let mut verdict = Ok(None);
            for cut in 0..=bytes.len() {
                let now = decode_header(&bytes[..cut], false);
                if verdict != Ok(None) {
                    prop_assert_eq!(now, verdict);
                }
                verdict = now;
            }
            prop_assert!(bytes.len() < CLIENT_HEADER_MAX || verdict != Ok(None));
        }
    }
}
