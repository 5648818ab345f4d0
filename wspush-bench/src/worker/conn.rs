//! One connection of the load. A client with a million of them must not need more memory than the server it
//! measures.

use crate::tls::TlsSession;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::TcpStream;

/// The next sequence number of a connection that joined in mid-campaign: any number may be its first.
pub(crate) const FRESH: u32 = u32::MAX;

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not begun, or given back.
    Vacant,
    Connecting,
    /// In the TLS handshake.
    Securing,
    /// The request is sent.
    Greeting,
    Open,
    /// Open, and left alone.
    Unread,
    /// We sent a close frame.
    Leaving,
    /// Failed, or ended by the server.
    Ended,
}

/// The state of a connection.
pub(crate) struct Conn {
    pub(crate) stream: Option<TcpStream>,
    /// When the phase with a time limit began, by `ramp::clock_us`.
    pub(crate) begun_us: u32,
    /// The sequence number that has to come next.
    pub(crate) next: u32,
    pub(crate) phase: Phase,
    /// permessage-deflate was negotiated.
    pub(crate) may_deflate: bool,
    /// The response that does not end comes in chunks.
    pub(crate) is_chunked: bool,
    /// Something of its body has come.
    pub(crate) is_begun: bool,
    pub(crate) rare: Option<Box<Rare>>,
    pub(crate) tls: Option<Box<TlsSession>>,
}

const _: () = assert!(size_of::<Conn>() <= 32, "a million connections have to stay cheap");

/// State that hardly any connection has at any moment.
#[derive(Default)]
pub(crate) struct Rare {
    /// The beginning of a TLS record.
    pub(crate) record: Vec<u8>,
    /// The beginning of a frame, of a chunk, or of an answer.
    pub(crate) input: Vec<u8>,
    /// The beginning of an event or a line, out of its chunks.
    pub(crate) body: Vec<u8>,
    pub(crate) message: Option<Fragments>,
    /// Bytes that the socket had no room for, as they go over the wire.
    pub(crate) output: Vec<u8>,
    /// Sequence numbers that were skipped and may still come late.
    pub(crate) missing: BTreeSet<u32>,
}

/// The fragments of a message so far.
pub(crate) struct Fragments {
    pub(crate) is_deflated: bool,
    pub(crate) bytes: Vec<u8>,
}

impl Conn {
    pub(crate) const fn vacant() -> Self {
        Self {
            stream: None,
            begun_us: 0,
            next: 0,
            phase: Phase::Vacant,
            may_deflate: false,
            is_chunked: false,
            is_begun: false,
            rare: None,
            tls: None,
        }
    }

    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Takes out what is held there.
    pub(crate) fn take_rare(&mut self, field: impl Fn(&mut Rare) -> &mut Vec<u8>) -> Vec<u8> {
        self.rare.as_mut().map_or_else(Vec::new, |rare| std::mem::take(field(rare)))
    }

    /// Holds something there, until more comes.
    pub(crate) fn keep_rare(&mut self, field: impl Fn(&mut Rare) -> &mut Vec<u8>, bytes: Vec<u8>) {
        if bytes.is_empty() {
            self.trim();
        } else {
            *field(self.rare()) = bytes;
        }
    }

    /// Gives the rare state back when nothing is left in it.
    pub(crate) fn trim(&mut self) {
        let is_empty = |rare: &Rare| {
            rare.record.is_empty()
                && rare.input.is_empty()
                && rare.body.is_empty()
                && rare.message.is_none()
                && rare.output.is_empty()
                && rare.missing.is_empty()
        };
        if self.rare.as_deref().is_some_and(is_empty) {
            self.rare = None;
        }
    }

    /// Open, read, and without the first `expected` publications.
    pub(crate) fn is_behind(&self, expected: u32) -> bool {
        self.phase == Phase::Open && self.next < expected
    }
}

/// The bytes that were held, and those that have come.
pub(crate) fn unite(mut held: Vec<u8>, bytes: &[u8]) -> Cow<'_, [u8]> {
    if held.is_empty() {
        return Cow::Borrowed(bytes);
    }
    held.extend_from_slice(bytes);
    Cow::Owned(held)
}

/// The bytes that are left when so many are used.
pub(crate) fn rest(bytes: Cow<'_, [u8]>, used: usize) -> Vec<u8> {
    match bytes {
        Cow::Borrowed(bytes) => bytes[used..].to_vec(),
        Cow::Owned(mut bytes) => {
            bytes.drain(..used);
            bytes
        }
    }
}
