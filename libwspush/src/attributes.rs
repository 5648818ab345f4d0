//! The things that a host keeps at one connection, and a connection that is gone.

use std::ffi::{c_char, c_void};

use wspush::Closed;
use wspush::endpoint::answer_fields;

use super::connect::wspush_connect;
use super::error::CallError;
use super::session::wspush_session;
use super::status::*;
use super::text::wspush_str;
use super::tuning::timeout;

/// Frees what a host has kept at a connection, on the server's thread or on the one that frees the server. It is called
/// once for each attribute that was taken, and must not block.
pub type wspush_free_attribute = Option<unsafe extern "C" fn(attribute: *mut c_void)>;

/// A host's pointer at a connection.
pub(super) struct HostPointer {
    pointer: *mut c_void,
    free: wspush_free_attribute,
}

// SAFETY: the pointer is only handed back to the host, as `wspush_session_set_attribute` and `wspush_free_attribute`
// say.
unsafe impl Send for HostPointer {}

impl HostPointer {
    pub(super) fn new(pointer: *mut c_void, free: wspush_free_attribute) -> HostPointer {
        HostPointer { pointer, free }
    }

    /// It is the host's again, and not freed.
    pub(super) fn give_back(&mut self) {
        self.free = None;
    }
}

impl Drop for HostPointer {
    fn drop(&mut self) {
        if let Some(free) = self.free {
            // SAFETY: the host's function of this type, and its own pointer, once.
            unsafe { free(self.pointer) };
        }
    }
}

/// A connection that is gone. It is there while `on_closed` runs; outside of it, and on other threads, every function
/// that takes it answers `WSPUSH_EWRONGTHREAD` and touches nothing. What they give lives as long.
pub struct wspush_closed {
    /// Borrowed for the time of the callback.
    closed: *const Closed<'static>,
}

impl wspush_closed {
    pub(super) fn new(closed: &Closed<'_>) -> wspush_closed {
        wspush_closed { closed: std::ptr::from_ref(closed).cast() }
    }

    fn get(&self) -> &Closed<'_> {
        // SAFETY: `self` is only reached while the callback runs (see `pointer::current`), and the Closed that it was
        // made from lives longer; the lifetimes handed out are `self`'s.
        unsafe { &*self.closed.cast() }
    }
}

fn absent(what: &str) -> CallError {
    CallError::new(WSPUSH_ENOTFOUND, format!("the connection has no {what}"))
}

/// Keeps a pointer of the host's at the connection, if it is let in; `free_attribute`, which may be NULL, is called
/// with it once: when another one takes its place, when the connection is gone (behind `on_close` and `on_closed`),
/// when the client is not let in after all, or when the server is freed. A connection without one takes no memory for
/// it. Of a client that waits for its decision (`wspush_connect_pending`) it is freed at once: keep it in `on_open`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_set_attribute(
    connect: *mut wspush_connect,
    attribute: *mut c_void,
    free_attribute: wspush_free_attribute,
) -> wspush_status {
    call!(connect: current_mut => {
        let accept = std::mem::take(&mut connect.accept);
        connect.accept = accept.with_attribute(HostPointer::new(attribute, free_attribute));
        Ok(WSPUSH_OK)
    })
}

/// Adds a header to the answer, whether that lets it in or not: a cookie, say, or `WWW-Authenticate`. `WSPUSH_EINVAL`:
/// the name is no token, or the server writes it itself, a control character is in the value, or they are more than
/// 32, or 4 KiB.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_add_header(
    connect: *mut wspush_connect,
    name: *const c_char,
    name_length: usize,
    value: *const c_char,
    value_length: usize,
) -> wspush_status {
    call!(connect: current_mut, name: text(name_length), value: text(value_length) => {
        let trial = connect.accept.clone().with_header(name, value);
        let headers = trial.more.as_ref().map_or(&[][..], |more| &more.headers);
        answer_fields::check(headers).map_err(|problem| CallError::new(WSPUSH_EINVAL, problem))?;
        connect.accept = trial;
        Ok(WSPUSH_OK)
    })
}

/// Keeps a pointer of the host's at this connection, in place of the one before: as `wspush_connect_set_attribute`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_set_attribute(
    session: *mut wspush_session,
    attribute: *mut c_void,
    free_attribute: wspush_free_attribute,
) -> wspush_status {
    call!(session: current_mut => {
        session.get().set_attribute(HostPointer::new(attribute, free_attribute));
        Ok(WSPUSH_OK)
    })
}

/// The pointer that the host keeps at this connection. `WSPUSH_ENOTFOUND`: it keeps none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_attribute(
    session: *mut wspush_session,
    attribute: *mut *mut c_void,
) -> wspush_status {
    call!(session: current_mut, attribute: place => {
        let kept = session.get().attribute::<HostPointer>().ok_or_else(|| absent("attribute"))?;
        attribute.put(kept.pointer);
        Ok(WSPUSH_OK)
    })
}

