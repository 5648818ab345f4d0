//! Pushing: from any thread, also from callbacks.

use std::ffi::{c_char, c_void};

use wspush::config::channel_name_ok;
use wspush::endpoint::{Accept, ConnId, Receipt};
use wspush::protocol::close::CloseCode;
use wspush::push::{Message, Pace, PushError, PushOptions, Since};

use super::callbacks::{WSPUSH_BINARY, WSPUSH_TEXT, WSPUSH_UNCOMPRESSED};
use super::error::CallError;
use super::pending::accept_pending;
use super::pointer::{SizedPlace, Versioned};
use super::server::wspush_server;
use super::status::*;

/// Where a publication stands. Set `struct_size` to `sizeof(wspush_receipt)` before the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wspush_receipt {
    /// `sizeof(wspush_receipt)`.
    pub struct_size: usize,
    /// For `wspush_server_delivery`; 1 for the server's first publication.
    pub id: u64,
    /// Which life of the channel; offsets start anew with each.
    pub epoch: u64,
    /// The publication's place in the channel: one more than the one before it.
    pub offset: u64,
    /// The request that it is part of, as `wspush_terms` has it: the same bytes. NULL: none, or one that is not valid.
    pub traceparent: *const c_char,
    /// Its bytes.
    pub traceparent_length: usize,
}

impl From<&Receipt> for wspush_receipt {
    fn from(receipt: &Receipt) -> wspush_receipt {
        let Receipt { epoch, offset, id, .. } = *receipt;
        wspush_receipt { id, epoch, offset, ..wspush_receipt::NONE }
    }
}

impl wspush_receipt {
    /// The receipt of a publication that is part of this request. The text is the host's.
    pub(super) fn of_request(self, parent: Option<&str>) -> wspush_receipt {
        let Some(parent) = parent else { return self };
        wspush_receipt { traceparent: parent.as_ptr().cast(), traceparent_length: parent.len(), ..self }
    }

    /// Of something that has no place.
    pub(super) const NONE: wspush_receipt = wspush_receipt {
        struct_size: 0,
        id: 0,
        epoch: 0,
        offset: 0,
        traceparent: std::ptr::null(),
        traceparent_length: 0,
    };
}

// SAFETY: repr(C), `struct_size` is first, and the rest are integers and a pointer.
unsafe impl Versioned for wspush_receipt {
    const SIZE_MIN: usize = size_of::<usize>() + 24;
}

/// The bits beside the kind.
pub(super) fn options(kind: i32) -> PushOptions {
    PushOptions::default().compress(kind & WSPUSH_UNCOMPRESSED == 0)
}

/// The pace of these, of which 0 is none.
pub(super) fn pace(rate: u64, deadline_ms: u64) -> Result<Option<Pace>, CallError> {
    let some = |number: u64| (number != 0).then_some(number);
    Pace::asked(some(rate), some(deadline_ms)).map_err(|problem| {
        CallError::new(WSPUSH_EINVAL, format!("rate {rate}, deadline_ms {deadline_ms}: {problem}"))
    })
}

/// The message of this kind, with or without options; text is checked.
pub(super) fn message(kind: i32, bytes: &[u8]) -> Result<Message<'_>, CallError> {
    if bytes.is_empty() {
        return Err(PushError::Empty.into());
    }
    match kind & !WSPUSH_UNCOMPRESSED {
        WSPUSH_TEXT => {
            let text = simdutf8::basic::from_utf8(bytes);
            Ok(Message::Text(text.map_err(|_| CallError::new(WSPUSH_EUTF8, "the text is not valid UTF-8"))?))
        }
        WSPUSH_BINARY => Ok(Message::Binary(bytes)),
        _ => {
            let text = format!("kind is {kind}, neither WSPUSH_TEXT nor WSPUSH_BINARY");
            Err(CallError::new(WSPUSH_EINVAL, text))
        }
    }
}

