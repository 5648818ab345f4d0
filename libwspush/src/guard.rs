//! The fence around every export.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::CallError;
use super::last_error;
use super::status::{WSPUSH_EPANIC, wspush_status};

/// The body of an export: `call!(argument: check, ... => { body })`. A check is a function of
/// [`pointer`](super::pointer) that turns what C gave into what Rust wants; a text's names its length as well. The
/// body's value is a `Result<wspush_status, CallError>`.
macro_rules! call {
    ($($argument:ident: $check:ident $(($length:ident))?),* => $body:block) => {
        $crate::guard::fenced(|| {
            $(
                // SAFETY: the contract of the room (see `ffi`): NULL, or what the export's types say.
                let $argument = unsafe {
                    $crate::pointer::$check($argument, $($length,)? stringify!($argument))
                }?;
            )*
            $body
        })
    };
}

/// Runs an export's body: a panic stays on this side, a failure leaves its text behind.
pub(super) fn fenced(body: impl FnOnce() -> Result<wspush_status, CallError>) -> wspush_status {
    // State that a panic leaves half done is behind the reactor's own walls: a server that panicked while it was polled
    // is dropped (see `running`), and the inbox is valid at every step.
    let result = catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|_| Err(CallError::new(WSPUSH_EPANIC, "a panic; its message is on standard error")));
    match result {
        Ok(status) => status,
        Err(failure) => {
            last_error::keep(&failure);
            failure.status
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_status() {
        assert_eq!(fenced(|| panic!("on purpose")), WSPUSH_EPANIC);
        assert_eq!(fenced(|| Ok(0)), 0);
    }
}
