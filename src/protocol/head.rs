//! Request heads (RFC 9112 sections 2, 3 and 5): `httparse` for the syntax, and what is asked of the fields.

use std::fmt;
use std::mem::MaybeUninit;

use crate::alphabet::{is_field_name, is_same_name};

use super::body::Framing;
use super::list;
use super::response::Refusal;
use super::target::{self, Target};
use httparse::{Error, Header, Request, Status};

#[cfg(test)]
mod tests;

/// Most header fields in a request.
pub const HEADERS_MAX: usize = 64;

/// The fields that say how a body comes (RFC 9112 section 6).
const BODY_FIELDS: [&str; 2] = ["content-length", "transfer-encoding"];

/// The head of a request; it borrows from the bytes that it was parsed from.
#[derive(Clone)]
pub struct Head<'a> {
    /// The method, as it was sent: methods are case-sensitive.
    pub method: &'a str,
    /// The request target, as it was sent.
    pub target: &'a str,
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub minor_version: u8,
    parts: Target<'a>,
    headers: &'a [Header<'a>],
    /// How long the names of the fields are, a bit for each length: most of what is asked for isn't there.
    lengths: u64,
    /// Whether a field says something about a body; most requests have none, and are asked several times.
    announces_body: bool,
}

/// Room for the header fields of one request, which is kilobytes: whoever has a head parsed keeps it, so that a head is
/// small.
pub struct Fields<'a>([MaybeUninit<Header<'a>>; HEADERS_MAX]);

impl Fields<'_> {
    /// Room for the fields of one request.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Fields([const { MaybeUninit::uninit() }; HEADERS_MAX])
    }
}

/// Cookies, tokens and passwords are in the fields, and in the query.
impl fmt::Debug for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.target.split('?').next();
        let fields: Vec<&str> = self.headers.iter().map(|header| header.name).collect();
        f.debug_struct("Head")
            .field("method", &self.method)
            .field("path", &path)
            .field("fields", &fields)
            .finish_non_exhaustive()
    }
}

/// Parses a head and says how many bytes it takes; `None`: more bytes are needed.
///
/// A head over `bytes_max` bytes or with too many fields is refused with 431, complete or not, everything
/// else that is wrong with 400. Each call starts anew.
pub fn parse<'a>(
    bytes: &'a [u8],
    bytes_max: usize,
    fields: &'a mut Fields<'a>,
) -> Result<Option<(Head<'a>, usize)>, Refusal> {
    let mut request = Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(&bytes[..bytes.len().min(bytes_max)], &mut fields.0);
    let size = match parsed {
        Ok(Status::Complete(size)) => size,
        Ok(Status::Partial) if bytes.len() < bytes_max => return Ok(None),
        Ok(Status::Partial) => return Err(Refusal::new(431, format!("request head over {bytes_max} bytes"))),
        Err(Error::TooManyHeaders) => {
            return Err(Refusal::new(431, format!("more than {HEADERS_MAX} header fields")));
        }
        Err(Error::Version) => return Err(Refusal::fixed(400, "not HTTP/1.0 or HTTP/1.1")),
        Err(Error::HeaderName | Error::HeaderValue) => {
            return Err(Refusal::fixed(400, "malformed header field"));
        }
        Err(_) => return Err(Refusal::fixed(400, "malformed request line")),
    };
    let Request { method: Some(method), path: Some(target), version: Some(minor_version), headers } = request
    else {
        return Err(Refusal::fixed(400, "malformed request line"));
    };
    let parts = Target::parse(method, target)?;
    let lengths = headers.iter().fold(0, |lengths, field| lengths | of_length(field.name));
    let mut head = Head { method, target, minor_version, parts, headers, lengths, announces_body: false };
    head.announces_body = BODY_FIELDS.iter().any(|name| head.header(name).is_some());
    head.check_host()?;
    Ok(Some((head, size)))
}

/// The bit of [`Head::lengths`] that a name of this length has, and a few that are much longer.
fn of_length(name: &str) -> u64 {
    1 << (name.len() % 64)
}

