//! Where the load goes: the parts of an address that a client needs.

use serde::{Deserialize, Serialize};
use std::net::{SocketAddr, ToSocketAddrs};

/// A resolved address, the `Host` header and the path with its query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// Through TLS.
    pub(crate) is_secure: bool,
    /// Written as a WebSocket's address, and not as one of HTTP.
    pub(crate) is_websocket: bool,
    pub(crate) host: String,
    pub(crate) path: String,
}

/// A pair of schemes, one without and one with TLS.
struct Schemes {
    plain: &'static str,
    secure: &'static str,
}

impl Target {
    /// Parses `ws://host[:port][/path][?query]`, `wss://...`, `http://...` or `https://...` and resolves the host once.
    pub(crate) fn load(url: &str) -> Result<Self, String> {
        let starts_with = |scheme: &str| url.get(..4).is_some_and(|it| it.eq_ignore_ascii_case(scheme));
        if starts_with("http") {
            return Self::http(url, "/");
        }
        Self::parse(url, &Schemes { plain: "ws", secure: "wss" }, "/")
    }

    /// Parses `http://host[:port][/path][?query]` or `https://...`. Without a path it is `path_default`.
    pub(crate) fn http(url: &str, path_default: &str) -> Result<Self, String> {
        Self::parse(url, &Schemes { plain: "http", secure: "https" }, path_default)
    }

    /// The address itself is in no error: it may hold a secret.
    fn parse(url: &str, schemes: &Schemes, path_default: &str) -> Result<Self, String> {
        let Schemes { plain, secure } = schemes;
        let expected = || format!("expected {plain}://... or {secure}://HOST:PORT/PATH");
        let (scheme, rest) = url.split_once("://").ok_or_else(expected)?;
        let is_secure = scheme.eq_ignore_ascii_case(secure);
        if !is_secure && !scheme.eq_ignore_ascii_case(plain) {
            return Err(expected());
        }
        let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if host.is_empty() || !is_request_target(path) {
            return Err(expected());
        }
        if host.contains('@') {
            return Err(
                "a user's name in the address is not supported: give --header 'Authorization: ...'".into()
            );
        }
        let path = match path {
            "" => path_default.to_owned(),
            path if path.starts_with('/') => path.to_owned(),
            query => format!("{path_default}{query}"),
        };
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let port_default = if is_secure { 443 } else { 80 };
        let authority = if has_port { host.to_owned() } else { format!("{host}:{port_default}") };
        let mut addresses = authority.to_socket_addrs().map_err(|error| error.to_string())?;
        let address = addresses.next().ok_or_else(|| format!("no address for {host}"))?;
        Ok(Self { address, is_secure, is_websocket: *plain == "ws", host: host.to_owned(), path })
    }

    /// The scheme that the address is written with.
    pub(crate) const fn scheme(&self) -> &'static str {
        match (self.is_websocket, self.is_secure) {
            (true, false) => "ws",
            (true, true) => "wss",
            (false, false) => "http",
            (false, true) => "https",
        }
    }
}

/// Whether a path with its query can stand in a request as it is.
pub(crate) fn is_request_target(path: &str) -> bool {
    !path.bytes().any(|byte| byte <= b' ' || byte == b'#' || byte == 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_address() {
        let target = Target::load("ws://127.0.0.1:8080/ws?channel=a").unwrap();
        assert_eq!(target.address.to_string(), "127.0.0.1:8080");
        assert_eq!((target.host.as_str(), target.path.as_str()), ("127.0.0.1:8080", "/ws?channel=a"));
        assert_eq!(Target::load("ws://127.0.0.1").unwrap().address.port(), 80);
        assert_eq!(Target::load("ws://[::1]:81?a").unwrap().path, "/?a");
        let secure = Target::load("WSS://127.0.0.1/ws").unwrap();
        assert_eq!((secure.address.port(), secure.scheme()), (443, "wss"));
        let http = Target::load("HTTPS://127.0.0.1:444/sse").unwrap();
        assert_eq!((http.address.port(), http.scheme(), http.path.as_str()), (444, "https", "/sse"));
        let push = |url| Target::http(url, "/push").map(|target| (target.path, target.address.port()));
        assert_eq!(push("http://127.0.0.1"), Ok(("/push".into(), 80)));
        assert_eq!(push("http://127.0.0.1/"), Ok(("/".into(), 80)));
        assert_eq!(push("https://127.0.0.1?channel=a"), Ok(("/push?channel=a".into(), 443)));
    }

    #[test]
    fn bad_addresses_are_refused() {
        for url in
            ["127.0.0.1:80", "wsss://127.0.0.1/", "ws:///path", "ws://127.0.0.1:1/a b", "httpd://127.0.0.1/"]
        {
            assert!(Target::load(url).is_err(), "{url}");
        }
        assert!(Target::http("ws://127.0.0.1/", "/push").is_err());
        let error = Target::http("http://me:hunter2@127.0.0.1/", "/push").unwrap_err();
        assert!(error.contains("--header") && !error.contains("hunter2"), "{error}");
    }
}
