//! wspush: a WebSocket push server for very many, mostly idle connections.
//!
//! A [`Server`] holds the connections; a [`Handle`] pushes to them from any thread; a [`Handler`] decides who may
//! connect and hears what clients say. What is pushed lies once in a log of wire bytes, and every subscriber has
//! only a cursor into it: see `docs/ARCHITECTURE.md`.

mod alphabet;
#[cfg(feature = "auth")]
pub mod auth;
pub mod config;
pub mod endpoint;
pub mod journal;
pub mod limits;
pub mod metrics;
pub mod protocol;
pub mod push;
pub mod reactor;
pub mod server;
pub mod time;
pub mod tls;

pub use config::Config;
pub use endpoint::{Accept, ConnId, Connect, Decision, Handler, Receipt, Session, Stats};
pub use protocol::close::CloseCode;
pub use push::{Delivery, Message, PushError, PushOptions};
pub use server::{Handle, Server, StartError};
