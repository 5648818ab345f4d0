//! Who may use the admin API.
//!
//! Three fences: the bearer token, or the key of a program, if one is set; the `Host` header, so that a page whose
//! name was rebound to 127.0.0.1 gets nothing (DNS rebinding); and the `Origin` header, so that a foreign page in the
//! operator's browser can't post a form (cross-site request forgery). The demo's form on the public listeners has the
//! last two.

use std::net::IpAddr;

use subtle::ConstantTimeEq;

use crate::config::ApiKey;
use crate::protocol::head::Head;
use crate::protocol::origin::{self, Origin};
use crate::protocol::response::Refusal;

use super::caller::Caller;

/// The admin listener's conditions.
#[derive(Clone, Copy)]
pub struct Fence<'a> {
    /// The operator's token.
    pub token: Option<&'a str>,
    /// Keys of programs.
    pub keys: &'a [ApiKey],
    /// It listens at a Unix-domain socket: no browser gets there, so any name is as good as another.
    pub is_unix: bool,
}

/// Lets the request pass, and says who makes it, or why it doesn't.
pub fn check(head: &Head<'_>, fence: &Fence<'_>) -> Result<Caller, Refusal> {
    let caller = match caller(head, fence) {
        Some(caller) => caller,
        None if fence.token.is_some() || !fence.keys.is_empty() => {
            let refusal = Refusal::fixed(
                401,
                "this needs the header 'Authorization: Bearer TOKEN' (admin_token, or an api_key)",
            );
            return Err(refusal.with_headers(&[("WWW-Authenticate", "Bearer")]));
        }
        None if !fence.is_unix && !is_local_name(head.host()) => {
            let reason = "without admin_token only localhost and IP addresses are served as Host";
            return Err(Refusal::fixed(403, reason));
        }
        None => Caller::Anybody,
    };
    same_site(head).map(|()| caller)
}

/// The paths of an address with `metrics://`.
const NUMBERS: [&str; 3] = ["/metrics", "/healthz", "/readyz"];

/// Lets a request for numbers pass, whoever makes it. They name nobody, and no page of another origin can read them.
pub fn numbers(head: &Head<'_>) -> Result<Caller, Refusal> {
    if !NUMBERS.contains(&head.path()) {
        return Err(Refusal::fixed(
            404,
            "here are only /metrics, /healthz and /readyz (metrics:// in admin)",
        ));
    }
    if !head.only_looks() {
        return Err(Refusal::fixed(405, "numbers are only looked at").with_headers(&[("Allow", "GET, HEAD")]));
    }
    Ok(Caller::Anybody)
}

/// Whose token or key the request shows.
fn caller(head: &Head<'_>, fence: &Fence<'_>) -> Option<Caller> {
    let given = bearer(head)?;
    if fence.token.is_some_and(|token| is_same(given, token.as_bytes())) {
        return Some(Caller::Operator);
    }
    program(given, fence.keys)
}

#[cfg(feature = "auth")]
fn program(given: &[u8], keys: &[ApiKey]) -> Option<Caller> {
    if keys.is_empty() {
        return None;
    }
    let hash = crate::auth::digest::sha256(given);
    keys.iter().find(|key| is_same(&hash, &key.sha256)).cloned().map(|key| Caller::Program(Box::new(key)))
}

/// A build without the feature takes no settings with keys.
#[cfg(not(feature = "auth"))]
fn program(_given: &[u8], _keys: &[ApiKey]) -> Option<Caller> {
    None
}

/// Lets a push of the demo's form pass, or says why not. The form has no token, so the page must be this server's own,
/// and of a name that can't be anybody's who points it here (DNS rebinding): a local one, or one that `origins` names.
pub fn check_demo(head: &Head<'_>, origins: &[String]) -> Result<(), Refusal> {
    same_site(head)?;
    let named = |page: &str| {
        let named = origins.iter().filter(|named| Origin::parse(named).is_some());
        named.into_iter().any(|named| origin::names(named, page))
    };
    if is_local_name(head.host()) || head.single("origin")?.is_some_and(named) {
        return Ok(());
    }
    let reason = "the demo takes pushes at localhost and IP addresses, and from the pages that origins names";
    Err(Refusal::fixed(403, reason))
}

/// Refuses requests that another site's page makes a browser send. Who does not say clearly where it comes from comes
/// from elsewhere.
pub fn same_site(head: &Head<'_>) -> Result<(), Refusal> {
    let own = |page| Origin::parse(page).is_some_and(|page| page.is_of_host(head.host()));
    match head.single("origin") {
        Ok(None) => Ok(()),
        Ok(Some(page)) if own(page) => Ok(()),
        _ => Err(Refusal::fixed(403, "requests from another site's page are refused (Origin)")),
    }
}

fn bearer<'a>(head: &Head<'a>) -> Option<&'a [u8]> {
    let (scheme, given) = head.single("authorization").ok()??.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| given.trim().as_bytes())
}

/// Compares in constant time; only the length of the token can be learnt from how long it takes.
fn is_same(given: &[u8], secret: &[u8]) -> bool {
    bool::from(given.ct_eq(secret))
}

