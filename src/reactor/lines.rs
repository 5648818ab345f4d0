//! The messages of `wspush.v1` on lines (NDJSON), over plain HTTP: for whom reads a response as it comes.

use crate::protocol::chunk;
use crate::protocol::close::CloseCode;
use crate::protocol::json;

/// A blank in front of the next line, which is nothing to a reader of JSON (RFC 8259 section 2). An empty line might be
/// something to it.
pub(super) const HEARTBEAT: &[u8] = b"1\r\n \r\n";

/// Appends a message, which is a line and a chunk.
pub(super) fn push(object: &[u8], out: &mut Vec<u8>) {
    let mut line = Vec::with_capacity(object.len() + 1);
    crate::push::stream::push_line(object, &mut line);
    chunk::push(&line, out);
}

/// The end of a stream, with the reason for it.
pub(super) fn end(code: CloseCode, reason: &str) -> Vec<u8> {
    let (mut object, mut end) = (b"{\"closed\":{\"code\":".to_vec(), Vec::new());
    json::push_number(code.0.into(), &mut object);
    object.extend_from_slice(b",\"reason\":");
    json::push_string(reason.as_bytes(), &mut object);
    object.extend_from_slice(b"}}");
    push(&object, &mut end);
    end.extend_from_slice(chunk::LAST);
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_the_letter() {
        let mut out = Vec::new();
        chunk::push(b" ", &mut out);
        assert_eq!(out, HEARTBEAT);
        push(b"{}", &mut out);
        assert!(out.ends_with(b"3\r\n{}\n\r\n"));
        let end = end(CloseCode::GOING_AWAY, "a\nb");
        assert_eq!(end, b"29\r\n{\"closed\":{\"code\":1001,\"reason\":\"a\\nb\"}}\n\r\n0\r\n\r\n".as_slice());
    }
}
