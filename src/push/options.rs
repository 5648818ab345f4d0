//! The options of a push.

use super::pace::Pace;

/// How a message is pushed. The default is what everybody wants nearly always.
///
/// ```
/// use wspush::PushOptions;
///
/// let secret = PushOptions::default().compress(false);
/// assert!(!secret.compress);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PushOptions {
    /// Whether it may be compressed for clients that negotiated it (RFC 7692). Not for a secret beside something that a
    /// stranger chose: its compressed length tells about it (section 8, and the attack known as CRIME).
    pub compress: bool,
    /// How it is spread over time; `None`: everybody gets it as soon as possible. For channels only: a message to a
    /// user or to one connection with a pace is refused, and a reply goes out at once.
    pub pace: Option<Pace>,
}

impl PushOptions {
    /// The options with `compress` set.
    #[must_use]
    pub fn compress(self, compress: bool) -> PushOptions {
        PushOptions { compress, ..self }
    }

    /// The options with this pace, or without one.
    #[must_use]
    pub fn pace(self, pace: impl Into<Option<Pace>>) -> PushOptions {
        PushOptions { pace: pace.into(), ..self }
    }
}

impl Default for PushOptions {
    fn default() -> PushOptions {
        PushOptions { compress: true, pace: None }
    }
}
