//! The name of one connection, never used twice while the process lives.

use std::fmt;
use std::str::FromStr;

use crate::narrow;

/// Bits of a serial number that are below the reactor's number, where there are several.
pub const SERIAL_BITS: u32 = 26;
// Each of them has its numbers.
const _: () = assert!(crate::limits::REACTORS_MAX == 1 << (u32::BITS - SERIAL_BITS));

/// A connection's id: its slot and the serial number of its accept, so that an id whose connection has gone
/// is refused instead of naming the next one in the same slot.
///
/// ```
/// use wspush::ConnId;
///
/// let conn: ConnId = "4294967297".parse()?;
/// assert_eq!(conn.to_string(), "4294967297");
/// # Ok::<(), std::num::ParseIntError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(pub u64);

impl ConnId {
    /// The id of the connection with this serial number in this slot.
    #[doc(hidden)]
    pub fn new(slot: u32, serial: u32) -> ConnId {
        ConnId(u64::from(serial) << 32 | u64::from(slot))
    }

    /// The reactor that has it, where there are several: their serial numbers begin apart.
    #[doc(hidden)]
    pub fn reactor(self) -> usize {
        (self.serial() >> SERIAL_BITS) as usize
    }

    /// The slot.
    #[doc(hidden)]
    pub fn slot(self) -> usize {
        narrow::low_half(self.0) as usize
    }

    /// The serial number.
    #[doc(hidden)]
    pub fn serial(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ConnId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<ConnId, Self::Err> {
        text.parse().map(ConnId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_slot_and_serial() {
        let id = ConnId::new(7, 9);
        assert_eq!((id.slot(), id.serial()), (7, 9));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_ne!(id, ConnId::new(7, 10));
    }
}
