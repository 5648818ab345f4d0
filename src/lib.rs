//! wspush: a WebSocket push server.

pub mod config;
pub mod endpoint;
pub mod ffi;
pub mod journal;
pub mod metrics;
pub mod protocol;
pub mod push;
pub mod reactor;
pub mod server;
pub mod time;

pub use config::Config;
pub use endpoint::{Accept, ConnId, Connect, Decision, Handler, Receipt, Session, Stats};
pub use protocol::close::CloseCode;
pub use push::{Delivery, Message, PushError};
pub use server::{Handle, Server, StartError};
