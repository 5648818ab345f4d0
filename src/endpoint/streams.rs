//! Streams over plain HTTP: what their requests may be, and the heads of their answers.

use crate::protocol::event_stream as events;
use crate::protocol::head::Head;
use crate::protocol::response::{Refusal, Response};

use super::origins::{Standing, standing};
use super::requests::{DEMO_SSE, SSE, path};

/// The methods that a stream's path takes.
pub const METHODS: &str = "GET, HEAD, OPTIONS";

/// The media type of Server-Sent Events.
pub const EVENT_STREAM: &str = "text/event-stream";

/// The media type of envelopes on lines.
pub const LINES: &str = "application/x-ndjson";

/// A header field of an answer.
type Field = (&'static str, String);

/// Neither kept nor changed: a proxy that compresses a stream holds back what is not enough yet for a block.
const UNCHANGED: (&str, &str) = ("Cache-Control", "no-store, no-transform");

/// Checks a request for a stream; the page that asks, if it is a browser's.
///
/// # Errors
/// 400, 405: it can't be answered by a stream.
pub fn check<'a>(head: &Head<'a>) -> Result<Option<&'a str>, Refusal> {
    if !head.only_looks() {
        return Err(Refusal::fixed(405, "a stream is asked for with GET").with_headers(&[("Allow", METHODS)]));
    }
    if !matches!(head.body(0), Ok(crate::protocol::Framing::None | crate::protocol::Framing::Length(0))) {
        return Err(Refusal::fixed(400, "a request for a stream has no body"));
    }
    // A proxy that looks at the last one and a host that looks at the first must not see two clients in one.
    head.single("authorization")?;
    head.single("origin")
}

/// The fields that let a page of another origin see an answer (WHATWG Fetch section 3.3). It may show who the visitor
/// is only where it is named.
pub fn cross_origin(page: Option<&str>, origins: &[String]) -> Vec<Field> {
    let mut fields = vec![("Vary", "Origin".to_owned())];
    if let Some(page) = page
        && let Some(standing) = standing(page, origins)
    {
        fields.push(("Access-Control-Allow-Origin", page.to_owned()));
        if standing == Standing::Named {
            fields.push(("Access-Control-Allow-Credentials", "true".to_owned()));
        }
        fields.push(("Access-Control-Expose-Headers", "ETag".to_owned()));
    }
    fields
}

/// The answer to a browser that asks whether a page of another origin may ask.
///
/// # Errors
/// 403: it may not.
pub fn preflight(page: Option<&str>, origins: &[String]) -> Result<Response, Refusal> {
    if page.is_some_and(|page| standing(page, origins).is_none()) {
        return Err(Refusal::fixed(
            403,
            "pages of this origin may not connect; origins names those that may",
        ));
    }
    let mut response = Response::text(204, "").with("Allow", METHODS);
    response.headers.extend(cross_origin(page, origins));
    Ok(response
        .with("Access-Control-Allow-Methods", "GET, HEAD")
        .with("Access-Control-Allow-Headers", "authorization, last-event-id, cache-control, if-none-match")
        .with("Access-Control-Max-Age", "600"))
}

/// The head of a stream, which ends with the connection: to a client of HTTP/1.0 by nothing else (RFC 9112 section
/// 6.1). `fields` are those of [`cross_origin`].
pub fn head(asked: &Head<'_>, content_type: &'static str, fields: Vec<Field>) -> Response {
    let mut response = Response::new(200, content_type, &b""[..]);
    response.headers.push((UNCHANGED.0, UNCHANGED.1.to_owned()));
    response.headers.push(("X-Accel-Buffering", "no".to_owned()));
    if asked.minor_version > 0 {
        response.headers.push(("Transfer-Encoding", "chunked".to_owned()));
    }
    response.headers.extend(fields);
    response
}

/// An answer that nobody keeps.
pub fn uncached(status: u16, content_type: &'static str, body: Vec<u8>) -> Response {
    Response::new(status, content_type, body).with("Cache-Control", "no-store")
}

/// A refusal as the client is to be told, so that its page can see it. An `EventSource` that is answered by an error
/// never comes back, so where it is to come back later it is answered by a stream that ends, with its time.
pub fn refused(asked: &Head<'_>, refusal: Refusal, later_ms: u64, origins: &[String]) -> Response {
    let mut response = said(asked, refusal, later_ms);
    let page = asked.single("origin").ok().flatten();
    response.headers.extend(cross_origin(page, origins));
    response
}

