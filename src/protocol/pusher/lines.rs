//! The fallback of Pusher's clients over plain HTTP: the frames that a WebSocket would get, as lines. `o{}` opens it,
//! `m".."` is a message, `h` asks for a sign of life, and `c[code,".."]` is the end.

use crate::protocol::chunk;
use crate::protocol::close::parse_close;
use crate::protocol::json::{push_number, push_string};

/// The first line.
pub const OPEN: &[u8] = b"o{}\n";
/// A line for a client that has waited for nothing.
pub const HEARTBEAT: &[u8] = b"h\n";

const TEXT: u8 = 1;
const CLOSE: u8 = 8;

/// The answers in which the lines lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub enum Carrier {
    /// One that has no end, in chunks.
    #[default]
    Stream,
    /// Many, each of which takes what there is. The lines wait for them in the connection of this slot.
    Polls(u32),
}

/// Makes lines of frames, however those are cut.
#[derive(Clone, Debug, Default, serde::Deserialize, serde::Serialize)]
pub struct Lines {
    carrier: Carrier,
    /// Bytes that are no frames: the head of the answer.
    head: usize,
    /// The beginning of a frame.
    partial: Vec<u8>,
    /// Lines that nobody has taken yet.
    unsent: Vec<u8>,
}

impl Lines {
    /// Those of a stream, behind so many bytes of something else.
    pub fn of_stream(head: usize) -> Lines {
        Lines { head, ..Lines::default() }
    }

    /// Those of the connection in a slot, which are polled.
    pub fn of_polls(slot: u32) -> Lines {
        Lines { carrier: Carrier::Polls(slot), unsent: OPEN.to_vec(), ..Lines::default() }
    }

    /// Where they lie.
    pub fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// Takes bytes of frames, and appends the lines of those that are whole now.
    pub fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let (head, mut bytes) = bytes.split_at(bytes.len().min(self.head));
        self.head -= head.len();
        out.extend_from_slice(head);
        let mut partial = std::mem::take(&mut self.partial);
        if !partial.is_empty() {
            partial.extend_from_slice(bytes);
            bytes = &partial;
        }
        while let Some((opcode, payload, used)) = frame(bytes) {
            self.push_line(opcode, payload, out);
            bytes = &bytes[used..];
        }
        self.partial = bytes.to_vec();
    }

    fn push_line(&self, opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
        let mut line = Vec::with_capacity(payload.len() + payload.len() / 8 + 16);
        match opcode {
            TEXT => {
                line.push(b'm');
                push_string(payload, &mut line);
                line.push(b'\n');
            }
            CLOSE => {
                let (code, reason) = parse_close(payload).unwrap_or_default();
                line.extend_from_slice(b"c[");
                push_number(code.map_or(1_005, |code| u64::from(code.0)), &mut line);
                line.push(b',');
                push_string(reason.as_bytes(), &mut line);
                line.extend_from_slice(b"]\n");
            }
            _ => line.extend_from_slice(HEARTBEAT),
        }
        match self.carrier {
            Carrier::Polls(_) => out.append(&mut line),
            Carrier::Stream => {
                chunk::push(&line, out);
                if opcode == CLOSE {
                    out.extend_from_slice(chunk::LAST);
                }
            }
        }
    }

    /// The lines that nobody has taken.
    pub fn unsent(&self) -> &[u8] {
        &self.unsent
    }

    /// Keeps such, behind those that there are.
    pub fn keep_unsent(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
    }

    /// So many bytes of them are taken.
    pub fn mark_sent(&mut self, bytes: usize) {
        self.unsent.drain(..bytes);
        if self.unsent.is_empty() {
            self.unsent = Vec::new();
        }
    }

    /// All of them.
    pub fn take_unsent(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.unsent)
    }

    /// The memory that it holds.
    pub fn held_bytes(&self) -> usize {
        self.partial.capacity() + self.unsent.capacity()
    }
}

/// The end of a client that is not let in, and no stream.
pub fn refusal(code: u16, why: &str) -> Vec<u8> {
    let mut lines = OPEN.to_vec();
    lines.extend_from_slice(b"c[");
    push_number(code.into(), &mut lines);
    lines.push(b',');
    push_string(why.as_bytes(), &mut lines);
    lines.extend_from_slice(b"]\n");
    lines
}

/// The first of these frames, which the server has made: whole, not masked and not compressed. Its opcode, its payload,
/// and how many bytes it has.
fn frame(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (len, header) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?), 10),
        len => (u64::from(len), 2),
    };
    let end = usize::try_from(len).ok()?.checked_add(header)?;
    Some((first & 0x0f, bytes.get(header..end)?, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::close::{CloseCode, encode_close};
    use crate::protocol::frame::{Opcode, encode};

    /// Frames of every length there is, and the end.
    fn frames() -> Vec<u8> {
        let mut frames = Vec::new();
        for text in [String::new(), "{\"a\":\"\u{e9}\n\"}".to_owned(), "b".repeat(200), "c".repeat(70_000)] {
            encode(Opcode::Text, text.as_bytes(), &mut frames);
        }
        encode(Opcode::Ping, b"", &mut frames);
        encode_close(CloseCode(4_009), "a \"reason\"", &mut frames);
        frames
    }

    fn expected() -> String {
        let long = |text: &str, len| format!("m\"{}\"\n", text.repeat(len));
        let first = "m\"\"\nm\"{\\\"a\\\":\\\"\u{e9}\\n\\\"}\"\n";
        format!("{first}{}{}h\nc[4009,\"a \\\"reason\\\"\"]\n", long("b", 200), long("c", 70_000))
    }

    #[test]
    fn frames_become_lines_however_they_are_cut() {
        for step in [1, 2, 3, 7, 1_000, 100_000] {
            let mut lines = Lines { carrier: Carrier::Polls(7), ..Lines::default() };
            let mut out = Vec::new();
            frames().chunks(step).for_each(|part| lines.take(part, &mut out));
            assert_eq!(String::from_utf8(out).unwrap(), expected(), "{step}");
            assert!(lines.partial.is_empty());
        }
    }

    #[test]
    fn a_stream_has_a_head_chunks_and_an_end() {
        let mut said = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        let head = said.clone();
        let mut lines = Lines::of_stream(said.len());
        said.extend_from_slice(&frames());
        let mut out = Vec::new();
        said.chunks(10).for_each(|part| lines.take(part, &mut out));
        let chunks = out.strip_prefix(&head[..]).unwrap().strip_suffix(chunk::LAST).unwrap();
        assert!(chunk::are_whole(chunks));
        let mut data = Vec::new();
        chunk::push_data(chunks, &mut data);
        assert_eq!(String::from_utf8(data).unwrap(), expected());
    }

    #[test]
    fn what_nobody_has_taken_waits_in_its_order() {
        let mut lines = Lines::of_polls(7);
        lines.keep_unsent(b"m\"a\"\n");
        lines.mark_sent(2);
        assert_eq!(lines.unsent(), b"}\nm\"a\"\n");
        assert_eq!((lines.take_unsent().len(), lines.held_bytes()), (7, 0));
        assert_eq!(refusal(4_001, "no app"), b"o{}\nc[4001,\"no app\"]\n");
    }
}
