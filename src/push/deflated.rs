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

#[cfg(test)]
mod tests {
    use super::super::channel::Channel;
    use super::super::ledger::Passage;
    use super::*;
    use crate::push::Message;
    use proptest::prelude::*;

    fn joined((a, b): (&[u8], &[u8])) -> Vec<u8> {
        [a, b].concat()
    }

    #[test]
    fn it_is_there_while_somebody_takes_it_and_a_while_longer() {
        let mut channel = Channel::new("c".into(), 1, Log::new(0, 1 << 16, 8), 8, 0);
        let plain = channel.enter(false);
        assert!(channel.deflated.is_none() && !channel.wants_deflated());
        let long = Message::Text("a long one").to_frame();
        channel.append(&long, None, 0, 1, 0);
        let other = channel.enter(true);
        channel.append(&long, Some(b"\xc1\x01x"), 1, 2, 0);
        channel.append(&long, None, 2, 3, 0);
        let log = channel.log_in(true).unwrap();
        assert_eq!((log.first_offset(), log.next_offset()), (1, 3), "the same offsets");
        let position = log.position(other).unwrap();
        assert_eq!(joined(log.slices(position)), [b"\xc1\x01x", &long[..]].concat());
        let log = channel.log_in(false).unwrap();
        assert_eq!(joined(log.slices(log.position(plain).unwrap())), long.repeat(3));
        let head = channel.log_in(true).unwrap().head();
        channel.depart(other, true);
        assert!(!channel.wants_deflated());
        channel.append(&long, None, 3, 4, 0);
        channel.drop_deflated(1_000, 500);
        channel.drop_deflated(1_499, 500);
        assert!(channel.log_in(true).is_some(), "one that closes may have a rest to get");
        channel.drop_deflated(1_500, 500);
        assert!(channel.log_in(true).is_none());
        let cursor = channel.enter(true);
        assert!(channel.log_in(true).unwrap().position(cursor).unwrap() > head, "no position comes twice");
        channel.drop_deflated(9_999, 0);
        assert!(channel.log_in(true).is_some());
        channel.ledger.settle(1, (0, Passage::Gone), 0, |_| {});
        let d = channel.ledger.delivery(1).unwrap();
        assert_eq!((d.recipients, d.lagging, d.gone), (2, 1, 1));
    }

    proptest! {
        /// Both forms hold the same publications, and a cursor at a publication finds it in either.
        #[test]
        fn in_step_with_the_plain_log(
            publications_max in 1usize..10,
            bytes_max in 300usize..2_000,
            late in 0usize..20,
            lens in proptest::collection::vec((1usize..200, proptest::option::of(1usize..250)), 1..60),
        ) {
            let mut channel = Channel::new("c".into(), 1, Log::new(7, bytes_max, publications_max), 64, 0);
            for (n, (len, other)) in lens.into_iter().enumerate() {
                if n == late {
                    channel.enter(true);
                }
                let frame = Message::Binary(&vec![n as u8; len]).to_frame();
                let deflated = other.map(|len| Message::Binary(&vec![!(n as u8); len]).to_frame());
                channel.append(&frame, deflated.as_deref(), 7 + n as u64, 0, 0);
                let Some(other) = channel.log_in(true) else { continue };
                prop_assert_eq!(other.next_offset(), channel.log.next_offset());
                let first = channel.log.first_offset().max(7 + late as u64);
                prop_assert_eq!(other.first_offset(), first, "evicted in step");
                prop_assert!(other.head() - other.tail() <= channel.log.head() - channel.log.tail());
                let shorter = deflated.filter(|deflated| deflated.len() < frame.len()).unwrap_or(frame);
                prop_assert_eq!(joined(other.slices(other.newest_start())), shorter);
            }
        }
    }
}
