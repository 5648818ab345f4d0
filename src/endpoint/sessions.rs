//! Open sessions, as a host asks about them from any thread.

use std::net::SocketAddr;

use crate::narrow;

use super::requests::PAGE_DEFAULT;
use super::{ConnId, RouteId};

/// An open session, as it was when it was looked at.
///
/// ```no_run
/// # fn example(handle: &wspush::Handle, conn: wspush::ConnId) -> Result<(), wspush::PushError> {
/// handle.session(conn, |answer| match answer {
///     Ok(Some(session)) => println!("{:?} in {:?}", session.user, session.param("room")),
///     Ok(None) => println!("it has gone"),
///     Err(_) => {}
/// })
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its id.
    pub id: ConnId,
    /// Who it is.
    pub user: Option<String>,
    /// The route that it has come by; None: by a path of the server's own.
    pub route: Option<RouteId>,
    /// The names in the route's pattern and their values.
    pub parameters: Vec<(String, String)>,
    /// Where it comes from; None where the transport has no addresses.
    pub peer: Option<SocketAddr>,
    /// Whether it speaks TLS with this server. Behind a proxy that ends TLS it doesn't.
    pub is_secure: bool,
    /// Bytes that wait for it alone: what was sent to it and its socket has not taken.
    pub outbox_bytes: usize,
}

impl SessionInfo {
    /// The value of a name in the route's pattern.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(own, _)| own == name).map(|(_, value)| &**value)
    }
}

/// Which open sessions to list. By default all of them, 100 on a page.
///
/// ```
/// use wspush::{Router, SessionList};
///
/// let chat = Router::new(()).add("/chat/{room}", ())?;
/// let list = SessionList::default().of(chat).limit(1_000);
/// # assert_eq!((list.route, list.limit, list.after), (Some(chat), 1_000, None));
/// # Ok::<(), wspush::RouteError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionList {
    /// Only those of this route.
    pub route: Option<RouteId>,
    /// Behind this one: the `next` of the page before.
    pub after: Option<ConnId>,
    /// So many at the most, 1 to 1,000.
    pub limit: usize,
}

impl Default for SessionList {
    fn default() -> SessionList {
        SessionList { route: None, after: None, limit: narrow::to_usize(PAGE_DEFAULT) }
    }
}

impl SessionList {
    /// Only those of this route.
    #[must_use]
    pub fn of(self, route: RouteId) -> SessionList {
        SessionList { route: Some(route), ..self }
    }

    /// Behind this one.
    #[must_use]
    pub fn after(self, after: ConnId) -> SessionList {
        SessionList { after: Some(after), ..self }
    }

    /// So many at the most.
    #[must_use]
    pub fn limit(self, limit: usize) -> SessionList {
        SessionList { limit, ..self }
    }
}

/// A page of open sessions. Those that come while the list is made may be on it or not.
///
/// ```no_run
/// # fn example(handle: &wspush::Handle) -> Result<(), wspush::PushError> {
/// use wspush::SessionList;
///
/// handle.sessions(SessionList::default(), |page| {
///     let Ok(page) = page else { return };
///     page.sessions.iter().for_each(|session| println!("{} {:?}", session.id, session.user));
/// })
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionPage {
    /// The sessions.
    pub sessions: Vec<SessionInfo>,
    /// Ask for those behind this one for the next page; None: that was all.
    pub next: Option<ConnId>,
}
