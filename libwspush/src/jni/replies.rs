//! What a callback says to the connection it runs for.

use std::cell::Cell;

use wspush::endpoint::{ConnId, Session};
use wspush::push::{Message, PushOptions};

use super::failure::Failure;

thread_local! {
    /// The session of the callback that runs on this thread.
    static PRESENT: Cell<Option<(ConnId, *mut Session<'static>)>> = const { Cell::new(None) };
}

/// While it lives the session is present.
struct Present;

impl Drop for Present {
    fn drop(&mut self) {
        PRESENT.set(None);
    }
}

/// Runs a callback of this connection.
pub(super) fn during<T>(session: &mut Session<'_>, callback: impl FnOnce() -> T) -> T {
    let _present = Present;
    PRESENT.set(Some((session.id(), std::ptr::from_mut(session).cast())));
    callback()
}

/// Replies to the connection whose callback runs on this thread.
pub(super) fn reply(conn: ConnId, message: Message<'_>, options: PushOptions) -> Result<(), Failure> {
    match PRESENT.get() {
        Some((id, session)) if id == conn => {
            // SAFETY: `during` runs on this thread with a session that outlives it, and nobody else uses that before it
            // returns; the lifetimes in it are not handed out.
            let session: &mut Session<'_> = unsafe { &mut *session.cast() };
            session.reply_with(message, options);
            Ok(())
        }
        _ => Err(Failure::State("reply() belongs into a callback of this connection; use send()")),
    }
}
