//! The load's side of WebSocket (RFC 6455, RFC 7692). Nothing outside this room knows a frame.

mod frame;
mod handshake;
mod inflate;
mod input;

use crate::job::Job;
use crate::random::Random;
use crate::transport::{Answer, End, Kind, Receiver};
use inflate::Inflater;
use input::Input;

/// WebSocket for all connections of one worker.
pub(crate) struct WebSocket {
    /// Frames and requests for the connection whose turn it is.
    pub(crate) out: Vec<u8>,
    masks: Random,
    /// Messages are envelopes.
    is_enveloped: bool,
    /// Made when the first compressed message comes.
    inflater: Option<Box<Inflater>>,
}

impl WebSocket {
    pub(crate) fn new(kind: Kind) -> Self {
        let is_enveloped = kind == Kind::V1;
        Self { out: Vec::new(), masks: Random::new(), is_enveloped, inflater: None }
    }

    /// Asks the server to upgrade connection `slot` of the job.
    pub(crate) fn open(&mut self, job: &Job, slot: u32) {
        handshake::request(&mut self.out, job, &handshake::key(job, slot));
    }

    /// Checks the answer to that; `Ok(None)` asks for more bytes.
    pub(crate) fn accept(job: &Job, slot: u32, response: &[u8]) -> Result<Option<Answer>, String> {
        handshake::check(response, &handshake::Offer::of(job, slot))
    }

    /// Takes in what one `recv` gave. What is left of an incomplete frame stays with the connection.
    pub(crate) fn take(&mut self, receiver: Receiver<'_>, bytes: &[u8]) -> Result<(), End> {
        Input { transport: self, receiver }.take(bytes)
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
