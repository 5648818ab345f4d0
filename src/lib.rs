//! wspush: a WebSocket push server.

pub mod config;
pub mod protocol;
