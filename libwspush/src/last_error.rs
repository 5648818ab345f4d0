//! The details of the last failure, for each thread.

use std::cell::RefCell;
use std::ffi::c_char;

use super::error::{CallError, Detail};
use super::status::WSPUSH_ENOTFOUND;

thread_local! {
    /// A text and its NUL. The buffer is kept, so that a thread that fails often allocates once.
    static LAST: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// The rest of it, for a program.
    static DETAIL: RefCell<Option<Detail>> = const { RefCell::new(None) };
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

/// Shows what there is to know about this thread's last failure.
pub(super) fn with_detail<T>(
    show: impl FnOnce(Option<&Detail>) -> Result<T, CallError>,
) -> Result<T, CallError> {
    let gone = |_| Err(CallError::new(WSPUSH_ENOTFOUND, "the thread is being torn down"));
    DETAIL.try_with(|detail| show(detail.borrow().as_ref())).unwrap_or_else(gone)
}

/// Keeps a failure's text for [`wspush_last_error`].
pub(super) fn keep(failure: &CallError) {
    let _ = DETAIL.try_with(|detail| detail.replace(failure.detail.clone()));
    let _ = LAST.try_with(|last| {
        let mut last = last.borrow_mut();
        last.clear();
        // A NUL in foreign text would cut the rest off.
        last.extend(failure.text.bytes().map(|byte| if byte == 0 { b' ' } else { byte }));
        last.push(0);
    });
}