/// The route that it has come by, by the number of `wspush_route_add`; `WSPUSH_NO_ROUTE`: by a path of the server's
/// own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_route(
    session: *mut wspush_session,
    route: *mut u32,
) -> wspush_status {
    call!(session: current_mut, route: place => {
        route.put(super::routes::number(session.get().route()));
        Ok(WSPUSH_OK)
    })
}

/// As `wspush_connect_param`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_param(
    session: *mut wspush_session,
    name: *const c_char,
    name_length: usize,
    value: *mut wspush_str,
) -> wspush_status {
    call!(session: current_mut, name: text(name_length), value: place => {
        let found = session.get().param(name).map(wspush_str::from);
        value.put(found.ok_or_else(|| absent("such name in its pattern"))?);
        Ok(WSPUSH_OK)
    })
}

/// Where it comes from: as `wspush_connect_peer`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_peer(
    session: *mut wspush_session,
    peer: *mut wspush_str,
) -> wspush_status {
    call!(session: current_mut, peer: place => {
        let address = session.get().peer().ok_or_else(|| absent("peer"))?;
        peer.put(session.keep(address.to_string()));
        Ok(WSPUSH_OK)
    })
}

/// Whether it is open: 1, and 0 once the host has closed it in this callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_is_open(
    session: *mut wspush_session,
    is_open: *mut i32,
) -> wspush_status {
    call!(session: current_mut, is_open: place => {
        is_open.put(session.get().is_open().into());
        Ok(WSPUSH_OK)
    })
}

/// Closes it with 1001 when so many milliseconds have passed without a message from the client, and without one to it
/// alone; pings, pongs and what is published to many don't count. 0: never, as it is at the beginning. At least 100 and
/// at most 7 days; what is less or more becomes that.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_set_idle_timeout(
    session: *mut wspush_session,
    idle_ms: u64,
) -> wspush_status {
    call!(session: current_mut => {
        session.get().set_idle_timeout(timeout(idle_ms));
        Ok(WSPUSH_OK)
    })
}

/// The largest message that it takes from here on, in place of the route's or the server's: 125 bytes to 256 MiB;
/// what is less or more becomes that.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_set_message_bytes_max(
    session: *mut wspush_session,
    bytes: u64,
) -> wspush_status {
    call!(session: current_mut => {
        session.get().set_message_bytes_max(usize::try_from(bytes).unwrap_or(usize::MAX));
        Ok(WSPUSH_OK)
    })
}

/// The id that it had.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_closed_id(closed: *const wspush_closed, conn: *mut u64) -> wspush_status {
    call!(closed: current, conn: place => {
        conn.put(closed.get().id().0);
        Ok(WSPUSH_OK)
    })
}

/// Who it was. `WSPUSH_ENOTFOUND`: it had no name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_closed_user(
    closed: *const wspush_closed,
    user: *mut wspush_str,
) -> wspush_status {
    call!(closed: current, user: place => {
        user.put(closed.get().user().ok_or_else(|| absent("user"))?.into());
        Ok(WSPUSH_OK)
    })
}

/// The code of the close frame, 1005 if that had none, 1006 if there was no close frame; and the reason with it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_closed_why(
    closed: *const wspush_closed,
    code: *mut u16,
    reason: *mut wspush_str,
) -> wspush_status {
    call!(closed: current, code: place, reason: place => {
        code.put(closed.get().code().0);
        reason.put(closed.get().reason().into());
        Ok(WSPUSH_OK)
    })
}

/// As `wspush_session_route`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_closed_route(closed: *const wspush_closed, route: *mut u32) -> wspush_status {
    call!(closed: current, route: place => {
        route.put(super::routes::number(closed.get().route()));
        Ok(WSPUSH_OK)
    })
}

/// As `wspush_session_param`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_closed_param(
    closed: *const wspush_closed,
    name: *const c_char,
    name_length: usize,
    value: *mut wspush_str,
) -> wspush_status {
    call!(closed: current, name: text(name_length), value: place => {
        value.put(closed.get().param(name).ok_or_else(|| absent("such name in its pattern"))?.into());
        Ok(WSPUSH_OK)
    })
}

/// The pointer that the host has kept there; it is freed when the callback has returned. `WSPUSH_ENOTFOUND`: it has
/// kept none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_closed_attribute(
    closed: *const wspush_closed,
    attribute: *mut *mut c_void,
) -> wspush_status {
    call!(closed: current, attribute: place => {
        let kept = closed.get().attribute::<HostPointer>().ok_or_else(|| absent("attribute"))?;
        attribute.put(kept.pointer);
        Ok(WSPUSH_OK)
    })
}