/// A code that a close frame may carry.
pub(super) fn close_code(code: u16) -> Result<CloseCode, CallError> {
    let code = CloseCode(code);
    if code.is_valid_on_wire() {
        Ok(code)
    } else {
        Err(CallError::new(WSPUSH_EINVAL, format!("a close frame can't carry the code {code}")))
    }
}

/// A connection's id. 0 is none: a variable that was never set must not pass for a connection that has gone.
pub(super) fn conn_id(conn: u64) -> Result<ConnId, CallError> {
    if conn == 0 { Err(CallError::new(WSPUSH_EINVAL, "0 is no connection's id")) } else { Ok(ConnId(conn)) }
}

/// A channel's name.
pub(super) fn channel_name(name: &str) -> Result<&str, CallError> {
    if channel_name_ok(name) { Ok(name) } else { Err(PushError::BadChannel.into()) }
}

/// From where on a channel is received.
pub(super) fn beginning(since: &str) -> Result<Since, CallError> {
    since.parse().map_err(|why| CallError::new(WSPUSH_EINVAL, format!("since is {why}")))
}

pub(super) fn put_receipt(place: Option<SizedPlace<wspush_receipt>>, receipt: &Receipt) {
    if let Some(place) = place {
        place.put(receipt.into());
    }
}

/// Publishes a message to everybody: to the default channel. `kind` is `WSPUSH_TEXT` or `WSPUSH_BINARY`, perhaps
/// with `WSPUSH_UNCOMPRESSED`; the data is copied. `receipt` may be NULL.
///
/// Any thread; what one thread asks for happens in its order. Never blocks on the network. `WSPUSH_EAGAIN`: the
/// server's thread is behind, and nothing was published. Others: `WSPUSH_EEMPTY`, `WSPUSH_ETOOLARGE`,
/// `WSPUSH_EUTF8`, `WSPUSH_ESTOPPED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_broadcast(
    server: *const wspush_server,
    kind: i32,
    data: *const c_void,
    length: usize,
    receipt: *mut wspush_receipt,
) -> wspush_status {
    call!(server: server, data: bytes(length), receipt: optional_sized_place => {
        put_receipt(receipt, &server.handle.publish_with(None, message(kind, data)?, options(kind))?);
        Ok(WSPUSH_OK)
    })
}

/// As `wspush_broadcast`, to the subscribers of a channel, which is made if need be. `WSPUSH_ECHANNEL`: not a name
/// for a channel, as an empty one is not; `WSPUSH_ECHANNELS`: there are `channels_max` channels, and each has
/// subscribers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_publish(
    server: *const wspush_server,
    channel: *const c_char,
    channel_length: usize,
    kind: i32,
    data: *const c_void,
    length: usize,
    receipt: *mut wspush_receipt,
) -> wspush_status {
    call!(
        server: server,
        channel: text(channel_length),
        data: bytes(length),
        receipt: optional_sized_place => {
            let (channel, message) = (channel_name(channel)?, message(kind, data)?);
            put_receipt(receipt, &server.handle.publish_with(Some(channel), message, options(kind))?);
            Ok(WSPUSH_OK)
        }
    )
}

/// Sends a message to one connection, behind what this thread has published before. Any thread; never blocks;
/// `WSPUSH_EAGAIN` as for `wspush_broadcast`. Only the server's thread sees whether the connection is still there: a
/// message to one that has gone is dropped, and a client that lets too much wait (`outbox_bytes_max`) is closed with
/// 1013. `WSPUSH_EINVAL`: 0 is no connection.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_send(
    server: *const wspush_server,
    conn: u64,
    kind: i32,
    data: *const c_void,
    length: usize,
) -> wspush_status {
    call!(server: server, data: bytes(length) => {
        server.handle.send_with(conn_id(conn)?, message(kind, data)?, options(kind))?;
        Ok(WSPUSH_OK)
    })
}

