//! Who stands in the middle of a frame of a log. A full socket nearly always stops there, and nothing else may be said
//! on such a connection before the frame's rest: when the log moves on over it, that has to be kept.

use std::collections::BTreeSet;

/// Positions within frames, each with the slot of the connection that has got so far. In order, so that those whom the
/// log's tail will reach first are found at once.
#[derive(Clone, Debug, Default, serde::Deserialize, serde::Serialize)]
pub struct Midway(BTreeSet<(u64, u32)>);

impl Midway {
    /// Notes that a connection has stopped at a position within a frame.
    pub fn enter(&mut self, position: u64, slot: u32) {
        self.0.insert((position, slot));
    }

    /// Notes that it has gone on from there, or is gone.
    pub fn leave(&mut self, position: u64, slot: u32) {
        self.0.remove(&(position, slot));
    }

    /// The first who stands before the position `tail`.
    pub fn first_before(&self, tail: u64) -> Option<(u64, u32)> {
        self.0.first().copied().filter(|&(position, _)| position < tail)
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everyone, in the order of their positions.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u32)> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_found_and_goes() {
        let mut midway = Midway::default();
        for (position, slot) in [(30, 1), (10, 7), (10, 2), (20, 3)] {
            midway.enter(position, slot);
        }
        assert_eq!((midway.first_before(10), midway.first_before(11)), (None, Some((10, 2))));
        midway.leave(10, 2);
        midway.leave(10, 2);
        assert_eq!(midway.first_before(u64::MAX), Some((10, 7)));
        assert_eq!(midway.iter().collect::<Vec<_>>(), [(10, 7), (20, 3), (30, 1)]);
        assert!(!midway.is_empty());
    }
}
