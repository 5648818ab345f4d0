//! A client of an app that asks for a private channel or signs in, inside `on_authorize`, and answers that come later.

use std::ffi::c_char;

use wspush::endpoint::{Authorization, Authorized};

use super::error::CallError;
use super::pointer::Versioned;
use super::push::conn_id;
use super::server::wspush_server;
use super::status::*;
use super::text::wspush_str;

/// A question of a client of an app, on which the host decides. It is there while `on_authorize` runs; outside of it,
/// and on other threads, every function that takes it answers `WSPUSH_EWRONGTHREAD`.
pub struct wspush_authorization {
    /// Borrowed for the time of the callback.
    asked: *const Authorization<'static>,
    answer: Authorized,
}

impl wspush_authorization {
    /// The question to the host.
    pub(super) fn new(asked: &Authorization<'_>) -> wspush_authorization {
        wspush_authorization { asked: std::ptr::from_ref(asked).cast(), answer: Authorized::BySignature }
    }

    fn asked(&self) -> &Authorization<'_> {
        // SAFETY: `self` is only reached while `on_authorize` runs (see `pointer::current`), and the Authorization that
        // it was made from lives longer; the lifetime handed out is `self`'s.
        unsafe { &*self.asked.cast() }
    }

    /// The host's answer.
    pub(super) fn answer(self) -> Authorized {
        self.answer
    }
}

/// The question itself: who wants what, and what it shows for it. The texts live while `on_authorize` runs; one that
/// there is not has a `length` of 0. Zero it, and set `struct_size` to `sizeof(wspush_authorization_info)`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wspush_authorization_info {
    /// `sizeof(wspush_authorization_info)`.
    pub struct_size: usize,
    /// The connection's id.
    pub conn: u64,
    /// Which question of this connection it is, for `wspush_authorize`.
    pub number: u64,
    /// The app's id.
    pub app: wspush_str,
    /// The connection's id in the words of the protocol.
    pub socket_id: wspush_str,
    /// The id of the user that the connection has signed in as.
    pub user: wspush_str,
    /// The channel, by the app's name for it. Empty: a user signs in.
    pub channel: wspush_str,
    /// The client's `auth`, whatever it is: the signature of a backend, or something of the host's own.
    pub auth: wspush_str,
    /// The client's `channel_data`, or `user_data` of one that signs in. Nobody vouches for it unless `is_signed`.
    pub data: wspush_str,
    /// 1: the app's secret has signed it, `data` included.
    pub is_signed: u64,
}

// SAFETY: repr(C), `struct_size` is first, and the rest are integers, pointers and lengths.
unsafe impl Versioned for wspush_authorization_info {
    const SIZE_MIN: usize = size_of::<wspush_authorization_info>();
}

/// Reads the question.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_authorization_read(
    asked: *const wspush_authorization,
    info: *mut wspush_authorization_info,
) -> wspush_status {
    call!(asked: current, info: sized_place => {
        let asked = asked.asked();
        let text = |text: Option<&str>| wspush_str::from(text.unwrap_or_default());
        info.put(wspush_authorization_info {
            struct_size: size_of::<wspush_authorization_info>(),
            conn: asked.conn().0,
            number: u64::from(asked.number()),
            app: asked.app().into(),
            socket_id: asked.socket_id().into(),
            user: text(asked.user()),
            channel: text(asked.channel()),
            auth: asked.auth().into(),
            data: text(asked.data()),
            is_signed: u64::from(asked.is_signed()),
        });
        Ok(WSPUSH_OK)
    })
}

/// Says yes. `data` is who it is, as JSON: `{"user_id":"7","user_info":{..}}` in a presence channel, `{"id":"7"}` and
/// what else a backend would sign for a sign-in. NULL: whom a backend has signed, and in a presence channel else the
/// user that it has signed in as. The last one of allow, refuse and pend counts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_authorization_allow(
    asked: *mut wspush_authorization,
    data: *const c_char,
    data_length: usize,
) -> wspush_status {
    call!(asked: current_mut, data: optional_text(data_length) => {
        asked.answer = Authorized::Yes { data: data.map(str::to_owned) };
        Ok(WSPUSH_OK)
    })
}

/// Says no; the reason is for the client. A sign-in that is refused closes the connection (4009).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_authorization_refuse(
    asked: *mut wspush_authorization,
    reason: *const c_char,
    reason_length: usize,
) -> wspush_status {
    call!(asked: current_mut, reason: text(reason_length) => {
        asked.answer = Authorized::No(reason.to_owned());
        Ok(WSPUSH_OK)
    })
}

/// Lets it wait until `wspush_authorize` or `wspush_refuse_authorization` is called with the `conn` and the `number` of
/// the question, from any thread. The connection goes on meanwhile; after `handshake_ms` it counts as no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_authorization_pend(asked: *mut wspush_authorization) -> wspush_status {
    call!(asked: current_mut => {
        asked.answer = Authorized::Pending;
        Ok(WSPUSH_OK)
    })
}

fn number_of(number: u64) -> Result<u32, CallError> {
    u32::try_from(number).map_err(|_| CallError::new(WSPUSH_EINVAL, "number is none of a question"))
}

/// Says yes to a question that waits; `data` as in `wspush_authorization_allow`. It changes nothing about one that is
/// answered, or out of time, or of a client that has gone. Any thread; never blocks; `WSPUSH_EAGAIN` as for
/// `wspush_broadcast`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_authorize(
    server: *const wspush_server,
    conn: u64,
    number: u64,
    data: *const c_char,
    data_length: usize,
) -> wspush_status {
    call!(server: server, data: optional_text(data_length) => {
        let authorized = Authorized::Yes { data: data.map(str::to_owned) };
        server.handle.authorize(conn_id(conn)?, number_of(number)?, authorized)?;
        Ok(WSPUSH_OK)
    })
}

/// Says no to a question that waits, as `wspush_authorize` says yes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_refuse_authorization(
    server: *const wspush_server,
    conn: u64,
    number: u64,
    reason: *const c_char,
    reason_length: usize,
) -> wspush_status {
    call!(server: server, reason: text(reason_length) => {
        let authorized = Authorized::No(reason.to_owned());
        server.handle.authorize(conn_id(conn)?, number_of(number)?, authorized)?;
        Ok(WSPUSH_OK)
    })
}
