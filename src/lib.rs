//! wspush: a WebSocket push server.

pub mod config;
pub mod limits;
pub mod protocol;
