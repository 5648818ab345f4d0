//! wspush: a WebSocket push server.

pub mod config;
pub mod journal;
pub mod limits;
pub mod metrics;
pub mod protocol;
pub mod time;
