//! Deflated messages: inflated within their limit, however they are cut, and what we deflate comes back.

use wspush::protocol::message::deflated_bytes_max;
use wspush::protocol::{Deflater, Inflater, Opcode, frame};

use super::{choice, pieces};

/// Anything as a deflated message; and as a message that is deflated.
pub fn inflate(data: &[u8]) {
    let (first, rest) = choice(data);
    let bytes_max = [1, 125, 5_000, 100_000][usize::from(first & 3)];
    let (cuts, payload) = rest.split_at(usize::from(first >> 5).min(rest.len()));
    let mut inflater = Inflater::default();
    let whole = inflater.message(std::iter::once(payload), bytes_max).map(<[u8]>::to_vec);
    for cuts in [cuts, &[0], &[6, 0, 130]] {
        let split = inflater.message(pieces(cuts, payload), bytes_max).map(<[u8]>::to_vec);
        assert_eq!(split, whole, "cut by {cuts:?}");
    }
    match whole {
        Ok(message) => assert!(message.len() <= bytes_max),
        Err(violation) => assert!([1007, 1009].contains(&violation.code.0)),
    }
    let message = payload.repeat(1 + usize::from(first & 0x1c));
    let mut deflater = Deflater::new(1 + (first % 9), 1);
    if let Some(deflated) = deflater.frame(Opcode::Binary, &message) {
        assert!(frame::are_whole(deflated) && deflated.len() < frame::encoded_len(message.len()));
        let (header, len) = frame::decode_server_header(deflated).expect("our own frame");
        let piece = &deflated[header..];
        assert_eq!(piece.len() as u64, len);
        assert!(piece.len() as u64 <= deflated_bytes_max(message.len() as u64));
        let back = inflater.message(pieces(cuts, piece), message.len());
        assert_eq!(back.map(<[u8]>::to_vec), Ok(message.clone()));
        let short = inflater.message(pieces(cuts, piece), message.len() - 1).map(<[u8]>::len);
        assert_eq!(short.map_err(|violation| violation.code.0), Err(1009));
    }
}
