//! Kernel TLS, where the kernel has it: `tests/ktls/run` runs this in a guest that does.
#![cfg(feature = "tls")]

#[cfg(feature = "handover")]
mod handed;
mod kernel;
mod streams;
mod wss;

use wspush::reactor::ktls::KernelSupport;

/// The kernel's support; None, said aloud, where there is none. In the rig that is a failure.
fn offer() -> Option<KernelSupport> {
    match KernelSupport::probe() {
        Ok(offer) => Some(offer),
        Err(e) => {
            assert!(std::env::var_os("WSPUSH_KTLS_RIG").is_none(), "the rig's kernel has no TLS: {e}");
            eprintln!("skipped: this kernel has no TLS ({e}); tests/ktls/run brings one that has");
            None
        }
    }
}