fn said(asked: &Head<'_>, refusal: Refusal, later_ms: u64) -> Response {
    let is_later = refusal.status == 429 || refusal.status >= 500;
    if !is_later
        || ![SSE.path, DEMO_SSE.path].contains(&path(asked))
        || !asked.has_token("accept", EVENT_STREAM)
        || asked.method != "GET"
    {
        return Response::from(refusal);
    }
    let mut body = Vec::new();
    events::push_comment(&format!("{} {}", refusal.status, refusal.reason), &mut body);
    events::push_retry(later_ms, &mut body);
    body.push(b'\n');
    let response = Response::new(200, EVENT_STREAM, body).with(UNCHANGED.0, UNCHANGED.1);
    Response { own: refusal.own, ..response }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head::parse;

    fn asked<T>(line: &str, fields: &str, see: impl FnOnce(&Head<'_>) -> T) -> T {
        let request = format!("{line}\r\nHost: x\r\n{fields}\r\n");
        let mut fields = crate::protocol::head::Fields::new();
        let (head, _) = parse(request.as_bytes(), 8192, &mut fields).unwrap().unwrap();
        see(&head)
    }

    #[test]
    fn what_can_be_no_stream_is_refused() {
        let status =
            |line: &str, fields: &str| asked(line, fields, |head| check(head).map_err(|e| e.status).err());
        assert_eq!(status("GET /sse HTTP/1.1", ""), None);
        assert_eq!(status("HEAD /sse HTTP/1.0", "Content-Length: 0\r\n"), None);
        assert_eq!(status("POST /sse HTTP/1.1", ""), Some(405));
        for fields in [
            "Content-Length: 1\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Origin: http://a\r\nOrigin: http://b\r\n",
            "Authorization: a\r\nAuthorization: b\r\n",
        ] {
            assert_eq!(status("GET /sse HTTP/1.1", fields), Some(400), "{fields}");
        }
    }

    #[test]
    fn a_page_sees_as_much_as_it_may() {
        let told = |page, origins: &[&str]| {
            let origins: Vec<String> = origins.iter().map(|origin| (*origin).to_owned()).collect();
            let fields = cross_origin(page, &origins);
            assert_eq!(fields[0], ("Vary", "Origin".to_owned()));
            let value =
                |name: &str| fields.iter().find(|(own, _)| *own == name).map(|(_, value)| value.clone());
            let credentials = value("Access-Control-Allow-Credentials");
            assert!(credentials.as_deref().is_none_or(|value| value == "true"));
            let status =
                preflight(page, &origins).map_or_else(|refusal| refusal.status, |answer| answer.status);
            (value("Access-Control-Allow-Origin"), credentials.is_some(), status)
        };
        let page = "https://a.example";
        let seen = |credentials| (Some(page.to_owned()), credentials, 204);
        assert_eq!(told(Some(page), &["auto"]), seen(false));
        assert_eq!(told(Some(page), &["*"]), seen(false));
        assert_eq!(told(Some(page), &["auto", page]), seen(true));
        assert_eq!(told(Some(page), &["*", page]), seen(true));
        assert_eq!(told(Some(page), &["https://b.example"]), (None, false, 403));
        assert_eq!(told(None, &["*"]), (None, false, 204));
    }

    #[test]
    fn an_event_source_is_told_when_to_come_back() {
        let answer = |accept: &str, refusal: Refusal| {
            let response =
                asked("GET /sse HTTP/1.1", accept, |head| refused(head, refusal, 4_200, &["*".to_owned()]));
            (response.status, String::from_utf8(response.body.into_owned()).unwrap())
        };
        let (accept, full) = ("Accept: text/event-stream\r\n", Refusal::fixed(503, "full"));
        assert_eq!(answer(accept, full.clone()), (200, ": 503 full\nretry: 4200\n\n".to_owned()));
        let poll = asked("GET /poll HTTP/1.1", accept, |head| refused(head, full.clone(), 4_200, &[]));
        assert_eq!(poll.status, 503, "no EventSource polls");
        assert_eq!(answer("Accept: */*\r\n", full), (503, "full\n".to_owned()));
        assert_eq!(answer(accept, Refusal::fixed(401, "who?")), (401, "who?\n".to_owned()));
    }
}
