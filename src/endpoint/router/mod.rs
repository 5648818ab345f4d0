//! Paths of a host's own: each route has a pattern, a handler, and terms that differ from the server's.
//!
//! A host fills a [`Router`], which is its handler; the reactor takes the [`Routes`] out of it. It looks for a route
//! only where a path is none of the server's own, so `/ws` costs what it costs without any.
//!
//! `pattern` reads a pattern, `path` a path, and `tree` finds the most specific of the first for the second.

mod path;
mod pattern;
mod routes;
mod tree;

pub use pattern::{PATTERN_BYTES_MAX, Pattern, ROUTES_MAX, RouteError, SEGMENTS_MAX};
pub use routes::{At, Routes, Terms};

use std::time::Duration;

use super::flow::Pieces;
use super::handler::Handler;

/// Which route a connection has come by: what [`Router::add`] has answered.
///
/// ```
/// use wspush::{RouteError, Router};
///
/// let mut router = Router::new(());
/// let (chat, echo) = (router.add("/chat/{room}", ())?, router.add("/echo", ())?);
/// assert_ne!(chat, echo);
/// # Ok::<(), RouteError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId(pub(crate) u8);

impl RouteId {
    /// For bindings: its number, from 0 on in the order of [`Router::add`].
    #[doc(hidden)]
    pub fn number(self) -> usize {
        usize::from(self.0)
    }

    /// For bindings: the route of this number, if a server may have so many.
    #[doc(hidden)]
    pub fn from_number(number: usize) -> Option<RouteId> {
        u8::try_from(number).ok().filter(|_| number < ROUTES_MAX).map(RouteId)
    }
}

/// A pattern of paths, and what differs there from the server's settings.
///
/// A pattern is a path (`/chat`), may have names for whole segments (`/chat/{room}`), and may end with `/*` for all
/// that is below (`/files/*`, which is `/files` as well). A slash behind a path makes no other one of it. Paths are
/// decoded segment by segment.
///
/// ```
/// use wspush::Route;
///
/// let route = Route::new("/chat/{room}")
///     .message_bytes_max(4 << 10)
///     .idle_timeout(std::time::Duration::from_secs(300))
///     .subprotocols(["chat.v2", "chat.v1"])
///     .origins(["https://example.com"]);
/// # let _ = route;
/// ```
#[derive(Clone, Debug)]
pub struct Route {
    pattern: String,
    terms: Terms,
}

impl Route {
    /// A route with the server's settings. [`Router::add`] says if the pattern is none.
    pub fn new(pattern: impl Into<String>) -> Route {
        Route { pattern: pattern.into(), terms: Terms::default() }
    }

    /// The largest message from a client, in place of the setting `message_bytes_max`.
    pub fn message_bytes_max(mut self, bytes: usize) -> Route {
        self.terms.message_bytes_max = Some(bytes);
        self
    }

    /// The subprotocols offered, in place of the setting `subprotocols`; the client's first match is chosen. With
    /// `wspush.v1` among them clients may speak that here, as they may at `/ws`.
    pub fn subprotocols<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Route {
        self.terms.subprotocols = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// The pages that may connect, in place of the setting `origins`, and in its words.
    pub fn origins<T: Into<String>>(mut self, origins: impl IntoIterator<Item = T>) -> Route {
        self.terms.origins = Some(origins.into_iter().map(Into::into).collect());
        self
    }

    /// The idle time-out that sessions have from the beginning on:
    /// [`Session::set_idle_timeout`](crate::Session::set_idle_timeout) changes it for one.
    pub fn idle_timeout(mut self, timeout: Duration) -> Route {
        self.terms.idle_timeout = Some(timeout);
        self
    }

    /// Whether messages are handed over as they come ([`Handler::on_fragment`]), where the decision about a client
    /// leaves that open ([`Accept::pieces`](crate::Accept::pieces) is [`Pieces::Off`]).
    pub fn pieces(mut self, pieces: Pieces) -> Route {
        self.terms.pieces = pieces;
        self
    }
}

impl From<&str> for Route {
    fn from(pattern: &str) -> Route {
        Route::new(pattern)
    }
}

impl From<String> for Route {
    fn from(pattern: String) -> Route {
        Route::new(pattern)
    }
}

/// A handler for each path.
///
/// `/ws`, `/sse`, `/stream` and `/poll` go to the handler that [`new`](Self::new) is given, and stay unless the setting
/// `endpoints` switches them off. Clients of a route get what is broadcast as well, unless its handler says otherwise
/// ([`Accept::broadcast`](crate::Accept::broadcast)). The query is the handler's to read.
///
/// ```no_run
/// use wspush::{Accept, Config, Connect, Decision, Handler, Message, Router, Server, Session};
///
/// struct Chat;
///
/// impl Handler for Chat {
///     fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
///         let room = format!("room.{}", connect.param("room").unwrap_or_default());
///         Decision::Accept(Accept { channels: vec![room], broadcast: false, ..Accept::default() })
///     }
/// }
///
/// struct Echo;
///
/// impl Handler for Echo {
///     fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
///         session.reply(message);
///     }
/// }
///
/// let mut router = Router::new(());
/// router.add("/chat/{room}", Chat)?;
/// router.add("/echo", Echo)?;
/// Server::bind_with(Config::default(), |_| Box::new(router), None)?.run()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Router {
    others: Box<dyn Handler>,
    routes: Routes,
}

impl Router {
    /// A router without routes. `others` decides about the server's own paths; with `()` the settings alone do.
    pub fn new(others: impl Handler + 'static) -> Router {
        Router::over(Box::new(others))
    }

    /// As [`new`](Self::new). Over another router this one goes on with its routes.
    pub fn over(mut others: Box<dyn Handler>) -> Router {
        others.take_router().unwrap_or_else(|| Router { others, routes: Routes::default() })
    }

    /// Adds a route.
    ///
    /// # Errors
    /// The pattern is none, takes the same paths as another, or is one more than 250. What the server itself has at a
    /// path, and terms out of bounds, [`Server::bind_with`](crate::Server::bind_with) finds.
    pub fn add(
        &mut self,
        route: impl Into<Route>,
        handler: impl Handler + 'static,
    ) -> Result<RouteId, RouteError> {
        self.add_boxed(route.into(), Box::new(handler))
    }

    /// For the reactor: the handler of the server's own paths, and the routes.
    #[doc(hidden)]
    pub fn into_parts(self) -> (Box<dyn Handler>, Routes) {
        (self.others, self.routes)
    }

    /// As [`add`](Self::add).
    pub fn add_boxed(&mut self, route: Route, handler: Box<dyn Handler>) -> Result<RouteId, RouteError> {
        self.routes.add(Pattern::parse(&route.pattern)?, route.terms, handler)
    }
}

/// The reactor takes it apart and calls the handlers in it.
impl Handler for Router {
    fn take_router(&mut self) -> Option<Router> {
        let empty = Router { others: Box::new(()), routes: Routes::default() };
        Some(std::mem::replace(self, empty))
    }
}
