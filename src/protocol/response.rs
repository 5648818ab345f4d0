//! Plain HTTP answers (RFC 9112 section 4), and refusals: errors that are answered with a status.

use std::borrow::Cow;
use std::fmt;

use super::json;

/// The interim answer to `Expect: 100-continue` (RFC 9110 section 10.1.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Why a request is not served, as its sender is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status code.
    pub status: u16,
    /// One line for the body.
    pub reason: Cow<'static, str>,
    /// Header fields that the status asks for, such as `Allow` on 405.
    pub headers: &'static [(&'static str, &'static str)],
    /// Those that a host adds; they were checked.
    pub own: Vec<(String, String)>,
}

impl Refusal {
    /// A refusal with a reason made up on the spot.
    pub fn new(status: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { status, reason: reason.into(), headers: &[], own: Vec::new() }
    }

    /// A refusal that is known at compile time.
    pub const fn fixed(status: u16, reason: &'static str) -> Self {
        Self { status, reason: Cow::Borrowed(reason), headers: &[], own: Vec::new() }
    }

    /// The same with these header fields.
    pub const fn with_headers(mut self, headers: &'static [(&'static str, &'static str)]) -> Self {
        self.headers = headers;
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, phrase(self.status), self.reason)
    }
}

impl std::error::Error for Refusal {}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: Cow<'static, [u8]>,
    /// More header fields. Control characters in a value become spaces on the wire.
    pub headers: Vec<(&'static str, String)>,
    /// The same, of a host's own.
    pub own: Vec<(String, String)>,
}

impl Response {
    /// An answer of any type.
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Cow<'static, [u8]>>) -> Self {
        Self { status, content_type, body: body.into(), headers: Vec::new(), own: Vec::new() }
    }

    /// A line of plain text.
    pub fn text(status: u16, body: impl Into<Cow<'static, str>>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", str_bytes(body.into()))
    }

    /// JSON that is serialized already.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "application/json", body.into())
    }

    /// A page.
    pub fn html(status: u16, body: impl Into<Cow<'static, str>>) -> Self {
        Self::new(status, "text/html; charset=utf-8", str_bytes(body.into()))
    }

    /// The same with one more header field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Appends the answer as HTTP/1.1. `head_only` is for `HEAD`: the length is told, the body left out.
    pub fn write(&self, out: &mut Vec<u8>, keep_alive: bool, head_only: bool) {
        // RFC 9110 section 8.6: no Content-Length with 1xx and 204; section 6.4.1: and no body, nor with 304.
        let no_content = self.status < 200 || self.status == 204;
        out.reserve(256 + self.body.len());
        self.write_head(out, keep_alive, Some(self.body.len()).filter(|_| !no_content));
        if !head_only && !no_content && self.status != 304 {
            out.extend_from_slice(&self.body);
        }
    }

    /// Appends the head alone of an answer whose length is not known.
    pub fn write_head_of_stream(&self, out: &mut Vec<u8>, keep_alive: bool) {
        self.write_head(out, keep_alive, None);
    }

    fn write_head(&self, out: &mut Vec<u8>, keep_alive: bool, length: Option<usize>) {
        out.extend_from_slice(b"HTTP/1.1 ");
        json::push_number(self.status.into(), out);
        out.push(b' ');
        out.extend_from_slice(phrase(self.status).as_bytes());
        out.extend_from_slice(b"\r\n");
        if self.status >= 200 && self.status != 204 {
            field(out, "Content-Type", self.content_type);
        }
        if let Some(length) = length {
            out.extend_from_slice(b"Content-Length: ");
            json::push_number(length as u64, out);
            out.extend_from_slice(b"\r\n");
        }
        let upgrade = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Upgrade"));
        // RFC 9110 section 7.8: Upgrade is hop-by-hop, so Connection has to name it.
        let connection = match (keep_alive, upgrade) {
            (true, false) => "keep-alive",
            (true, true) => "keep-alive, Upgrade",
            (false, false) => "close",
            (false, true) => "close, Upgrade",
        };
        field(out, "Connection", connection);
        field(out, "X-Content-Type-Options", "nosniff");
        for (name, value) in &self.headers {
            field(out, name, value);
        }
        for (name, value) in &self.own {
            field(out, name, value);
        }
        out.extend_from_slice(b"\r\n");
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        let mut body = refusal.reason.into_owned();
        body.push('\n');
        let mut response = Self::text(refusal.status, body);
        response.headers.extend(refusal.headers.iter().map(|&(name, value)| (name, value.to_owned())));
        response.own = refusal.own;
        response
    }
}

fn str_bytes(text: Cow<'static, str>) -> Cow<'static, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// Appends a header field. A value may carry a peer's bytes, and must not be able to end its line
/// (RFC 9110 section 5.5).
fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    let is_bad = |byte: u8| byte.is_ascii_control() && byte != b'\t';
    if value.bytes().any(is_bad) {
        out.extend(value.bytes().map(|byte| if is_bad(byte) { b' ' } else { byte }));
    } else {
        out.extend_from_slice(value.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// The reason phrase of a status (RFC 9110 section 15).
pub const fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(response: &Response, keep_alive: bool, head_only: bool) -> String {
        let mut out = Vec::new();
        response.write(&mut out, keep_alive, head_only);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_whole_answer() {
        let response = Response::text(200, "ok\n").with("X-A", "b");
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\
                    Connection: keep-alive\r\nX-Content-Type-Options: nosniff\r\nX-A: b\r\n\r\n";
        assert_eq!(written(&response, true, false), format!("{head}ok\n"));
        assert_eq!(written(&response, true, true), head);
        assert!(written(&response, false, false).contains("\r\nConnection: close\r\n"));
    }

    #[test]
    fn types() {
        assert!(
            written(&Response::json(200, "{}"), true, false).contains("Content-Type: application/json\r\n")
        );
        assert!(written(&Response::json(200, vec![b'1']), true, false).ends_with("\r\n\r\n1"));
        assert!(
            written(&Response::html(404, "<p>"), true, false)
                .contains("Content-Type: text/html; charset=utf-8")
        );
    }

    #[test]
    fn no_content() {
        let out = written(&Response::text(204, "never"), true, false);
        assert!(!out.contains("Content-Length"));
        assert!(out.ends_with("\r\n\r\n"));
        assert!(written(&Response::text(304, "never"), true, false).ends_with("\r\n\r\n"));
    }

    #[test]
    fn refusals_name_their_reason_and_fields() {
        let refusal = Refusal::fixed(426, "no upgrade").with_headers(&[("Upgrade", "websocket")]);
        assert_eq!(refusal.to_string(), "426 Upgrade Required: no upgrade");
        let out = written(&refusal.into(), false, false);
        assert!(
            out.starts_with("HTTP/1.1 426 Upgrade Required\r\n") && out.ends_with("\r\n\r\nno upgrade\n")
        );
        assert!(
            out.contains("\r\nConnection: close, Upgrade\r\n") && out.contains("\r\nUpgrade: websocket\r\n")
        );
    }

    #[test]
    fn a_value_stays_on_its_line() {
        let out = written(&Response::text(302, "").with("Location", "/a\r\nSet-Cookie: b"), true, false);
        assert!(out.contains("\r\nLocation: /a  Set-Cookie: b\r\n"));
    }
}
