//! The publications of a channel, a page at a time, from either end.

use std::borrow::Cow;

use super::channel::Channel;
use super::entry::{Beginning, Gap, Recovery};
use super::message::Kind;
use super::rules::Missed;
use super::since::Since;
use crate::protocol::frame;

/// Which publications somebody wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryAsked {
    /// From where on.
    pub since: Since,
    /// So many of them at the most.
    pub limit: usize,
    /// No more once they have so many bytes; but always one.
    pub bytes_max: usize,
    /// From which end.
    pub order: HistoryOrder,
}

/// In which order publications are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HistoryOrder {
    /// The oldest of them first.
    #[default]
    OldestFirst,
    /// The newest first.
    NewestFirst,
}

/// A part of a channel's publications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History<'a> {
    /// Those that were asked for and are here, in the order that was asked for.
    pub publications: Vec<Past<'a>>,
    /// Those that were asked for and are gone.
    pub missed: Option<Gap>,
}

/// A publication that was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past<'a> {
    /// Its offset.
    pub offset: u64,
    /// When it came, in milliseconds since 1970.
    pub unix_ms: u64,
    /// The type of its payload.
    pub kind: Kind,
    /// Its bytes, copied only where they lie at the ring's seam.
    pub payload: Cow<'a, [u8]>,
}

impl Channel {
    /// Reads back publications. A position that can't be recovered is answered with what is here, and with what is
    /// gone.
    pub fn history(&self, asked: HistoryAsked, unix_ms: u64) -> History<'_> {
        let kept = self.first_kept(unix_ms);
        let Beginning { first, recovery } = self.begin(asked.since, kept, Missed::Tail);
        let missed = match recovery {
            // One of another life of the channel, of which nothing is gone.
            Some(Recovery::Missed(gap)) if gap.from <= gap.to => Some(gap),
            _ => None,
        };
        let offsets = first..self.log().next_offset();
        let mut publications = Vec::new();
        let mut bytes = 0;
        let mut take = |offset| {
            let past = self.past(offset);
            bytes += past.payload.len();
            let is_in = publications.is_empty() || bytes <= asked.bytes_max;
            if is_in {
                publications.push(past);
            }
            is_in
        };
        let _ = match asked.order {
            HistoryOrder::OldestFirst => offsets.take(asked.limit).all(&mut take),
            HistoryOrder::NewestFirst => offsets.rev().take(asked.limit).all(&mut take),
        };
        History { publications, missed }
    }

    /// A publication that the log has.
    pub fn past(&self, offset: u64) -> Past<'_> {
        let log = self.log();
        let frame = log.slices_between(log.start_of(offset), log.start_of(offset + 1));
        let (header, _) = decode(frame);
        let (first, second) = frame;
        let payload = match header.checked_sub(first.len()) {
            Some(over) => Cow::Borrowed(&second[over..]),
            None if second.is_empty() => Cow::Borrowed(&first[header..]),
            None => Cow::Owned([&first[header..], second].concat()),
        };
        let kind = if first[0] & 0x0f == Kind::Text.opcode() as u8 { Kind::Text } else { Kind::Binary };
        Past { offset, unix_ms: self.ledger.time_ms(offset).unwrap_or_default(), kind, payload }
    }
}

/// Bytes of a plain frame's header, and of its payload.
fn decode((first, second): (&[u8], &[u8])) -> (usize, u64) {
    let header: Vec<u8> =
        first.iter().chain(second).copied().take(crate::limits::FRAME_HEADER_BYTES_MAX).collect();
    frame::decode_server_header(&header).unwrap_or((header.len(), 0))
}

#[cfg(test)]
mod tests {
    use super::super::place::Place;
    use super::super::{Encoded, Log, Message, Position};
    use super::*;
    use proptest::prelude::*;

    const ALL: HistoryAsked = HistoryAsked {
        since: Since::Earliest,
        limit: 1_000,
        bytes_max: usize::MAX,
        order: HistoryOrder::OldestFirst,
    };

