//! Questions about channels, users and sessions, and their answers.

use std::ffi::{c_char, c_void};

use wspush::endpoint::{
    ChannelHistory, ChannelInfo, ChannelList, ChannelPage, ChannelPresence, ConnId, HistoryQuery, NodeInfo,
    UserPage,
};
use wspush::push::{Kind, PushError};

use super::callbacks::{WSPUSH_BINARY, WSPUSH_TEXT};
use super::error::CallError;
use super::host::Current;
use super::pointer::{self, Versioned};
use super::push::{beginning, channel_name};
use super::routes::Sessions;
use super::server::wspush_server;
use super::status::*;
use super::text::wspush_str;

/// An answer. It is there while `wspush_on_answer` runs; outside of it, and on other threads, every function that takes
/// it answers `WSPUSH_EWRONGTHREAD` and touches nothing. What they give lives as long.
pub struct wspush_answer(pub(super) Found);

pub(super) enum Found {
    Channels(ChannelPage),
    History(ChannelHistory),
    Presence(ChannelPresence),
    Connections(UserPage),
    Sessions(Sessions),
    Nodes(Vec<NodeInfo>),
}

/// Takes the answer to a question. It is called once for each question that was taken (`WSPUSH_OK`), on the server's
/// thread or by `wspush_server_poll`, and the rules of `wspush_callbacks` hold for it. `answer` is NULL unless `status`
/// is `WSPUSH_OK`. `WSPUSH_ENOTFOUND`: there is no such channel, as it has neither subscribers nor publications.
/// `WSPUSH_ESTOPPED`: the server has ended before; it is called then at the latest by the end of `wspush_server_stop`
/// or `wspush_server_free`. `WSPUSH_EAGAIN`: not now, as the question's function says.
pub type wspush_on_answer = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        server: *mut wspush_server,
        status: wspush_status,
        answer: *const wspush_answer,
    ),
>;

/// Which publications of a channel to read. Zero it, set `struct_size` to `sizeof(wspush_history_query)`, then what is
/// wanted.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wspush_history_query {
    /// `sizeof(wspush_history_query)`.
    pub struct_size: usize,
    /// From where on, as in `wspush_subscribe_since`. NULL: `earliest`.
    pub since: *const c_char,
    /// Its bytes.
    pub since_length: usize,
    /// So many at the most, 1 to 1,000; 0: 100. A page has about 256 KiB at the most.
    pub limit: u32,
    /// 1: the newest first.
    pub newest_first: u32,
}

// SAFETY: repr(C), `struct_size` is first, and the rest are integers and a pointer.
unsafe impl Versioned for wspush_history_query {
    const SIZE_MIN: usize = 3 * size_of::<usize>() + 8;
}

/// How a channel stands. Set `struct_size` to `sizeof(wspush_channel_info)` before the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wspush_channel_info {
    /// `sizeof(wspush_channel_info)`.
    pub struct_size: usize,
    /// Its name.
    pub name: wspush_str,
    /// Which life of it; offsets start anew with each.
    pub epoch: u64,
    /// The offset of its newest publication; 0: none yet.
    pub offset: u64,
    /// The offset of the oldest one that it has; of the next one if it has none.
    pub first: u64,
    /// Bytes of those that it has, as frames.
    pub bytes: u64,
    /// Its subscribers.
    pub subscribers: u64,
    /// Its members: users who are there, if it has presence.
    pub members: u64,
}

// SAFETY: repr(C), `struct_size` is first, and the rest are integers and a pointer.
unsafe impl Versioned for wspush_channel_info {
    const SIZE_MIN: usize = 3 * size_of::<usize>() + 40;
}

/// A publication that was. Set `struct_size` to `sizeof(wspush_publication)` before the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wspush_publication {
    /// `sizeof(wspush_publication)`.
    pub struct_size: usize,
    /// Its offset: with the channel's epoch its position.
    pub offset: u64,
    /// When it came, in milliseconds since 1970.
    pub time_ms: u64,
    /// `WSPUSH_TEXT` or `WSPUSH_BINARY`.
    pub kind: i64,
    /// Its bytes; not NULL.
    pub data: *const c_void,
    /// How many.
    pub length: usize,
}

