//! The messages of `wspush.v1` beside publications ([`envelope`](super::envelope)): one JSON object (RFC 8259) per text
//! message, in both directions.
//!
//! A client's message is a [`Command`]: `{"id":1,"subscribe":{"channel":"news"}}`. What comes back is a
//! [`ServerMessage`]: `{"id":1,"subscribed":{..}}`, or `{"id":1,"error":{..}}` with an [`ErrorCode`].

pub mod command;
pub mod history;
pub mod message;

pub use command::{Call, Command, Fault, Id};
pub use history::{HistoryPage, push_publication};
pub use message::{ErrorCode, Member, ServerMessage, Snapshot};
