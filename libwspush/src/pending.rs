//! Clients that wait for their decision, and all that there is to say about it.

use std::ffi::{c_char, c_void};

use wspush::endpoint::{Accept, ConnId, Decision, answer_fields};
use wspush::push::Since;

use super::attributes::{HostPointer, wspush_free_attribute};
use super::connect::{refusal, user_name};
use super::error::CallError;
use super::pointer::{self, Versioned};
use super::push::{beginning, channel_name, conn_id};
use super::server::wspush_server;
use super::status::*;
use super::text::wspush_str;

/// How a client is let in that has waited. Zero it, set `struct_size` to `sizeof(wspush_acceptance)`, then what there
/// is.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wspush_acceptance {
    /// `sizeof(wspush_acceptance)`.
    pub struct_size: usize,
    /// Who it is; NULL: nobody.
    pub user: *const c_char,
    /// Its bytes.
    pub user_length: usize,
    /// The channels that it receives, separated by commas.
    pub channels: *const c_char,
    /// Their bytes.
    pub channels_length: usize,
    /// JSON that says more about the user, as in `wspush_connect_set_info`.
    pub info: *const c_char,
    /// Its bytes.
    pub info_length: usize,
    /// 1: it does not receive the default channel.
    pub no_broadcast: u64,
    /// Whether its messages are handed over as they come: one of `WSPUSH_PIECES_...`.
    pub pieces: i64,
    /// The subprotocol, as in `wspush_connect_set_protocol`; NULL: the configuration chooses.
    pub protocol: *const c_char,
    /// Its bytes.
    pub protocol_length: usize,
    /// Headers of the answer, as in `wspush_connect_add_header`: names and values in turn. NULL: none.
    pub headers: *const wspush_str,
    /// How many texts: twice as many as headers.
    pub headers_count: usize,
    /// From where on it receives channels, as in `wspush_connect_set_since`: names and beginnings in turn. NULL: from
    /// now on.
    pub since: *const wspush_str,
    /// How many texts: twice as many as channels.
    pub since_count: usize,
    /// Kept at the connection, as with `wspush_connect_set_attribute`, if the function succeeds. NULL: nothing.
    pub attribute: *mut c_void,
    /// Frees it; may be NULL.
    pub free_attribute: wspush_free_attribute,
}

// SAFETY: repr(C), `struct_size` is first, and the rest are integers and pointers.
unsafe impl Versioned for wspush_acceptance {
    const SIZE_MIN: usize = 7 * size_of::<usize>() + 8;
}

/// How a client is refused that has waited. Zero it, set `struct_size` to `sizeof(wspush_refusal)`, then what there is.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wspush_refusal {
    /// `sizeof(wspush_refusal)`.
    pub struct_size: usize,
    /// The HTTP status, 400 to 599.
    pub status: u64,
    /// The answer's body.
    pub reason: *const c_char,
    /// Its bytes.
    pub reason_length: usize,
    /// Headers of the answer, as in `wspush_connect_add_header`: names and values in turn. NULL: none.
    pub headers: *const wspush_str,
    /// How many texts: twice as many as headers.
    pub headers_count: usize,
}

// SAFETY: repr(C), `struct_size` is first, and the rest are integers and pointers.
unsafe impl Versioned for wspush_refusal {
    const SIZE_MIN: usize = 5 * size_of::<usize>() + 8;
}

