//! Messages, in both directions: a text or some bytes.

use crate::protocol::frame::{self, Opcode};

/// The type of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Binary,
}

impl Kind {
    /// The opcode of its frames (RFC 6455 section 11.8).
    pub fn opcode(self) -> Opcode {
        match self {
            Kind::Text => Opcode::Text,
            Kind::Binary => Opcode::Binary,
        }
    }
}

/// A message's payload, borrowed.
///
/// ```
/// use wspush::Message;
///
/// let message = Message::Text("grüße");
/// assert_eq!(message.bytes().len(), 7);
/// assert_ne!(message, Message::Binary(message.bytes()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

    /// Text or binary.
    #[doc(hidden)]
    pub fn kind(&self) -> Kind {
        match self {
            Message::Text(_) => Kind::Text,
            Message::Binary(_) => Kind::Binary,
        }
    }

    /// The opcode of its frame.
    #[doc(hidden)]
    pub fn opcode(&self) -> Opcode {
        self.kind().opcode()
    }

    /// Appends the message as one unmasked frame (RFC 6455 section 5.2), the form in which it is logged and sent.
    #[doc(hidden)]
    pub fn encode(&self, out: &mut Vec<u8>) {
        frame::encode(self.opcode(), self.bytes(), out);
    }

    /// The frame alone, in one allocation of just its size.
    #[doc(hidden)]
    pub fn to_frame(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(frame::encoded_len(self.bytes().len()));
        self.encode(&mut out);
        out
    }
}
