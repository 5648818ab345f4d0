//! How a channel is kept.

/// The rules of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelRules {
    /// For how long a publication is kept, in milliseconds; 0: as long as there is room.
    pub ttl_ms: u64,
    /// What a subscriber gets whose position can't be recovered.
    pub missed: Missed,
}

/// What a subscriber gets whose position can't be recovered. It is told what it misses, whichever it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missed {
    /// What is published from now on.
    #[default]
    Report,
    /// What the channel still has.
    Tail,
    /// The newest publication.
    Latest,
}
