//! A worker's bytes: what its sockets are ready for, out of them and into them.

use super::conn::Phase;
use super::{Worker, ramp};
use crate::sys::monotonic_ns;
use crate::tally;
use crate::transport::{End, Receiver};
use mio::unix::SourceFd;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;

impl Worker {
    pub(super) fn serve(&mut self, slot: usize, event: &mio::event::Event) {
        if event.is_writable() {
            match self.conns[slot].phase {
                Phase::Connecting => self.greet(slot),
                _ if self.conns[slot].rare.as_ref().is_some_and(|rare| !rare.output.is_empty()) => {
                    self.flush(slot)
                }
                _ => {}
            }
        }
        if event.is_readable() {
            self.receive(slot, event.is_read_closed());
        }
    }

    fn greet(&mut self, slot: usize) {
        let refused = self.conns[slot].stream.as_ref().and_then(|stream| stream.take_error().transpose());
        if let Some(error) = refused {
            let error = error.unwrap_or_else(|error| error);
            return self.end(slot, &ramp::describe(&error));
        }
        let Some(tls) = &self.tls else { return self.request(slot) };
        match tls.session() {
            Ok(session) => {
                self.conns[slot].tls = Some(session);
                self.conns[slot].phase = Phase::Securing;
                self.open_records(slot, &mut []);
            }
            Err(error) => self.end(slot, &format!("TLS: {error}")),
        }
    }

    fn request(&mut self, slot: usize) {
        self.transport.open(&self.job, slot as u32);
        self.conns[slot].phase = Phase::Greeting;
        self.flush(slot);
    }

    /// Reads until the socket is drained. Less than the buffer holds means drained, unless the end is there
    /// too.
    fn receive(&mut self, slot: usize, is_read_closed: bool) {
        let mut buffer = std::mem::take(&mut self.scratch.input);
        loop {
            let conn = &mut self.conns[slot];
            if conn.phase == Phase::Unread {
                break;
            }
            let Some(stream) = &mut conn.stream else { break };
            let held = conn.rare.as_mut().map_or_else(Vec::new, |rare| std::mem::take(&mut rare.record));
            buffer[..held.len()].copy_from_slice(&held);
            let space = &mut buffer[held.len()..];
            let got = match stream.read(space) {
                Ok(0) => {
                    self.end(slot, "ended without a close");
                    break;
                }
                Ok(got) => got,
                Err(error) if is_passing(&error) => {
                    if !held.is_empty() {
                        conn.rare().record = held;
                    }
                    if error.kind() == io::ErrorKind::WouldBlock { break } else { continue }
                }
                Err(error) => {
                    self.end(slot, &ramp::describe(&error));
                    break;
                }
            };
            self.ledger.tally.wire_bytes += got as u64;
            let is_drained = got < space.len();
            if conn.tls.is_some() {
                self.open_records(slot, &mut buffer[..held.len() + got]);
            } else {
                self.take(slot, &buffer[..got]);
            }
            if is_drained && !is_read_closed {
                break;
            }
        }
        self.scratch.input = buffer;
    }

    /// Takes in what came over TLS, and answers what the protocol itself asks.
    fn open_records(&mut self, slot: usize, bytes: &mut [u8]) {
        let conn = &mut self.conns[slot];
        let Some(session) = &mut conn.tls else { return };
        let mut plain = std::mem::take(&mut self.scratch.plain);
        plain.clear();
        let progress = session.advance(bytes, &mut plain, &mut self.scratch.wire);
        let is_new = conn.phase == Phase::Securing && progress.as_ref().is_ok_and(|it| it.is_established);
        if is_new {
            let tally = &mut self.ledger.tally;
            *(if session.is_resumed() {
                &mut tally.resumed_handshakes
            } else {
                &mut tally.full_handshakes
            }) += 1;
            tally::count(&mut tally.suites, &session.suite());
        }
        let failure = match progress {
            Ok(progress) if progress.used < bytes.len() => {
                conn.rare().record.extend_from_slice(&bytes[progress.used..]);
                None
            }
            Ok(_) => {
                conn.trim();
                None
            }
            Err(error) => Some(format!("TLS: {error}")),
        };
        if is_new {
            self.request(slot);
        } else if !self.scratch.wire.is_empty() {
            self.flush(slot);
        }
        // Messages that came before what is wrong still count.
        if !plain.is_empty() {
            self.take(slot, &plain);
        }
        if let Some(failure) = failure {
            self.end(slot, &failure);
        }
        self.scratch.plain = plain;
    }