    fn channel(bytes_max: usize, messages: &[Message<'_>]) -> Channel {
        let mut channel = Channel::new("c".into(), 7, Log::new(1, bytes_max, 8), 8, 0);
        for (n, message) in messages.iter().enumerate() {
            let offset = n as u64 + 1;
            let place = Place { offset, receipt: offset, now_us: 0, unix_ms: 100 * offset };
            channel.append(&Encoded::plain(&message.to_frame()), place);
        }
        channel
    }

    fn offsets(history: &History<'_>) -> Vec<u64> {
        history.publications.iter().map(|past| past.offset).collect()
    }

    #[test]
    fn what_was_published_comes_back() {
        let long = "x".repeat(70_000);
        let messages = [Message::Text("a"), Message::Binary(b"\xff"), Message::Text(&long)];
        let channel = channel(1 << 17, &messages);
        let history = channel.history(ALL, 0);
        for (past, (message, offset)) in history.publications.iter().zip(messages.iter().zip(1..)) {
            assert_eq!((past.offset, past.unix_ms, past.kind), (offset, 100 * offset, message.kind()));
            assert_eq!(past.payload, message.bytes());
        }
        assert_eq!((history.publications.len(), history.missed), (3, None));
        let newest = HistoryAsked { order: HistoryOrder::NewestFirst, limit: 2, ..ALL };
        assert_eq!(offsets(&channel.history(newest, 0)), [3, 2]);
        let few = HistoryAsked { bytes_max: 2, ..ALL };
        assert_eq!(offsets(&channel.history(few, 0)), [1, 2]);
        let large = HistoryAsked { bytes_max: 2, order: HistoryOrder::NewestFirst, ..ALL };
        assert_eq!(offsets(&channel.history(large, 0)), [3], "one is always there");
    }

    #[test]
    fn a_gap_is_told() {
        let channel = channel(1 << 12, &[Message::Text("x"); 10]);
        let since = |since| {
            let history = channel.history(HistoryAsked { since, ..ALL }, 0);
            (offsets(&history), history.missed)
        };
        let at = |epoch, offset| Since::Position(Position { epoch, offset });
        assert_eq!(since(at(7, 8)), (vec![9, 10], None));
        assert_eq!(since(at(7, 10)), (vec![], None));
        assert_eq!(since(at(7, 2)), ((3..=10).collect(), None));
        assert_eq!(since(at(7, 1)), ((3..=10).collect(), Some(Gap { from: 2, to: 2 })));
        assert_eq!(since(at(6, 9)), ((3..=10).collect(), Some(Gap { from: 1, to: 2 })));
        assert_eq!(since(at(7, 11)), ((3..=10).collect(), Some(Gap { from: 1, to: 2 })));
        assert_eq!(since(Since::Last(2)), (vec![9, 10], None));
        assert_eq!(since(Since::Time(900)), (vec![9, 10], None));
        assert_eq!(since(Since::Head), (vec![], None));
        assert_eq!(since(Since::Latest), (vec![10], None));
    }

    #[test]
    fn what_is_too_old_is_gone() {
        let mut channel = channel(1 << 12, &[Message::Text("x"); 5]);
        channel.rules.ttl_ms = 150;
        assert_eq!(offsets(&channel.history(ALL, 500)), [4, 5]);
        assert_eq!(offsets(&channel.history(ALL, 10_000)), [0; 0]);
    }

    proptest! {
        /// Wherever the ring's seam lies.
        #[test]
        fn payloads_are_whole(lens in proptest::collection::vec(1usize..300, 1..40)) {
            let bytes: Vec<Vec<u8>> = lens.iter().enumerate().map(|(n, &len)| vec![n as u8; len]).collect();
            let messages: Vec<Message<'_>> = bytes.iter().map(|bytes| Message::Binary(bytes)).collect();
            let channel = channel(1_000, &messages);
            let history = channel.history(ALL, 0);
            prop_assert_eq!(history.publications.len(), channel.log().publications());
            for past in history.publications {
                prop_assert_eq!(&*past.payload, &bytes[past.offset as usize - 1][..]);
            }
        }
    }
}