fn is_local_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.ends_with(']') => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.is_empty() || name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head;

    fn asked(target: &str, headers: &[u8], fence: &Fence<'_>) -> u16 {
        let request = [b"POST ", target.as_bytes(), b" HTTP/1.1\r\n", headers, b"\r\n"].concat();
        let mut fields = head::Fields::new();
        let (head, _) = head::parse(&request, 8192, &mut fields).unwrap().unwrap();
        check(&head, fence).map_or_else(|refusal| refusal.status, |_| 200)
    }

    fn status(headers: &str, token: Option<&str>) -> u16 {
        asked("/push", headers.as_bytes(), &Fence { token, keys: &[], is_unix: false })
    }

    #[test]
    fn the_host_of_an_absolute_target_counts() {
        let open = Fence { token: None, keys: &[], is_unix: false };
        let local = b"Host: 127.0.0.1\r\n";
        for (target, headers, expected) in [
            ("http://127.0.0.1:8081/push", &b"Host: evil.example\r\n"[..], 200),
            ("http://evil.example/push", local, 403),
            ("http://evil.example:8081/push", b"Host: localhost:8081\r\n", 403),
            ("http://127.0.0.1/push", b"Host: x\r\nOrigin: http://127.0.0.1\r\n", 200),
            ("http://127.0.0.1/push", b"Host: evil.example\r\nOrigin: http://evil.example\r\n", 403),
        ] {
            assert_eq!(asked(target, headers, &open), expected, "{target}");
        }
    }

    #[test]
    fn at_a_path_any_name_is_served() {
        let unix = Fence { token: None, keys: &[], is_unix: true };
        assert_eq!(asked("/push", b"Host: admin.sock\r\n", &unix), 200);
        assert_eq!(asked("/push", b"Host: a\r\nOrigin: http://evil.example\r\n", &unix), 403);
        let token = Fence { token: Some("t"), keys: &[], is_unix: true };
        assert_eq!(asked("/push", b"Host: admin.sock\r\n", &token), 401);
    }

    #[test]
    fn an_origin_that_is_not_clear_is_foreign() {
        let open = Fence { token: None, keys: &[], is_unix: false };
        let own = "Origin: http://localhost:8081\r\n";
        for (origins, expected) in [
            (own.to_owned(), 200),
            (own.repeat(2), 403),
            (format!("{own}Origin: http://evil.example\r\n"), 403),
            (format!("Origin: \r\n{own}"), 403),
            ("Origin:\r\n".to_owned(), 403),
        ] {
            let headers = format!("Host: localhost:8081\r\n{origins}");
            assert_eq!(asked("/push", headers.as_bytes(), &open), expected, "{origins}");
        }
        assert_eq!(asked("/push", b"Host: localhost\r\nOrigin: http://localhost\xff\r\n", &open), 403);
    }

    #[test]
    fn only_local_names_without_a_token() {
        for host in ["localhost", "LOCALHOST:8081", "127.0.0.1:8081", "[::1]:8081", "[::1]", "192.0.2.1"] {
            assert_eq!(status(&format!("Host: {host}\r\n"), None), 200, "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:8081", "127.0.0.1.evil.example"] {
            assert_eq!(status(&format!("Host: {host}\r\n"), None), 403, "{host}");
        }
    }

    #[test]
    fn the_token_has_to_be_right() {
        let with = |auth: &str| status(&format!("Host: push.example\r\n{auth}"), Some("s3cret"));
        assert_eq!(with("Authorization: Bearer s3cret\r\n"), 200);
        assert_eq!(with("Authorization: bearer  s3cret \r\n"), 200);
        for wrong in [
            "",
            "Authorization: Bearer s3cre\r\n",
            "Authorization: Basic s3cret\r\n",
            "Authorization: s3cret\r\n",
            "Authorization: Bearer s3cret\r\nAuthorization: Bearer s3cret\r\n",
            "Authorization: Bearer s3cret\r\nAuthorization: Basic eA==\r\n",
        ] {
            assert_eq!(with(wrong), 401, "{wrong}");
        }
    }

    #[test]
    fn foreign_pages_are_refused() {
        let host = "Host: localhost:8081\r\n";
        assert_eq!(status(&format!("{host}Origin: http://localhost:8081\r\n"), None), 200);
        assert_eq!(status(&format!("{host}Origin: http://localhost:8080\r\n"), None), 403);
        assert_eq!(status(&format!("{host}Origin: null\r\n"), None), 403);
    }

    #[test]
    fn the_demo_takes_its_own_page_under_a_name_that_is_known() {
        let status = |host: &str, origin: Option<&str>, origins: &[&str]| {
            let origin = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
            let request = format!("POST /demo/push HTTP/1.1\r\nHost: {host}\r\n{origin}\r\n");
            let mut fields = head::Fields::new();
            let (head, _) = head::parse(request.as_bytes(), 8192, &mut fields).unwrap().unwrap();
            let origins: Vec<String> = origins.iter().map(|origin| (*origin).to_owned()).collect();
            check_demo(&head, &origins).map_or_else(|refusal| refusal.status, |()| 200)
        };
        assert_eq!(status("127.0.0.1:8080", None, &["*"]), 200);
        assert_eq!(status("localhost:8080", Some("http://localhost:8080"), &["*"]), 200);
        assert_eq!(status("localhost:8080", Some("http://evil.example"), &["*"]), 403);
        // A name that was pointed here: the page is its own, and still not ours.
        assert_eq!(status("evil.example:8080", Some("http://evil.example:8080"), &["*"]), 403);
        assert_eq!(status("evil.example:8080", None, &["*"]), 403);
        let demo = ["*", "https://demo.example"];
        assert_eq!(status("demo.example", Some("https://demo.example"), &demo), 200);
        assert_eq!(status("evil.example", Some("http://evil.example"), &demo), 403);
        assert_eq!(status("demo.example", Some("http://demo.example"), &demo), 403);
        let own = Some("http://demo.example");
        assert_eq!(status("demo.example", own, &["auto"]), 403, "no page is named by that");
    }
}