    fn take(&mut self, slot: usize, bytes: &[u8]) {
        let now_ns = monotonic_ns();
        let taken = if self.conns[slot].phase == Phase::Greeting {
            match self.finish_greeting(slot, bytes, now_ns) {
                Ok(taken) => taken,
                Err(refusal) => return self.end(slot, &refusal),
            }
        } else {
            let receiver =
                Receiver { job: &self.job, conn: &mut self.conns[slot], ledger: &mut self.ledger, now_ns };
            self.transport.take(receiver, bytes)
        };
        self.flush(slot);
        match taken {
            Ok(()) => {}
            Err(End::Close(_)) if self.conns[slot].phase == Phase::Leaving => self.has_left(slot),
            Err(End::Close(code)) => self.end(slot, &format!("close {code}")),
            Err(End::Fault(fault)) => self.end(slot, &format!("protocol: {fault}")),
        }
    }

    /// Checks the handshake's answer. Frames may follow it in the same segment.
    fn finish_greeting(&mut self, slot: usize, bytes: &[u8], now_ns: u64) -> Result<Result<(), End>, String> {
        let conn = &mut self.conns[slot];
        let mut head = conn.rare.as_mut().map_or_else(Vec::new, |rare| std::mem::take(&mut rare.input));
        head.extend_from_slice(bytes);
        let Some(answer) = self.transport.accept(&self.job, slot as u32, &head)? else {
            conn.rare().input = head;
            return Ok(Ok(()));
        };
        conn.trim();
        self.handshakes -= 1;
        conn.phase = Phase::Open;
        conn.may_deflate = answer.may_deflate;
        conn.is_chunked = answer.is_chunked;
        self.ledger.opened(conn);
        let tally = &mut self.ledger.tally;
        tally.opened += 1;
        tally.may_deflate += u64::from(answer.may_deflate);
        tally.last_open_ns = now_ns;
        tally.setup.record(u64::from(ramp::clock_us(now_ns).wrapping_sub(conn.begun_us)) * 1_000);
        if self.job.is_unread(slot as u32) {
            conn.phase = Phase::Unread;
            tally.unread.connections += 1;
            if let Some(stream) = &conn.stream {
                // A socket that can't be taken out of the poll is only reported in vain: `receive` leaves it
                // alone.
                let _ = self.poll.registry().deregister(&mut SourceFd(&stream.as_raw_fd()));
            }
            return Ok(Ok(()));
        }
        let receiver = Receiver { job: &self.job, conn, ledger: &mut self.ledger, now_ns };
        Ok(self.transport.take(receiver, &head[answer.size..]))
    }

    /// Writes what the transport has for this connection, behind what it still owes and what its TLS session
    /// has to say.
    pub(super) fn flush(&mut self, slot: usize) {
        let conn = &mut self.conns[slot];
        if let Some(session) = &mut conn.tls {
            let out = self.transport.out();
            if !out.is_empty()
                && let Err(error) = session.seal(out, &mut self.scratch.wire)
            {
                out.clear();
                self.scratch.wire.clear();
                return self.end(slot, &format!("TLS: {error}"));
            }
            out.clear();
        } else {
            self.scratch.wire.append(self.transport.out());
        }
        let mut owed = conn.rare.as_mut().map_or_else(Vec::new, |rare| std::mem::take(&mut rare.output));
        let output = if owed.is_empty() {
            &self.scratch.wire
        } else {
            owed.extend_from_slice(&self.scratch.wire);
            &owed
        };
        let mut written = 0;
        let mut failure = None;
        while let Some(stream) = &mut conn.stream
            && written < output.len()
        {
            match stream.write(&output[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    failure = (error.kind() != io::ErrorKind::WouldBlock).then_some(error);
                    break;
                }
            }
        }
        if written < output.len() && failure.is_none() {
            let rest = output[written..].to_vec();
            conn.rare().output = rest;
        } else {
            conn.trim();
        }
        self.scratch.wire.clear();
        // A server that has closed may have said why: that is still to be read, and ends the connection then.
        if let Some(error) = failure
            && matches!(conn.phase, Phase::Securing | Phase::Greeting)
        {
            self.end(slot, &ramp::describe(&error));
        }
    }

    /// Empties a connection that was left alone, to learn how it fared.
    pub(super) fn look_at_unread(&mut self, slot: usize) {
        let Some(stream) = &mut self.conns[slot].stream else { return };
        let unread = &mut self.ledger.tally.unread;
        let first_wait = unread.waiting_bytes;
        loop {
            match stream.read(&mut self.scratch.input) {
                Ok(0) => unread.disconnected += 1,
                Ok(got) => {
                    unread.waiting_bytes += got as u64;
                    // A server that goes on sending as we go on reading would keep us here.
                    if unread.waiting_bytes - first_wait < 64 << 20 {
                        continue;
                    }
                    self.ledger.tally.active += 1;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.ledger.tally.active += 1,
                Err(_) => unread.disconnected += 1,
            }
            return;
        }
    }
}

/// Whether the same call may succeed, at once or later.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
