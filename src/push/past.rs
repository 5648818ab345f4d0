//! The publications of a channel, a page at a time, from either end.

use std::borrow::Cow;

use super::channel::Channel;
use super::entry::{Beginning, Gap, Recovery};
use super::log::Log;
use super::message::Kind;
use super::rules::Missed;
use super::since::Since;
use crate::limits::FRAME_HEADER_BYTES_MAX;
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
///
/// ```
/// use wspush::{HistoryOrder, HistoryQuery};
///
/// assert_eq!(HistoryQuery::default().order, HistoryOrder::OldestFirst);
/// ```
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
///
/// ```
/// use wspush::{Message, Past};
///
/// fn said<'a>(past: &'a Past<'_>) -> Option<&'a str> {
///     match past.message() {
///         Message::Text(text) => Some(text),
///         Message::Binary(_) => None,
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past<'a> {
    /// Its offset.
    pub offset: u64,
    /// When it came, in milliseconds since 1970.
    pub unix_ms: u64,
    /// The type of its payload, which `message` has with it.
    #[doc(hidden)]
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
        let missed = recovery.and_then(Recovery::gap);
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

    /// Offset of the first publication that is here for who reads from there on, and of the next one that will come.
    /// Who only reads sees by the offsets what is gone.
    pub fn readable(&self, since: Since, unix_ms: u64) -> (u64, u64) {
        let first = self.begin(since, self.first_kept(unix_ms), Missed::Tail).first;
        (first, self.log().next_offset())
    }

    /// A publication that the log has.
    pub fn past(&self, offset: u64) -> Past<'_> {
        let (kind, payload) = read(self.log(), offset);
        Past { offset, unix_ms: self.time_ms(offset).unwrap_or_default(), kind, payload }
    }
}

/// A publication that the plain log has.
pub(super) fn read(plain: &Log, offset: u64) -> (Kind, Cow<'_, [u8]>) {
    let (first, second) = plain.slices_between(plain.start_of(offset), plain.start_of(offset + 1));
    let header = header_bytes(first, second);
    let payload = match header.checked_sub(first.len()) {
        Some(over) => Cow::Borrowed(&second[over..]),
        None if second.is_empty() => Cow::Borrowed(&first[header..]),
        None => Cow::Owned([&first[header..], second].concat()),
    };
    let kind = if first[0] & 0x0f == Kind::Text.opcode() as u8 { Kind::Text } else { Kind::Binary };
    (kind, payload)
}

/// Bytes of the header of a plain frame, which may come in two pieces.
fn header_bytes(first: &[u8], second: &[u8]) -> usize {
    let (mut start, mut len) = ([0; FRAME_HEADER_BYTES_MAX], 0);
    for (to, from) in start.iter_mut().zip(first.iter().chain(second)) {
        *to = *from;
        len += 1;
    }
    frame::decode_server_header(&start[..len]).map_or(len, |(header, _)| header)
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
    fn what_is_here_can_be_read_and_what_is_gone_is_left_out() {
        let mut channel = Channel::new("c".into(), 7, Log::new(1, 1 << 12, 3), 3, 0);
        let all = |channel: &Channel, since| {
            let (first, next) = channel.readable(since, 1_000);
            (first..next).collect::<Vec<_>>()
        };
        assert!(all(&channel, Since::Earliest).is_empty());
        for offset in 1..=5 {
            let text = "t".repeat(100 * offset as usize);
            let message = if offset == 4 { Message::Binary(&[4, 0xff]) } else { Message::Text(&text) };
            let place = Place { offset, receipt: offset, now_us: 0, unix_ms: 100 * offset };
            channel.append(&Encoded::plain(&message.to_frame()), place);
        }
        let at = |epoch, offset| Since::Position(Position { epoch, offset });
        // Whatever the channel's own rule says of those who come too late to receive it.
        for missed in [Missed::Report, Missed::Tail, Missed::Latest] {
            channel.rules.missed = missed;
            assert_eq!(all(&channel, Since::Earliest), [3, 4, 5]);
            assert_eq!(all(&channel, Since::Last(2)), [4, 5]);
            assert_eq!(all(&channel, Since::Time(450)), [5]);
            assert_eq!((all(&channel, at(7, 3)), all(&channel, at(7, 5))), (vec![4, 5], vec![]));
            for gone in [at(7, 1), at(8, 4), at(7, 6)] {
                assert_eq!(all(&channel, gone), [3, 4, 5], "{gone}");
            }
        }
        let binary = channel.past(4);
        assert_eq!((binary.kind, &*binary.payload), (Kind::Binary, &[4, 0xff][..]));
        let text = channel.past(3);
        assert_eq!((text.kind, &*text.payload), (Kind::Text, &[b't'; 300][..]));
        assert_eq!((channel.time_ms(3), channel.time_ms(2)), (Some(300), None));
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
