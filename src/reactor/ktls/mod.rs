//! Kernel TLS: after the handshake the kernel encrypts, and a wss connection is to us what a plain one is.
//!
//! [`Offer`] is what the kernel can do, found out once by trying; [`Keys`] is what it takes. `handover` is the moment
//! in which it takes a connection over, `control` what the peer then says about TLS itself, `limit` when a key has
//! served long enough.

mod control;
mod handover;
mod keys;
mod limit;
mod offer;
#[cfg(all(test, feature = "tls"))]
mod tests;

pub(super) use handover::KernelTlsState;
pub use keys::{Keys, records_left};
pub use offer::Offer;
