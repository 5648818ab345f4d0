//! Who is in a channel, and what a host says of its users.

use std::ffi::{c_char, c_void};

use wspush::endpoint::ChannelPresence;
use wspush::endpoint::presence::is_info;

use super::connect::wspush_connect;
use super::error::CallError;
use super::pointer::Versioned;
use super::push::channel_name;
use super::reads::{Asker, Found, none, wspush_answer, wspush_on_answer};
use super::server::wspush_server;
use super::status::*;
use super::text::wspush_str;

/// Who is in a channel. Set `struct_size` to `sizeof(wspush_presence_info)` before the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wspush_presence_info {
    /// `sizeof(wspush_presence_info)`.
    pub struct_size: usize,
    /// The channel.
    pub channel: wspush_str,
    /// Which life of it.
    pub epoch: u64,
    /// The offset of its newest publication at that moment; 0: none yet.
    pub offset: u64,
    /// How many users are there.
    pub count: u64,
    /// 1: `wspush_answer_member` gives each of them. 0: they are more than `presence_members_max`, and only counted.
    pub listed: i64,
}

// SAFETY: repr(C), `struct_size` is first, and the rest are integers and a pointer.
unsafe impl Versioned for wspush_presence_info {
    const SIZE_MIN: usize = 3 * size_of::<usize>() + 32;
}

/// A user who is in a channel. Set `struct_size` to `sizeof(wspush_member)` before the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wspush_member {
    /// `sizeof(wspush_member)`.
    pub struct_size: usize,
    /// The user.
    pub user: wspush_str,
    /// JSON that says more about it; without a length: nothing does.
    pub info: wspush_str,
    /// Its connections in the channel; 0: the last one was lost, and it may be back at once.
    pub connections: u64,
}

// SAFETY: repr(C), `struct_size` is first, and the rest are integers and pointers.
unsafe impl Versioned for wspush_member {
    const SIZE_MIN: usize = 5 * size_of::<usize>() + 8;
}

/// The words of a host about a user, which are JSON.
pub(super) fn info(text: &str) -> Result<Option<String>, CallError> {
    match text {
        "" => Ok(None),
        text if is_info(text) => Ok(Some(text.to_owned())),
        _ => Err(CallError::new(WSPUSH_EINVAL, "info is not JSON of at most 1,024 bytes")),
    }
}

/// Says more about the user to those who see it in a channel with presence, in place of its token's `info`: JSON of at
/// most 1,024 bytes, or without a length nothing. It counts if the client is let in. `WSPUSH_EINVAL`: it is something
/// else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_set_info(
    connect: *mut wspush_connect,
    info: *const c_char,
    info_length: usize,
) -> wspush_status {
    call!(connect: current_mut, info: text(info_length) => {
        connect.accept.info = self::info(info)?;
        Ok(WSPUSH_OK)
    })
}

/// Asks who is in a channel: `wspush_answer_presence` and `wspush_answer_member`. The status of the answer is
/// `WSPUSH_ENOTFOUND` also if the channel has no presence. Any thread; never blocks; `WSPUSH_EAGAIN` as for
/// `wspush_broadcast`. The answer knows of all that this thread has asked for before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_presence(
    server: *const wspush_server,
    channel: *const c_char,
    channel_length: usize,
    on_answer: wspush_on_answer,
    user_data: *mut c_void,
) -> wspush_status {
    let made = server;
    call!(server: server, channel: text(channel_length) => {
        let asker = Asker::new(on_answer, user_data, made)?;
        let tell = move |answer: Result<Option<_>, _>| asker.tell(answer.map(|found| found.map(Found::Presence)));
        server.handle.presence(channel_name(channel)?, tell)?;
        Ok(WSPUSH_OK)
    })
}

fn presence(answer: &wspush_answer) -> Result<&ChannelPresence, CallError> {
    match &answer.0 {
        Found::Presence(presence) => Ok(presence),
        _ => Err(CallError::new(WSPUSH_ENOTFOUND, "the answer is about something else than who is there")),
    }
}

/// How many are in the channel. `WSPUSH_ENOTFOUND`: that was not the question.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_answer_presence(
    answer: *const wspush_answer,
    info: *mut wspush_presence_info,
) -> wspush_status {
    call!(answer: current, info: sized_place => {
        let found = presence(answer)?;
        info.put(wspush_presence_info {
            struct_size: 0,
            channel: (&*found.channel).into(),
            epoch: found.epoch,
            offset: found.offset,
            count: found.count,
            listed: found.members.is_some().into(),
        });
        Ok(WSPUSH_OK)
    })
}

/// A member of the answer, by index from 0 in the order of the names. `WSPUSH_ENOTFOUND`: there are no more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_answer_member(
    answer: *const wspush_answer,
    index: usize,
    member: *mut wspush_member,
) -> wspush_status {
    call!(answer: current, member: sized_place => {
        let found = presence(answer)?.members.as_ref().and_then(|members| members.get(index));
        let found = found.ok_or_else(|| none("member", index))?;
        member.put(wspush_member {
            struct_size: 0,
            user: found.user.as_str().into(),
            info: found.info.as_deref().unwrap_or_default().into(),
            connections: found.connections.into(),
        });
        Ok(WSPUSH_OK)
    })
}
