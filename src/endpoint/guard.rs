//! Who may use the admin API.
//!
//! Three fences: the bearer token, if one is set; the `Host` header, so that a page whose name was rebound to
//! 127.0.0.1 gets nothing (DNS rebinding); and the `Origin` header, so that a foreign page in the operator's
//! browser can't post a form (cross-site request forgery). The demo's form on the public listeners has the last two.

use std::net::IpAddr;
use std::slice;

use subtle::ConstantTimeEq;

use crate::protocol::handshake::origin_allowed;
use crate::protocol::head::Head;
use crate::protocol::response::Response;

/// Lets the request pass, or says why not.
pub fn check(head: &Head<'_>, token: Option<&str>) -> Result<(), Response> {
    let host = head.header_str("host").unwrap_or("");
    match token {
        Some(token) if !bears(head, token) => {
            let mut response =
                refusal(401, "this needs the header 'Authorization: Bearer TOKEN' (admin_token)");
            response.headers.push(("WWW-Authenticate", "Bearer".to_owned()));
            return Err(response);
        }
        None if !is_local_name(host) => {
            return Err(refusal(
                403,
                "without admin_token only localhost and IP addresses are served as Host",
            ));
        }
        _ => {}
    }
    same_site(head)
}

/// Lets a push of the demo's form pass, or says why not. The form has no token, so the page must be this server's own,
/// and of a name that can't be anybody's who points it here (DNS rebinding): a local one, or one that `origins` names.
pub fn check_demo(head: &Head<'_>, origins: &[String]) -> Result<(), Response> {
    same_site(head)?;
    let host = head.header_str("host").unwrap_or("");
    let named = |origin| {
        origins.iter().any(|named| named != "*" && origin_allowed(Some(origin), slice::from_ref(named)))
    };
    if is_local_name(host) || head.header_str("origin").is_some_and(named) {
        return Ok(());
    }
    let reason = "the demo takes pushes at localhost and IP addresses, and from the pages that origins names";
    Err(refusal(403, reason))
}

/// Refuses requests that another site's page makes a browser send.
pub fn same_site(head: &Head<'_>) -> Result<(), Response> {
    let host = head.header_str("host").unwrap_or("");
    match head.header_str("origin") {
        Some(origin) if !same_origin(origin, host) => {
            Err(refusal(403, "requests from another site's page are refused (Origin)"))
        }
        _ => Ok(()),
    }
}

fn refusal(status: u16, reason: &str) -> Response {
    super::admin::error(status, reason)
}

/// Compares in constant time; only the length of the token can be learnt from how long it takes.
fn bears(head: &Head<'_>, token: &str) -> bool {
    let Some((scheme, given)) = head.header_str("authorization").and_then(|value| value.split_once(' '))
    else {
        return false;
    };
    scheme.eq_ignore_ascii_case("bearer") && bool::from(given.trim().as_bytes().ct_eq(token.as_bytes()))
}

fn is_local_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.ends_with(']') => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.is_empty() || name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

fn same_origin(origin: &str, host: &str) -> bool {
    origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head;

    fn status(headers: &str, token: Option<&str>) -> u16 {
        let request = format!("POST /push HTTP/1.1\r\n{headers}\r\n");
        let (head, _) = head::parse(request.as_bytes(), 8192).unwrap().unwrap();
        check(&head, token).map_or_else(|response| response.status, |()| 200)
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
            let (head, _) = head::parse(request.as_bytes(), 8192).unwrap().unwrap();
            let origins: Vec<String> = origins.iter().map(|origin| (*origin).to_owned()).collect();
            check_demo(&head, &origins).map_or_else(|response| response.status, |()| 200)
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
    }
}
