//! The moment in which the kernel takes a connection over, and how it ends there.

use std::io;

use crate::config::LogLevel;
use crate::metrics::{CloseReason, KernelTls};
use crate::narrow;
use crate::tls::{Renewal, Suite};

use super::super::connections::Gone;
use super::super::flush::set_blocked;
use super::super::input::is_shortage;
use super::super::reactor::Reactor;
use super::super::slot::{Flags, Phase, Slot};
use super::super::socket::Socket;
use super::super::sys::Direction;
use super::{KernelSupport, Keys};

/// The content type of alerts (RFC 8446 section 5.1).
pub(super) const ALERT: u8 = 21;

/// `close_notify`: nothing more will come (RFC 8446 section 6.1).
const CLOSE_NOTIFY: [u8; 2] = [1, 0];

/// The reactor's state for the kernel's TLS.
#[derive(Debug, Default)]
pub(in super::super) struct KernelTlsState {
    /// The kernel's abilities; none if it is not to be asked.
    pub offer: KernelSupport,
    /// See [`limit`](super::limit).
    pub rounds: super::limit::Rounds,
    /// The sources of new keys for the connections in these slots, where the kernel can use them.
    renewals: Vec<Option<Box<Renewal>>>,
}

impl KernelTlsState {
    /// The source of new keys for a connection.
    pub fn renewal(&mut self, index: usize) -> Option<&mut Renewal> {
        self.renewals.get_mut(index)?.as_deref_mut()
    }

    /// The same, to be looked at.
    #[cfg(feature = "handover")]
    pub fn known_renewal(&self, index: usize) -> Option<&Renewal> {
        self.renewals.get(index)?.as_deref()
    }

    pub fn keep(&mut self, index: usize, renewal: Box<Renewal>) {
        if index >= self.renewals.len() {
            self.renewals.resize_with(index + 1, || None);
        }
        self.renewals[index] = Some(renewal);
    }

    pub fn forget(&mut self, index: usize) {
        if let Some(place) = self.renewals.get_mut(index) {
            *place = None;
        }
    }

    /// The slots for which there is one.
    pub fn renewable(&self) -> impl Iterator<Item = usize> {
        self.renewals.iter().enumerate().filter_map(|(index, renewal)| renewal.is_some().then_some(index))
    }
}

impl<S: Socket> Reactor<S> {
    /// Hands open connections that speak TLS over to the kernel, as far as that offers it. Before the certificates
    /// are set: sessions are made for it.
    pub fn set_kernel_tls(&mut self, offer: KernelSupport) {
        self.wire.tls.kernel.offer = offer;
    }

    /// Lets the kernel have an open connection, if it is at a point where that can be: nothing has come in part,
    /// nothing waits to be written. From then on it is to us as a plain one, and whoever calls this must neither read
    /// nor write it again before the next turn.
    pub(in super::super) fn hand_to_kernel(&mut self, index: usize) -> Result<(), Gone> {
        if self.wire.tls.kernel.offer == KernelSupport::NONE {
            return Ok(());
        }
        let Some(suite) = self.suite_to_hand_over(index) else { return Ok(()) };
        let slot = &mut self.connections.slots[index];
        if let Err(e) = slot.socket.attach_tls() {
            self.not_attached(index, &e);
            return Ok(());
        }
        match self.install(index, suite) {
            Ok(()) => {
                let slot = &mut self.connections.slots[index];
                slot.flags.set(Flags::TLS, false);
                slot.flags.set(Flags::KERNEL_TLS, true);
                slot.tidy();
                self.connections.census.kernel_tls += 1;
                self.metrics.kernel_tls.bump(KernelTls::HandedOver);
                // Data that the kernel has already may have made its edge before.
                self.go_on_later(index);
                Ok(())
            }
            Err(e) => {
                // The session is used up. It had been tried out, so this is for want of memory.
                self.metrics.kernel_tls.bump(KernelTls::Failed);
                let id = self.connections.slots[index].id(index);
                let fields: [(&str, &dyn std::fmt::Display); 2] = [("conn", &id), ("problem", &e)];
                self.journal.event(self.now, LogLevel::Warn, "kernel_tls_failed", &fields);
                self.remove(index, CloseReason::Internal);
                Err(Gone)
            }
        }
    }