/// Closes a connection, behind what this thread has published and sent before, with a code (1000 to 1003, 1007 to
/// 1014, 3000 to 4999) and a reason, of which more than 123 bytes are cut off; one that has gone already is no error,
/// but 0 is (`WSPUSH_EINVAL`). Any thread; never blocks; `WSPUSH_EAGAIN` as for `wspush_broadcast`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_close(
    server: *const wspush_server,
    conn: u64,
    code: u16,
    reason: *const c_char,
    reason_length: usize,
) -> wspush_status {
    call!(server: server, reason: text(reason_length) => {
        server.handle.close(conn_id(conn)?, close_code(code)?, reason)?;
        Ok(WSPUSH_OK)
    })
}

/// Lets in a client that waits for it (`wspush_connect_pending`): as `user`, or as nobody where that has no length;
/// with these channels, whose names are separated by commas, and with the default channel unless `broadcast` is 0.
/// Nothing happens if it has gone or its time was over. Any thread; never blocks; `WSPUSH_EAGAIN` as for
/// `wspush_broadcast`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_accept_pending(
    server: *const wspush_server,
    conn: u64,
    user: *const c_char,
    user_length: usize,
    channels: *const c_char,
    channels_length: usize,
    broadcast: i32,
) -> wspush_status {
    call!(server: server, user: text(user_length), channels: text(channels_length) => {
        let accept = Accept { broadcast: broadcast != 0, ..Accept::default() };
        accept_pending(server, conn, (user, channels), accept)
    })
}

/// Refuses a client that waits (`wspush_connect_pending`), with a status and a reason as `wspush_connect_refuse` does.
/// Any thread; never blocks; `WSPUSH_EAGAIN` as for `wspush_broadcast`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_refuse_pending(
    server: *const wspush_server,
    conn: u64,
    status: u16,
    reason: *const c_char,
    reason_length: usize,
) -> wspush_status {
    call!(server: server, reason: text(reason_length) => {
        server.handle.decide(conn_id(conn)?, super::connect::refusal(status, reason)?)?;
        Ok(WSPUSH_OK)
    })
}

/// Lets a connection receive a channel from now on; one that has gone already is no error, but 0 is (`WSPUSH_EINVAL`),
/// and a name that is none (`WSPUSH_ECHANNEL`). Any thread; never blocks; `WSPUSH_EAGAIN` as for `wspush_broadcast`,
/// also if the channel is new and another reactor has no room to hear of it; `WSPUSH_ECHANNELS`: it is new, and
/// somebody needs each of the `channels_max` that there are. What was taken comes true, unless another thread takes
/// the last place for a channel meanwhile: then the log says `not_subscribed`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_subscribe(
    server: *const wspush_server,
    conn: u64,
    channel: *const c_char,
    channel_length: usize,
) -> wspush_status {
    call!(server: server, channel: text(channel_length) => {
        server.handle.subscribe(conn_id(conn)?, channel)?;
        Ok(WSPUSH_OK)
    })
}

/// As `wspush_subscribe`, from there on: behind a position (`E.O`), or `head`, `earliest`, `last:N`, `time:UNIX_MS`,
/// `latest`; anything else is `WSPUSH_EINVAL`. Nothing happens if it receives the channel already. A publication's
/// position is its receipt's `epoch` and `offset`, both decimal, with a dot between them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_subscribe_since(
    server: *const wspush_server,
    conn: u64,
    channel: *const c_char,
    channel_length: usize,
    since: *const c_char,
    since_length: usize,
) -> wspush_status {
    call!(server: server, channel: text(channel_length), since: text(since_length) => {
        server.handle.subscribe_since(conn_id(conn)?, channel, beginning(since)?)?;
        Ok(WSPUSH_OK)
    })
}

/// Lets it receive the channel no more, but for what this thread has published before; as `wspush_subscribe`
/// otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_unsubscribe(
    server: *const wspush_server,
    conn: u64,
    channel: *const c_char,
    channel_length: usize,
) -> wspush_status {
    call!(server: server, channel: text(channel_length) => {
        server.handle.unsubscribe(conn_id(conn)?, channel)?;
        Ok(WSPUSH_OK)
    })
}
