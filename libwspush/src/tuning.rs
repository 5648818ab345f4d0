//! Control frames of the host's own, limits of one session from any thread, and whether a client speaks TLS.

use std::ffi::c_void;
use std::time::Duration;

use super::connect::wspush_connect;
use super::push::conn_id;
use super::server::wspush_server;
use super::session::wspush_session;
use super::status::*;

/// A time-out as C says it.
pub(super) fn timeout(idle_ms: u64) -> Option<Duration> {
    (idle_ms > 0).then(|| Duration::from_millis(idle_ms))
}

/// Whether it speaks TLS with this server: 1, or 0. Behind a proxy that ends TLS it doesn't.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_is_secure(
    connect: *const wspush_connect,
    is_secure: *mut i32,
) -> wspush_status {
    call!(connect: current, is_secure: place => {
        is_secure.put(connect.connect().is_secure().into());
        Ok(WSPUSH_OK)
    })
}

/// As `wspush_connect_is_secure`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_is_secure(
    session: *mut wspush_session,
    is_secure: *mut i32,
) -> wspush_status {
    call!(session: current_mut, is_secure: place => {
        is_secure.put(session.get().is_secure().into());
        Ok(WSPUSH_OK)
    })
}

/// Sends a ping with a payload of at most 125 bytes (`WSPUSH_EINVAL`), in the order of the calls, but between the
/// pieces of a message that is under way. Its answer comes to `on_pong`, unless the payload is empty. Nothing happens
/// without a WebSocket.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_ping(
    session: *mut wspush_session,
    data: *const c_void,
    length: usize,
) -> wspush_status {
    call!(session: current_mut, data: bytes(length) => {
        session.get().ping(data)?;
        Ok(WSPUSH_OK)
    })
}

/// Sends a pong that no ping has asked for; as `wspush_session_ping` otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_pong(
    session: *mut wspush_session,
    data: *const c_void,
    length: usize,
) -> wspush_status {
    call!(session: current_mut, data: bytes(length) => {
        session.get().pong(data)?;
        Ok(WSPUSH_OK)
    })
}

/// As `wspush_session_ping`, behind the messages that this thread has sent to the connection before. Any thread; never
/// blocks; `WSPUSH_EAGAIN` as for `wspush_broadcast`. Nothing happens if it has gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_ping(
    server: *const wspush_server,
    conn: u64,
    data: *const c_void,
    length: usize,
) -> wspush_status {
    call!(server: server, data: bytes(length) => {
        server.handle.ping(conn_id(conn)?, data)?;
        Ok(WSPUSH_OK)
    })
}

/// As `wspush_ping`, with a pong that no ping has asked for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_pong(
    server: *const wspush_server,
    conn: u64,
    data: *const c_void,
    length: usize,
) -> wspush_status {
    call!(server: server, data: bytes(length) => {
        server.handle.pong(conn_id(conn)?, data)?;
        Ok(WSPUSH_OK)
    })
}

/// As `wspush_session_set_idle_timeout`, from any thread; never blocks; `WSPUSH_EAGAIN` as for `wspush_broadcast`.
/// Nothing happens if it has gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_set_idle_timeout(
    server: *const wspush_server,
    conn: u64,
    idle_ms: u64,
) -> wspush_status {
    call!(server: server => {
        server.handle.set_idle_timeout(conn_id(conn)?, timeout(idle_ms))?;
        Ok(WSPUSH_OK)
    })
}

/// As `wspush_session_set_message_bytes_max`, from any thread; as `wspush_set_idle_timeout` otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_set_message_bytes_max(
    server: *const wspush_server,
    conn: u64,
    bytes: u64,
) -> wspush_status {
    call!(server: server => {
        server.handle.set_message_bytes_max(conn_id(conn)?, usize::try_from(bytes).unwrap_or(usize::MAX))?;
        Ok(WSPUSH_OK)
    })
}
