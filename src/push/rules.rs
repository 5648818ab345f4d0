//! How a channel is kept.

pub use crate::config::{Keep, Missed, Priority};

/// The rules of a channel, beside the bounds of its log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelRules {
    /// For how long a publication is kept, in milliseconds; 0: as long as there is room.
    pub ttl_ms: u64,
    /// The publications for a subscriber that lags.
    pub keep: Keep,
    /// The beginning for a subscriber whose position can't be recovered.
    pub missed: Missed,
    /// Whether its subscribers are told who is there.
    pub presence: bool,
    /// Whether it is written to before other channels, or behind them.
    pub priority: Priority,
}
