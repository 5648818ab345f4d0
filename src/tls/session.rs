//! One connection's side of TLS, without a buffer of its own.

use std::fmt;
use std::sync::Arc;

use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{Error, HandshakeKind, ProtocolVersion};

use super::renewal::{self, Secrets};
use super::{Acceptor, Established, Received, Records, certificate, records};

/// Of records and handshake messages that have come in part. A record has 16 KiB and a little more; a client's chain of
/// certificates may come in several.
const PARTIAL_BYTES_MAX: usize = 40 << 10;

/// TLS on one connection (RFC 8446, RFC 5246), the server's side.
pub struct TlsSession {
    pub(super) connection: UnbufferedServerConnection,
    /// The source of new keys, where somebody may want to derive them.
    secrets: Option<Box<Secrets>>,
    /// The beginning of a record, or of a handshake message, whose rest has not come.
    partial: Vec<u8>,
    /// Records that the socket has not taken.
    unsent: Vec<u8>,
    /// How many of their bytes it has taken.
    sent: usize,
    established: bool,
    /// Something may have come that the library answers with a notice of its own, in front of what is written next.
    may_owe_notice: bool,
    ended: bool,
    failed: bool,
}

impl fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSession").field("established", &self.established()).finish_non_exhaustive()
    }
}

impl TlsSession {
    /// A session of which nothing is known yet.
    pub fn new(acceptor: &Acceptor) -> Option<TlsSession> {
        let connection = UnbufferedServerConnection::new(Arc::clone(&acceptor.config)).ok()?;
        Some(TlsSession {
            connection,
            secrets: None,
            partial: Vec::new(),
            unsent: Vec::new(),
            sent: 0,
            established: false,
            may_owe_notice: true,
            ended: false,
            failed: false,
        })
    }

    /// The ciphertext that belongs in front of the next input.
    pub fn partial(&self) -> &[u8] {
        &self.partial
    }

    /// How many bytes are missing of the record of which a part is kept, if its length is known.
    pub fn record_left(&self) -> usize {
        records::first_bytes(&self.partial).map_or(0, |bytes| bytes.saturating_sub(self.partial.len()))
    }

    /// Records that the socket has still to take.
    pub fn unsent(&self) -> &[u8] {
        &self.unsent[self.sent..]
    }

    /// Keeps what the socket has not taken, behind what it has not taken before.
    pub fn keep_unsent(&mut self, bytes: &[u8]) {
        self.unsent.drain(..self.sent);
        self.sent = 0;
        self.unsent.reserve_exact(bytes.len());
        self.unsent.extend_from_slice(bytes);
    }

    /// The socket has taken so many bytes more of them.
    pub fn mark_sent(&mut self, bytes: usize) {
        self.sent += bytes;
        if self.sent == self.unsent.len() {
            (self.unsent, self.sent) = (Vec::new(), 0);
        }
    }

    /// Memory that it holds beyond keys.
    pub fn held_bytes(&self) -> usize {
        self.partial.capacity() + self.unsent.capacity()
    }

    /// The result of the handshake; None: it is under way.
    pub fn established(&self) -> Option<Established> {
        self.established.then(|| Established {
            tls13: self.connection.protocol_version() == Some(ProtocolVersion::TLSv1_3),
            resumed: self.connection.handshake_kind() == Some(HandshakeKind::Resumed),
        })
    }

    /// Whether the handshake has ended.
    pub fn is_established(&self) -> bool {
        self.established
    }

    /// The peer has said that nothing more will come.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// The peer has broken the protocol.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Whether the library may have put off a notice of its own until something is written.
    pub(super) fn may_owe_notice(&self) -> bool {
        self.may_owe_notice
    }

    /// The parts of a session that is released.
    pub(super) fn into_parts(self) -> (UnbufferedServerConnection, Option<Box<Secrets>>) {
        (self.connection, self.secrets)
    }

    /// Whose certificate the client has shown, as `CN=alice,O=Example`. It was checked. None also for one that rustls
    /// takes and `x509-cert` doesn't: it is as if there were none.
    pub fn client_subject(&self) -> Option<String> {
        let chain = self.connection.peer_certificates()?;
        certificate(chain.first()?).map(|read| read.subject)
    }

    /// Whether the client has shown a certificate, readable or not.
    pub fn has_client_certificate(&self) -> bool {
        self.connection.peer_certificates().is_some_and(|chain| !chain.is_empty())
    }

