//! Which pages may be pushed to (RFC 6455 section 10.2): the setting `origins`.

use crate::config::OWN_ORIGIN;
use crate::protocol::head::Head;
use crate::protocol::origin::{self, Origin};
use crate::protocol::response::Refusal;

/// Facts about a handshake that are not in its head.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// A host decides about it, and hears what the client says.
    pub has_host: bool,
    /// It came by TLS that is spoken here.
    pub is_tls: bool,
    /// Whether the client has shown a certificate.
    pub has_certificate: &'a dyn Fn() -> bool,
}

/// How a page stands to the setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is named.
    Named,
    /// Any page may connect.
    Any,
    /// Any page may connect as a stranger.
    Stranger,
}

/// How a page stands to `origins`; None: it may not connect.
pub fn standing(page: &str, origins: &[String]) -> Option<Standing> {
    let mut standing = None;
    for named in origins {
        match named.as_str() {
            "*" => standing = Some(Standing::Any),
            OWN_ORIGIN if standing.is_none() => standing = Some(Standing::Stranger),
            OWN_ORIGIN => {}
            named if origin::names(named, page) => return Some(Standing::Named),
            _ => {}
        }
    }
    standing
}

/// Lets a handshake pass, or says what to set. One without an `Origin` comes from no browser, and could name any it
/// likes.
///
/// A browser sends along what it knows of the visitor, whichever page asks: cookies, a password, a certificate. So
/// where `origins` has `auto`, as it has unless it is set, any page may connect as a stranger, but in the visitor's
/// name only the server's own pages; and to a host, who may know visitors by other things, these only.
pub fn check(
    page: Option<&str>,
    head: &Head<'_>,
    origins: &[String],
    facts: &Facts<'_>,
) -> Result<(), Refusal> {
    let Some(page) = page else { return Ok(()) };
    match standing(page, origins) {
        Some(Standing::Named | Standing::Any) => return Ok(()),
        Some(Standing::Stranger) => {}
        None => {
            return Err(Refusal::fixed(
                403,
                "pages of this origin may not connect; origins names those that may",
            ));
        }
    }
    let Some(why) = in_whose_name(head, facts) else { return Ok(()) };
    let host = head.host();
    let is_own =
        Origin::parse(page).is_some_and(|page| page.is_of_host(host) && (page.is_https() || !facts.is_tls));
    if is_own {
        return Ok(());
    }
    // The remedy comes first: a close frame has no room for all of it.
    let reason = format!(
        "set origins to the pages that may connect: {why}, so only pages of the Host asked for may; \
         a proxy has to forward Host"
    );
    Err(Refusal::new(403, reason))
}

