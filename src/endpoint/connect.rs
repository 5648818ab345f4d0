//! A client that asks to be let in, as a host's `on_connect` sees it.

use std::net::SocketAddr;

use crate::auth::Claims;
use crate::config::{ClientRight, Config, Transport};
use crate::protocol::cookie;
use crate::protocol::head::Head;
use crate::push::DEFAULT_NAME;

use super::ConnId;
use super::handler::{Accept, Decision};
use super::router::{At, RouteId};

/// A client that asks for `/ws`, or for a route of the host's.
///
/// ```
/// use wspush::{Accept, Connect, Decision};
///
/// fn let_in(connect: &Connect<'_>) -> Decision {
///     match connect.header("Cookie").and_then(|cookie| cookie.strip_prefix("session=")) {
///         Some(session) => Decision::Accept(Accept { user: Some(session.to_owned()), ..Accept::default() }),
///         None => Decision::refuse(401, "log in first"),
///     }
/// }
/// ```
pub struct Connect<'a> {
    id: ConnId,
    /// The request's head.
    #[doc(hidden)]
    pub head: &'a Head<'a>,
    /// The channels it asks for (`?channel=`), names already checked.
    pub channels: Vec<String>,
    config: &'a Config,
    claims: Option<&'a Claims>,
    peer: &'a dyn Fn() -> Option<SocketAddr>,
    tls: &'a dyn Fn() -> Option<Option<String>>,
    place: Option<&'a Place<'a>>,
    transport: Transport,
}

/// The route that a client asks at.
#[doc(hidden)]
pub struct Place<'a> {
    /// The route.
    pub at: At<'a>,
    /// The values of the names in its pattern, in their order.
    pub parameters: Vec<String>,
}

impl<'a> Connect<'a> {
    /// For the reactor, once the request itself is in order. `tls` is None without TLS, and otherwise the subject of
    /// the
    /// client's certificate.
    #[doc(hidden)]
    pub fn new(
        head: &'a Head<'a>,
        peer: &'a dyn Fn() -> Option<SocketAddr>,
        tls: &'a dyn Fn() -> Option<Option<String>>,
        channels: Vec<String>,
        config: &'a Config,
    ) -> Connect<'a> {
        let transport = Transport::WebSocket;
        Connect { id: ConnId(0), head, channels, config, claims: None, peer, tls, place: None, transport }
    }

    /// For the reactor: it asks for this transport.
    #[doc(hidden)]
    pub fn ask_for(&mut self, transport: Transport) {
        self.transport = transport;
    }

    /// For the reactor: the id that the connection has already.
    #[doc(hidden)]
    pub fn with_id(self, id: ConnId) -> Connect<'a> {
        Connect { id, ..self }
    }

    /// For the reactor: it asks at this route.
    #[doc(hidden)]
    pub fn at(self, place: Option<&'a Place<'a>>) -> Connect<'a> {
        Connect { place, ..self }
    }

    /// The connection's id, for `Handle::decide`. It is also the id of the WebSocket that is opened.
    pub fn id(&self) -> ConnId {
        self.id
    }

    /// For the reactor: the client has shown a token that says this.
    pub fn with_claims(self, claims: Option<&'a Claims>) -> Connect<'a> {
        Connect { claims, ..self }
    }

    /// The client's claims, if it has shown a token and [`auth`](Config::auth) is set, or a backend has let it in
    /// ([`auth_webhook`](Config::auth_webhook)). The token was checked. Its user is taken where [`Accept::user`] is
    /// None, and its channels are joined beside those of the answer.
    pub fn claims(&self) -> Option<&'a Claims> {
        self.claims
    }

    /// Whose TLS certificate the client has shown, as `CN=alice,O=Example` (RFC 4514); it was checked against
    /// `tls_client_ca`. None: it has shown none that can be read, or wasn't asked
    /// (`tls_client_auth`).
    pub fn client_subject(&self) -> Option<String> {
        (self.tls)().flatten()
    }

    /// Whether it speaks TLS with this server. Behind a proxy that ends TLS it doesn't.
    pub fn is_secure(&self) -> bool {
        (self.tls)().is_some()
    }

    /// Where it comes from; None where the transport has no addresses. Asks the kernel, at the cost of a system call.
    pub fn peer(&self) -> Option<SocketAddr> {
        (self.peer)()
    }

    /// The way that it wants to be pushed to.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The route that it asks at; None: at a path of the server's own.
    pub fn route(&self) -> Option<RouteId> {
        self.place.map(|place| place.at.id)
    }

    /// The route's pattern.
    pub fn pattern(&self) -> Option<&'a str> {
        self.place.map(|place| place.at.pattern.text())
    }

    /// The value of a name in the route's pattern, decoded: `lobby` for `room` of `/chat/{room}` at `/chat/lobby`. It
    /// is not empty, and has no control characters and no `..`, but may have an encoded slash.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        let place = self.place?;
        place.parameters.get(place.at.pattern.number_of(name)?).map(String::as_str)
    }

    /// The rest of the path beyond a pattern that ends with `/*`, decoded: `a/b` at `/files/a/b` for `/files/*`.
    pub fn rest(&self) -> Option<String> {
        self.place.and_then(|place| place.at.pattern.rest(self.head.path()))
    }

    /// The value of the first cookie of this name (RFC 6265 section 4.2), without quotes; None also if it is empty.
    pub fn cookie(&self, name: &str) -> Option<&'a str> {
        cookie::value(self.head, name)
    }

    /// The request's path.
    pub fn path(&self) -> &'a str {
        self.head.path()
    }

    /// The first value of a query parameter, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        self.head.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The first value of a header; None also if it isn't UTF-8. `Authorization` is there once at the most. A client
    /// may send any other one several times: [`headers`](Self::headers) has them all.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.headers(name).next()?).ok()
    }

    /// All values of a header, as they came.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.head.headers_called(name)
    }

    /// The decision without a handler: the default channel, unless a rule keeps clients out of it, and those it asks
    /// for if the configuration or its token lets it choose them (else 403).
    pub fn by_config(&self) -> Decision {
        let by_token = |name: &str| {
            let mut claims = self.claims.into_iter();
            claims.any(|own| own.rights.may_subscribe(name) || own.channels.iter().any(|own| own == name))
        };
        let denied = |name: &&String| !self.config.is_open_to_clients(name) && !by_token(name);
        let broadcast = self.config.rule_allows(ClientRight::Subscribe, DEFAULT_NAME) != Some(false)
            || by_token(DEFAULT_NAME);
        match self.channels.iter().find(denied) {
            Some(name) => {
                let by = if self.claims.is_some() { "channels, or the token's allow" } else { "channels" };
                Decision::refuse(403, format!("channel {name:?} is not open to clients ({by})"))
            }
            None => {
                Decision::Accept(Accept { broadcast, channels: self.channels.clone(), ..Accept::default() })
            }
        }
    }
}
