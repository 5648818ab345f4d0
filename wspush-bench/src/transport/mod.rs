//! By what a connection is reached: what it sends first, and how messages come out of what it receives.
//!
//! Each transport has the same five things to say to a worker: the request that opens a connection (`open`), the
//! check of its answer (`accept`), the way from received bytes to messages in the ledger (`take`), a message to the
//! server (`send`), and the end (`close`). None knows a socket: what is to be said is in `out` until the worker has
//! written it.

mod envelope;

pub(crate) use envelope::payload;

use crate::job::Job;
use crate::ledger::Ledger;
use crate::streams::Streams;
use crate::websocket::WebSocket;
use crate::worker::conn::Conn;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The transports that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    // WebSocket; messages are the payloads themselves.
    Ws,
    // WebSocket with the subprotocol wspush.v1: messages are envelopes.
    V1,
    // Server-Sent Events.
    Sse,
    // Envelopes, one a line, in a response that does not end.
    Stream,
    // Long polling: each answer is followed by the next request.
    Poll,
}

impl Kind {
    pub(crate) const fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::V1)
    }
}

/// Why a connection takes no further bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The server has ended it in good order, with a code; 1005 stands for none.
    Close(u16),
    /// The server broke the protocol, or ended it otherwise.
    Fault(&'static str),
}

/// The server's consent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Bytes of the answer: messages may follow.
    pub(crate) size: usize,
    /// permessage-deflate was negotiated.
    pub(crate) may_deflate: bool,
    /// The rest of the response comes in chunks (RFC 9112 section 7.1).
    pub(crate) is_chunked: bool,
}

/// A connection whose bytes are being taken in, and everything that they can lead to.
pub(crate) struct Receiver<'a> {
    pub(crate) job: &'a Job,
    pub(crate) conn: &'a mut Conn,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) now_ns: u64,
}

impl Receiver<'_> {
    /// A message has come that asks for no answer.
    pub(crate) fn deliver(&mut self, message: &[u8]) {
        // Only an echo leads to another message.
        let _ = self.ledger.message(self.conn, message, self.now_ns);
    }
}

/// A transport for all connections of one worker.
pub(crate) enum Transport {
    WebSocket(WebSocket),
    Streams(Streams),
}

impl Transport {
    pub(crate) fn new(job: &Job) -> Self {
        if job.transport.is_websocket() {
            Self::WebSocket(WebSocket::new(job.transport))
        } else {
            Self::Streams(Streams::new(job))
        }
    }

    /// Bytes for the connection whose turn it is.
    pub(crate) const fn out(&mut self) -> &mut Vec<u8> {
        match self {
            Self::WebSocket(websocket) => &mut websocket.out,
            Self::Streams(streams) => &mut streams.out,
        }
    }

    /// Asks the server for connection `slot` of the job.
    pub(crate) fn open(&mut self, job: &Job, slot: u32) {
        match self {
            Self::WebSocket(websocket) => websocket.open(job, slot),
            Self::Streams(streams) => streams.open(job),
        }
    }

    /// Checks the answer to that; `Ok(None)` asks for more bytes.
    pub(crate) fn accept(&self, job: &Job, slot: u32, answer: &[u8]) -> Result<Option<Answer>, String> {
        match self {
            Self::WebSocket(_) => WebSocket::accept(job, slot, answer),
            Self::Streams(streams) => streams.accept(answer),
        }
    }

    /// Takes in what one `recv` gave. What is left of something incomplete stays with the connection.
    pub(crate) fn take(&mut self, mut receiver: Receiver<'_>, bytes: &[u8]) -> Result<(), End> {
        match self {
            Self::WebSocket(websocket) => websocket.take(receiver, bytes),
            Self::Streams(streams) => streams.take(&mut receiver, bytes),
        }
    }

    /// Sends a message, where messages can be sent.
    pub(crate) fn send(&mut self, message: &[u8]) {
        if let Self::WebSocket(websocket) = self {
            websocket.send(message);
        }
    }

    /// Says goodbye. False: there is no way to, and no answer will come.
    pub(crate) fn close(&mut self) -> bool {
        if let Self::WebSocket(websocket) = self {
            websocket.close();
        }
        matches!(self, Self::WebSocket(_))
    }
}
