//! A callback's answers to the connection it runs for.

use std::cell::Cell;

use wspush::endpoint::{ConnId, Session};
use wspush::push::{Message, PushOptions};

use super::native_error::NativeError;

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

/// Uses the session whose callback runs on this thread, if it is this connection's.
pub(super) fn present<T>(conn: ConnId, use_it: impl FnOnce(&mut Session<'_>) -> T) -> Option<T> {
    let (_, session) = PRESENT.get().filter(|(id, _)| *id == conn)?;
    // SAFETY: `during` runs on this thread with a session that outlives it, and nobody else uses that before it returns;
    // the lifetimes in it are not handed out.
    let session: &mut Session<'_> = unsafe { &mut *session.cast() };
    Some(use_it(session))
}

/// Replies to the connection whose callback runs on this thread.
pub(super) fn reply(conn: ConnId, message: Message<'_>, options: PushOptions) -> Result<(), NativeError> {
    present(conn, |session| session.reply_with(message, options))
        .ok_or(NativeError::State("reply() belongs into a callback of this connection; use send()"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_reached_while_its_callback_runs() {
        let (mut replies, mut actions) = (Vec::new(), Vec::new());
        let mut session = Session::new(ConnId(7), &None, &mut replies, &mut actions);
        let say = |conn, text| reply(ConnId(conn), Message::Text(text), PushOptions::default());
        for text in ["a", "b"] {
            let said =
                during(&mut session, || [say(7, text).is_ok(), say(8, text).is_ok(), say(7, text).is_ok()]);
            assert_eq!(said, [true, false, true]);
            session.reply(Message::Text("c"));
        }
        assert!(matches!(say(7, "d"), Err(NativeError::State(_))), "no callback runs");
        assert_eq!(replies, b"\x81\x01a\x81\x01a\x81\x01c\x81\x01b\x81\x01b\x81\x01c");
    }
}
