//! A publication: what is pushed, checked where it enters and carried as one value from there to the log.

use crate::limits::{PACE_DEADLINE_MS, PACE_RATE};
use crate::narrow;
use crate::protocol::frame::Opcode;

use super::message::{Kind, Message};
use super::options::PushOptions;
use super::pace::Pace;
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
    compress: bool,
    /// [Packed](pack), for there may be very many in an inbox.
    pace: u32,
}

/// The bit that says that the others are a deadline.
const DEADLINE: u32 = 1 << 31;
const _: () = assert!(PACE_RATE.max < DEADLINE as u64);
const _: () = assert!(PACE_DEADLINE_MS.max < DEADLINE as u64);

fn pack(pace: Option<Pace>) -> u32 {
    match pace {
        None => 0,
        Some(Pace::PerSecond(rate)) => rate,
        Some(Pace::WithinMs(ms)) => ms | DEADLINE,
    }
}

fn unpack(packed: u32) -> Option<Pace> {
    match packed {
        0 => None,
        ms if ms & DEADLINE != 0 => Some(Pace::WithinMs(ms & !DEADLINE)),
        rate => Some(Pace::PerSecond(rate)),
    }
}

impl Publication {
    /// Copies a message.
    ///
    /// # Errors
    /// [`PushError::Empty`], [`PushError::BadTerms`]
    pub fn new(message: Message<'_>, options: PushOptions) -> Result<Publication, PushError> {
        if let Some(pace) = options.pace {
            pace.check()?;
        }
        let payload_bytes = message.bytes().len();
        if payload_bytes == 0 {
            return Err(PushError::Empty);
        }
        let frame = message.to_frame().into_boxed_slice();
        let header_bytes = narrow::to_u8(frame.len() - payload_bytes);
        let PushOptions { compress, pace } = options;
        Ok(Publication { frame, header_bytes, kind: message.kind(), compress, pace: pack(pace) })
    }

    /// As [`new`](Self::new), for a message to a user or to one connection.
    ///
    /// # Errors
    /// Also one with a pace: there is nothing to be spread.
    pub fn to_one(message: Message<'_>, options: PushOptions) -> Result<Publication, PushError> {
        match options.pace {
            None => Publication::new(message, options),
            Some(_) => {
                Err(PushError::BadTerms("rate and deadline_ms go with channels, not with conn and user"))
            }
        }
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
        PushOptions { compress: self.compress, pace: unpack(self.pace) }
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
    fn a_pace_is_kept() {
        for pace in [None, Some(Pace::PerSecond(1_000_000)), Some(Pace::WithinMs(3_600_000))] {
            let options = PushOptions { pace, ..PushOptions::default() };
            assert_eq!(Publication::new(Message::Text("x"), options).unwrap().options(), options);
            assert_eq!(Publication::to_one(Message::Text("x"), options).is_ok(), pace.is_none());
        }
        let none = PushOptions::default().pace(Pace::PerSecond(0));
        assert!(matches!(Publication::new(Message::Text("x"), none), Err(PushError::BadTerms(_))));
    }

    #[test]
    fn nothing_is_no_publication() {
        let refused = Publication::new(Message::Text(""), PushOptions::default());
        assert_eq!(refused, Err(PushError::Empty));
        assert_eq!(size_of::<Publication>(), if usize::BITS == 64 { 24 } else { 16 });
    }
}
