//! Where the load goes: the parts of a `ws://` or `http://` address that a client needs.

use serde::{Deserialize, Serialize};
use std::net::{SocketAddr, ToSocketAddrs};

/// A resolved address, the `Host` header and the path with its query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) host: String,
    pub(crate) path: String,
}

impl Target {
    /// Parses `scheme://host[:port][/path][?query]` and resolves the host once.
    pub(crate) fn parse(url: &str, scheme: &str) -> Result<Self, String> {
        let rest = match url.split_once("://") {
            Some((given, rest)) if given.eq_ignore_ascii_case(scheme) => rest,
            Some(("wss" | "https", _)) => {
                return Err(format!("{url}: TLS is not measured here, give a {scheme}:// address"));
            }
            _ => return Err(format!("{url}: expected {scheme}://HOST:PORT/PATH")),
        };
        let split = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(split);
        if host.is_empty() || path.bytes().any(|byte| byte <= b' ' || byte == b'#') {
            return Err(format!("{url}: expected {scheme}://HOST:PORT/PATH"));
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if has_port { host.to_owned() } else { format!("{host}:80") };
        let mut addresses = authority.to_socket_addrs().map_err(|error| format!("{url}: {error}"))?;
        let address = addresses.next().ok_or_else(|| format!("{url}: no address for {host}"))?;
        Ok(Self { address, host: host.to_owned(), path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_address() {
        let target = Target::parse("ws://127.0.0.1:8080/ws?channel=a", "ws").unwrap();
        assert_eq!(target.address.to_string(), "127.0.0.1:8080");
        assert_eq!((target.host.as_str(), target.path.as_str()), ("127.0.0.1:8080", "/ws?channel=a"));
        assert_eq!(Target::parse("ws://127.0.0.1", "ws").unwrap().address.port(), 80);
        assert_eq!(Target::parse("ws://[::1]:81?a", "ws").unwrap().path, "/?a");
    }

    #[test]
    fn bad_addresses_are_refused() {
        for url in
            ["127.0.0.1:80", "wss://127.0.0.1/", "ws:///path", "ws://127.0.0.1:1/a b", "http://127.0.0.1/"]
        {
            assert!(Target::parse(url, "ws").is_err(), "{url}");
        }
    }
}
