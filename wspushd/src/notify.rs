//! Notifications to systemd (sd_notify(3)): when the service is ready, reads its settings again and ends, and that it
//! still turns. Without `NOTIFY_SOCKET` nobody is told anything.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sd_notify::NotifyState;
use wspush::Handle;
use wspush::push::{DEFAULT_NAME, PushError};

/// In the time in which systemd gives the service up, so many signs of life are sent.
const SIGNS: u32 = 3;

/// The listeners are open.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Another process is the service from now on.
pub(crate) fn succeeded_by(process: u32) {
    tell(&[NotifyState::MainPid(process)]);
}

/// The settings are read again, until [`reloaded`].
pub(crate) fn reloading() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

/// The reload is carried out, as everything that was asked of the server before, or refused.
pub(crate) fn reloaded(handle: &Handle) {
    let asked = handle.channel(DEFAULT_NAME, |_| ready());
    // Then the log has said that it was not.
    if asked.is_err() {
        ready();
    }
}

/// The server begins to end.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// If systemd waits for signs of life, sends them as long as the reactor answers: a thread that only sleeps would go on
/// for ever, whatever has become of the reactor.
pub(crate) fn watch(handle: Handle) {
    let Some(patience) = sd_notify::watchdog_enabled() else { return };
    let pause = patience / SIGNS;
    thread::spawn(move || while is_alive(&handle, pause) {});
}

/// Waits for an answer of the reactor, and then for the rest of the time. False: the server has ended.
fn is_alive(handle: &Handle, pause: Duration) -> bool {
    let (answered, answer) = mpsc::channel();
    let sign = move |_| {
        let _ = answered.send(());
    };
    match handle.channel(DEFAULT_NAME, sign) {
        Ok(()) => {}
        Err(PushError::Stopped) => return false,
        // A full inbox is no sign of life, and none of death.
        Err(_) => thread::sleep(pause),
    }
    if answer.recv().is_ok() {
        tell(&[NotifyState::Watchdog]);
        thread::sleep(pause);
    }
    true
}

fn tell(state: &[NotifyState<'_>]) {
    // A manager that has set the variable and doesn't listen does without.
    let _ = sd_notify::notify(state);
}
