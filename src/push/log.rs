//! A channel's log: a bounded ring of wire bytes, and cursors into it.

use std::collections::VecDeque;

use crate::limits::LOG_RING_BYTES_MIN;
use crate::narrow;

use super::budget::grown;

mod image;

/// A place in a log: the low half of a logical byte position.
///
/// Half is enough, because the channel never lets a subscriber go unvisited while the head moves on by more
/// than three rings, and a ring is smaller than 2^30 bytes (`limits::LOG_BYTES_MAX`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Cursor(pub u32);

impl Cursor {
    /// The cursor at a logical byte position.
    pub fn at(position: u64) -> Cursor {
        Cursor(narrow::low_half(position))
    }
}

/// The ring. Positions are logical: they count all bytes ever appended and never wrap; `position & mask` is
/// where the byte lies.
///
/// Invariants: `tail <= head`, `head - tail <= bytes_max`, `ends` holds the end position of every publication
/// in `tail..head`, strictly ascending, the last one equal to `head`.
#[derive(Clone, Debug)]
pub struct Log {
    ring: Vec<u8>,
    tail: u64,
    head: u64,
    pub(super) first_offset: u64,
    ends: VecDeque<u64>,
    bytes_max: usize,
    pub(super) publications_max: usize,
}

impl Log {
    /// An empty log whose first publication will have offset `first_offset`.
    ///
    /// It holds at most `bytes_max` bytes in at most `publications_max` publications, and allocates as they come.
    pub fn new(first_offset: u64, bytes_max: usize, publications_max: usize) -> Log {
        Log::starting_at(0, first_offset, bytes_max, publications_max)
    }

    /// As [`Log::new`], with the first byte at logical position `position`.
    pub fn starting_at(position: u64, first_offset: u64, bytes_max: usize, publications_max: usize) -> Log {
        assert!(bytes_max > 0 && publications_max > 0, "a log holds at least one publication");
        Log {
            ring: Vec::new(),
            tail: position,
            head: position,
            first_offset,
            ends: VecDeque::new(),
            bytes_max,
            publications_max,
        }
    }

    /// An empty log with the same bounds, whose first publication will have the offset that is next here.
    pub fn beside(&self, position: u64) -> Log {
        Log::starting_at(position, self.next_offset(), self.bytes_max, self.publications_max)
    }

    /// So long may a publication be at the most.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Position behind the last byte.
    pub fn head(&self) -> u64 {
        self.head
    }

    /// Position of the oldest byte still here.
    pub fn tail(&self) -> u64 {
        self.tail
    }

    /// Offset of the oldest publication still here, or of the next one if there is none.
    pub fn first_offset(&self) -> u64 {
        self.first_offset
    }

    /// Offset that the next publication gets.
    pub fn next_offset(&self) -> u64 {
        self.first_offset + self.ends.len() as u64
    }

    /// Bytes allocated for the ring and the index.
    pub fn bytes(&self) -> usize {
        self.ring.len() + self.ends.capacity() * size_of::<u64>()
    }

    /// By how much [`bytes`](Self::bytes) grows if everything before the position `tail` is evicted and a frame
    /// of `len` bytes appended.
    pub fn growth_from(&self, tail: u64, len: usize) -> usize {
        let ring = self.ring_for(narrow::to_usize(self.head - tail) + len);
        let kept = self.ends.len() - self.ends.partition_point(|&end| end <= tail);
        let entries = if kept < self.ends.capacity() { self.ends.capacity() } else { self.more_ends() };
        ring - self.ring.len() + (entries - self.ends.capacity()) * size_of::<u64>()
    }

    /// Where the tail will be when the older half is given up: half of the publications, and as many more as leave no
    /// more than half of the ring in use; but not the newest one, unless it is the only one.
    pub fn half(&self) -> u64 {
        let count = self.ends.len();
        if count < 2 {
            return self.head;
        }
        let first_kept = self.head.saturating_sub(self.ring.len() as u64 / 2);
        let larger = self.ends.partition_point(|&end| end < first_kept);
        self.ends[larger.max(count / 2 - 1).min(count - 2)]
    }

