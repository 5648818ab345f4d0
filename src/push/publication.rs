//! A publication: what is pushed, checked where it enters and carried as one value from there to the log.

use crate::narrow;
use crate::protocol::frame::Opcode;

use super::message::{Kind, Message};
use super::options::PushOptions;
use super::push_error::PushError;

/// A message on its way to a channel's log or to one connection, and how it is to be pushed. It is never empty.
///
/// Payload and frame header lie in one allocation: most subscribers take the plain frame (RFC 6455 section 5.2), and
/// that is a slice of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The plain frame.
    frame: Box<[u8]>,
    header_bytes: u8,
    kind: Kind,
    options: PushOptions,
}

impl Publication {
    /// Copies a message.
    ///
    /// # Errors
    /// [`PushError::Empty`]
    pub fn new(message: Message<'_>, options: PushOptions) -> Result<Publication, PushError> {
        let payload_bytes = message.bytes().len();
        if payload_bytes == 0 {
            return Err(PushError::Empty);
        }
        let frame = message.to_frame().into_boxed_slice();
        let header_bytes = narrow::to_u8(frame.len() - payload_bytes);
        Ok(Publication { frame, header_bytes, kind: message.kind(), options })
    }

    /// Text or binary.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The message's bytes.
    pub fn payload(&self) -> &[u8] {
        &self.frame[usize::from(self.header_bytes)..]
    }

    /// How it is to be pushed.
    pub fn options(&self) -> PushOptions {
        self.options
    }

    /// The opcode of its frames.
    pub fn opcode(&self) -> Opcode {
        self.kind.opcode()
    }

    /// The whole message as one unmasked frame, not compressed.
    pub fn plain_frame(&self) -> &[u8] {
        &self.frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::frame;

    #[test]
    fn payload_and_frame_are_one_allocation() {
        for len in [1, 125, 126, 0xffff, 0x1_0000] {
            let bytes = vec![b'x'; len];
            let publication = Publication::new(Message::Binary(&bytes), PushOptions::default()).unwrap();
            assert_eq!(publication.payload(), bytes);
            assert_eq!(
                publication.plain_frame().as_ptr_range().end,
                publication.payload().as_ptr_range().end
            );
            let mut frame = Vec::new();
            frame::encode(Opcode::Binary, &bytes, &mut frame);
            assert_eq!(publication.plain_frame(), frame);
            assert_eq!((publication.kind(), publication.opcode()), (Kind::Binary, Opcode::Binary));
        }
    }

    #[test]
    fn nothing_is_no_publication() {
        let refused = Publication::new(Message::Text(""), PushOptions::default());
        assert_eq!(refused, Err(PushError::Empty));
        assert_eq!(size_of::<Publication>(), if usize::BITS == 64 { 24 } else { 12 });
    }
}
