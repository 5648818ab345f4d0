//! Points at which a test lets a successor die, or stand still. There are none in a release build.

/// One of the steps of a hand-over. `HANDOVER_FAULT=die:3` ends the process at the third one, without a word;
/// `stop:3` has it stand still there until it is sent CONT.
#[cfg(debug_assertions)]
pub(super) fn point() {
    use std::sync::atomic::{AtomicU32, Ordering};
    static PASSED: AtomicU32 = AtomicU32::new(0);
    let passed = PASSED.fetch_add(1, Ordering::Relaxed) + 1;
    let Ok(fault) = std::env::var("HANDOVER_FAULT") else { return };
    let Some((what, at)) = fault.split_once(':') else { return };
    if at.parse() != Ok(passed) {
        return;
    }
    let signal = if what == "stop" { "-STOP" } else { "-KILL" };
    let pid = std::process::id().to_string();
    let sent = std::process::Command::new("kill").args([signal, &pid]).status();
    debug_assert!(sent.is_ok(), "kill: {sent:?}");
}

#[cfg(not(debug_assertions))]
pub(super) fn point() {}
