//! Where a walk reads: the bytes before a log's head, or before what goes out at another pace, in each form.

use crate::push::{Cursor, Form, Log, OtherRings, Passage, Ring};

use super::super::socket::Socket;
use super::super::wire::{Sent, send};
use super::{Counts, Offered, advance};

/// The bytes of a log between one cursor and the end of what is offered, which nearly always is the head. Nearly all
/// subscribers that a walk visits stand at the same place and take everything, so it is looked up once for all of them,
/// and they are counted together.
#[derive(Clone, Copy)]
pub(super) struct Stretch<'l> {
    pub(super) form: Form,
    pub(super) log: &'l Log,
    /// Where a subscriber stands who has all of it.
    pub(super) last: Cursor,
    end: u64,
    from: Cursor,
    first: &'l [u8],
    second: &'l [u8],
    /// Those who took all of it and are not counted yet.
    takers: u32,
}

impl<'l> Stretch<'l> {
    /// Before the publication of this offset, or before the head.
    fn before(offset: Option<u64>, form: Form, log: &'l Log) -> Stretch<'l> {
        let end = offset.map_or(log.head(), |offset| log.start_of(offset));
        let last = Cursor::at(end);
        Stretch { form, log, last, end, from: last, first: &[], second: &[], takers: 0 }
    }

    /// Writes what a subscriber still has to get to its socket. It has not got all of it.
    #[inline(always)] // This is what a broadcast does a million times.
    pub(super) fn offer<S: Socket>(
        &mut self,
        socket: &mut S,
        counts: &mut Counts<'_>,
        cursor: &mut Cursor,
    ) -> Offered {
        if *cursor != self.from
            && let Err(offered) = self.move_to(*cursor, counts)
        {
            return offered;
        }
        match send(socket, counts.metrics, self.first, self.second) {
            Sent::Bytes(n) if n == self.len() => {
                *cursor = self.last;
                self.takers += 1;
                Offered::Done
            }
            sent => self.partly(sent, counts, cursor),
        }
    }

    /// An error: the cursor has fallen off the log, or stands behind what is offered.
    #[cold]
    fn move_to(&mut self, from: Cursor, counts: &mut Counts<'_>) -> Result<(), Offered> {
        let position = self.log.position(from).ok_or(Offered::Fallen)?;
        if position > self.end {
            return Err(Offered::Nothing);
        }
        self.count(counts);
        (self.first, self.second) = self.log.slices_between(position, self.end);
        self.from = from;
        Ok(())
    }

    /// The position behind it.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    #[cold]
    fn partly(&self, sent: Sent, counts: &mut Counts<'_>, cursor: &mut Cursor) -> Offered {
        advance(sent, self.log, self.start()..self.end, counts, cursor)
    }

    fn len(&self) -> usize {
        self.first.len() + self.second.len()
    }

    /// Logical position of its first byte.
    fn start(&self) -> u64 {
        self.end - self.len() as u64
    }

    /// Counts those who took all of it.
    pub(super) fn count(&mut self, counts: &mut Counts<'_>) {
        let takers = std::mem::take(&mut self.takers);
        if takers == 0 {
            return;
        }
        let (from, to) = (self.log.offset_at(self.start()).0, self.log.offset_at(self.end).0);
        counts.ledger.pass_all(Passage::Written, from, to, takers);
        if counts.ledger.counts() {
            counts.metrics.deliveries += u64::from(takers) * (to - from);
        }
    }
}

/// The stretches of all forms. Nearly always those who follow one another take the same one, so the one
/// in use is held apart, where it can stay in registers.
pub(super) struct Stretches<'l>([Stretch<'l>; Form::COUNT]);

impl<'l> Stretches<'l> {
    /// All of them, and the plain one to begin with. Nobody reads one that is not kept.
    pub(super) fn before(
        offset: Option<u64>,
        plain: &'l Ring,
        others: &'l OtherRings,
    ) -> (Stretches<'l>, Stretch<'l>) {
        let log = |form| &others.get(form).unwrap_or(plain).log;
        let all = Form::ALL.map(|form| Stretch::before(offset, form, log(form)));
        (Stretches(all), all[Form::Plain.index()])
    }

    /// Puts another one into use.
    #[inline(always)]
    pub(super) fn change(&mut self, form: Form, in_use: &mut Stretch<'l>) {
        self.0[in_use.form.index()] = *in_use;
        *in_use = self.0[form.index()];
    }

    /// Counts those who took all of theirs.
    pub(super) fn count(&mut self, in_use: Stretch<'l>, counts: &mut Counts<'_>) {
        self.0[in_use.form.index()] = in_use;
        self.0.iter_mut().for_each(|stretch| stretch.count(counts));
    }
}
