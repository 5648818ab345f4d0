//! The host's functions.

use std::ffi::{c_char, c_void};

use super::attributes::wspush_closed;
use super::authorization::wspush_authorization;
use super::connect::wspush_connect;
use super::pointer::Versioned;
use super::server::wspush_server;
use super::session::wspush_session;

/// A text message: UTF-8, checked.
pub const WSPUSH_TEXT: i32 = 1;
/// A binary message: any bytes.
pub const WSPUSH_BINARY: i32 = 2;
/// Beside the kind of a message that is pushed, as in `WSPUSH_TEXT | WSPUSH_UNCOMPRESSED`: it is not compressed for
/// clients that negotiated that (RFC 7692). For a secret beside something that a stranger chose.
pub const WSPUSH_UNCOMPRESSED: i32 = 0x100;

/// Log level: what ends or endangers the service.
pub const WSPUSH_LOG_ERROR: i32 = 1;
/// Log level: what an operator should look at.
pub const WSPUSH_LOG_WARN: i32 = 2;
/// Log level: start, limits, drain.
pub const WSPUSH_LOG_INFO: i32 = 3;
/// Log level: every connection.
pub const WSPUSH_LOG_DEBUG: i32 = 4;

/// The host's callbacks. Zero it, set `struct_size` to `sizeof(wspush_callbacks)`, then those that are wanted: every
/// function may be NULL. The struct is copied; `user_data` must live until the server is freed.
///
/// The functions run on the server's thread (the one of `wspush_server_start`, or the one that polls), one at a time,
/// and while one runs nothing else does: they must not block. With the setting `reactors` at more than 1 that holds for
/// each of as many threads: the functions then run on several of them at the same time, those for one connection always
/// on the same one, and have to guard what they share. They may call every function of this header but those
/// that say `WSPUSH_EWRONGTHREAD`. What they are given is theirs to read until they return. They must return: no
/// `longjmp`, no C++ exception may leave them. What one of them asks for happens in its order. Once a session was
/// closed in a callback, by `wspush_session_close` or `wspush_close`, only `on_close` and `on_closed` hear of it
/// again.
///
/// A server with any of them but `on_log` has a host. Unless the setting `origins` says otherwise, of all web pages
/// only those of the server's own origin may connect to it then, which is that of `Host`: a proxy has to forward it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wspush_callbacks {
    /// `sizeof(wspush_callbacks)`.
    pub struct_size: usize,
    /// Given back to every callback.
    pub user_data: *mut c_void,
    /// A client asks for `/ws`, or for a route of these callbacks (`wspush_route_add`): `wspush_connect_refuse`,
    /// `wspush_connect_accept` or the setters decide. Without this callback, and where it decides nothing, the
    /// configuration does.
    pub on_connect: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            server: *mut wspush_server,
            connect: *mut wspush_connect,
        ),
    >,
    /// A connection is open and receives what is published from now on.
    pub on_open: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            server: *mut wspush_server,
            session: *mut wspush_session,
        ),
    >,
    /// A whole message has come in; `kind` is `WSPUSH_TEXT` (`data` is valid UTF-8) or `WSPUSH_BINARY`. `data` is not
    /// NULL, and nothing follows its `length` bytes.
    pub on_message: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            server: *mut wspush_server,
            session: *mut wspush_session,
            kind: i32,
            data: *const c_void,
            length: usize,
        ),
    >,
    /// A connection is gone; called once for each `on_open` and `on_taken_over`. `user` is NULL if it had none. `code`
    /// is that of the close frame, 1005 if that had none, 1006 if there was no close frame.
    pub on_close: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            server: *mut wspush_server,
            conn: u64,
            user: *const c_char,
            user_length: usize,
            code: u16,
            reason: *const c_char,
            reason_length: usize,
        ),
    >,
    /// A line for the operator, without a newline. Without this callback lines go to standard error. It is also called
    /// by `wspush_server_new`, on that thread.
    pub on_log:
        Option<unsafe extern "C" fn(user_data: *mut c_void, level: i32, line: *const c_char, length: usize)>,
    /// As `on_close`, with what the host keeps at the connection and its route. If both are there, this one is called
    /// first.
    pub on_closed: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            server: *mut wspush_server,
            closed: *const wspush_closed,
        ),
    >,
    /// A piece of a message has come in, from a client that was let in with `wspush_connect_set_pieces`; `on_message`
    /// hears nothing of that client. `kind` is `WSPUSH_TEXT` (`data` is whole characters) or `WSPUSH_BINARY`, and
    /// `more` is 0 for a message's last piece, which alone may have a `length` of 0; `data` is never NULL. The pieces
    /// are as the network has brought them, and not the client's frames. A message that turns out to be none (text that
    /// is not UTF-8, one that is too long) has no last piece: the connection is closed.
    pub on_fragment: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            server: *mut wspush_server,
            session: *mut wspush_session,
            kind: i32,
            more: i32,
            data: *const c_void,
            length: usize,
        ),
    >,
    /// A connection's outbox is empty: what was sent to it is with the kernel, as `wspush_session_notify_drained` or
    /// `wspush_notify_drained` has asked to be told; called once for that, and not if the connection ends first.
    pub on_drained: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            server: *mut wspush_server,
            session: *mut wspush_session,
        ),
    >,
    /// A pong with a payload has come: the answer to `wspush_session_ping` or `wspush_ping`, or one that nothing has
    /// asked for. The server's own pings have no payload, and their answers are not told. `data` is not NULL.
    pub on_pong: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            server: *mut wspush_server,
            session: *mut wspush_session,
            data: *const c_void,
            length: usize,
        ),
    >,
    /// A connection has come over from the server that ran before this one (the setting `handover`), in place of
    /// `on_open`. Called once for each that is open, in the first turn and before anything that it says. It is in its
    /// channels and has its id and its user; what the former program kept there (`wspush_session_set_attribute`) can't
    /// leave its process, and is to be set anew. That program's `destroy` functions are called there, its `on_close`
    /// and `on_closed` are not.
    pub on_taken_over: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            server: *mut wspush_server,
            session: *mut wspush_session,
        ),
    >,
    /// A client of an app (the setting `pusher_app`) asks for a private or presence channel, or signs in:
    /// `wspush_authorization_allow`, `_refuse` or `_pend` decides. Without this callback, and where it decides
    /// nothing, the signature does. Of the callbacks for the server's own paths, not of a route.
    pub on_authorize: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            server: *mut wspush_server,
            asked: *mut wspush_authorization,
        ),
    >,
}

