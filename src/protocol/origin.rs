//! Origins of web pages (RFC 6454).

/// An origin that has a scheme and a host, as browsers write it: `https://example.com:8443`, `capacitor://localhost`,
/// `file://`. Two of them are the same if scheme and host are, in any case, and the ports, of which `http` and `https`
/// have one by default.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Origin<'a> {
    /// Reads one; `None`: it is `null`, a list of several, or nothing of the kind. A slash at the end, which people
    /// write down and browsers leave out, is read over.
    pub fn parse(text: &'a str) -> Option<Origin<'a>> {
        let (scheme, rest) = text.split_once("://")?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let scheme_ok = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        let (host, port) = split_port(authority)?;
        let host_ok = host.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#@\\,\"".contains(&byte));
        (scheme_ok && host_ok).then_some(Origin { scheme, host, port })
    }

    /// Whether it is the same as this one (RFC 6454 section 5).
    pub fn is_same(&self, other: &Origin<'_>) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.host.eq_ignore_ascii_case(other.host)
            && self.effective_port() == other.effective_port()
    }

    /// Whether its pages come from the host that a request names (`Host`). Which scheme that was asked by isn't in a
    /// request, and a proxy may have spoken TLS, so `http` and `https` both count.
    pub fn is_of_host(&self, host: &str) -> bool {
        let Some(default) = self.default_port() else { return false };
        split_port(host).is_some_and(|(name, port)| {
            !name.is_empty()
                && name.eq_ignore_ascii_case(self.host)
                && port.unwrap_or(default) == self.port.unwrap_or(default)
        })
    }

    /// Whether its pages were fetched by TLS.
    pub fn is_https(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("https")
    }

    fn default_port(&self) -> Option<u16> {
        if self.is_https() { Some(443) } else { self.scheme.eq_ignore_ascii_case("http").then_some(80) }
    }

    fn effective_port(&self) -> Option<u16> {
        self.port.or(self.default_port())
    }
}

/// A host and its port, if one is written; `None`: what is written is no port.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    match authority.rsplit_once(':') {
        // The colons of an IPv6 address stand in brackets.
        Some((host, port)) if !port.ends_with(']') => {
            let is_number = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
            Some((host, Some(port.parse().ok().filter(|_| is_number)?)))
        }
        _ => Some((authority, None)),
    }
}

/// Whether `allowed` names this origin; what is neither a scheme and a host is compared as it is (`null`).
pub fn names(allowed: &str, origin: &str) -> bool {
    match (Origin::parse(allowed), Origin::parse(origin)) {
        (Some(allowed), Some(origin)) => allowed.is_same(&origin),
        (None, None) => allowed == origin,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_origin_in_other_letters() {
        for (allowed, origin) in [
            ("https://Example.com/", "https://example.com"),
            ("https://example.com", "HTTPS://EXAMPLE.COM"),
            ("https://example.com", "https://example.com:443"),
            ("http://localhost:80", "http://localhost"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("capacitor://localhost", "Capacitor://LOCALHOST"),
            ("ionic://localhost", "ionic://localhost"),
            ("file://", "file://"),
            ("file://", "file:///"),
            ("app://.", "app://."),
            ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"),
            ("vscode-webview://0a1b2c:7", "vscode-webview://0a1b2c:7"),
            ("null", "null"),
        ] {
            assert!(names(allowed, origin), "{allowed} {origin}");
        }
    }

    #[test]
    fn another_origin() {
        for (allowed, origin) in [
            ("https://example.com", "http://example.com"),
            ("https://example.com", "https://example.com.evil.org"),
            ("https://example.com", "https://example.com:80"),
            ("https://example.com", "https://example.com:0443"),
            ("https://example.com", "https://example.com:443:443"),
            ("https://example.com", "https://www.example.com"),
            ("https://example.com", "https://user@example.com"),
            ("https://example.com", "https://example.com https://example.com"),
            ("https://example.com", "https://example.com, https://example.com"),
            ("https://example.com", "null"),
            ("https://example.com", ""),
            ("capacitor://localhost", "http://localhost"),
            ("capacitor://localhost", "capacitor://localhost:80"),
            ("file://", "file://host"),
            ("app://.", "app://"),
            ("null", "NULL"),
            ("null", "file://"),
            ("null", ""),
        ] {
            assert!(!names(allowed, origin), "{allowed} {origin}");
        }
    }

    #[test]
    fn pages_of_the_host() {
        for (origin, host) in [
            ("http://example.com", "example.com"),
            ("https://example.com", "Example.COM"),
            ("https://example.com", "example.com:443"),
            ("http://example.com:80", "example.com"),
            ("http://localhost:8080", "localhost:8080"),
            ("http://[::1]:8080", "[::1]:8080"),
            ("http://[::1]", "[::1]"),
        ] {
            assert!(Origin::parse(origin).unwrap().is_of_host(host), "{origin} {host}");
        }
        for (origin, host) in [
            ("http://localhost:3000", "localhost:8080"),
            ("https://example.com", "example.com:80"),
            ("http://example.com", "example.com:443"),
            ("http://evil.example", "example.com"),
            ("http://example.com", ""),
            ("http://example.com", "example.com:"),
            ("http://", ""),
            ("file://", ""),
            ("capacitor://localhost", "localhost"),
        ] {
            assert!(!Origin::parse(origin).unwrap().is_of_host(host), "{origin} {host}");
        }
    }
}
