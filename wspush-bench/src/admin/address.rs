//! Where the admin API listens.

use crate::target::{Target, is_request_target};
use std::fmt;
use std::path::PathBuf;

/// A TCP address, maybe with TLS, or a Unix socket; each with the path of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp(Target),
    Unix { socket: PathBuf, path: String },
}

impl Address {
    /// Parses an address to push to.
    pub(crate) fn push(text: &str) -> Result<Self, String> {
        Self::parse(text, "/push")
    }

    /// Parses an address of the server's statistics.
    pub(crate) fn stats(text: &str) -> Result<Self, String> {
        Self::parse(text, "/stats")
    }

    fn parse(text: &str, path_default: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix("unix:") else {
            return Target::http(text, path_default)
                .map(Self::Tcp)
                .map_err(|error| format!("{error}, or unix:/SOCKET:/PATH"));
        };
        // As nginx writes it: the request's path behind a second colon.
        let (socket, path) = match rest.split_once(":/") {
            Some((socket, path)) => (socket, format!("/{path}")),
            None => (rest, path_default.to_owned()),
        };
        if socket.is_empty() || !is_request_target(&path) {
            return Err("expected unix:/SOCKET or unix:/SOCKET:/PATH".into());
        }
        Ok(Self::Unix { socket: socket.into(), path })
    }

    pub(crate) const fn is_secure(&self) -> bool {
        matches!(self, Self::Tcp(Target { is_secure: true, .. }))
    }

    pub(super) fn host(&self) -> &str {
        match self {
            Self::Tcp(target) => &target.host,
            Self::Unix { .. } => "localhost",
        }
    }

    pub(super) fn path(&self) -> &str {
        match self {
            Self::Tcp(target) => &target.path,
            Self::Unix { path, .. } => path,
        }
    }
}

/// The place without the path, whose query may hold a secret.
impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(target) => target.address.fmt(formatter),
            Self::Unix { socket, .. } => write!(formatter, "unix:{}", socket.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_sockets_have_a_path_of_their_own_and_one_of_the_request() {
        for (text, place, path) in [
            ("unix:/run/a.sock", "unix:/run/a.sock", "/push"),
            ("unix:/run/a.sock:/push?channel=b", "unix:/run/a.sock", "/push?channel=b"),
            ("unix:relative", "unix:relative", "/push"),
            ("http://127.0.0.1:1", "127.0.0.1:1", "/push"),
        ] {
            let address = Address::push(text).unwrap();
            assert_eq!((address.to_string().as_str(), address.path()), (place, path), "{text}");
            assert!(!address.is_secure());
        }
        assert!(Address::stats("https://127.0.0.1:1/stats").unwrap().is_secure());
    }

    #[test]
    fn bad_addresses_are_told_all_that_is_possible() {
        for text in ["unix:", "unix::/push", "unix:/a:/b c"] {
            assert!(Address::push(text).unwrap_err().contains("unix:/SOCKET:/PATH"), "{text}");
        }
        let error = Address::push("ftp://h/").unwrap_err();
        assert!(["http://", "https://", "unix:"].iter().all(|scheme| error.contains(scheme)), "{error}");
    }
}
