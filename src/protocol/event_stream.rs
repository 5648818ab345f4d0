//! Server-Sent Events (WHATWG HTML section 9.2): fields and events, as they are written. An event is told apart from
//! what is before it by nothing but lines, so whatever has lines of its own is taken apart here.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::envelope::{self, Origin};
use super::frame::Opcode;
use super::json;

/// The name of the event that has bytes, as base64.
pub const BINARY: &str = "wspush.binary";
/// The name of the event that tells of publications which this client does not get.
pub const MISSED: &str = "wspush.missed";

/// A heartbeat: a comment, which no client shows anybody (section 9.2.7), and the end of no event.
pub const HEARTBEAT: &[u8] = b":\n\n";

/// Appends an event's `id`, which is then told to whoever resumes: no line may begin in it.
pub fn push_id(put: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) {
    out.extend_from_slice(b"id: ");
    put(out);
    out.push(b'\n');
}

/// Appends the event of a publication's payload, without an id. A text is split where the format knows an end of a
/// line: at LF, CR and CRLF. Its reader puts one LF in place of each.
pub fn push_payload(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    if opcode == Opcode::Text {
        push_text(payload, out);
    } else {
        push_name(BINARY, out);
        out.extend_from_slice(b"data: ");
        let start = out.len();
        out.resize(start + payload.len().div_ceil(3) * 4, 0);
        let written = BASE64_STANDARD.encode_slice(payload, &mut out[start..]);
        debug_assert_eq!(written.ok(), Some(out.len() - start), "the room is just what it takes");
        out.extend_from_slice(b"\n\n");
    }
}

/// Appends an event with a text for its data.
fn push_text(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 8);
    let mut rest = text;
    loop {
        out.extend_from_slice(b"data: ");
        let end = rest.iter().position(|&byte| byte == b'\n' || byte == b'\r');
        let Some(end) = end else { break };
        out.extend_from_slice(&rest[..end]);
        out.push(b'\n');
        rest = rest[end..].strip_prefix(b"\r\n").unwrap_or(&rest[end + 1..]);
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(b"\n\n");
}

/// Appends an event with JSON, which has no ends of lines, for its data.
pub fn push_json(object: &[u8], out: &mut Vec<u8>) {
    debug_assert!(!object.contains(&b'\n') && !object.contains(&b'\r'));
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(object);
    out.extend_from_slice(b"\n\n");
}

/// Appends the event of a message of `wspush.v1`, an object with one name in it: that is the event's name behind
/// `wspush.`, and what it stands for the data. It has no id, as it takes no place among publications.
pub fn push_message(object: &[u8], out: &mut Vec<u8>) {
    let inner = object.strip_prefix(b"{\"").and_then(|rest| rest.strip_suffix(b"}"));
    let colon = inner.and_then(|inner| inner.windows(2).position(|at| at == b"\":"));
    let (Some(inner), Some(colon)) = (inner, colon) else { return debug_assert!(false, "no such object") };
    out.extend_from_slice(b"event: wspush.");
    out.extend_from_slice(&inner[..colon]);
    out.push(b'\n');
    push_json(&inner[colon + 2..], out);
}

/// Appends an event's name.
pub fn push_name(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.push(b'\n');
}

/// Appends the event that says which publications of a channel a client does not get, by the first and the last offset.
pub fn push_missed(origin: &Origin<'_>, (from, to): (u64, u64), out: &mut Vec<u8>) {
    push_name(MISSED, out);
    out.extend_from_slice(b"data: ");
    envelope::push_position(origin.channel, origin.epoch, out);
    out.extend_from_slice(b",\"from\":");
    json::push_number(from, out);
    out.extend_from_slice(b",\"to\":");
    json::push_number(to, out);
    out.extend_from_slice(b"}\n\n");
}

/// Appends the time after which a client connects again, in milliseconds.
pub fn push_retry(retry_ms: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"retry: ");
    json::push_number(retry_ms, out);
    out.push(b'\n');
}

/// Appends a comment. What would end its line is a space there.
pub fn push_comment(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b": ");
    out.extend(text.bytes().map(|byte| if matches!(byte, b'\n' | b'\r' | 0) { b' ' } else { byte }));
    out.push(b'\n');
}

#[cfg(test)]
mod tests;
