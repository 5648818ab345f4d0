//! How long a key may serve. RFC 8446 section 5.5 allows 2^24.5 records under one key of AES-GCM; the library stops
//! at 2^24, and so do we. The kernel counts each connection's records, and nobody else does: so it is asked, but only
//! after all connections together have sent so many that one alone could come near the limit.

use super::super::reactor::Reactor;
use super::super::slot::Flags;
use super::super::socket::Socket;
use crate::tls::RECORD_BYTES_MAX;

/// Records that all connections together may send before each is asked again.
const RECORDS_BETWEEN: u64 = 1 << 22;

/// With fewer records left a connection gets new keys, or ends. More than what can be sent until it is asked again.
const RECORDS_LEFT_MIN: u64 = 1 << 23;

/// Where the rounds of asking stand.
#[derive(Debug, Default)]
pub(in super::super) struct Rounds {
    /// Records of all connections when the last round began.
    began_at: u64,
    /// The next slot of the round under way.
    next: Option<usize>,
}

impl Rounds {
    /// Asks all of them soon: another process has sent what is not counted here.
    #[cfg(feature = "handover")]
    pub(in super::super) fn begin(&mut self) {
        self.next = Some(0);
    }
}

impl<S: Socket> Reactor<S> {
    /// Asks a slice of the connections whose TLS is the kernel's, if a round is due.
    pub(in super::super) fn look_at_keys(&mut self) {
        // No less than what was really sent: a call that writes makes a record, and one more for each 16 KiB.
        let sent = self.metrics.sends + self.metrics.send_bytes / RECORD_BYTES_MAX as u64;
        let rounds = &mut self.wire.tls.kernel.rounds;
        if rounds.next.is_none() && sent - rounds.began_at >= RECORDS_BETWEEN {
            (rounds.began_at, rounds.next) = (sent, Some(0));
        }
        let Some(from) = rounds.next else { return };
        let until = self.connections.used.min(from + self.config.flush_slice);
        rounds.next =
            (until < self.connections.used && self.connections.census.kernel_tls > 0).then_some(until);
        for index in from..until {
            let Some(slot) = self.connections.slots.get_mut(index) else { continue };
            let spent = slot.flags.any(Flags::KERNEL_TLS)
                && !slot.flags.any(Flags::CLOSE_NOTIFIED)
                && slot.socket.records_left().is_ok_and(|left| left < RECORDS_LEFT_MIN);
            if !spent {
                continue;
            }
            let blocked = slot.flags.any(Flags::BLOCKED);
            match self.wire.tls.kernel.renewal(index) {
                Some(renewal) => {
                    renewal.owed = true;
                    if !blocked {
                        let _ = self.renew_ours(index);
                    }
                }
                None => drop(self.no_new_keys(index)),
            }
        }
    }
}
