//! The way of what a thread beside the reactor has found out.

use std::thread;
use std::time::Duration;

use crate::push::PushError;

use super::shared::{Command, Shared};

/// Until the inbox has room.
const PAUSE: Duration = Duration::from_millis(10);

/// Puts it into the inbox, as soon as there is room. False: the server has gone.
pub fn deliver(shared: &Shared, command: impl Fn() -> Command) -> bool {
    loop {
        match shared.command(command()) {
            Ok(()) => return true,
            Err(PushError::InboxFull) => thread::sleep(PAUSE),
            Err(_) => return false,
        }
    }
}
