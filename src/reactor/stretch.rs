//! The walk's stretches of a log: nearly all subscribers stand at the same place, so what lies before them is looked up
//! once for all.

use crate::push::{Cursor, Form, Log, OtherRings, Passage, Ring};

use super::flush::{Counts, Offered, advance};
use super::socket::Socket;
use super::wire::{Sent, send};

/// The bytes of a log between one cursor and the head. Nearly all subscribers that a walk visits stand at the same
/// place and take everything, so it is looked up once for all of them, and they are counted together.
pub(super) struct Stretch<'l> {
    pub log: &'l Log,
    pub head: Cursor,
    from: Cursor,
    first: &'l [u8],
    second: &'l [u8],
    /// Those who took all of it and are not counted yet.
    takers: u32,
}

impl<'l> Stretch<'l> {
    pub(super) fn before_head(log: &'l Log) -> Stretch<'l> {
        let head = Cursor::at(log.head());
        Stretch { log, head, from: head, first: &[], second: &[], takers: 0 }
    }

    /// Writes what a subscriber still has to get to its socket. It is not at the head.
    #[inline(always)] // This is what a broadcast does a million times.
    pub(super) fn offer<S: Socket>(
        &mut self,
        socket: &mut S,
        counts: &mut Counts<'_>,
        cursor: &mut Cursor,
    ) -> Offered {
        if *cursor != self.from && !self.move_to(*cursor, counts) {
            return Offered::Fallen;
        }
        match send(socket, counts.metrics, self.first, self.second) {
            Sent::Bytes(n) if n == self.len() => {
                *cursor = self.head;
                self.takers += 1;
                Offered::Done
            }
            sent => self.partly(sent, counts, cursor),
        }
    }

    /// False: the cursor has fallen off the log.
    #[cold]
    fn move_to(&mut self, from: Cursor, counts: &mut Counts<'_>) -> bool {
        let Some(position) = self.log.position(from) else { return false };
        self.count(counts);
        (self.first, self.second) = self.log.slices(position);
        self.from = from;
        true
    }

    #[cold]
    fn partly(&self, sent: Sent, counts: &mut Counts<'_>, cursor: &mut Cursor) -> Offered {
        advance(sent, self.log, self.start()..self.log.head(), counts, cursor)
    }

    fn len(&self) -> usize {
        self.first.len() + self.second.len()
    }

    /// Logical position of its first byte.
    fn start(&self) -> u64 {
        self.log.head() - self.len() as u64
    }

    /// Counts those who took all of it.
    pub(super) fn count(&mut self, counts: &mut Counts<'_>) {
        let takers = std::mem::take(&mut self.takers);
        let (from, to) = (self.log.offset_at(self.start()).0, self.log.next_offset());
        counts.ledger.pass_all(Passage::Written, from, to, takers);
        if counts.ledger.counts() {
            counts.metrics.deliveries += u64::from(takers) * (to - from);
        }
    }
}

/// The stretches of the forms that are not at hand: neighbours mostly take the same one, so the walk holds that of the
/// last subscriber, and finds it as fast as if there were no other.
pub(super) struct Parked<'l> {
    stretches: [Stretch<'l>; Form::COUNT],
    pub at_hand: Form,
}

impl<'l> Parked<'l> {
    /// With the plain one at hand. Nobody reads a form that is not kept.
    pub(super) fn before_heads(plain: &'l Ring, others: &'l OtherRings) -> Parked<'l> {
        let stretches = Form::ALL.map(|form| Stretch::before_head(&others.get(form).unwrap_or(plain).log));
        Parked { stretches, at_hand: Form::Plain }
    }

    /// Takes another form to hand.
    #[cold]
    pub(super) fn exchange(&mut self, stretch: &mut Stretch<'l>, form: Form) {
        std::mem::swap(&mut self.stretches[self.at_hand.index()], stretch);
        std::mem::swap(&mut self.stretches[form.index()], stretch);
        self.at_hand = form;
    }

    /// Counts those who took all of a stretch.
    pub(super) fn count(mut self, counts: &mut Counts<'_>) {
        self.stretches.iter_mut().for_each(|stretch| stretch.count(counts));
    }
}
