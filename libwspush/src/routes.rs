//! Paths of a host's own.

use std::ffi::c_char;

use wspush::endpoint::{ConnId, Route, RouteId, Router, SessionInfo, SessionList};

use super::callbacks::wspush_callbacks;
use super::config::wspush_config;
use super::connect::wspush_connect;
use super::error::CallError;
use super::flow::pieces;
use super::pointer::{self, Versioned};
use super::reads::{Asker, Found, none, page_limit, wspush_answer, wspush_on_answer};
use super::server::wspush_server;
use super::status::*;
use super::text::wspush_str;
use super::tuning::timeout;

/// In place of a route's number: no route, or all of them.
pub const WSPUSH_NO_ROUTE: u32 = 0xffff_ffff;

/// The terms of a route, where they differ from the server's settings. Zero it, set `struct_size` to
/// `sizeof(wspush_route_terms)`, then what is wanted.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wspush_route_terms {
    /// `sizeof(wspush_route_terms)`.
    pub struct_size: usize,
    /// The largest message from a client; 0: the setting `message_bytes_max`.
    pub message_bytes_max: u64,
    /// The subprotocols offered; the client's first match is chosen. With `wspush.v1` among them clients may speak
    /// that, as they may at `/ws`. NULL: the setting `subprotocols`.
    pub subprotocols: *const wspush_str,
    /// How many.
    pub subprotocols_count: usize,
    /// The pages that may connect. NULL: the setting `origins`.
    pub origins: *const wspush_str,
    /// How many.
    pub origins_count: usize,
    /// Whether messages are handed over as they come: one of `WSPUSH_PIECES_...`. It holds where the decision about a
    /// client is `WSPUSH_PIECES_OFF`, which is what it is unless something else is said.
    pub pieces: i64,
    /// The idle time-out that sessions have from the beginning on, as in `wspush_session_set_idle_timeout`. 0: none.
    pub idle_ms: u64,
}

// SAFETY: repr(C), `struct_size` is first, and the rest are integers and pointers.
unsafe impl Versioned for wspush_route_terms {
    const SIZE_MIN: usize = 5 * size_of::<usize>() + 8;
}

/// An open session. Set `struct_size` to `sizeof(wspush_session_info)` before the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wspush_session_info {
    /// `sizeof(wspush_session_info)`.
    pub struct_size: usize,
    /// Its id.
    pub conn: u64,
    /// Who it is; without a length: nobody has said.
    pub user: wspush_str,
    /// Where it comes from, as `wspush_connect_peer` gives it; without a length: nobody knows.
    pub peer: wspush_str,
    /// Its route, or `WSPUSH_NO_ROUTE`.
    pub route: u64,
    /// Bytes that wait for it alone: what was sent to it and its socket has not taken.
    pub outbox_bytes: u64,
    /// 1: it speaks TLS with this server.
    pub is_secure: i64,
}

// SAFETY: repr(C), `struct_size` is first, and the rest are integers and pointers.
unsafe impl Versioned for wspush_session_info {
    const SIZE_MIN: usize = 5 * size_of::<usize>() + 16;
}

/// A route that a configuration has.
pub(super) struct Added {
    pub(super) route: Route,
    pub(super) callbacks: wspush_callbacks,
}

/// The routes of a configuration.
pub(super) struct Routes {
    pub(super) added: Vec<Added>,
    /// Says which can be added.
    check: Router,
}

impl Default for Routes {
    fn default() -> Routes {
        Routes { added: Vec::new(), check: Router::new(()) }
    }
}

/// The sessions of an answer, with the text that was made for the host.
pub(super) struct Sessions {
    pub(super) sessions: Vec<(SessionInfo, String)>,
    pub(super) next: Option<ConnId>,
}

impl Sessions {
    fn new(sessions: Vec<SessionInfo>, next: Option<ConnId>) -> Sessions {
        let with_peer = |session: SessionInfo| {
            let peer = session.peer.map(|peer| peer.to_string()).unwrap_or_default();
            (session, peer)
        };
        Sessions { sessions: sessions.into_iter().map(with_peer).collect(), next }
    }
}

/// Which route this is, as C has it.
pub(super) fn number(route: Option<RouteId>) -> u32 {
    route.and_then(|route| u32::try_from(route.number()).ok()).unwrap_or(WSPUSH_NO_ROUTE)
}

fn route_of(number: u32) -> Result<RouteId, CallError> {
    let none =
        || CallError::new(WSPUSH_EINVAL, format!("{number} is no route: wspush_route_add gives its number"));
    RouteId::from_number(number as usize).ok_or_else(none)
}