/// Names and what belongs to them, in turn.
fn pairs<'a>(texts: &[&'a str], name: &str) -> Result<Vec<(&'a str, &'a str)>, CallError> {
    if !texts.len().is_multiple_of(2) {
        let text = format!("{name}_count is {}, and it counts two texts for each", texts.len());
        return Err(CallError::new(WSPUSH_EINVAL, text));
    }
    Ok(texts.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
}

/// Header fields that may be in an answer.
fn headers(texts: &[&str], name: &str) -> Result<Vec<(String, String)>, CallError> {
    let pairs = pairs(texts, name)?.into_iter();
    let fields: Vec<_> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    answer_fields::check(&fields).map_err(|problem| CallError::new(WSPUSH_EINVAL, problem))?;
    Ok(fields)
}

/// From where on channels are received.
fn beginnings(texts: &[&str]) -> Result<Vec<(String, Since)>, CallError> {
    let pairs = pairs(texts, "acceptance->since")?.into_iter();
    pairs.map(|(name, since)| Ok((channel_name(name)?.to_owned(), beginning(since)?))).collect()
}

/// Lets in a client that waits, as this user and into these channels, which commas part.
pub(super) fn accept_pending(
    server: &wspush_server,
    conn: u64,
    (user, channels): (&str, &str),
    accept: Accept,
) -> Result<wspush_status, CallError> {
    let (conn, accept) = (conn_id(conn)?, with_names(accept, user, channels)?);
    server.handle.decide(conn, Decision::Accept(accept))?;
    Ok(WSPUSH_OK)
}

fn with_names(accept: Accept, user: &str, channels: &str) -> Result<Accept, CallError> {
    let channels = channels.split(',').filter(|_| !channels.is_empty());
    let channels = channels.map(|name| channel_name(name).map(str::to_owned)).collect::<Result<_, _>>()?;
    let user = Some(user).filter(|user| !user.is_empty());
    let user = user.map(user_name).transpose()?.map(str::to_owned);
    Ok(Accept { user, channels, ..accept })
}

/// All of an acceptance but its attribute.
///
/// # Safety
/// The contract of the room holds for the pointers in the struct.
unsafe fn accept(acceptance: &wspush_acceptance) -> Result<Accept, CallError> {
    let wspush_acceptance { user, user_length, channels, channels_length, .. } = *acceptance;
    let wspush_acceptance { info, info_length, protocol, protocol_length, .. } = *acceptance;
    let wspush_acceptance { headers, headers_count, since, since_count, .. } = *acceptance;
    // SAFETY: the caller's.
    let (user, channels, info, protocol, fields, since) = unsafe {
        (
            pointer::text(user, user_length, "acceptance->user")?,
            pointer::text(channels, channels_length, "acceptance->channels")?,
            pointer::text(info, info_length, "acceptance->info")?,
            pointer::optional_text(protocol, protocol_length, "acceptance->protocol")?,
            pointer::texts(headers, headers_count, "acceptance->headers")?,
            pointer::texts(since, since_count, "acceptance->since")?,
        )
    };
    let mut accept = Accept {
        info: super::presence::info(info)?,
        broadcast: acceptance.no_broadcast == 0,
        pieces: super::flow::pieces(acceptance.pieces)?,
        protocol: protocol.map(Into::into),
        since: beginnings(&since)?,
        ..Accept::default()
    };
    for (name, value) in self::headers(&fields, "acceptance->headers")? {
        accept = accept.with_header(name, value);
    }
    with_names(accept, user, channels)
}

/// Decides with an attribute, which stays the host's if that fails.
fn decide_keeping(
    server: &wspush_server,
    conn: ConnId,
    accept: Accept,
    attribute: HostPointer,
) -> Result<(), CallError> {
    let accept = accept.with_attribute(attribute);
    let kept = accept.clone();
    server.handle.decide(conn, Decision::Accept(accept)).map_err(|problem| {
        let attribute = kept.more.and_then(|more| more.take_attribute());
        if let Some(Ok(mut attribute)) = attribute.map(|attribute| attribute.downcast::<HostPointer>()) {
            attribute.give_back();
        }
        problem.into()
    })
}

/// Lets in a client that waits for it, as `wspush_accept_pending` does, with all that there is to say. Any thread;
/// never blocks; `WSPUSH_EAGAIN` as for `wspush_broadcast`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_accept_pending_with(
    server: *const wspush_server,
    conn: u64,
    acceptance: *const wspush_acceptance,
) -> wspush_status {
    call!(server: server, acceptance: optional_sized => {
        let acceptance = acceptance.ok_or_else(|| CallError::new(WSPUSH_ENULL, "acceptance is NULL"))?;
        // SAFETY: the contract of the room holds for the pointers in the struct as well.
        let (conn, accept) = (conn_id(conn)?, unsafe { accept(&acceptance) }?);
        if acceptance.attribute.is_null() {
            server.handle.decide(conn, Decision::Accept(accept))?;
        } else {
            let attribute = HostPointer::new(acceptance.attribute, acceptance.free_attribute);
            decide_keeping(server, conn, accept, attribute)?;
        }
        Ok(WSPUSH_OK)
    })
}

/// Refuses a client that waits, as `wspush_refuse_pending` does, with all that there is to say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_refuse_pending_with(
    server: *const wspush_server,
    conn: u64,
    refused: *const wspush_refusal,
) -> wspush_status {
    call!(server: server, refused: optional_sized => {
        let refused = refused.ok_or_else(|| CallError::new(WSPUSH_ENULL, "refused is NULL"))?;
        let wspush_refusal { reason, reason_length, headers, headers_count, .. } = refused;
        // SAFETY: as in `wspush_accept_pending_with`.
        let (reason, fields) = unsafe {
            (
                pointer::text(reason, reason_length, "refused->reason")?,
                pointer::texts(headers, headers_count, "refused->headers")?,
            )
        };
        let decision = refusal(u16::try_from(refused.status).unwrap_or(u16::MAX), reason)?;
        let fields = self::headers(&fields, "refused->headers")?.into_iter();
        let decision = fields.fold(decision, |decision, (name, value)| decision.with_header(name, value));
        server.handle.decide(conn_id(conn)?, decision)?;
        Ok(WSPUSH_OK)
    })
}
