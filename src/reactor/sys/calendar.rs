//! The calendar.

use std::time::Duration;
#[cfg(any(test, not(all(target_env = "musl", any(target_arch = "arm", target_arch = "x86")))))]
use std::time::{SystemTime, UNIX_EPOCH};

/// The time since 1970; none of it where the calendar is set to a day before that.
#[cfg(not(all(target_env = "musl", any(target_arch = "arm", target_arch = "x86"))))]
pub fn calendar() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The same where the standard library asks musl for seconds of 32 bits, which end in 2038, and panics when there are
/// none. Since its version 1.2.0 musl has those of 64 bits beside them.
#[cfg(all(target_env = "musl", any(target_arch = "arm", target_arch = "x86")))]
pub fn calendar() -> Duration {
    let mut now = Moment { seconds: 0, ns: 0, _filling: 0 };
    // SAFETY: this is musl's `clock_gettime` and its `struct timespec` of these processors, and the pointer is to a
    // local that outlives the call.
    let answer = unsafe { __clock_gettime64(libc::CLOCK_REALTIME, &raw mut now) };
    match (u64::try_from(now.seconds), u32::try_from(now.ns)) {
        (Ok(seconds), Ok(ns)) if answer == 0 => Duration::new(seconds, ns),
        _ => Duration::ZERO,
    }
}

#[cfg(all(target_env = "musl", any(target_arch = "arm", target_arch = "x86")))]
#[repr(C)]
struct Moment {
    seconds: i64,
    ns: i32,
    _filling: i32,
}

#[cfg(all(target_env = "musl", any(target_arch = "arm", target_arch = "x86")))]
unsafe extern "C" {
    fn __clock_gettime64(clock: libc::clockid_t, now: *mut Moment) -> libc::c_int;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_systems() {
        let (before, now, after) = (SystemTime::now(), UNIX_EPOCH + calendar(), SystemTime::now());
        assert!(before <= now && now <= after);
    }
}
