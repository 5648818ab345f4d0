//! The details of the last failure, for each thread.

use std::cell::RefCell;
use std::ffi::c_char;

use super::error::CallError;
use super::publishing::Conflict;
use super::status::WSPUSH_ENOTFOUND;

thread_local! {
    /// A text and its NUL. The buffer is kept, so that a thread that fails often allocates once.
    static LAST: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// The place of the channel because of which it failed, if that was it.
    static CONFLICT: RefCell<Option<Conflict>> = const { RefCell::new(None) };
}

/// The error of this thread's last failed call: which argument, which setting, what the system said. One
/// line, NUL-terminated, never NULL; "" if nothing has failed yet. It stays until this thread's next failure; a
/// success does not clear it.
#[unsafe(no_mangle)]
pub extern "C" fn wspush_last_error() -> *const c_char {
    let text = LAST.try_with(|last| match last.borrow().as_slice() {
        [] => c"".as_ptr(),
        text => text.as_ptr().cast(),
    });
    // A thread that is being torn down remembers nothing.
    text.unwrap_or(c"".as_ptr())
}

/// Shows the conflict that was this thread's last failure, if it was one.
pub(super) fn with_conflict<T>(
    show: impl FnOnce(Option<&Conflict>) -> Result<T, CallError>,
) -> Result<T, CallError> {
    let gone = |_| Err(CallError::new(WSPUSH_ENOTFOUND, "the thread is being torn down"));
    CONFLICT.try_with(|conflict| show(conflict.borrow().as_ref())).unwrap_or_else(gone)
}

/// Keeps a failure's text for [`wspush_last_error`].
pub(super) fn keep(failure: &CallError) {
    let _ = CONFLICT.try_with(|conflict| conflict.replace(failure.conflict.clone()));
    let _ = LAST.try_with(|last| {
        let mut last = last.borrow_mut();
        last.clear();
        // A NUL in foreign text would cut the rest off.
        last.extend(failure.text.bytes().map(|byte| if byte == 0 { b' ' } else { byte }));
        last.push(0);
    });
}
