//! The queue in front of one connection's socket, in the order in which it was asked for.
//!
//! Mostly there is nothing: a slow subscriber is a cursor that stays behind. There is something once what waits is for
//! this connection alone (an answer, a message to it), once something has to come behind publications that it still
//! has to get (such a message, the end of a subscription, a close frame), and once a log has moved on over a frame that
//! it is in the middle of.

use std::collections::VecDeque;

use crate::push::{ChannelId, Form};

use super::rest::Rest;

/// The queue of one connection. It is there only while there is something in it.
#[derive(Debug, Default)]
pub struct Outbox {
    /// The rest of the frame under way, if its log no longer has it. It comes before everything.
    pub rest: Option<Rest>,
    /// A close frame comes behind everything, made when it is its turn.
    pub close: bool,
    items: VecDeque<Item>,
    /// Bytes of frames that are not written.
    frames_left: usize,
    /// Bytes allocated for frames.
    frames_held: usize,
}

/// One thing that waits.
#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
pub enum Item {
    /// Whole frames, or a response, of which so many bytes are written.
    Frames {
        /// The bytes.
        bytes: Vec<u8>,
        /// How many of them are written.
        written: usize,
    },
    /// Publications of a channel.
    Stretch(Stretch),
}

/// A stretch of a channel's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Stretch {
    /// The channel.
    pub channel: ChannelId,
    /// In which form.
    pub form: Form,
    /// Whether it begins in the middle of a frame. Only what comes first can.
    pub midway: bool,
    /// Which life of the channel.
    pub epoch: u64,
    /// Logical position of the next byte.
    pub from: u64,
    /// Behind the last byte, where a frame ends.
    pub to: u64,
}

/// An item's memory beside its frames.
pub const ITEM_BYTES: usize = size_of::<Item>();

impl Outbox {
    /// Everything that waits, in its order.
    pub fn items(&self) -> &VecDeque<Item> {
        &self.items
    }

    /// A queue of these.
    pub fn of_items(items: VecDeque<Item>) -> Outbox {
        let (mut frames_left, mut frames_held) = (0, 0);
        for item in &items {
            if let Item::Frames { bytes, written } = item {
                frames_left += bytes.len() - written;
                frames_held += bytes.capacity();
            }
        }
        Outbox { items, frames_left, frames_held, ..Outbox::default() }
    }

    /// Puts frames behind everything.
    pub fn push_frames(&mut self, frames: &[u8]) {
        debug_assert!(!self.close, "nothing comes behind a close frame");
        self.frames_left += frames.len();
        if let Some(Item::Frames { bytes, .. }) = self.items.back_mut() {
            let before = bytes.capacity();
            bytes.extend_from_slice(frames);
            self.frames_held += bytes.capacity() - before;
        } else {
            let bytes = frames.to_vec();
            self.frames_held += bytes.capacity();
            self.items.push_back(Item::Frames { bytes, written: 0 });
        }
    }

    /// Puts a stretch of a log behind everything.
    pub fn push_stretch(&mut self, stretch: Stretch) {
        debug_assert!(stretch.from < stretch.to && (!stretch.midway || self.items.is_empty()));
        self.items.push_back(Item::Stretch(stretch));
    }

    /// Puts the frame under way before all other items.
    pub fn put_first(&mut self, stretch: Stretch) {
        debug_assert!(stretch.from < stretch.to && self.rest.is_none());
        self.items.push_front(Item::Stretch(stretch));
    }

    /// Puts everything of another queue behind. Nothing in that has begun.
    pub fn append(&mut self, mut other: Outbox) {
        debug_assert!(other.rest.is_none() && !other.close && !self.close);
        self.items.append(&mut other.items);
        self.frames_left += other.frames_left;
        self.frames_held += other.frames_held;
    }

    /// The first item.
    pub fn first(&self) -> Option<&Item> {
        self.items.front()
    }

    /// The unwritten bytes of the first item, if that is frames.
    pub fn first_frames(&self) -> &[u8] {
        match self.items.front() {
            Some(Item::Frames { bytes, written }) => &bytes[*written..],
            _ => &[],
        }
    }

    /// The first item, if that is a stretch.
    pub fn first_stretch(&mut self) -> Option<&mut Stretch> {
        match self.items.front_mut()? {
            Item::Stretch(stretch) => Some(stretch),
            Item::Frames { .. } => None,
        }
    }

    /// All stretches.
    pub fn stretches(&self) -> impl Iterator<Item = &Stretch> {
        self.items.iter().filter_map(|item| match item {
            Item::Stretch(stretch) => Some(stretch),
            Item::Frames { .. } => None,
        })
    }

    /// Takes out the first item, which is written or lost.
    pub fn drop_first(&mut self) {
        if let Some(Item::Frames { bytes, written }) = self.items.pop_front() {
            self.frames_left -= bytes.len() - written;
            self.frames_held -= bytes.capacity();
        }
    }

    /// Puts frames in front of everything, in place of a stretch that was there.
    pub fn put_frames_first(&mut self, frames: Vec<u8>) {
        self.frames_left += frames.len();
        self.frames_held += frames.capacity();
        self.items.push_front(Item::Frames { bytes: frames, written: 0 });
    }

    /// Takes out all stretches but the one that begins in mid-frame.
    pub fn give_up_stretches(&mut self) -> Vec<Stretch> {
        let mut given_up = Vec::new();
        self.items.retain(|item| match item {
            Item::Stretch(stretch) if !stretch.midway => {
                given_up.push(*stretch);
                false
            }
            _ => true,
        });
        given_up
    }

