//! The options of a push.

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
}

impl PushOptions {
    /// The options with `compress` set.
    #[must_use]
    pub fn compress(self, compress: bool) -> PushOptions {
        PushOptions { compress }
    }
}

impl Default for PushOptions {
    fn default() -> PushOptions {
        PushOptions { compress: true }
    }
}