    /// Number of publications.
    pub fn publications(&self) -> usize {
        self.ends.len()
    }

    /// Gives up what lies before the position `tail`, where a publication begins, and the memory that it took.
    pub fn give_up_before(&mut self, tail: u64) {
        self.evict_to(tail);
        self.ends.shrink_to_fit();
        match narrow::to_usize(self.head - self.tail) {
            0 => self.ring = Vec::new(),
            live => self.move_to(live.next_power_of_two().max(LOG_RING_BYTES_MIN)),
        }
    }

    /// Where the tail will be once a frame of `len` bytes has been appended: what it costs the others.
    pub fn tail_after(&self, len: usize) -> u64 {
        let spare = (self.ends.len() + 1).saturating_sub(self.publications_max);
        let mut tail = if spare > 0 { self.ends[spare - 1] } else { self.tail };
        let bytes_kept = (self.bytes_max - len.min(self.bytes_max)) as u64;
        if self.head - tail > bytes_kept {
            let first_kept = self.head - bytes_kept;
            let evicted = self.ends.partition_point(|&end| end < first_kept);
            tail = tail.max(self.ends.get(evicted).copied().unwrap_or(self.head));
        }
        tail
    }

    /// Changes the bounds. If they are narrower, the next publication evicts all that no longer fit.
    pub fn set_bounds(&mut self, bytes_max: usize, publications_max: usize) {
        (self.bytes_max, self.publications_max) = (bytes_max, publications_max);
    }

    /// Appends the bytes of one publication, and evicts the oldest ones that no longer fit. One that alone is larger
    /// than the log is kept alone.
    pub fn append(&mut self, frame: &[u8]) -> u64 {
        assert!(!frame.is_empty(), "a publication has bytes");
        self.evict_to(self.tail_after(frame.len()));
        let ring = self.ring_for(narrow::to_usize(self.head - self.tail) + frame.len());
        if ring != self.ring.len() {
            self.move_to(ring);
        }
        if self.ends.len() == self.ends.capacity() {
            self.ends.reserve_exact(self.more_ends() - self.ends.len());
        }
        lay(&mut self.ring, self.head, frame);
        self.head += frame.len() as u64;
        self.ends.push_back(self.head);
        self.next_offset() - 1
    }

    /// By how much [`bytes`](Self::bytes) grows if so many publications of so many bytes are put in front of what is
    /// here.
    pub fn growth_before(&self, bytes: usize, publications: usize) -> usize {
        let ring = self.ring_for(narrow::to_usize(self.head - self.tail) + bytes);
        let entries = self.ends.capacity().max(self.ends.len() + publications);
        ring - self.ring.len() + (entries - self.ends.capacity()) * size_of::<u64>()
    }

    /// Makes room for so many publications of so many bytes in front of what is here.
    pub fn reserve_before(&mut self, bytes: usize, publications: usize) {
        let ring = self.ring_for(narrow::to_usize(self.head - self.tail) + bytes);
        if ring != self.ring.len() {
            self.move_to(ring);
        }
        self.ends.reserve_exact(publications);
    }

    /// Puts one publication in front of what is here, for which there [is room](Self::reserve_before). Its bytes may
    /// come in two pieces.
    ///
    /// # Panics
    /// If there is no position in front of the first one, or no offset.
    pub fn prepend(&mut self, first: &[u8], second: &[u8]) {
        let len = (first.len() + second.len()) as u64;
        assert!(0 < len && len <= self.tail && self.first_offset > 0, "nothing comes in front of that");
        debug_assert!(self.head - self.tail + len <= self.ring.len() as u64);
        self.ends.push_front(self.tail);
        self.tail -= len;
        self.first_offset -= 1;
        lay(&mut self.ring, self.tail, first);
        lay(&mut self.ring, self.tail + first.len() as u64, second);
    }

    /// Goes on with this offset at another position, when [nothing is left](Self::give_up_before): no cursor that stood
    /// at the head stands anywhere any more.
    pub fn pass_over(&mut self, next: u64) {
        debug_assert!(self.ends.is_empty());
        self.head += 1;
        (self.tail, self.first_offset) = (self.head, next);
    }

