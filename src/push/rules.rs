//! How a channel is kept.

/// The rules of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelRules {
    /// For how long a publication is kept, in milliseconds; 0: as long as there is room.
    pub ttl_ms: u64,
    /// Where a subscriber begins whose position can't be recovered.
    pub missed: Missed,
}

/// Where a subscriber begins whose position can't be recovered. It is told what it misses, whichever it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missed {
    /// With the next publication.
    #[default]
    Report,
    /// With the oldest publication that the channel still has.
    Tail,
    /// The newest publication.
    Latest,
}
