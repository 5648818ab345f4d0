//! A channel's publications in their other form: deflated, for the subscribers who negotiated it.

use super::log::{Cursor, Log};

/// The deflated form of a channel's log.
///
/// It holds the same publications under the same offsets, from its creation on: each as a deflated frame, or as the
/// plain one where that is shorter. It is appended to and evicted from in step with the plain log, so whoever falls off
/// one of them has lost the same publications as on the other, and it never takes more bytes.
#[derive(Debug)]
pub struct Deflated {
    /// The frames.
    pub log: Log,
    /// Subscribers with a cursor into it.
    pub(super) subscribers: u32,
    /// Since when it has none. One that closes may still have to get the rest of a frame.
    unused_since_ms: Option<u64>,
}

impl Deflated {
    /// An empty one beside the plain log, whose first byte has this logical position.
    pub(super) fn beside(plain: &Log, position: u64) -> Deflated {
        Deflated { log: plain.beside(position), subscribers: 0, unused_since_ms: None }
    }

    /// Subscribers with a cursor into it.
    pub fn subscribers(&self) -> u32 {
        self.subscribers
    }

    /// A subscriber joins; its cursor.
    pub(super) fn join(&mut self) -> Cursor {
        self.subscribers += 1;
        self.unused_since_ms = None;
        Cursor::at(self.log.head())
    }

    /// Whether nobody has used it for so long.
    pub(super) fn is_unused(&mut self, now_ms: u64, for_ms: u64) -> bool {
        self.subscribers == 0 && *self.unused_since_ms.get_or_insert(now_ms) + for_ms <= now_ms
    }
}
