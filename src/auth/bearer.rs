//! Where in a request the token is: the first of `Authorization: Bearer`, an offered subprotocol
//! `wspush.bearer.TOKEN` for pages, which can set no header, a cookie, and `token=` in the query.

use crate::protocol::cookie;
use crate::protocol::handshake;
use crate::protocol::head::Head;
use crate::protocol::response::Refusal;

/// Finds the token; None: there is none. `parameter` is what the query says.
///
/// # Errors
/// 400: more than one is offered as a subprotocol.
pub fn find<'a>(
    head: &Head<'a>,
    cookie: Option<&str>,
    parameter: Option<&'a str>,
) -> Result<Option<&'a str>, Refusal> {
    let header = head.header_str("authorization").and_then(credentials);
    let offered = handshake::bearer(head)?;
    let cookie = || cookie.and_then(|name| cookie::value(head, name));
    Ok(header.or(offered).or_else(cookie).or(parameter))
}

/// The token behind `Bearer` (RFC 6750 section 2.1); credentials of another kind are somebody else's.
fn credentials(field: &str) -> Option<&str> {
    let (scheme, token) = field.split_once(' ').unwrap_or((field, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head;

    fn found(fields: &str, parameter: Option<&str>) -> Result<Option<String>, u16> {
        let request = format!("GET /ws HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
        let mut fields = head::Fields::new();
        let (head, _) = head::parse(request.as_bytes(), 8192, &mut fields).unwrap().unwrap();
        let token = find(&head, Some("session"), parameter);
        token.map(|token| token.map(str::to_owned)).map_err(|refusal| refusal.status)
    }

    #[test]
    fn the_first_place_that_has_one_counts() {
        let fields = [
            "Authorization: Bearer  a.b.c \r\n",
            "Sec-WebSocket-Protocol: chat, wspush.bearer.d.e.f\r\n",
            "Cookie: other=1; session=\"g.h.i\"; session=x\r\nCookie: more=2\r\n",
        ];
        for (from, token) in [(0, "a.b.c"), (1, "d.e.f"), (2, "g.h.i"), (3, "j.k.l")] {
            assert_eq!(found(&fields[from..].concat(), Some("j.k.l")), Ok(Some(token.to_owned())), "{from}");
        }
        assert_eq!(found("", None), Ok(None));
    }

    #[test]
    fn what_is_no_token_of_ours_is_passed_over() {
        for fields in [
            "Authorization: Basic YTpi\r\n",
            "Authorization: Bearers a\r\n",
            "Sec-WebSocket-Protocol: wspush.v1, wspush.bearer\r\n",
            "Cookie: Session=a; sessions=b; x=session=c\r\n",
            "Cookie: session=; session\r\n",
        ] {
            assert_eq!(found(fields, None), Ok(None), "{fields}");
        }
        // It was meant to be one, so nobody comes in as a stranger instead.
        assert_eq!(found("Authorization: Bearer\r\n", None), Ok(Some(String::new())));
        assert_eq!(found("Sec-WebSocket-Protocol: wspush.bearer.\r\n", None), Ok(Some(String::new())));
        assert_eq!(found("Sec-WebSocket-Protocol: wspush.bearer.a, wspush.bearer.b\r\n", None), Err(400));
    }
}
