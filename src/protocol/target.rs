//! Request targets (RFC 9112 section 3.2).

use crate::alphabet::Alphabet;

use super::response::Refusal;

/// RFC 3986 sections 3.2.2 and 3.2.3: a host, with a percent sign and brackets, and a port.
static AUTHORITY: Alphabet = Alphabet::alphanumeric_and(b"-._~%!$&'()*+,;=:[]");

/// A request target taken apart; nothing is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// Host and port, where the target names them.
    pub authority: Option<&'a str>,
    /// The path, which begins with `/`; or `*` alone.
    pub path: &'a str,
    /// The query: everything behind the first `?`; empty if nothing is.
    pub query: &'a str,
}

impl<'a> Target<'a> {
    /// Takes the origin-form, the absolute-form that proxies send, and `*` for `OPTIONS`. The authority-form is
    /// `CONNECT`'s, and we are no proxy.
    pub fn parse(method: &str, raw: &'a str) -> Result<Self, Refusal> {
        const BAD: Refusal = Refusal::fixed(400, "bad request target");
        if raw.contains('#') {
            return Err(BAD);
        }
        if raw == "*" && method == "OPTIONS" {
            return Ok(Self { authority: None, path: raw, query: "" });
        }
        let (authority, rest) = if raw.starts_with('/') {
            (None, raw)
        } else {
            let (scheme, rest) = raw.split_once("://").ok_or(BAD)?;
            if !["http", "https", "ws", "wss"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
                return Err(BAD);
            }
            let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            if authority.is_empty() || !is_authority(authority.as_bytes()) {
                return Err(BAD);
            }
            (Some(authority), rest)
        };
        // A path is short: a search for many bytes takes longer to begin than this to end.
        let (path, query) = match rest.bytes().position(|byte| byte == b'?') {
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => (rest, ""),
        };
        Ok(Self { authority, path: if path.is_empty() { "/" } else { path }, query })
    }
}

/// Whether `bytes` may stand in a `Host` field (RFC 9110 section 7.2): a host and a port, no user.
pub(super) fn is_authority(bytes: &[u8]) -> bool {
    AUTHORITY.has_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (raw, authority, path, query) in [
            ("/", None, "/", ""),
            ("/ws?channel=a&channel=b", None, "/ws", "channel=a&channel=b"),
            ("/a?b?c", None, "/a", "b?c"),
            ("//x", None, "//x", ""),
            ("/http://x", None, "/http://x", ""),
            ("http://host:80/ws?q", Some("host:80"), "/ws", "q"),
            ("WSS://[::1]", Some("[::1]"), "/", ""),
            ("http://host?q=/", Some("host"), "/", "q=/"),
        ] {
            assert_eq!(Target::parse("GET", raw), Ok(Target { authority, path, query }), "{raw}");
        }
        assert_eq!(Target::parse("OPTIONS", "*").unwrap().path, "*");
        for raw in ["*", "host:80", "ws", "ftp://host/", "http:///x", "http://u@host/", "/a#b", "?a", "://"] {
            assert_eq!(Target::parse("GET", raw).unwrap_err().status, 400, "{raw}");
        }
    }
}
