//! What is pushed and what clients send: a text or some bytes.

use crate::protocol::frame::{self, Opcode};

/// A message's payload, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// UTF-8 text.
    Text(&'a str),
    /// Any bytes.
    Binary(&'a [u8]),
}

impl<'a> Message<'a> {
    /// The payload's bytes.
    pub fn bytes(&self) -> &'a [u8] {
        match self {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
        }
    }

    /// The opcode of its frame.
    pub fn opcode(&self) -> Opcode {
        match self {
            Message::Text(_) => Opcode::Text,
            Message::Binary(_) => Opcode::Binary,
        }
    }

    /// Appends the message as one unmasked frame (RFC 6455 section 5.2), the form in which it is logged and sent.
    pub fn encode(&self, out: &mut Vec<u8>) {
        frame::encode(self.opcode(), self.bytes(), out);
    }

    /// The frame alone, in one allocation of just its size.
    pub fn to_frame(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(frame::encoded_len(self.bytes().len()));
        self.encode(&mut out);
        out
    }
}