// SAFETY: repr(C), `struct_size` is first, and the rest are integers and a pointer.
unsafe impl Versioned for wspush_publication {
    const SIZE_MIN: usize = 3 * size_of::<usize>() + 24;
}

/// The host's function, and what it is called with.
pub(super) struct Asker {
    on_answer: unsafe extern "C" fn(*mut c_void, *mut wspush_server, wspush_status, *const wspush_answer),
    user_data: *mut c_void,
    server: *const wspush_server,
}

// SAFETY: the pointers are only handed back to the host, on the server's thread, as `wspush_on_answer` says.
unsafe impl Send for Asker {}

impl Asker {
    pub(super) fn new(
        on_answer: wspush_on_answer,
        user_data: *mut c_void,
        server: *const wspush_server,
    ) -> Result<Asker, CallError> {
        let on_answer = on_answer.ok_or_else(|| CallError::new(WSPUSH_ENULL, "on_answer is NULL"))?;
        Ok(Asker { on_answer, user_data, server })
    }

    /// Calls it. None: there is no such thing.
    pub(super) fn tell(self, answer: Result<Option<Found>, PushError>) {
        let (status, found) = match answer {
            Ok(Some(found)) => (WSPUSH_OK, Some(wspush_answer(found))),
            Ok(None) => (WSPUSH_ENOTFOUND, None),
            Err(problem) => (CallError::from(problem).status, None),
        };
        let pointer = found.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        let _current = Current::enter(pointer.cast_mut());
        // SAFETY: the host's function of this type; `found` lives until it returns, and so does the server, which is
        // not freed before it has told everybody.
        unsafe { (self.on_answer)(self.user_data, self.server.cast_mut(), status, pointer) };
    }
}

pub(super) fn page_limit(limit: u32) -> usize {
    if limit == 0 { ChannelList::default().limit } else { limit as usize }
}

fn of_channel(info: Option<ChannelInfo>) -> Option<Found> {
    Some(Found::Channels(ChannelPage { channels: vec![info?], ..ChannelPage::default() }))
}

/// Asks how a channel stands: `wspush_answer_channel` with index 0. Any thread; never blocks; `WSPUSH_EAGAIN` as for
/// `wspush_broadcast`. The answer knows of all that this thread has published before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_channel(
    server: *const wspush_server,
    channel: *const c_char,
    channel_length: usize,
    on_answer: wspush_on_answer,
    user_data: *mut c_void,
) -> wspush_status {
    let made = server;
    call!(server: server, channel: text(channel_length) => {
        let asker = Asker::new(on_answer, user_data, made)?;
        let tell = move |info: Result<_, _>| asker.tell(info.map(of_channel));
        server.handle.channel(channel_name(channel)?, tell)?;
        Ok(WSPUSH_OK)
    })
}

/// Asks which channels there are whose names begin with `prefix`, `limit` (1 to 1,000; 0: 100) at the most:
/// `wspush_answer_channel` with each index. `after` is 0, or what `wspush_answer_next` gave for the page before. The
/// status of the answer is `WSPUSH_EAGAIN` if 64 lists are under way. As `wspush_channel` otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_channels(
    server: *const wspush_server,
    prefix: *const c_char,
    prefix_length: usize,
    after: u64,
    limit: u32,
    on_answer: wspush_on_answer,
    user_data: *mut c_void,
) -> wspush_status {
    let made = server;
    call!(server: server, prefix: text(prefix_length) => {
        let asker = Asker::new(on_answer, user_data, made)?;
        let (prefix, limit) = (prefix.to_owned(), page_limit(limit));
        let list = ChannelList { prefix, after: after.checked_sub(1), limit };
        server.handle.channels(list, move |page| asker.tell(page.map(|page| Some(Found::Channels(page)))))?;
        Ok(WSPUSH_OK)
    })
}

