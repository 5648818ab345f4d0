//! Bytes in, values out: everything that a peer's bytes mean and that ours must look like.
//!
//! Nothing here knows a socket, a clock or a log; bytes and limits come in as arguments, so the reactor, the
//! simulator and the fuzzers drive the same code. It imports no other room of the crate.

pub mod close;
pub mod frame;
pub mod mask;
pub mod message;
pub mod pool;
pub mod utf8;