/// The reason why this handshake is more than a stranger's.
fn in_whose_name(head: &Head<'_>, facts: &Facts<'_>) -> Option<&'static str> {
    let has = |name| head.header(name).is_some();
    if facts.has_host {
        Some("a handler decides here")
    } else if has("cookie") {
        Some("there is a cookie")
    } else if has("authorization") {
        Some("there is an Authorization")
    } else if (facts.has_certificate)() {
        Some("there is a client certificate")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head;

    struct Asked<'a> {
        host: &'a str,
        fields: &'a str,
        facts: Facts<'a>,
    }

    const STRANGER: Facts<'static> = Facts { has_host: false, is_tls: false, has_certificate: &|| false };
    const HOST: Facts<'static> = Facts { has_host: true, ..STRANGER };

    fn refused(asked: &Asked<'_>, origins: &[&str]) -> Option<String> {
        let request = format!("GET /ws HTTP/1.1\r\nHost: {}\r\n{}\r\n", asked.host, asked.fields);
        let mut fields = head::Fields::new();
        let (head, _) = head::parse(request.as_bytes(), 8192, &mut fields).unwrap().unwrap();
        let origins: Vec<String> = origins.iter().map(|origin| (*origin).to_owned()).collect();
        let refusal = check(head.single("origin").unwrap(), &head, &origins, &asked.facts).err()?;
        assert_eq!(refusal.status, 403);
        Some(refusal.reason.into_owned())
    }

    fn passes(host: &str, fields: &str, facts: Facts<'_>, origins: &[&str]) -> bool {
        refused(&Asked { host, fields, facts }, origins).is_none()
    }

    const FOREIGN: &str = "Origin: http://evil.example\r\n";
    const OWN: &str = "Origin: http://app.example\r\n";
    const COOKIE: &str = "Cookie: session=1\r\n";

    #[test]
    fn unless_it_is_set_strangers_come_from_anywhere_and_visitors_from_here() {
        let pass = |fields: &str, facts| passes("app.example", fields, facts, &["auto"]);
        assert!(pass("", STRANGER) && pass(COOKIE, STRANGER) && pass(COOKIE, HOST), "no browser");
        assert!(pass(FOREIGN, STRANGER) && pass("Origin: null\r\n", STRANGER));
        assert!(pass("Origin: capacitor://localhost\r\n", STRANGER));
        for credentials in [COOKIE, "Authorization: Basic YTpi\r\n", "Cookie:\r\n"] {
            assert!(!pass(&format!("{FOREIGN}{credentials}"), STRANGER), "{credentials}");
            assert!(!pass(&format!("Origin: null\r\n{credentials}"), STRANGER), "{credentials}");
            assert!(pass(&format!("{OWN}{credentials}"), STRANGER), "{credentials}");
        }
        let certificate = Facts { has_certificate: &|| true, ..STRANGER };
        assert!(!pass(FOREIGN, certificate) && pass(OWN, certificate));
        assert!(!pass(FOREIGN, HOST) && !pass("Origin: null\r\n", HOST) && pass(OWN, HOST));
        assert!(pass("Origin: https://app.example\r\n", HOST), "a proxy may speak TLS for us");
        let tls = Facts { is_tls: true, ..HOST };
        assert!(pass("Origin: https://app.example\r\n", tls) && !pass(OWN, tls));
    }

    #[test]
    fn the_host_is_the_one_that_is_asked_for() {
        let page = "Origin: http://app.example:8080\r\n";
        assert!(passes("app.example:8080", page, HOST, &["auto"]));
        assert!(!passes("app.example", page, HOST, &["auto"]));
        assert!(!passes("127.0.0.1:8080", page, HOST, &["auto"]), "a proxy that does not forward Host");
    }

    #[test]
    fn what_is_said_counts() {
        let pass = |fields: &str, origins: &[&str]| passes("app.example", fields, HOST, origins);
        assert!(pass(FOREIGN, &["*"]) && pass("Origin: null\r\n", &["*"]));
        assert!(pass(FOREIGN, &["http://evil.example"]) && !pass(OWN, &["http://evil.example"]));
        assert!(
            pass(FOREIGN, &["auto", "http://evil.example"]) && pass(OWN, &["auto", "http://evil.example"])
        );
        assert!(pass("Origin: null\r\n", &["null"]) && !pass("Origin: null\r\n", &["auto"]));
        assert!(!pass(FOREIGN, &[]) && !pass(OWN, &[]) && pass("", &[]));
        assert!(pass("Origin: app://.\r\n", &["app://."]) && pass("Origin: file://\r\n", &["file://"]));
    }

    #[test]
    fn the_refusal_says_what_to_set_in_what_a_close_frame_holds() {
        for (fields, facts) in [(FOREIGN.to_owned(), HOST), (format!("{FOREIGN}{COOKIE}"), STRANGER)] {
            let reason = refused(&Asked { host: "app.example", fields: &fields, facts }, &["auto"]).unwrap();
            assert!(reason.starts_with("set origins to ") && reason.contains("forward Host"), "{reason}");
            assert!(reason.find("so only pages").unwrap() < 123, "{reason}");
        }
    }
}
