//! Kernel TLS: after the handshake the kernel encrypts, and a wss connection is to us what a plain one is.
//!
//! [`KernelSupport`] is what the kernel can do, found out once by trying; [`Keys`] is what it takes. `takeover` is the
//! moment in which it takes a connection over, `control` what the peer then says about TLS itself, `limit` when a key
//! has served long enough.

mod control;
mod keys;
mod limit;
mod support;
mod takeover;
#[cfg(all(test, feature = "tls"))]
mod tests;

pub use keys::{Keys, records_left};
pub use support::KernelSupport;
pub(super) use takeover::KernelTlsState;
