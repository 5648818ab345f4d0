//! How long things have taken, as `/metrics` has it: noted once a turn, or once for all deliveries of a publication
//! that a turn has made, and never for each of them.

use crate::metrics::Histogram;
use crate::narrow;
use crate::push::{Cursor, Delivery, Written};
use crate::time::Time;

use super::reactor::Reactor;
use super::slot::{Flags, Slot};
use super::socket::Socket;

/// Lets the deliveries be noted that are shown to `keep`.
pub(super) fn timed(
    seconds: &mut Histogram,
    mut keep: impl FnMut(&Delivery),
) -> impl FnMut(&Delivery, Written) {
    move |delivery, written| {
        if written.count > 0 {
            seconds.note_all(written.after_us, u64::from(written.count));
        }
        keep(delivery);
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