fn absent(what: &str) -> CallError {
    CallError::new(WSPUSH_ENOTFOUND, format!("there is no such {what}"))
}

/// Adds a route to the servers that are made with this configuration: whoever asks for a path that `pattern` takes is
/// for these callbacks, whose `on_log` is not used; `user_data` is theirs as well. `terms` may be NULL. `route` is
/// its number, from 0 on.
///
/// A pattern is a path (`/chat`), may have names for whole segments (`/chat/{room}`: `wspush_connect_param`), and may
/// end with a slash and a star for all that is below. The most specific one counts, and the server's own paths (`/ws`
/// and the like) come first, unless the setting `endpoints` is off. A slash behind a path makes no other one of it.
/// The query is the host's to read. `WSPUSH_ECONFIG`: it is no pattern, takes the same paths as another, or is one
/// more than 250. `wspush_server_new` says it about terms out of bounds, and about a path that the server has itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_route_add(
    config: *mut wspush_config,
    pattern: *const c_char,
    pattern_length: usize,
    terms: *const wspush_route_terms,
    callbacks: *const wspush_callbacks,
    route: *mut u32,
) -> wspush_status {
    call!(config: given_mut, pattern: text(pattern_length), terms: optional_sized, callbacks: optional_sized,
          route: place => {
        let callbacks = callbacks.ok_or_else(|| CallError::new(WSPUSH_ENULL, "callbacks is NULL"))?;
        let added = with_terms(Route::new(pattern), terms)?;
        let refused = |error: wspush::RouteError| CallError::new(WSPUSH_ECONFIG, error.to_string());
        let id = config.routes.check.add(pattern, ()).map_err(refused)?;
        config.routes.added.push(Added { route: added, callbacks });
        route.put(number(Some(id)));
        Ok(WSPUSH_OK)
    })
}

fn with_terms(mut route: Route, terms: Option<wspush_route_terms>) -> Result<Route, CallError> {
    let Some(terms) = terms else { return Ok(route) };
    if terms.message_bytes_max > 0 {
        route = route.message_bytes_max(usize::try_from(terms.message_bytes_max).unwrap_or(usize::MAX));
    }
    if let Some(timeout) = timeout(terms.idle_ms) {
        route = route.idle_timeout(timeout);
    }
    route = route.pieces(pieces(terms.pieces)?);
    // SAFETY: the contract of the room holds for the pointers in the struct as well.
    unsafe {
        if !terms.subprotocols.is_null() {
            let names = pointer::texts(terms.subprotocols, terms.subprotocols_count, "terms->subprotocols")?;
            route = route.subprotocols(names);
        }
        if !terms.origins.is_null() {
            route = route.origins(pointer::texts(terms.origins, terms.origins_count, "terms->origins")?);
        }
    }
    Ok(route)
}

/// How many connections of a route are open. It takes no lock and asks nobody.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_route_online(
    server: *const wspush_server,
    route: u32,
    count: *mut u64,
) -> wspush_status {
    call!(server: server, count: place => {
        count.put(server.handle.online(route_of(route)?));
        Ok(WSPUSH_OK)
    })
}

/// The route that a client asks at, by the number of `wspush_route_add`; `WSPUSH_NO_ROUTE`: at a path of the server's
/// own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_route(
    connect: *const wspush_connect,
    route: *mut u32,
) -> wspush_status {
    call!(connect: current, route: place => {
        route.put(number(connect.connect().route()));
        Ok(WSPUSH_OK)
    })
}

/// The value of a name in the route's pattern, decoded: `lobby` for `room` of `/chat/{room}` at `/chat/lobby`. It is
/// not empty, and has no control characters and no `..`, but may have an encoded slash. `WSPUSH_ENOTFOUND`: there is
/// no such name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_param(
    connect: *const wspush_connect,
    name: *const c_char,
    name_length: usize,
    value: *mut wspush_str,
) -> wspush_status {
    call!(connect: current, name: text(name_length), value: place => {
        value.put(connect.connect().param(name).ok_or_else(|| absent("name in the pattern"))?.into());
        Ok(WSPUSH_OK)
    })
}

/// The rest of the path beyond a pattern that ends with a star, decoded. `WSPUSH_ENOTFOUND`: it does not end so.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_rest(
    connect: *mut wspush_connect,
    rest: *mut wspush_str,
) -> wspush_status {
    call!(connect: current_mut, rest: place => {
        let found = connect.connect().rest().ok_or_else(|| absent("rest of the path"))?;
        rest.put(connect.keep(found));
        Ok(WSPUSH_OK)
    })
}

