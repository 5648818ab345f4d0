//! A connection at hand, inside the callbacks that are given one.

use std::ffi::{c_char, c_void};

use wspush::endpoint::Session;

use super::error::CallError;
use super::push::{beginning, channel_name, close_code, message, options};
use super::status::*;
use super::text::wspush_str;

/// An open connection. It is there while its callback runs; outside of it, and on other threads, every function that
/// takes it answers `WSPUSH_EWRONGTHREAD` and touches nothing. To reach a connection later keep its id.
pub struct wspush_session {
    /// Borrowed for the time of the callback.
    session: *mut Session<'static>,
    /// Text that was made for the host.
    kept: Vec<Box<str>>,
}

impl wspush_session {
    /// The host's view of `session`.
    pub(super) fn new(session: &mut Session<'_>) -> wspush_session {
        wspush_session { session: std::ptr::from_mut(session).cast(), kept: Vec::new() }
    }

    pub(super) fn get(&mut self) -> &mut Session<'_> {
        // SAFETY: `self` is only reached while the callback runs (see `pointer::current`), and the Session that it was
        // made from lives longer and is used by nobody else; the lifetimes handed out are `self`'s.
        unsafe { &mut *self.session.cast() }
    }

    /// Keeps text for the host while the callback runs.
    pub(super) fn keep(&mut self, text: String) -> wspush_str {
        self.kept.push(text.into_boxed_str());
        self.kept.last().map_or("", |text| text).into()
    }
}

/// The connection's id, for `wspush_send` and the like: never 0, and never used twice while the process lives.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_id(session: *mut wspush_session, conn: *mut u64) -> wspush_status {
    call!(session: current_mut, conn: place => {
        conn.put(session.get().id().0);
        Ok(WSPUSH_OK)
    })
}

/// The name that `wspush_connect_set_user` gave it; `WSPUSH_ENOTFOUND` if it has none. The text lives while the
/// callback runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_user(
    session: *mut wspush_session,
    user: *mut wspush_str,
) -> wspush_status {
    call!(session: current_mut, user: place => {
        let name = session.get().user().map(wspush_str::from);
        user.put(name.ok_or_else(|| CallError::new(WSPUSH_ENOTFOUND, "the connection has no user"))?);
        Ok(WSPUSH_OK)
    })
}

/// Sends a message to this connection, in the order of the calls: behind what this callback has published and sent
/// before, and before what comes later in other ways. It is copied, and never refused for want of room; behind
/// `wspush_session_close` it is dropped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_reply(
    session: *mut wspush_session,
    kind: i32,
    data: *const c_void,
    length: usize,
) -> wspush_status {
    call!(session: current_mut, data: bytes(length) => {
        session.get().reply_with(message(kind, data)?, options(kind));
        Ok(WSPUSH_OK)
    })
}

/// Closes this connection after what was replied; code and reason as in `wspush_close`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_close(
    session: *mut wspush_session,
    code: u16,
    reason: *const c_char,
    reason_length: usize,
) -> wspush_status {
    call!(session: current_mut, reason: text(reason_length) => {
        session.get().close(close_code(code)?, reason);
        Ok(WSPUSH_OK)
    })
}

/// Lets this connection receive a channel from now on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_subscribe(
    session: *mut wspush_session,
    channel: *const c_char,
    channel_length: usize,
) -> wspush_status {
    call!(session: current_mut, channel: text(channel_length) => {
        session.get().subscribe(channel_name(channel)?);
        Ok(WSPUSH_OK)
    })
}

/// As `wspush_session_subscribe`, from there on; `since` as in `wspush_subscribe_since`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_subscribe_since(
    session: *mut wspush_session,
    channel: *const c_char,
    channel_length: usize,
    since: *const c_char,
    since_length: usize,
) -> wspush_status {
    call!(session: current_mut, channel: text(channel_length), since: text(since_length) => {
        session.get().subscribe_since(channel_name(channel)?, beginning(since)?);
        Ok(WSPUSH_OK)
    })
}

/// Lets it receive the channel no more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_unsubscribe(
    session: *mut wspush_session,
    channel: *const c_char,
    channel_length: usize,
) -> wspush_status {
    call!(session: current_mut, channel: text(channel_length) => {
        session.get().unsubscribe(channel_name(channel)?);
        Ok(WSPUSH_OK)
    })
}
