//! Where a subscriber stands in a channel, as text that outlives its connection.

use std::fmt;
use std::str::FromStr;

use crate::protocol::json::{self, decimal};

/// A place in a channel: `E.O`, its epoch and the offset of the newest publication that the subscriber has.
///
/// Offsets are dense and begin at 1, so offset 0 means that it has none yet. Each position is written in just one way,
/// decimal and without leading zeros: equal positions are equal text.
///
/// ```
/// use wspush::Position;
///
/// let position: Position = "1795257271813595.42".parse()?;
/// assert_eq!((position.epoch, position.offset), (1_795_257_271_813_595, 42));
/// # Ok::<(), wspush::NoPosition>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// Which life of the channel.
    pub epoch: u64,
    /// The newest publication that the subscriber has; 0: none yet.
    pub offset: u64,
}

/// A text that is no position.
///
/// ```
/// use wspush::{NoPosition, Position};
///
/// assert_eq!("1.02".parse::<Position>(), Err(NoPosition));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPosition;

impl Position {
    /// Appends its text. The formatting machinery takes several times as long, and every handshake says a position.
    pub(crate) fn push_to(self, out: &mut Vec<u8>) {
        json::push_number(self.epoch, out);
        out.push(b'.');
        json::push_number(self.offset, out);
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.offset)
    }
}

impl FromStr for Position {
    type Err = NoPosition;

    fn from_str(text: &str) -> Result<Position, NoPosition> {
        // These few bytes are looked through faster than anything is looked up for that.
        let dot = text.bytes().position(|byte| byte == b'.').ok_or(NoPosition)?;
        let (epoch, offset) = (&text[..dot], &text[dot + 1..]);
        match (decimal(epoch), decimal(offset)) {
            (Some(epoch), Some(offset)) => Ok(Position { epoch, offset }),
            _ => Err(NoPosition),
        }
    }
}

impl fmt::Display for NoPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a position, which is E.O: a channel's epoch and an offset, both decimal")
    }
}

impl std::error::Error for NoPosition {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_halves_are_plain_decimal() {
        let newest = Position { epoch: 1795257271813595, offset: 42 };
        assert_eq!("1795257271813595.42".parse(), Ok(newest));
        assert_eq!("0.0".parse(), Ok(Position { epoch: 0, offset: 0 }));
        for text in [
            "",
            ".",
            "1",
            "1.",
            ".1",
            "1.2.3",
            "+1.2",
            "1.+2",
            "-1.2",
            "1.-2",
            " 1.2",
            "1.2 ",
            "1. 2",
            "01.2",
            "1.02",
            "00.0",
            "0x1.2",
            "1,2",
            "1.2e3",
            "1_0.2",
            "١.٢",
            "18446744073709551616.1",
            "1.18446744073709551616",
        ] {
            assert_eq!(text.parse::<Position>(), Err(NoPosition), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn text_and_position_are_one_to_one(epoch: u64, offset: u64, noise in "[0-9.+ -]{0,8}") {
            let position = Position { epoch, offset };
            prop_assert_eq!(position.to_string().parse(), Ok(position));
            let mut pushed = Vec::new();
            position.push_to(&mut pushed);
            prop_assert_eq!(pushed, position.to_string().into_bytes());
            if let Ok(position) = noise.parse::<Position>() {
                prop_assert_eq!(position.to_string(), noise);
            }
        }
    }
}
