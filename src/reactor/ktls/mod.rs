//! Kernel TLS: after the handshake the kernel encrypts, and a wss connection is to us what a plain one is.
//!
//! [`Offer`] is what the kernel can do, found out once by trying; [`Keys`] is what it takes.

mod keys;
mod offer;

pub use keys::{Keys, records_left};
pub use offer::Offer;