impl<'a> Head<'a> {
    /// The target's path, not decoded; `/` for an absolute target without
    /// one.
    pub fn path(&self) -> &'a str {
        self.parts.path
    }

    /// Whether it only looks: `GET`, or `HEAD`, which goes with it.
    pub fn only_looks(&self) -> bool {
        matches!(self.method, "GET" | "HEAD")
    }

    /// Host and port that are asked for: those of an absolute target, whatever `Host` says beside it (RFC 9112 section
    /// 3.2.2), else those of `Host`; empty in HTTP/1.0 without either.
    pub fn host(&self) -> &'a str {
        self.parts.authority.or_else(|| self.header_str("host")).unwrap_or("")
    }

    /// The target's query without the `?`, not decoded; empty if there is none.
    pub fn query(&self) -> &'a str {
        self.parts.query
    }

    /// The query's names and values, decoded as a form's are (`+` is a space).
    pub fn query_pairs(&self) -> form_urlencoded::Parse<'a> {
        form_urlencoded::parse(self.parts.query.as_bytes())
    }

    /// The first of [`headers`](Self::headers).
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers(name).next()
    }

    /// The same as text; `None` also if it isn't UTF-8. What decides about anybody's rights is asked for by
    /// [`single`](Self::single).
    pub fn header_str(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.header(name)?).ok()
    }

    /// The value of a field that may be there once. One that isn't text must not pass for one that isn't there, nor
    /// the first of several for all of them.
    ///
    /// # Errors
    /// 400 for several of them, and for one that is not UTF-8.
    pub fn single(&self, name: &'static str) -> Result<Option<&'a str>, Refusal> {
        let Some(value) = self.single_bytes(name)? else { return Ok(None) };
        let malformed = |_| Refusal::new(400, format!("malformed {name} field"));
        std::str::from_utf8(value).map(Some).map_err(malformed)
    }

    /// The same of a value that need not be text.
    ///
    /// # Errors
    /// 400 for several of them.
    pub fn single_bytes(&self, name: &'static str) -> Result<Option<&'a [u8]>, Refusal> {
        let mut values = self.headers(name);
        let value = values.next();
        match values.next() {
            None => Ok(value),
            Some(_) => Err(Refusal::new(400, format!("more than one {name} field"))),
        }
    }

    /// All fields of this name, in order. It is asked for in small letters, and only by what is written here.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let fields = if self.lengths & of_length(name) == 0 { &[] } else { self.headers };
        let is_asked_for = move |field: &&Header<'_>| is_field_name(field.name.as_bytes(), name.as_bytes());
        fields.iter().filter(is_asked_for).map(|field| field.value)
    }

    /// All fields of a name that somebody else has written, in any case.
    pub fn headers_called<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let is_called = move |field: &&Header<'_>| is_same_name(field.name.as_bytes(), name.as_bytes());
        self.headers.iter().filter(is_called).map(|field| field.value)
    }

    /// All fields, names and values, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.headers.iter().map(|field| (field.name, field.value))
    }

    /// Whether the comma-separated list in all fields of this name has this token, in any case.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        let is_token = |element: &[u8]| is_same_name(element, token.as_bytes());
        // Nearly everybody sends the token alone, and a list need not be taken apart to see that.
        self.headers(name).any(|line| is_token(line) || list::elements(line).any(is_token))
    }

    /// Whether the connection stays open after the answer (RFC 9112 section 9.3).
    pub fn keep_alive(&self) -> bool {
        let asked = self.minor_version >= 1 || self.has_token("connection", "keep-alive");
        asked && !self.has_token("connection", "close")
    }

    /// Whether the client waits for [`super::response::CONTINUE`] before it sends the body (RFC 9110 section
    /// 10.1.1).
    pub fn expects_continue(&self) -> bool {
        self.minor_version >= 1 && self.has_token("expect", "100-continue")
    }

    /// How the body comes, if one does; see [`Framing::of`].
    pub fn body(&self, bytes_max: usize) -> Result<Framing, Refusal> {
        if self.announces_body { Framing::of(self, bytes_max) } else { Ok(Framing::None) }
    }

    /// RFC 9112 section 3.2: exactly one `Host` in HTTP/1.1, at most one before, and a valid one.
    fn check_host(&self) -> Result<(), Refusal> {
        let mut hosts = self.headers("host");
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host,
            (None, _) if self.minor_version == 0 => return Ok(()),
            (None, _) => return Err(Refusal::fixed(400, "no Host field")),
            (Some(_), Some(_)) => return Err(Refusal::fixed(400, "more than one Host field")),
        };
        if !target::is_authority(host) {
            return Err(Refusal::fixed(400, "malformed Host field"));
        }
        Ok(())
    }
}
