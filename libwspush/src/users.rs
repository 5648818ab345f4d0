//! Messages, closes and subscriptions for all connections of a user.

use std::ffi::{c_char, c_void};

use super::push::{beginning, channel_name, close_code, message, options};
use super::server::wspush_server;
use super::status::*;

/// Sends a message to all connections that a user has when its turn comes, behind what this thread has asked for
/// before: to nobody if the user is away, since what is sent to a user is kept nowhere. A user is whom
/// `wspush_connect_set_user` or a token names. As `wspush_send` otherwise; `WSPUSH_EINVAL`: a name that is empty, or
/// longer than 256 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_publish_user(
    server: *const wspush_server,
    user: *const c_char,
    user_length: usize,
    kind: i32,
    data: *const c_void,
    length: usize,
) -> wspush_status {
    call!(server: server, user: text(user_length), data: bytes(length) => {
        server.handle.publish_user_with(user, message(kind, data)?, options(kind))?;
        Ok(WSPUSH_OK)
    })
}

/// Closes all connections that a user has when its turn comes, as `wspush_close` closes one; `WSPUSH_EINVAL` as for
/// `wspush_publish_user`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_disconnect_user(
    server: *const wspush_server,
    user: *const c_char,
    user_length: usize,
    code: u16,
    reason: *const c_char,
    reason_length: usize,
) -> wspush_status {
    call!(server: server, user: text(user_length), reason: text(reason_length) => {
        server.handle.disconnect_user(user, close_code(code)?, reason)?;
        Ok(WSPUSH_OK)
    })
}

/// As `wspush_disconnect_user`, and refuses the user's tokens that were issued before then (`iat`), or don't say when:
/// to clients that connect, and to those that show one later. Where tokens are not looked at (`auth`), or 100,000 users
/// are revoked already, nothing is done and the log says `not_revoked`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_revoke_user(
    server: *const wspush_server,
    user: *const c_char,
    user_length: usize,
    code: u16,
    reason: *const c_char,
    reason_length: usize,
) -> wspush_status {
    call!(server: server, user: text(user_length), reason: text(reason_length) => {
        server.handle.revoke_user(user, close_code(code)?, reason)?;
        Ok(WSPUSH_OK)
    })
}

/// Lets all connections that a user has when its turn comes receive a channel from then on, as `wspush_subscribe` lets
/// one. One that comes later does not; `WSPUSH_EINVAL` as for `wspush_publish_user`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_subscribe_user(
    server: *const wspush_server,
    user: *const c_char,
    user_length: usize,
    channel: *const c_char,
    channel_length: usize,
) -> wspush_status {
    call!(server: server, user: text(user_length), channel: text(channel_length) => {
        server.handle.subscribe_user(user, channel_name(channel)?)?;
        Ok(WSPUSH_OK)
    })
}

/// As `wspush_subscribe_user`, from there on; `since` as in `wspush_subscribe_since`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_subscribe_user_since(
    server: *const wspush_server,
    user: *const c_char,
    user_length: usize,
    channel: *const c_char,
    channel_length: usize,
    since: *const c_char,
    since_length: usize,
) -> wspush_status {
    call!(
        server: server,
        user: text(user_length),
        channel: text(channel_length),
        since: text(since_length) => {
            server.handle.subscribe_user_since(user, channel_name(channel)?, beginning(since)?)?;
            Ok(WSPUSH_OK)
        }
    )
}

/// Lets them receive the channel no more; as `wspush_subscribe_user` otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_unsubscribe_user(
    server: *const wspush_server,
    user: *const c_char,
    user_length: usize,
    channel: *const c_char,
    channel_length: usize,
) -> wspush_status {
    call!(server: server, user: text(user_length), channel: text(channel_length) => {
        server.handle.unsubscribe_user(user, channel_name(channel)?)?;
        Ok(WSPUSH_OK)
    })
}
