//! The peer's words on TLS itself while the kernel decrypts: alerts and new keys. A plain read fails with EIO
//! where such a record is next, and it is then read with its type.

use std::io;

use crate::config::LogLevel;
use crate::metrics::{CloseReason, KernelTls};
use crate::protocol::close::CloseCode;

use super::super::connections::Gone;
use super::super::input::Read;
use super::super::reactor::Reactor;
use super::super::slot::{Flags, Phase};
use super::super::socket::Socket;
use super::super::sys::Direction;
use super::Keys;
use super::takeover::ALERT;

/// Content types (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// Alerts' level and descriptions (RFC 8446 section 6).
const WARNING: u8 = 1;
const CLOSE_NOTIFY: u8 = 0;
const UNEXPECTED_MESSAGE: u8 = 10;
const BAD_RECORD_MAC: u8 = 20;

/// A KeyUpdate (RFC 8446 section 4.6.3) that asks for none in return.
const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, 0];

impl<S: Socket> Reactor<S> {
    /// A read has failed on a connection whose TLS is the kernel's. `buffer` begins with what was kept of earlier
    /// input.
    pub(in super::super) fn read_exception(
        &mut self,
        index: usize,
        buffer: &mut [u8],
        kept: usize,
        e: &io::Error,
    ) -> Result<Read, Gone> {
        match e.raw_os_error() {
            Some(libc::EIO) => {
                // The data that came before it is dealt with first.
                self.take_up(index, &mut buffer[..kept])?;
                if self.connections.slots[index].flags.any(Flags::PAUSED) {
                    // The record is still there when the answers are written.
                    return Ok(Read::Drained);
                }
                self.read_record(index, buffer)
            }
            // Not of this connection: forged, or under keys that we don't have any more.
            Some(libc::EBADMSG | libc::EMSGSIZE | libc::EINVAL) => {
                if self.connections.slots[index].flags.any(Flags::FINISH) {
                    // Everything was said, and the peer shall have the time to hear it.
                    return Ok(Read::Drained);
                }
                self.break_off(index, BAD_RECORD_MAC, e)
            }
            _ => self.read_failed(index, e),
        }
    }

    /// Reads a record that is no application data.
    fn read_record(&mut self, index: usize, buffer: &mut [u8]) -> Result<Read, Gone> {
        let kept = self.recall(index, buffer);
        let (n, content_type) = match self.receive(index, &mut buffer[kept..], S::recv_record) {
            Ok(record) => record,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Read::Drained),
            Err(e) => return self.read_failed(index, &e),
        };
        match (content_type, &buffer[kept..kept + n]) {
            (Some(ALERT), [_, CLOSE_NOTIFY]) => {
                self.end_of_stream(index)?;
                return Ok(Read::Drained);
            }
            // A warning does no harm; in TLS 1.3 there is only user_canceled, before a close_notify.
            (Some(ALERT), [WARNING, _]) => {}
            (Some(ALERT), [_, description]) => {
                let id = self.connections.slots[index].id(index);
                let fields: [(&str, &dyn std::fmt::Display); 2] = [("conn", &id), ("alert", description)];
                self.journal.event(self.now, LogLevel::Debug, "tls_alert", &fields);
                self.remove(index, CloseReason::Reset);
                return Err(Gone);
            }
            (Some(HANDSHAKE), [24, 0, 0, 1, asked @ (0 | 1)]) => return self.new_keys(index, *asked == 1),
            (Some(APPLICATION_DATA), _) => {
                // Not what the failed read has promised; still what the peer has said.
                self.take_up(index, &mut buffer[..kept + n])?;
            }
            // Renegotiation (TLS 1.2), or nothing that there is.
            _ => {
                let e = io::Error::other("a TLS message that does not belong here");
                return self.break_off(index, UNEXPECTED_MESSAGE, &e);
            }
        }
        Ok(Read::More)
    }

    /// The peer's records are under new keys from now on; it may have asked for new ones of ours.
    fn new_keys(&mut self, index: usize, asked: bool) -> Result<Read, Gone> {
        let slot = &mut self.connections.slots[index];
        let installed = self.wire.tls.kernel.renewal(index).and_then(|renewal| {
            let keys = Keys::new(&renewal.next_to_receive()?);
            slot.socket.install_keys(Direction::Receive, &keys).ok()?;
            renewal.owed |= asked;
            Some(())
        });
        if installed.is_none() {
            self.no_new_keys(index)?;
            return Ok(Read::Drained);
        }
        self.metrics.kernel_tls.bump(KernelTls::NewKeys);
        if asked && !slot.flags.any(Flags::BLOCKED) {
            self.renew_ours(index)?;
        }
        Ok(Read::More)
    }

    /// Sends our notice of new keys if it is owed, and goes on with those. False: the socket did not take it yet.
    pub(in super::super) fn renew_ours(&mut self, index: usize) -> Result<bool, Gone> {
        let slot = &mut self.connections.slots[index];
        let Some(renewal) = self.wire.tls.kernel.renewal(index).filter(|renewal| renewal.owed) else {
            return Ok(true);
        };
        self.metrics.sends += 1;
        match slot.socket.send_record(HANDSHAKE, &KEY_UPDATE) {
            Ok(_) => {
                renewal.owed = false;
                let keys = renewal.next_to_send().map(|keys| Keys::new(&keys));
                let installed = keys.map(|keys| slot.socket.install_keys(Direction::Send, &keys));
                if matches!(installed, Some(Ok(()))) {
                    return Ok(true);
                }
                // The peer expects other keys than the kernel has: nothing can be said any more.
                self.metrics.kernel_tls.bump(KernelTls::Failed);
                slot.flags.set(Flags::CLOSE_NOTIFIED, true);
                self.remove(index, CloseReason::Internal);
                Err(Gone)
            }
            Err(e) => {
                self.record_not_sent(index, &e)?;
                Ok(false)
            }
        }
    }

    /// New keys are due, and the kernel takes none: closes under the old ones. The client can come back at
    /// once.
    pub(super) fn no_new_keys(&mut self, index: usize) -> Result<(), Gone> {
        if self.connections.slots[index].phase == Phase::Open {
            let reason = "new TLS keys are due: connect again";
            self.begin_close(index, CloseCode::SERVICE_RESTART, reason, CloseReason::TlsKeys)?;
        }
        self.finish(index)
    }

    /// Tells the peer what was wrong, and ends the connection.
    fn break_off(&mut self, index: usize, alert: u8, e: &io::Error) -> Result<Read, Gone> {
        const FATAL: u8 = 2;
        let slot = &mut self.connections.slots[index];
        let id = slot.id(index);
        let fields: [(&str, &dyn std::fmt::Display); 2] = [("conn", &id), ("problem", e)];
        self.journal.event(self.now, LogLevel::Info, "tls_broken", &fields);
        self.metrics.sends += 1;
        // Nothing follows it, whether the socket takes it or not.
        let _ = slot.socket.send_record(ALERT, &[FATAL, alert]);
        slot.flags.set(Flags::CLOSE_NOTIFIED, true);
        self.remove(index, CloseReason::ProtocolError);
        Err(Gone)
    }
}
