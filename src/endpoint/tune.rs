//! What a host asks of one open session from any thread, beside messages to it.

use std::time::Duration;

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
    /// The bytes that it takes on its way to the reactor.
    pub fn bytes(&self) -> usize {
        match self {
            Tune::IdleTimeout(_) | Tune::MessageBytesMax(_) => 0,
            Tune::Ping(payload) | Tune::Pong(payload) => payload.len(),
        }
    }
}
