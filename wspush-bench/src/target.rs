//! Where the load goes: the parts of a `ws://`, `wss://` or `http://` address that a client needs.

use serde::{Deserialize, Serialize};
use std::net::{SocketAddr, ToSocketAddrs};

/// A resolved address, the `Host` header and the path with its query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// Through TLS.
    pub(crate) is_secure: bool,
    pub(crate) host: String,
    pub(crate) path: String,
}

impl Target {
    /// Parses `ws://host[:port][/path][?query]` or `wss://...` and resolves the host once.
    pub(crate) fn websocket(url: &str) -> Result<Self, String> {
        Self::parse(url, &["ws", "wss"])
    }

    /// Parses `http://host[:port][/path][?query]`.
    pub(crate) fn http(url: &str) -> Result<Self, String> {
        Self::parse(url, &["http"])
    }

    fn parse(url: &str, schemes: &[&str]) -> Result<Self, String> {
        let expected = || format!("{url}: expected {}://HOST:PORT/PATH", schemes.join("://... or "));
        let (given, rest) = url.split_once("://").ok_or_else(expected)?;
        let scheme = schemes.iter().find(|scheme| given.eq_ignore_ascii_case(scheme)).ok_or_else(expected)?;
        let is_secure = *scheme == "wss";
        let split = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(split);
        if host.is_empty() || path.bytes().any(|byte| byte <= b' ' || byte == b'#') {
            return Err(expected());
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority =
            if has_port { host.to_owned() } else { format!("{host}:{}", if is_secure { 443 } else { 80 }) };
        let mut addresses = authority.to_socket_addrs().map_err(|error| format!("{url}: {error}"))?;
        let address = addresses.next().ok_or_else(|| format!("{url}: no address for {host}"))?;
        Ok(Self { address, is_secure, host: host.to_owned(), path })
    }

    /// The scheme that a WebSocket address is written with.
    pub(crate) const fn scheme(&self) -> &'static str {
        if self.is_secure { "wss" } else { "ws" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_address() {
        let target = Target::websocket("ws://127.0.0.1:8080/ws?channel=a").unwrap();
        assert_eq!(target.address.to_string(), "127.0.0.1:8080");
        assert_eq!((target.host.as_str(), target.path.as_str()), ("127.0.0.1:8080", "/ws?channel=a"));
        assert_eq!(Target::websocket("ws://127.0.0.1").unwrap().address.port(), 80);
        assert_eq!(Target::websocket("ws://[::1]:81?a").unwrap().path, "/?a");
        let secure = Target::websocket("WSS://127.0.0.1/ws").unwrap();
        assert_eq!((secure.address.port(), secure.scheme()), (443, "wss"));
        assert_eq!(Target::http("http://127.0.0.1/push").unwrap().scheme(), "ws");
    }

    #[test]
    fn bad_addresses_are_refused() {
        for url in
            ["127.0.0.1:80", "wsss://127.0.0.1/", "ws:///path", "ws://127.0.0.1:1/a b", "http://127.0.0.1/"]
        {
            assert!(Target::websocket(url).is_err(), "{url}");
        }
        assert!(Target::http("https://127.0.0.1/").is_err());
    }
}