/// Asks for the publications that a channel has, a page at a time: `wspush_answer_publication` with each index, and
/// `wspush_answer_channel` with index 0. `query` may be NULL. The next page begins behind the position of the last
/// publication: the channel's epoch, a dot, and its offset. As `wspush_channel` otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_history(
    server: *const wspush_server,
    channel: *const c_char,
    channel_length: usize,
    query: *const wspush_history_query,
    on_answer: wspush_on_answer,
    user_data: *mut c_void,
) -> wspush_status {
    let made = server;
    call!(server: server, channel: text(channel_length), query: optional_sized => {
        let asker = Asker::new(on_answer, user_data, made)?;
        let asked = query.map(history_query).transpose()?.unwrap_or_default();
        let tell = move |page: Result<Option<_>, _>| asker.tell(page.map(|page| page.map(Found::History)));
        server.handle.history(channel_name(channel)?, asked, tell)?;
        Ok(WSPUSH_OK)
    })
}

fn history_query(query: wspush_history_query) -> Result<HistoryQuery, CallError> {
    let wspush_history_query { since, since_length, limit, newest_first, .. } = query;
    let mut asked = HistoryQuery::default().limit(page_limit(limit));
    if !since.is_null() {
        // SAFETY: the contract of the room holds for the pointer in the struct as well.
        asked.since = beginning(unsafe { pointer::text(since, since_length, "query->since") }?)?;
    }
    Ok(if newest_first == 0 { asked } else { asked.newest_first() })
}

/// Lets a channel forget what was published there; it begins another life, with the same subscribers.
/// `wspush_answer_channel` with index 0 says how it stands then. The status of the answer is `WSPUSH_EAGAIN` while
/// others publish there: try again. As `wspush_channel` otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_forget_history(
    server: *const wspush_server,
    channel: *const c_char,
    channel_length: usize,
    on_answer: wspush_on_answer,
    user_data: *mut c_void,
) -> wspush_status {
    let made = server;
    call!(server: server, channel: text(channel_length) => {
        let asker = Asker::new(on_answer, user_data, made)?;
        let tell = move |info: Result<_, _>| asker.tell(info.map(of_channel));
        server.handle.forget_history(channel_name(channel)?, tell)?;
        Ok(WSPUSH_OK)
    })
}

/// Asks which connections a user has, `limit` (1 to 1,000; 0: 100) at the most: `wspush_answer_connection` with each
/// index. `after` is 0, or what `wspush_answer_next` gave for the page before. `WSPUSH_EINVAL` as for
/// `wspush_publish_user`; as `wspush_channel` otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_user_connections(
    server: *const wspush_server,
    user: *const c_char,
    user_length: usize,
    after: u64,
    limit: u32,
    on_answer: wspush_on_answer,
    user_data: *mut c_void,
) -> wspush_status {
    let made = server;
    call!(server: server, user: text(user_length) => {
        let asker = Asker::new(on_answer, user_data, made)?;
        let after = Some(ConnId(after)).filter(|_| after != 0);
        let tell = move |page: Result<_, _>| asker.tell(page.map(|page| Some(Found::Connections(page))));
        server.handle.user_connections(user, after, page_limit(limit), tell)?;
        Ok(WSPUSH_OK)
    })
}

pub(super) fn none(what: &str, index: usize) -> CallError {
    CallError::new(WSPUSH_ENOTFOUND, format!("the answer has no {what} {index}"))
}

