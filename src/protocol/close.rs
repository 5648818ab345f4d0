//! Close codes (RFC 6455 section 7.4), and the violations that lead to them.

use std::fmt;

use crate::limits::CONTROL_PAYLOAD_BYTES_MAX;

use super::frame::{self, Opcode};

/// Longest reason of a close frame: a control frame's 125 bytes less the code.
pub const REASON_MAX: usize = CONTROL_PAYLOAD_BYTES_MAX - 2;

/// The status code of a close frame (RFC 6455 section 7.4.1).
///
/// ```
/// use wspush::CloseCode;
///
/// assert_eq!(CloseCode(1001), CloseCode::GOING_AWAY);
/// assert!(CloseCode(4000).is_valid_on_wire() && !CloseCode(1006).is_valid_on_wire());
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// The purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// The server goes down, or the page was left.
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer broke the framing or the handshake's terms.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// A kind of data that this endpoint does not take.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// Data that does not fit its type: text that isn't UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// The general "not like this".
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// A message over the limit.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// The server met a condition it didn't expect.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// The server can't go on with this connection, but with a new one (registered with IANA after the RFC).
    pub const SERVICE_RESTART: Self = Self(1012);
    /// The server is overloaded, or this client too slow (registered with IANA after the RFC).
    pub const TRY_AGAIN_LATER: Self = Self(1013);

    /// Whether a close frame may carry this code. 1004 is reserved, 1005, 1006 and 1015 only ever name what
    /// an endpoint saw itself (RFC 6455 sections 7.4.1 and 7.4.2); 1012 to 1014 are in IANA's registry.
    pub const fn is_valid_on_wire(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A peer's mistake, and the close code it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    /// The code of the close frame that answers it.
    pub code: CloseCode,
    /// The reason in that frame; at most [`REASON_MAX`] bytes.
    pub reason: &'static str,
}

impl Violation {
    /// A violation of the framing rules: 1002.
    pub const fn protocol(reason: &'static str) -> Self {
        Self { code: CloseCode::PROTOCOL_ERROR, reason }
    }

    /// Text that isn't UTF-8: 1007 (RFC 6455 section 8.1).
    pub const fn not_utf8() -> Self {
        Self { code: CloseCode::INVALID_PAYLOAD, reason: "text is not UTF-8" }
    }

    /// A message over the limit: 1009 (RFC 6455 section 7.4.1).
    pub const fn too_big() -> Self {
        Self { code: CloseCode::MESSAGE_TOO_BIG, reason: "message over the size limit" }
    }

    /// A payload that can't be inflated: data that isn't what the message says it is, 1007 (RFC 6455 section
    /// 7.4.1; RFC 7692 leaves the code open).
    pub const fn not_deflated() -> Self {
        Self { code: CloseCode::INVALID_PAYLOAD, reason: "corrupt deflated message" }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (close code {})", self.reason, self.code)
    }
}

impl std::error::Error for Violation {}

/// Takes an unmasked close payload apart (RFC 6455 section 5.5.1). An empty one carries no code.
pub fn parse_close(payload: &[u8]) -> Result<(Option<CloseCode>, &str), Violation> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return match payload {
            [] => Ok((None, "")),
            _ => Err(Violation::protocol("close payload of one byte")),
        };
    };
    let code = CloseCode(u16::from_be_bytes(*code));
    if !code.is_valid_on_wire() {
        return Err(Violation::protocol("close code not allowed in a frame"));
    }
    match std::str::from_utf8(reason) {
        Ok(reason) => Ok((Some(code), reason)),
        Err(_) => Err(Violation { code: CloseCode::INVALID_PAYLOAD, reason: "close reason is not UTF-8" }),
    }
}

/// Appends a whole unmasked close frame. A reason that is too long is cut at a character's boundary.
pub fn encode_close(code: CloseCode, reason: &str, out: &mut Vec<u8>) {
    debug_assert!(code.is_valid_on_wire());
    let mut end = reason.len().min(REASON_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = [0; 2 + REASON_MAX];
    payload[..2].copy_from_slice(&code.0.to_be_bytes());
    payload[2..2 + end].copy_from_slice(&reason.as_bytes()[..end]);
    frame::encode(Opcode::Close, &payload[..2 + end], out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_on_the_wire() {
        let allowed = |code: u16| CloseCode(code).is_valid_on_wire();
        let refused = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, u16::MAX];
        assert!(refused.iter().all(|&code| !allowed(code)));
        assert!((1000..=1003).chain(1007..=1014).chain(3000..=4999).all(allowed));
    }

    #[test]
    fn parse_what_peers_send() {
        assert_eq!(parse_close(b""), Ok((None, "")));
        assert_eq!(parse_close(b"\x03\xe8"), Ok((Some(CloseCode::NORMAL), "")));
        assert_eq!(parse_close(b"\x03\xe9bye"), Ok((Some(CloseCode::GOING_AWAY), "bye")));
        assert_eq!(parse_close(b"\x03").unwrap_err().code, CloseCode::PROTOCOL_ERROR);
        assert_eq!(parse_close(b"\x03\xed").unwrap_err().code, CloseCode::PROTOCOL_ERROR);
        assert_eq!(parse_close(b"\x03\xe8\xc3").unwrap_err().code, CloseCode::INVALID_PAYLOAD);
    }

    #[test]
    fn encode_is_what_parse_reads() {
        let mut out = vec![0xee];
        encode_close(CloseCode::MESSAGE_TOO_BIG, "limit 64 KiB", &mut out);
        assert_eq!(out[..3], [0xee, 0x88, 14]);
        assert_eq!(parse_close(&out[3..]), Ok((Some(CloseCode::MESSAGE_TOO_BIG), "limit 64 KiB")));
    }

    #[test]
    fn long_reasons_are_cut_between_characters() {
        for lead in 0..4 {
            let reason = "x".repeat(lead) + &"\u{1f600}".repeat(40);
            let mut out = Vec::new();
            encode_close(CloseCode::NORMAL, &reason, &mut out);
            assert_eq!(out.len(), 2 + usize::from(out[1]));
            let (_, told) = parse_close(&out[2..]).unwrap();
            assert!(reason.starts_with(told) && told.len() > REASON_MAX - 4);
        }
    }
}
