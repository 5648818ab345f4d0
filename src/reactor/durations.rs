//! How long things have taken, as `/metrics` has it: noted once a turn, or once for all deliveries of a publication
//! that a turn has made, and never for each of them.

use crate::metrics::Histogram;
use crate::narrow;
use crate::push::{Cursor, Delivery, Written};
use crate::time::Time;

use super::reactor::Reactor;
use super::slot::{Flags, Slot};
use super::socket::Socket;

/// Lets the deliveries be noted that are shown to `keep`. The publications of a burst were taken in in one turn, so
/// theirs are noted together.
pub(super) fn timed(
    seconds: &mut Histogram,
    mut keep: impl FnMut(&Delivery),
) -> impl FnMut(&Delivery, Written) {
    let mut alike = Alike { seconds, after_us: 0, count: 0 };
    move |delivery, written| {
        alike.add(written);
        keep(delivery);
    }
}

/// Deliveries that took the same time and are not noted yet; at the latest they are when it is dropped.
struct Alike<'a> {
    seconds: &'a mut Histogram,
    after_us: u64,
    count: u64,
}

impl Alike<'_> {
    #[inline]
    fn add(&mut self, written: Written) {
        if written.after_us != self.after_us {
            self.note();
            self.after_us = written.after_us;
        }
        self.count += u64::from(written.count);
    }

    /// Not inlined: in a burst it is called once for many publications.
    #[inline(never)]
    fn note(&mut self) {
        let count = std::mem::take(&mut self.count);
        if count > 0 {
            self.seconds.note_all(self.after_us, count);
        }
    }
}

impl Drop for Alike<'_> {
    fn drop(&mut self) {
        self.note();
    }
}

impl<S> Slot<S> {
    /// Its handshake begins. Before it is open it stands nowhere, so the time lies where its cursor will be.
    pub(super) fn begin_handshake(&mut self, now_us: u64) {
        self.cursor = Cursor(narrow::low_half(now_us));
    }

    /// The same with a later request, which may be one, unless that has begun before.
    pub(super) fn begin_request(&mut self, now_us: u64) {
        let is_under_way = self.extra.as_ref().is_some_and(|extra| extra.http.is_some());
        if self.flags.any(Flags::SERVED) && !is_under_way {
            self.begin_handshake(now_us);
        }
    }

    /// When it began: the low half of the clock's microseconds.
    pub(super) fn handshake_began(&self) -> u32 {
        self.cursor.0
    }
}

impl<S: Socket> Reactor<S> {
    /// Notes how long the turn has taken that ends now, and the handshakes of those who were let in.
    pub(super) fn note_turn(&mut self, now: Time) {
        self.metrics.turn_seconds.note(now.us_since(self.now));
        let moment = narrow::low_half(now.mono_us);
        for began in self.scratch.let_in.drain(..) {
            self.metrics.handshake_seconds.note(u64::from(moment.wrapping_sub(began)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_the_same_time_is_noted_together_and_nothing_is_left_out() {
        let (mut seconds, mut apart, mut shown) = (Histogram::default(), Histogram::default(), 0);
        let all = [(2, 40), (3, 40), (0, 60), (1, 40), (5, 90), (u32::MAX, 90), (1, 40)];
        let mut changed = timed(&mut seconds, |_| shown += 1);
        for (count, after_us) in all {
            changed(&Delivery::default(), Written { count, after_us });
            apart.note_all(after_us, u64::from(count));
        }
        drop(changed);
        assert_eq!((seconds, shown), (apart, all.len()));
    }
}