/// A channel of the answer, by index from 0. `WSPUSH_ENOTFOUND`: there are no more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_answer_channel(
    answer: *const wspush_answer,
    index: usize,
    channel: *mut wspush_channel_info,
) -> wspush_status {
    call!(answer: current, channel: sized_place => {
        let found = match &answer.0 {
            Found::Channels(page) => page.channels.get(index),
            Found::History(page) => Some(&page.channel).filter(|_| index == 0),
            Found::Presence(_) | Found::Connections(_) | Found::Sessions(_) | Found::Nodes(_) => None,
        };
        let info = found.ok_or_else(|| none("channel", index))?;
        channel.put(wspush_channel_info {
            struct_size: 0,
            name: (&*info.channel).into(),
            epoch: info.epoch,
            offset: info.offset,
            first: info.first,
            bytes: info.bytes,
            subscribers: info.subscribers.into(),
            members: info.members,
        });
        Ok(WSPUSH_OK)
    })
}

/// A publication of the answer, by index from 0. `WSPUSH_ENOTFOUND`: there are no more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_answer_publication(
    answer: *const wspush_answer,
    index: usize,
    publication: *mut wspush_publication,
) -> wspush_status {
    call!(answer: current, publication: sized_place => {
        let found = match &answer.0 {
            Found::History(page) => page.publications.get(index),
            _ => None,
        };
        let past = found.ok_or_else(|| none("publication", index))?;
        publication.put(wspush_publication {
            struct_size: 0,
            offset: past.offset,
            time_ms: past.unix_ms,
            kind: if past.kind == Kind::Text { WSPUSH_TEXT } else { WSPUSH_BINARY }.into(),
            data: past.payload.as_ptr().cast(),
            length: past.payload.len(),
        });
        Ok(WSPUSH_OK)
    })
}

/// Which of the publications that were asked for are gone: the offsets of the first and the last one.
/// `WSPUSH_ENOTFOUND`: none are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_answer_missed(
    answer: *const wspush_answer,
    from: *mut u64,
    to: *mut u64,
) -> wspush_status {
    call!(answer: current, from: place, to: place => {
        let gap = match &answer.0 {
            Found::History(page) => page.missed,
            _ => None,
        };
        let gap = gap.ok_or_else(|| CallError::new(WSPUSH_ENOTFOUND, "nothing that was asked for is gone"))?;
        from.put(gap.from);
        to.put(gap.to);
        Ok(WSPUSH_OK)
    })
}

/// A user's connection of the answer, by index from 0: its id. `WSPUSH_ENOTFOUND`: there are no more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_answer_connection(
    answer: *const wspush_answer,
    index: usize,
    conn: *mut u64,
) -> wspush_status {
    call!(answer: current, conn: place => {
        conn.put(connection(answer, index)?.id.0);
        Ok(WSPUSH_OK)
    })
}

/// A channel that a connection of the answer receives, by the indices of both. `WSPUSH_ENOTFOUND`: there are no more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_answer_connection_channel(
    answer: *const wspush_answer,
    connection_index: usize,
    index: usize,
    channel: *mut wspush_str,
) -> wspush_status {
    call!(answer: current, channel: place => {
        let name = connection(answer, connection_index)?.channels.get(index);
        channel.put(name.ok_or_else(|| none("channel", index))?.as_str().into());
        Ok(WSPUSH_OK)
    })
}

fn connection(answer: &wspush_answer, index: usize) -> Result<&wspush::endpoint::UserConnection, CallError> {
    let found = match &answer.0 {
        Found::Connections(page) => page.connections.get(index),
        _ => None,
    };
    found.ok_or_else(|| none("connection", index))
}

/// The value to give as `after` for the next page of channels, connections or sessions. `WSPUSH_ENOTFOUND`: that was
/// all.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_answer_next(answer: *const wspush_answer, after: *mut u64) -> wspush_status {
    call!(answer: current, after: place => {
        let next = match &answer.0 {
            Found::Channels(page) => page.next.map(|place| place + 1),
            Found::Connections(page) => page.next.map(|conn| conn.0),
            Found::Sessions(page) => page.next.map(|conn| conn.0),
            Found::History(_) | Found::Presence(_) | Found::Nodes(_) => None,
        };
        after.put(next.ok_or_else(|| CallError::new(WSPUSH_ENOTFOUND, "that was all"))?);
        Ok(WSPUSH_OK)
    })
}
