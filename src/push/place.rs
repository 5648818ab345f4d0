//! Where a publication belongs, and when it came.

/// A publication's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its number in the channel.
    pub offset: u64,
    /// Its receipt's id.
    pub receipt: u64,
    /// The reactor's clock, in microseconds.
    pub now_us: u64,
    /// The calendar's, in milliseconds since 1970.
    pub unix_ms: u64,
}
