//! Clients of apps that are not let in: they are told by a close code, since a page sees no status of HTTP.

use crate::protocol::close::{CloseCode, encode_close};
use crate::protocol::form;
use crate::protocol::frame::{self, Opcode};
use crate::protocol::handshake::{self, Upgrade};
use crate::protocol::head::Head;
use crate::protocol::pusher::event;

/// The oldest version of the protocol that is spoken.
const PROTOCOL_MIN: u64 = 5;
/// From this version on a refusal is a close code alone.
const PROTOCOL_OF_CODES: u64 = 6;

/// There is no room: a client comes back in a second.
pub const OVER_CAPACITY: u16 = 4_100;

/// The version of the protocol that a client asks for.
///
/// # Errors
/// The close code, and why.
pub fn version(head: &Head<'_>) -> Result<u64, (u16, &'static str)> {
    let mut fields = form::fields(head.query().as_bytes());
    let Some(field) = fields.find(|field| &*field.name == b"protocol") else {
        return Err((4_008, "no protocol version: ask for protocol=7"));
    };
    let text = field.value.unwrap_or_default();
    let number = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
    match number {
        None => Err((4_006, "the protocol version is not a number")),
        Some(version) if version < PROTOCOL_MIN => Err((4_007, "protocol versions from 5 on are spoken")),
        Some(version) => Ok(version),
    }
}

/// Appends the answer to a client that is not let in: 101 and a close code.
pub fn put_refusal(upgrade: &Upgrade<'_>, code: u16, why: &str, out: &mut Vec<u8>) {
    handshake::respond(upgrade.key, upgrade.protocols().next(), None, |_| {}, out);
    if version(upgrade.head).is_ok_and(|version| version < PROTOCOL_OF_CODES) {
        let mut said = Vec::new();
        event::push_error(code, why, &mut said);
        frame::encode(Opcode::Text, &said, out);
    }
    encode_close(CloseCode(code), why, out);
}
