//! Messages in pieces, and who waits for whom: one connection's flow, inside callbacks and from any thread.

use std::ffi::c_void;

use wspush::endpoint::{Fragment, Pieces};
use wspush::push::Message;

use super::callbacks::{WSPUSH_BINARY, WSPUSH_TEXT, WSPUSH_UNCOMPRESSED};
use super::connect::wspush_connect;
use super::error::CallError;
use super::push::{conn_id, message};
use super::server::wspush_server;
use super::session::wspush_session;
use super::status::*;

/// A client's messages are handed over whole, to `on_message`.
pub const WSPUSH_PIECES_OFF: i32 = 0;
/// They are handed over as they come, to `on_fragment`. A message has at most `message_bytes_max` bytes.
pub const WSPUSH_PIECES_BOUNDED: i32 = 1;
/// The same, and a message may be as long as the client likes.
pub const WSPUSH_PIECES_UNBOUNDED: i32 = 2;

/// How a client's messages are handed over.
pub(super) fn pieces(wanted: i64) -> Result<Pieces, CallError> {
    match i32::try_from(wanted) {
        Ok(WSPUSH_PIECES_OFF) => Ok(Pieces::Off),
        Ok(WSPUSH_PIECES_BOUNDED) => Ok(Pieces::Bounded),
        Ok(WSPUSH_PIECES_UNBOUNDED) => Ok(Pieces::Unbounded),
        _ => Err(CallError::new(WSPUSH_EINVAL, format!("pieces is {wanted}, no WSPUSH_PIECES_..."))),
    }
}

/// The piece; only the last one may be empty.
fn fragment(kind: i32, more: i32, data: &[u8]) -> Result<Fragment<'_>, CallError> {
    let data = match (kind & !WSPUSH_UNCOMPRESSED, data, more) {
        (WSPUSH_TEXT, [], 0) => Message::Text(""),
        (WSPUSH_BINARY, [], 0) => Message::Binary(&[]),
        _ => message(kind, data)?,
    };
    Ok(Fragment { data, more: more != 0 })
}

/// Whether the client's messages are handed over as they come, to `on_fragment`: one of `WSPUSH_PIECES_...`. That is
/// for WebSockets; with `wspush.v1` and everywhere else it changes nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_set_pieces(
    connect: *mut wspush_connect,
    wanted: i32,
) -> wspush_status {
    call!(connect: current_mut => {
        connect.accept.pieces = pieces(i64::from(wanted))?;
        Ok(WSPUSH_OK)
    })
}

/// Has this connection not read until `wspush_session_resume` or `wspush_resume`: nothing that it says is handed over
/// meanwhile. What was read already is kept; what comes waits in the kernel, and then at the client. It is pinged as
/// ever, and its silence is not held against it: whether it is still there is seen when something is written to it.
/// Only a WebSocket can be paused.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_pause(session: *mut wspush_session) -> wspush_status {
    call!(session: current_mut => {
        session.get().pause();
        Ok(WSPUSH_OK)
    })
}

/// Ends a pause, however often that was asked for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_resume(session: *mut wspush_session) -> wspush_status {
    call!(session: current_mut => {
        session.get().resume();
        Ok(WSPUSH_OK)
    })
}

/// Sends a piece of a message, in the order of the calls: the client gets it as a frame of its own. `kind` is
/// `WSPUSH_TEXT` (each piece is valid UTF-8 by itself) or `WSPUSH_BINARY`, and the same for all pieces of a message;
/// `more` is 0 for the last one, which alone may be empty. The data is copied, and not compressed. Until the last piece
/// is sent everything else that is said to the connection waits, publications as well: a channel in which it waits
/// longer than the log lasts has a slow consumer.
///
/// In `on_open`, `on_message` and `on_fragment` a piece is never refused for want of room, and the client isn't read
/// while it waits. In `on_drained` it has to fit `outbox_bytes_max` together with what waits already, or the client is
/// closed (1013). Pieces of different kinds, and a connection with `wspush.v1` or without a WebSocket, close it (1011).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_send_fragment(
    session: *mut wspush_session,
    kind: i32,
    more: i32,
    data: *const c_void,
    length: usize,
) -> wspush_status {
    call!(session: current_mut, data: bytes(length) => {
        session.get().send_fragment(fragment(kind, more, data)?);
        Ok(WSPUSH_OK)
    })
}

/// Has `on_drained` called when everything that was sent to this connection until now is with the kernel: at once,
/// behind this callback, if that is so already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_notify_drained(session: *mut wspush_session) -> wspush_status {
    call!(session: current_mut => {
        session.get().notify_drained();
        Ok(WSPUSH_OK)
    })
}

/// Bytes that wait for this connection alone: what was sent to it and its socket has not taken, and what this callback
/// has sent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_outbox_bytes(
    session: *mut wspush_session,
    bytes: *mut u64,
) -> wspush_status {
    call!(session: current_mut, bytes: place => {
        bytes.put(session.get().outbox_bytes() as u64);
        Ok(WSPUSH_OK)
    })
}

/// As `wspush_session_pause`, for one that the server's thread gets to later: until then callbacks may hear of it.
/// Any thread; never blocks; `WSPUSH_EAGAIN` as for `wspush_broadcast`. Nothing happens if it has gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_pause(server: *const wspush_server, conn: u64) -> wspush_status {
    call!(server: server => {
        server.handle.pause(conn_id(conn)?)?;
        Ok(WSPUSH_OK)
    })
}

/// Ends a pause, however often that was asked for. As `wspush_pause`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_resume(server: *const wspush_server, conn: u64) -> wspush_status {
    call!(server: server => {
        server.handle.resume(conn_id(conn)?)?;
        Ok(WSPUSH_OK)
    })
}

/// As `wspush_session_send_fragment`, from any thread; never blocks; `WSPUSH_EAGAIN` as for `wspush_broadcast`. What
/// waits for the client is the caller's to bound, with `wspush_notify_drained`, as in `on_drained`. Two threads must
/// not send pieces to the same connection.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_send_fragment(
    server: *const wspush_server,
    conn: u64,
    kind: i32,
    more: i32,
    data: *const c_void,
    length: usize,
) -> wspush_status {
    call!(server: server, data: bytes(length) => {
        server.handle.send_fragment(conn_id(conn)?, fragment(kind, more, data)?)?;
        Ok(WSPUSH_OK)
    })
}

/// Has `on_drained` called when everything that this thread has sent to the connection until now is with the kernel.
/// As `wspush_pause`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_notify_drained(server: *const wspush_server, conn: u64) -> wspush_status {
    call!(server: server => {
        server.handle.notify_drained(conn_id(conn)?)?;
        Ok(WSPUSH_OK)
    })
}