    /// The suite of the connection's records, if it can be handed over now.
    fn suite_to_hand_over(&self, index: usize) -> Option<Suite> {
        let slot = &self.connections.slots[index];
        // A poll is followed by requests, which are asked about what the session knows: the client's certificate.
        let lasts = slot.phase == Phase::Open && !slot.is_polling();
        // The kernel makes no lines.
        let lasts = lasts && slot.lines().is_none();
        if !lasts || !slot.flags.any(Flags::TLS) || slot.flags.any(Flags::BLOCKED) {
            return None;
        }
        let session = slot.extra.as_ref().and_then(|extra| extra.tls.as_deref())?;
        session.releasable().filter(|suite| self.wire.tls.kernel.offer.has(*suite))
    }

    /// Not this time: the session goes on as it was.
    fn not_attached(&mut self, index: usize, e: &io::Error) {
        if e.raw_os_error() != Some(libc::ENOENT) {
            // The peer is leaving already, or there is no memory; with the next read it is tried again.
            return;
        }
        // Somebody has unloaded the module.
        let id = self.connections.slots[index].id(index);
        let fields: [(&str, &dyn std::fmt::Display); 2] = [("conn", &id), ("problem", e)];
        self.journal.event(self.now, LogLevel::Warn, "kernel_tls_gone", &fields);
        self.wire.tls.kernel.offer = KernelSupport::NONE;
    }

    fn install(&mut self, index: usize, suite: Suite) -> io::Result<()> {
        let session = self.hold(index, |slot| slot.extra_mut().tls.take());
        let released =
            session.and_then(|session| session.release(suite)).ok_or(io::ErrorKind::InvalidData)?;
        let slot = &mut self.connections.slots[index];
        slot.socket.install_keys(Direction::Receive, &Keys::new(&released.receive))?;
        slot.socket.install_keys(Direction::Send, &Keys::new(&released.send))?;
        if let Some(renewal) = released.renewal {
            self.wire.tls.kernel.keep(index, renewal);
        }
        Ok(())
    }

    /// Ends our side of a connection whose TLS is the kernel's: with `close_notify`, and without ending the stream
    /// below it. The kernel may hold records back that it has taken while the socket was full, and those would be
    /// lost. False: the socket did not take it yet.
    pub(in super::super) fn close_kernel_tls(&mut self, index: usize) -> Result<bool, Gone> {
        let slot = &mut self.connections.slots[index];
        if slot.flags.any(Flags::CLOSE_NOTIFIED) {
            return Ok(true);
        }
        self.metrics.sends += 1;
        match slot.socket.send_record(ALERT, &CLOSE_NOTIFY) {
            Ok(_) => {
                slot.flags.set(Flags::CLOSE_NOTIFIED, true);
                Ok(true)
            }
            Err(e) => {
                self.record_not_sent(index, &e)?;
                Ok(false)
            }
        }
    }

    /// A record of ours was not taken: it is sent when the socket takes more, or the connection is broken.
    pub(super) fn record_not_sent(&mut self, index: usize, e: &io::Error) -> Result<(), Gone> {
        let slot = &mut self.connections.slots[index];
        let short = is_shortage(e);
        if !short && e.kind() != io::ErrorKind::WouldBlock {
            self.remove(index, CloseReason::Reset);
            return Err(Gone);
        }
        set_blocked(&mut self.connections.census, &mut slot.flags, true);
        if short {
            self.connections.timers.retry(narrow::to_u32(index), slot.serial);
        }
        Ok(())
    }

    /// As [`close_kernel_tls`](Self::close_kernel_tls), for a connection that goes without waiting for anything.
    pub(in super::super) fn leave_kernel_tls(&mut self, index: usize, slot: &mut Slot<S>) {
        self.wire.tls.kernel.forget(index);
        self.connections.census.kernel_tls -= 1;
        if !slot.flags.any(Flags::CLOSE_NOTIFIED) && !slot.flags.any(Flags::BLOCKED) {
            self.metrics.sends += 1;
            // A peer that has gone already misses nothing.
            let _ = slot.socket.send_record(ALERT, &CLOSE_NOTIFY);
        }
    }
}
