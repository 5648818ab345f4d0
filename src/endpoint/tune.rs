//! Requests of a host to one open session from any thread, beside messages to it.

use std::time::Duration;

use crate::limits::CONTROL_PAYLOAD_BYTES_MAX;
use crate::push::PushError;

use super::handler::{Action, Session};

/// A change of a session, or a control frame to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tune {
    /// Close it when it has had nothing to say for so long; None: never.
    IdleTimeout(Option<Duration>),
    /// Take no larger message from it.
    MessageBytesMax(usize),
    /// Send a ping with this payload.
    Ping(Box<[u8]>),
    /// Send a pong with this payload that no ping has asked for.
    Pong(Box<[u8]>),
}

impl Tune {
    /// A ping with this payload.
    ///
    /// # Errors
    /// It has more than 125 bytes.
    pub fn ping(payload: &[u8]) -> Result<Tune, PushError> {
        control(payload).map(Tune::Ping)
    }

    /// A pong with this payload.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub fn pong(payload: &[u8]) -> Result<Tune, PushError> {
        control(payload).map(Tune::Pong)
    }

    /// The bytes that it takes on its way to the reactor.
    pub fn bytes(&self) -> usize {
        match self {
            Tune::IdleTimeout(_) | Tune::MessageBytesMax(_) => 0,
            Tune::Ping(payload) | Tune::Pong(payload) => payload.len(),
        }
    }
}

/// The payload of a control frame (RFC 6455 section 5.5).
fn control(payload: &[u8]) -> Result<Box<[u8]>, PushError> {
    if payload.len() > CONTROL_PAYLOAD_BYTES_MAX {
        return Err(PushError::BadTerms("a ping or a pong has at most 125 bytes"));
    }
    Ok(payload.into())
}

impl Session<'_> {
    /// Sends a ping (RFC 6455 section 5.5.2), in the order of the calls, but between the pieces of a message that is
    /// under way. Its answer comes to [`Handler::on_pong`](super::Handler::on_pong), unless the payload is empty.
    /// Nothing happens without a WebSocket.
    ///
    /// # Errors
    /// [`PushError::BadTerms`] for more than 125 bytes.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), PushError> {
        Tune::ping(payload).map(|ping| self.action(Action::Tune(ping)))
    }

    /// Sends a pong that no ping has asked for (RFC 6455 section 5.5.3); as [`ping`](Self::ping) otherwise.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), PushError> {
        Tune::pong(payload).map(|pong| self.action(Action::Tune(pong)))
    }
}