    /// Evicts the publications before this offset.
    pub fn evict_before(&mut self, offset: u64) {
        self.evict_to(self.start_of(offset));
    }

    /// Position of the first byte of a publication that is here; of the oldest one in place of those that are not any
    /// more, and the head in place of those to come.
    pub fn start_of(&self, offset: u64) -> u64 {
        match narrow::clamped(offset.saturating_sub(self.first_offset)) {
            0 => self.tail,
            n => self.ends.get(n - 1).copied().unwrap_or(self.head),
        }
    }

    /// The bytes from `position` to the head: one slice, or two at the ring's seam.
    pub fn slices(&self, position: u64) -> (&[u8], &[u8]) {
        self.slices_between(position, self.head)
    }

    /// The bytes of `from..to`, both within the log.
    pub fn slices_between(&self, from: u64, to: u64) -> (&[u8], &[u8]) {
        assert!(self.tail <= from && from <= to && to <= self.head, "tail <= cursor <= head");
        if from == to {
            return (&[], &[]);
        }
        let start = narrow::wrapped(from) & (self.ring.len() - 1);
        let len = narrow::to_usize(to - from);
        let first = len.min(self.ring.len() - start);
        (&self.ring[start..start + first], &self.ring[..len - first])
    }

    /// The logical position of a cursor, or None if it has fallen off the tail.
    #[inline]
    pub fn position(&self, cursor: Cursor) -> Option<u64> {
        let lag = u64::from(narrow::low_half(self.head).wrapping_sub(cursor.0));
        (lag <= self.head - self.tail).then(|| self.head - lag)
    }

    /// Offset of the publication that holds the byte at `position` (the next offset at the head), and whether
    /// that is its first byte, a frame boundary.
    pub fn offset_at(&self, position: u64) -> (u64, bool) {
        if position >= self.head {
            return (self.next_offset(), true);
        }
        let before = self.ends.partition_point(|&end| end <= position);
        let start = if before == 0 { self.tail } else { self.ends[before - 1] };
        (self.first_offset + before as u64, start == position)
    }

    /// Position behind the last byte of the publication that holds the byte at `position`.
    pub fn frame_end(&self, position: u64) -> u64 {
        let before = self.ends.partition_point(|&end| end <= position);
        self.ends.get(before).copied().unwrap_or(self.head)
    }

    /// Position of the newest publication's first byte.
    pub fn newest_start(&self) -> u64 {
        match self.ends.len() {
            0 => self.head,
            1 => self.tail,
            n => self.ends[n - 2],
        }
    }

    fn evict_to(&mut self, tail: u64) {
        while self.tail < tail {
            self.tail = self.ends.pop_front().unwrap_or(self.head);
            self.first_offset += 1;
        }
    }

    /// The ring's size when so many bytes are to lie in it. It doubles while it is below the bound: a channel of few,
    /// small publications stays within a page or two however long it lives.
    fn ring_for(&self, live: usize) -> usize {
        if live <= self.ring.len() {
            self.ring.len()
        } else {
            live.next_power_of_two().max(LOG_RING_BYTES_MIN)
        }
    }

    /// Entries of the index when there is no room for one more.
    fn more_ends(&self) -> usize {
        grown(self.ends.capacity(), self.publications_max)
    }

    /// Moves what is there to a ring of `size` bytes, a power of two.
    fn move_to(&mut self, size: usize) {
        let mut ring = vec![0; size];
        let (first, second) = self.slices(self.tail);
        lay(&mut ring, self.tail, first);
        lay(&mut ring, self.tail + first.len() as u64, second);
        self.ring = ring;
    }
}

/// Writes bytes into a ring from a logical position on.
fn lay(ring: &mut [u8], position: u64, bytes: &[u8]) {
    let start = narrow::wrapped(position) & (ring.len() - 1);
    let first = bytes.len().min(ring.len() - start);
    ring[start..start + first].copy_from_slice(&bytes[..first]);
    ring[..bytes.len() - first].copy_from_slice(&bytes[first..]);
}

#[cfg(test)]
mod tests;
