//! How long things have taken, as `/metrics` has it: noted once a turn, or once for all deliveries of a publication
//! that a turn has made, and never for each of them.

use crate::metrics::Histogram;
use crate::narrow;
use crate::push::{Delivery, Written};
use crate::time::Time;

use super::reactor::Reactor;
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
