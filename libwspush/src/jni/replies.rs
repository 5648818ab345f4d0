//! What a callback says to the connection it runs for, until the callback has returned.

use std::cell::RefCell;

use wspush::endpoint::{ConnId, Session};
use wspush::push::Message;

use super::failure::Failure;

enum Reply {
    Text(String),
    Binary(Vec<u8>),
}

thread_local! {
    static PRESENT: RefCell<Option<(ConnId, Vec<Reply>)>> = const { RefCell::new(None) };
}

/// Runs a callback of this connection, and then replies what it has left here.
pub(super) fn during<T>(session: &mut Session<'_>, callback: impl FnOnce() -> T) -> T {
    PRESENT.set(Some((session.id(), Vec::new())));
    let result = callback();
    for reply in PRESENT.take().into_iter().flat_map(|(_, replies)| replies) {
        match &reply {
            Reply::Text(text) => session.reply(Message::Text(text)),
            Reply::Binary(bytes) => session.reply(Message::Binary(bytes)),
        }
    }
    result
}

/// Leaves a reply to the connection whose callback runs on this thread.
pub(super) fn leave(conn: ConnId, message: Message<'_>) -> Result<(), Failure> {
    PRESENT.with_borrow_mut(|present| match present {
        Some((id, replies)) if *id == conn => {
            replies.push(match message {
                Message::Text(text) => Reply::Text(text.to_owned()),
                Message::Binary(bytes) => Reply::Binary(bytes.to_vec()),
            });
            Ok(())
        }
        _ => Err(Failure::State("reply() belongs into a callback of this connection; use send()")),
    })
}
