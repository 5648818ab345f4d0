//! The purposes of open WebSockets.

use crate::metrics::ConnectionKind;

use super::requests::{self, Request};
use super::router::{ROUTES_MAX, RouteId};

/// Which endpoint an open connection is at: one of the server's own, or a route of the host's. It takes one byte of a
/// slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Kind(u8);

const _: () = assert!(ROUTES_MAX <= u8::MAX as usize - Kind::PUSH.0 as usize);

impl Kind {
    /// `/echo`: gets back what it sends.
    pub const ECHO: Kind = Kind(0);
    /// `/chat`: everyone hears everyone.
    pub const CHAT: Kind = Kind(1);
    /// Was never let in, and only hears why (`?refusals=close`).
    pub const REFUSED: Kind = Kind(2);
    /// `/app/KEY`: an app's client, which no host decides about. It counts among those that receive pushes.
    pub const APP: Kind = Kind(3);
    /// `/ws`: receives pushes. Routes come behind it, so that one comparison tells whether somebody is pushed to.
    pub const PUSH: Kind = Kind(4);

    /// An admin connection, which is for nothing else, at an address with numbers only.
    pub const NUMBERS: Kind = Kind(0);
    /// An admin connection at a Unix-domain socket.
    pub const LOCAL: Kind = Kind(1);

    /// Those of the server's own that can be asked for.
    pub const OPEN: [Kind; 3] = [Kind::PUSH, Kind::ECHO, Kind::CHAT];

    /// Places in a table by [`index`](Self::index).
    pub const COUNT: usize = 4;

    /// A route of the host's.
    pub fn of_route(id: RouteId) -> Kind {
        Kind(Kind::PUSH.0 + 1 + id.0)
    }

    /// The route of the host's that it is.
    #[inline]
    pub fn route(self) -> Option<RouteId> {
        self.0.checked_sub(Kind::PUSH.0 + 1).map(RouteId)
    }

    /// Whether it is pushed to, and a host decides and hears what it says: at `/ws` or at a route.
    #[inline]
    pub fn is_push(self) -> bool {
        self.0 >= Kind::PUSH.0
    }

    /// Its place in a table: apps' clients and all routes are at that of `/ws`.
    #[inline]
    pub fn index(self) -> usize {
        usize::from(self.0.min(Kind::APP.0))
    }

    /// The request that asks for it; nobody asks to be refused.
    pub fn request(self) -> Option<&'static Request> {
        match self {
            Kind::PUSH => Some(&requests::WS),
            Kind::ECHO => Some(&requests::ECHO),
            Kind::CHAT => Some(&requests::CHAT),
            // Its path is the operator's, and its parameters are the protocol's.
            Kind::APP | Kind::REFUSED => None,
            _ => Some(&requests::ROUTE),
        }
    }

    /// Its label in the metrics; a refused one is not counted as open there.
    pub fn label(self) -> Option<ConnectionKind> {
        match self {
            Kind::ECHO => Some(ConnectionKind::Echo),
            Kind::CHAT => Some(ConnectionKind::Chat),
            Kind::REFUSED => None,
            _ => Some(ConnectionKind::Push),
        }
    }

    /// Its name in `/connections`.
    pub fn name(self) -> &'static str {
        self.label().map_or("refused", ConnectionKind::name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_kinds_of_their_own() {
        for number in 0..ROUTES_MAX {
            let id = RouteId::from_number(number).unwrap();
            let kind = Kind::of_route(id);
            assert_eq!((kind.route(), kind.is_push(), kind.index()), (Some(id), true, Kind::PUSH.index()));
            assert!(!Kind::OPEN.contains(&kind) && kind != Kind::REFUSED);
        }
        assert_eq!(RouteId::from_number(ROUTES_MAX), None);
        let own = [Kind::ECHO, Kind::CHAT, Kind::REFUSED, Kind::APP, Kind::PUSH];
        assert!(own.iter().all(|kind| kind.route().is_none()));
        assert_eq!(own.map(Kind::is_push), [false, false, false, false, true]);
        assert_eq!(own.map(Kind::index), [0, 1, 2, 3, 3]);
    }
}