    /// Takes out the frames that come behind something else: what they say may build on stretches that are given up.
    pub fn give_up_later_frames(&mut self) {
        let mut at = 0;
        self.items.retain(|item| {
            at += 1;
            let Item::Frames { bytes, written } = item else { return true };
            if at > 1 {
                self.frames_left -= bytes.len() - written;
                self.frames_held -= bytes.capacity();
            }
            at == 1
        });
    }

    /// Notes that so many bytes of the first item's frames are written. True: that was all of them, and they are gone.
    pub fn frames_written(&mut self, n: usize) -> bool {
        let Some(Item::Frames { bytes, written }) = self.items.front_mut() else { return true };
        *written += n;
        self.frames_left -= n;
        if *written == bytes.len() {
            self.drop_first();
            return true;
        }
        // Written bytes are given back once they are the larger part.
        if *written > bytes.len() / 2 {
            let before = bytes.capacity();
            bytes.drain(..*written);
            bytes.shrink_to_fit();
            self.frames_held -= before - bytes.capacity();
            *written = 0;
        }
        false
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.rest.is_none() && !self.close && self.items.is_empty()
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Bytes that wait for this connection alone, and what the list of them takes: `outbox_bytes_max` bounds it.
    pub fn bytes(&self) -> usize {
        self.frames_left + self.items.len() * ITEM_BYTES
    }

    /// Bytes of publications that are still to be written.
    pub fn published(&self) -> u64 {
        let logged: u64 = self.stretches().map(|stretch| stretch.to - stretch.from).sum();
        logged + self.rest.as_ref().map_or(0, |rest| rest.left().len() as u64)
    }

    /// Bytes that are still to be written, wherever they lie.
    pub fn left(&self) -> u64 {
        self.published() + (self.frames_left + usize::from(self.close)) as u64
    }

    /// Memory that it holds.
    pub fn held_bytes(&self) -> usize {
        self.frames_held + self.items.capacity() * ITEM_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(from: u64, to: u64, midway: bool) -> Stretch {
        Stretch { channel: ChannelId(3), form: Form::Plain, midway, epoch: 9, from, to }
    }

    fn recount(outbox: &Outbox) -> (usize, usize) {
        let frames = outbox.items.iter().map(|item| match item {
            Item::Frames { bytes, written } => (bytes.len() - written, bytes.capacity()),
            Item::Stretch(_) => (0, 0),
        });
        frames.fold((0, 0), |(left, held), (l, h)| (left + l, held + h))
    }

    #[test]
    fn in_the_order_of_the_asking() {
        let mut outbox = Outbox::default();
        outbox.push_frames(b"one");
        outbox.push_frames(b"two");
        outbox.push_stretch(stretch(10, 30, false));
        outbox.push_frames(b"three");
        outbox.put_first(stretch(5, 10, true));
        assert_eq!((outbox.len(), outbox.bytes(), outbox.left()), (4, 11 + 4 * ITEM_BYTES, 36));
        assert_eq!(outbox.first_stretch(), Some(&mut stretch(5, 10, true)));
        outbox.drop_first();
        assert!(outbox.first_stretch().is_none());
        assert!(!outbox.frames_written(2));
        assert!(!outbox.frames_written(2), "the larger part is given back");
        assert!(matches!(outbox.first(), Some(Item::Frames { bytes, written: 0 }) if bytes == b"wo"));
        assert_eq!((outbox.frames_left, outbox.frames_held), recount(&outbox));
        assert!(outbox.frames_written(2));
        assert_eq!(outbox.stretches().count(), 1);
        outbox.drop_first();
        outbox.close = true;
        assert!(outbox.frames_written(5) && !outbox.is_empty());
        assert_eq!((outbox.frames_left, outbox.frames_held), (0, 0));
    }

    #[test]
    fn one_behind_another() {
        let (mut outbox, mut behind) = (Outbox::default(), Outbox::default());
        outbox.push_frames(b"one");
        behind.push_frames(b"two");
        behind.push_stretch(stretch(10, 30, false));
        outbox.append(behind);
        assert_eq!((outbox.len(), outbox.left()), (3, 26));
        assert_eq!((outbox.frames_left, outbox.frames_held), recount(&outbox));
        assert!(outbox.frames_written(3));
        assert_eq!(outbox.first_frames(), b"two");
    }

    #[test]
    fn what_builds_on_lost_stretches_goes_with_them() {
        for midway in [false, true] {
            let mut outbox = Outbox::default();
            if midway {
                outbox.put_first(stretch(5, 10, true));
            }
            outbox.push_frames(b"one");
            outbox.push_stretch(stretch(10, 30, false));
            outbox.push_frames(b"three");
            outbox.give_up_later_frames();
            assert_eq!(outbox.give_up_stretches(), [stretch(10, 30, false)]);
            assert_eq!((outbox.len(), outbox.first_frames()), (1, if midway { &b""[..] } else { b"one" }));
            assert_eq!((outbox.frames_left, outbox.frames_held), recount(&outbox));
        }
    }

    #[test]
    fn it_keeps_to_its_budget() {
        // docs/reliability.md counts on it: a laggard that is owed the rest of a frame has this, and no list.
        let bytes = (size_of::<Outbox>(), ITEM_BYTES);
        match usize::BITS {
            64 => assert_eq!(bytes, (72, 40)),
            _ => assert!(bytes.0 <= 40 && bytes.1 <= 32, "{bytes:?}"),
        }
        assert_eq!(Outbox::default().held_bytes(), 0);
    }
}
