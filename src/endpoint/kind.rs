//! The purposes of open WebSockets.

use crate::metrics::ConnectionKind;

use super::requests::{self, Request};

/// Which endpoint an open WebSocket connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `/ws`: receives pushes.
    Push,
    /// `/echo`: gets back what it sends.
    Echo,
    /// `/chat`: everyone hears everyone.
    Chat,
    /// Was never let in, and only hears why (`?refusals=close`).
    Refused,
}

impl Kind {
    /// Those that can be asked for, in the order of their numbers.
    pub const OPEN: [Kind; 3] = [Kind::Push, Kind::Echo, Kind::Chat];

    /// The request that asks for it; nobody asks to be refused.
    pub fn request(self) -> Option<&'static Request> {
        match self {
            Kind::Push => Some(&requests::WS),
            Kind::Echo => Some(&requests::ECHO),
            Kind::Chat => Some(&requests::CHAT),
            Kind::Refused => None,
        }
    }

    /// The kind of WebSocket that is asked for at this path.
    pub fn at(path: &str) -> Option<Kind> {
        Kind::OPEN.into_iter().find(|kind| kind.request().is_some_and(|request| request.path == path))
    }

    /// Its label in the metrics; a refused one is not counted as open there.
    pub fn label(self) -> Option<ConnectionKind> {
        match self {
            Kind::Push => Some(ConnectionKind::Push),
            Kind::Echo => Some(ConnectionKind::Echo),
            Kind::Chat => Some(ConnectionKind::Chat),
            Kind::Refused => None,
        }
    }

    /// Its name in `/connections`.
    pub fn name(self) -> &'static str {
        self.label().map_or("refused", ConnectionKind::name)
    }
}