    /// Takes input, which must begin with [`partial`](Self::partial): appends what it says to `plain`, and to `out`
    /// what the protocol has to answer. What is not whole is kept.
    pub fn receive(&mut self, input: &mut [u8], plain: &mut Vec<u8>, out: &mut Records) -> Received {
        let mut received = Received::default();
        let (records, mut data_records) = (records::count(input), 0);
        let mut at = 0;
        while !self.failed {
            let UnbufferedStatus { mut discard, state } =
                self.connection.process_tls_records(&mut input[at..]);
            let mut more = true;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(Ok(record)) = traffic.next_record() {
                        plain.extend_from_slice(record.payload);
                        discard += record.discard;
                        data_records += 1;
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => out.write(|room| encoded(data.encode(room))),
                // They are in the hands of whoever gets `out`, which is all that is meant.
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => (self.ended, received.ended) = (true, true),
                Ok(ConnectionState::WriteTraffic(_)) => {
                    more = false;
                    if !self.established {
                        self.established = true;
                        received.established = self.established();
                    }
                }
                // `BlockedHandshake` and `Closed`; there is no early data (RFC 8446 section 2.3), none was offered.
                Ok(_) => more = false,
                Err(e) => {
                    at += discard;
                    self.fail(e, &mut input[at..], &mut received, out);
                    break;
                }
            }
            at += discard;
            if !more {
                break;
            }
        }
        received.records = records;
        self.may_owe_notice |= records != data_records;
        if !self.established || received.established.is_some() {
            self.secrets = renewal::take_told().or(self.secrets.take());
        }
        let rest = if self.failed || self.ended { &[][..] } else { &input[at..] };
        if rest.len() > PARTIAL_BYTES_MAX {
            self.failed = true;
            let text = format!("a handshake message longer than {PARTIAL_BYTES_MAX} bytes");
            received.failed = Some(text);
        }
        self.partial = if self.failed { Vec::new() } else { rest.to_vec() };
        received
    }

    /// The peer has broken the protocol: its alert is put to `out` (RFC 8446 section 6.2).
    fn fail(&mut self, error: Error, input: &mut [u8], received: &mut Received, out: &mut Records) {
        self.failed = true;
        received.failed = Some(error.to_string());
        // Only as long as there is something: the library must not see the input again at which it has failed.
        while self.connection.wants_write()
            && let Ok(ConnectionState::EncodeTlsData(mut data)) =
                self.connection.process_tls_records(input).state
        {
            out.write(|room| encoded(data.encode(room)));
        }
    }

    /// Appends records with `plain` to `out`. False: the keys are used up, or there are none yet; the connection has to
    /// end.
    pub fn encrypt(&mut self, plain: &[u8], out: &mut Records) -> bool {
        let written = self.write(out, |traffic, room| traffic.encrypt(plain, room));
        self.may_owe_notice &= plain.is_empty();
        written
    }

    /// Appends the notice that nothing more will come (RFC 8446 section 6.1), once.
    pub fn close(&mut self, out: &mut Records) {
        // Without keys nobody would believe it.
        let _ = self.write(out, |traffic, room| traffic.queue_close_notify(room));
    }

    fn write(
        &mut self,
        out: &mut Records,
        mut write: impl FnMut(&mut WriteTraffic<'_>, &mut [u8]) -> Result<usize, EncryptError>,
    ) -> bool {
        while self.established && !self.failed {
            // The library looks at the input again where it holds a part of a handshake message.
            let UnbufferedStatus { discard, state } = self.connection.process_tls_records(&mut self.partial);
            let mut outcome = None;
            match state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    let mut exhausted = false;
                    out.write(|room| match write(&mut traffic, room) {
                        Ok(written) => Ok(written),
                        Err(EncryptError::InsufficientSize(e)) => Err(e.required_size),
                        Err(EncryptError::EncryptExhausted) => {
                            exhausted = true;
                            Ok(0)
                        }
                    });
                    outcome = Some(!exhausted);
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => out.write(|room| encoded(data.encode(room))),
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.ended = true,
                Ok(_) | Err(_) => outcome = Some(false),
            }
            if discard > 0 {
                self.partial.drain(..discard);
            }
            if let Some(done) = outcome {
                return done;
            }
        }
        false
    }
}

type WriteTraffic<'c> = rustls::unbuffered::WriteTraffic<'c, rustls::server::ServerConnectionData>;

/// How many bytes were written, or are needed.
fn encoded(result: Result<usize, EncodeError>) -> Result<usize, usize> {
    match result {
        Ok(written) => Ok(written),
        Err(EncodeError::InsufficientSize(e)) => Err(e.required_size),
        Err(EncodeError::AlreadyEncoded) => Ok(0),
    }
}

#[cfg(test)]
mod tests;