/// The value of the first cookie of this name, without quotes. `WSPUSH_ENOTFOUND`: there is none, or it is empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_cookie(
    connect: *const wspush_connect,
    name: *const c_char,
    name_length: usize,
    value: *mut wspush_str,
) -> wspush_status {
    call!(connect: current, name: text(name_length), value: place => {
        value.put(connect.connect().cookie(name).ok_or_else(|| absent("cookie"))?.into());
        Ok(WSPUSH_OK)
    })
}

/// Asks about one session: `wspush_answer_session` with index 0. The status of the answer is `WSPUSH_ENOTFOUND` if it
/// is not open any more. As `wspush_channel` otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_session_of(
    server: *const wspush_server,
    conn: u64,
    on_answer: wspush_on_answer,
    user_data: *mut std::ffi::c_void,
) -> wspush_status {
    let made = server;
    call!(server: server => {
        let asker = Asker::new(on_answer, user_data, made)?;
        let found = |info: Option<_>| info.map(|info| Found::Sessions(Sessions::new(vec![info], None)));
        server.handle.session(ConnId(conn), move |info| asker.tell(info.map(found)))?;
        Ok(WSPUSH_OK)
    })
}

/// Asks which sessions of a route are open (`WSPUSH_NO_ROUTE`: at all paths), `limit` (1 to 1,000; 0: 100) at the most:
/// `wspush_answer_session` with each index. `after` is 0, or what `wspush_answer_next` gave for the page before. The
/// status of the answer is `WSPUSH_EAGAIN` if 64 lists are under way. As `wspush_channel` otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_sessions(
    server: *const wspush_server,
    route: u32,
    after: u64,
    limit: u32,
    on_answer: wspush_on_answer,
    user_data: *mut std::ffi::c_void,
) -> wspush_status {
    let made = server;
    call!(server: server => {
        let asker = Asker::new(on_answer, user_data, made)?;
        let mut list = SessionList::default().limit(page_limit(limit));
        if route != WSPUSH_NO_ROUTE {
            list = list.of(route_of(route)?);
        }
        if after != 0 {
            list = list.after(ConnId(after));
        }
        let tell = move |page: Result<wspush::SessionPage, _>| {
            asker.tell(page.map(|page| Some(Found::Sessions(Sessions::new(page.sessions, page.next)))));
        };
        server.handle.sessions(list, tell)?;
        Ok(WSPUSH_OK)
    })
}

fn session(answer: &wspush_answer, index: usize) -> Result<&(SessionInfo, String), CallError> {
    let found = match &answer.0 {
        Found::Sessions(page) => page.sessions.get(index),
        _ => None,
    };
    found.ok_or_else(|| none("session", index))
}

/// A session of the answer, by index from 0. `WSPUSH_ENOTFOUND`: there are no more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_answer_session(
    answer: *const wspush_answer,
    index: usize,
    session: *mut wspush_session_info,
) -> wspush_status {
    call!(answer: current, session: sized_place => {
        let (info, peer) = self::session(answer, index)?;
        session.put(wspush_session_info {
            struct_size: 0,
            conn: info.id.0,
            user: info.user.as_deref().unwrap_or_default().into(),
            peer: peer.as_str().into(),
            route: number(info.route).into(),
            outbox_bytes: info.outbox_bytes as u64,
            is_secure: info.is_secure.into(),
        });
        Ok(WSPUSH_OK)
    })
}

/// The value of a name in its route's pattern. `WSPUSH_ENOTFOUND`: there is no such session, or no such name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_answer_session_param(
    answer: *const wspush_answer,
    index: usize,
    name: *const c_char,
    name_length: usize,
    value: *mut wspush_str,
) -> wspush_status {
    call!(answer: current, name: text(name_length), value: place => {
        let (info, _) = self::session(answer, index)?;
        value.put(info.param(name).ok_or_else(|| absent("name in the pattern"))?.into());
        Ok(WSPUSH_OK)
    })
}

/// A name in its route's pattern and its value, by index from 0. `WSPUSH_ENOTFOUND`: there is no such session, or there
/// are no more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_answer_session_param_at(
    answer: *const wspush_answer,
    session_index: usize,
    index: usize,
    name: *mut wspush_str,
    value: *mut wspush_str,
) -> wspush_status {
    call!(answer: current, name: place, value: place => {
        let (info, _) = session(answer, session_index)?;
        let (own, stands_for) = info.parameters.get(index).ok_or_else(|| none("name in the pattern", index))?;
        name.put(own.as_str().into());
        value.put(stands_for.as_str().into());
        Ok(WSPUSH_OK)
    })
}
