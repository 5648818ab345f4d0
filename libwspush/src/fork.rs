//! Whether this is still the process that made the server: a child of `fork` has no reactor thread, and shares the
//! sockets and the epoll with its parent.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many forks lie between the first process with a server and this one.
static GENERATION: AtomicU32 = AtomicU32::new(0);

static WATCH: Once = Once::new();

/// The C library calls it in a child, before fork returns there.
extern "C" fn child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// This process, for comparison. One load: cheap enough for every call.
pub(super) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// From now on forks are counted.
pub(super) fn watch() {
    WATCH.call_once(|| {
        // SAFETY: `child` only adds to an atomic, which is allowed between fork and exec.
        let result = unsafe { libc::pthread_atfork(None, None, Some(child)) };
        debug_assert_eq!(result, 0, "out of memory");
    });
}
