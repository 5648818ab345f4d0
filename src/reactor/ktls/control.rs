//! The peer's words on TLS itself while the kernel decrypts: alerts and new keys. A plain read fails with EIO
//! where such a record is next, and it is then read with its type.

use std::io;

use crate::config::LogLevel;
use crate::metrics::{CloseReason, KernelTls};
use crate::protocol::close::CloseCode;

use super::super::input::{Read, is_shortage};
use super::super::reactor::Reactor;
use super::super::slot::{Flags, Phase};
use super::super::socket::Socket;
use super::super::stamp::Stamp;
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
    ) -> Read {
        match e.raw_os_error() {
            Some(libc::EIO) => {
                // The data that came before it is dealt with first.
                self.put_aside(index, &mut buffer[..kept]);
                match self.connections.slots.get(index) {
                    // The record is still there when the answers are written.
                    Some(slot) if slot.flags.any(Flags::PAUSED) => Read::Drained,
                    Some(_) => self.read_record(index, buffer),
                    None => Read::Gone,
                }
            }
            // Not of this connection: forged, or under keys that we don't have any more.
            Some(libc::EBADMSG | libc::EMSGSIZE | libc::EINVAL) => {
                if self.connections.slots[index].flags.any(Flags::FINISH) {
                    // Everything was said, and the peer shall have the time to hear it.
                    return Read::Drained;
                }
                self.break_off(index, BAD_RECORD_MAC, e)
            }
            _ => {
                self.remove(index, CloseReason::Reset);
                Read::Gone
            }
        }
    }

    /// Reads a record that is no application data.
    fn read_record(&mut self, index: usize, buffer: &mut [u8]) -> Read {
        let slot = &mut self.connections.slots[index];
        let kept = slot.kept().len();
        buffer[..kept].copy_from_slice(slot.kept());
        self.metrics.recvs += 1;
        let (n, content_type) = match slot.socket.recv_record(&mut buffer[kept..]) {
            Ok(record) => record,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Read::Drained,
            Err(e) if is_shortage(&e) => {
                self.connections.timers.retries.push((index as u32, slot.serial));
                return Read::Drained;
            }
            Err(_) => {
                self.remove(index, CloseReason::Reset);
                return Read::Gone;
            }
        };
        self.metrics.recv_bytes += n as u64;
        slot.seen = Stamp::at(self.now.mono_ms());
        match (content_type, &buffer[kept..kept + n]) {
            (Some(ALERT), [_, CLOSE_NOTIFY]) => {
                self.end_of_stream(index);
                return Read::Gone;
            }
            // A warning does no harm; in TLS 1.3 there is only user_canceled, before a close_notify.
            (Some(ALERT), [WARNING, _]) => {}
            (Some(ALERT), [_, description]) => {
                let id = slot.id(index);
                let fields: [(&str, &dyn std::fmt::Display); 2] = [("conn", &id), ("alert", description)];
                self.journal.event(self.now, LogLevel::Debug, "tls_alert", &fields);
                self.remove(index, CloseReason::Reset);
                return Read::Gone;
            }
            (Some(HANDSHAKE), [24, 0, 0, 1, asked @ (0 | 1)]) => return self.new_keys(index, *asked == 1),
            (Some(APPLICATION_DATA), _) => {
                // Not what the failed read has promised; still what the peer has said.
                self.hold(index, |slot| slot.keep(&[]));
                self.input(index, &mut buffer[..kept + n]);
            }
            // Renegotiation (TLS 1.2), or nothing that there is.
            _ => {
                let e = io::Error::other("a TLS message that does not belong here");
                return self.break_off(index, UNEXPECTED_MESSAGE, &e);
            }
        }
        if self.connections.slots.contains(index) { Read::More } else { Read::Gone }
    }

    /// The peer's records are under new keys from now on; it may have asked for new ones of ours.
    fn new_keys(&mut self, index: usize, asked: bool) -> Read {
        let slot = &mut self.connections.slots[index];
        let installed = self.wire.tls.kernel.renewal(index).and_then(|renewal| {
            let keys = Keys::new(&renewal.next_to_receive()?);
            slot.socket.install_keys(Direction::Receive, &keys).ok()?;
            renewal.owed |= asked;
            Some(())
        });
        if installed.is_none() {
            self.no_new_keys(index);
            return Read::Gone;
        }
        self.metrics.kernel_tls.bump(KernelTls::NewKeys);
        if asked && !slot.flags.any(Flags::BLOCKED) {
            self.renew_ours(index);
        }
        if self.connections.slots.contains(index) { Read::More } else { Read::Gone }
    }

    /// Sends our notice of new keys if it is owed, and goes on with those. False: stop here.
    pub(in super::super) fn renew_ours(&mut self, index: usize) -> bool {
        let slot = &mut self.connections.slots[index];
        let Some(renewal) = self.wire.tls.kernel.renewal(index).filter(|renewal| renewal.owed) else {
            return true;
        };
        self.metrics.sends += 1;
        match slot.socket.send_record(HANDSHAKE, &KEY_UPDATE) {
            Ok(_) => {
                renewal.owed = false;
                let keys = renewal.next_to_send().map(|keys| Keys::new(&keys));
                let installed = keys.map(|keys| slot.socket.install_keys(Direction::Send, &keys));
                if matches!(installed, Some(Ok(()))) {
                    return true;
                }
                // The peer expects other keys than the kernel has: nothing can be said any more.
                self.metrics.kernel_tls.bump(KernelTls::Failed);
                slot.flags.set(Flags::CLOSE_NOTIFIED, true);
                self.remove(index, CloseReason::Internal);
            }
            Err(e) => self.record_not_sent(index, &e),
        }
        false
    }

    /// New keys are due, and the kernel takes none: closes under the old ones. The client can come back at
    /// once.
    pub(super) fn no_new_keys(&mut self, index: usize) {
        if self.connections.slots[index].phase == Phase::Open {
            let reason = "new TLS keys are due: connect again";
            self.begin_close(index, CloseCode::SERVICE_RESTART, reason, CloseReason::TlsKeys);
        }
        if self.connections.slots.contains(index) {
            self.finish(index);
        }
    }

    /// Tells the peer what was wrong, and ends the connection.
    fn break_off(&mut self, index: usize, alert: u8, e: &io::Error) -> Read {
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
        Read::Gone
    }
}