impl wspush_callbacks {
    /// Nothing is wanted.
    pub(super) const NONE: wspush_callbacks = wspush_callbacks {
        struct_size: size_of::<wspush_callbacks>(),
        user_data: std::ptr::null_mut(),
        on_connect: None,
        on_open: None,
        on_message: None,
        on_close: None,
        on_log: None,
        on_closed: None,
        on_fragment: None,
        on_drained: None,
        on_pong: None,
        on_taken_over: None,
        on_authorize: None,
    };
}

impl wspush_callbacks {
    /// Whether the host wants to hear of clients.
    pub(super) fn hears_clients(&self) -> bool {
        self.on_connect.is_some()
            || self.on_open.is_some()
            || self.on_message.is_some()
            || self.on_close.is_some()
            || self.on_closed.is_some()
            || self.on_fragment.is_some()
            || self.on_drained.is_some()
            || self.on_pong.is_some()
            || self.on_taken_over.is_some()
            || self.on_authorize.is_some()
    }
}

// SAFETY: repr(C), `struct_size` is first; pointers may be null, and so may functions, which are Options.
unsafe impl Versioned for wspush_callbacks {
    const SIZE_MIN: usize = 7 * size_of::<usize>();
}

// SAFETY: the pointer in it is only handed back to the host, whose callbacks run one at a time; that `user_data` may be
// used on the server's thread is the contract of `wspush_callbacks`.
unsafe impl Send for wspush_callbacks {}
