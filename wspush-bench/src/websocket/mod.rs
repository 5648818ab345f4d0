//! The load's side of WebSocket (RFC 6455, RFC 7692). Nothing outside this room knows a frame.
//!
//! This is what a transport has to offer to a worker: the request that opens a connection (`open`), the check of its
//! answer (`accept`), the way from received bytes to whole messages in the ledger (`take`), a message to the server
//! (`send`), and the end (`close`). It knows no socket: what it has to say is in `out` until the worker has written it.

mod frame;
mod handshake;
mod inflate;
mod input;

pub(crate) use handshake::Answer;

use crate::job::Job;
use crate::ledger::Ledger;
use crate::random::Random;
use crate::worker::conn::Conn;
use inflate::Inflater;
use input::Input;

/// Why a connection takes no further bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The server sent a close frame; 1005 stands for one without a code.
    Close(u16),
    /// The server broke the protocol.
    Fault(&'static str),
}

/// WebSocket for all connections of one worker.
pub(crate) struct WebSocket {
    /// Frames and requests for the connection whose turn it is.
    pub(crate) out: Vec<u8>,
    masks: Random,
    /// Made when the first compressed message comes.
    inflater: Option<Box<Inflater>>,
}

impl WebSocket {
    pub(crate) fn new() -> Self {
        Self { out: Vec::new(), masks: Random::new(), inflater: None }
    }

    /// Asks the server to upgrade connection `slot` of the job.
    pub(crate) fn open(&mut self, job: &Job, slot: u32) {
        handshake::request(&mut self.out, job, &handshake::key(job, slot));
    }

    /// Checks the answer to that; `Ok(None)` asks for more bytes.
    pub(crate) fn accept(job: &Job, slot: u32, response: &[u8]) -> Result<Option<Answer>, String> {
        handshake::check(response, job.deflate, &handshake::key(job, slot))
    }

    /// Takes in what one `recv` gave. What is left of an incomplete frame stays with the connection.
    pub(crate) fn take(
        &mut self,
        conn: &mut Conn,
        bytes: &[u8],
        ledger: &mut Ledger,
        now_ns: u64,
    ) -> Result<(), End> {
        Input { transport: self, conn, ledger, now_ns }.take(bytes)
    }

    /// Frames a message.
    pub(crate) fn send(&mut self, message: &[u8]) {
        self.frame(frame::TEXT, message);
    }

    /// Begins the closing handshake.
    pub(crate) fn close(&mut self) {
        self.frame(frame::CLOSE, &1000u16.to_be_bytes());
    }

    fn frame(&mut self, opcode: u8, payload: &[u8]) {
        frame::encode(&mut self.out, opcode, payload, self.masks.next() as u32);
    }
}
