//! `POST /push`: what its body means.

use std::borrow::Cow;

use serde::Serialize;

use crate::alphabet::shown;
use crate::protocol::head::Head;
use crate::protocol::media_type::MediaType;
use crate::protocol::multipart::Parts;
use crate::protocol::response::Refusal;
use crate::protocol::{form, list};
use crate::push::{Message, PushError};

use super::query::Tally;
use super::requests::PUSH_FORM;
use super::trace;

/// The message of a push, with what had to be decoded for it.
#[derive(Debug)]
pub struct Pushed<'a> {
    payload: Payload<'a>,
    /// The things that the answer says of it.
    pub notes: Notes,
}

/// The things that the answer to a push says beside where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Notes {
    /// The part of the body that was pushed, where that is not all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_as: Option<&'static str>,
    /// The request that the push is part of, as it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Notes {
    fn of(head: &Head<'_>, taken_as: Option<&'static str>) -> Notes {
        Notes { taken_as, ..Notes::of_batch(head) }
    }

    /// Of many at once.
    pub fn of_batch(head: &Head<'_>) -> Notes {
        Notes { taken_as: None, traceparent: trace::parent(head).map(str::to_owned) }
    }
}

#[derive(Debug)]
enum Payload<'a> {
    Text(Cow<'a, str>),
    Binary(&'a [u8]),
}

impl Pushed<'_> {
    /// As a message.
    pub fn message(&self) -> Message<'_> {
        match &self.payload {
            Payload::Text(text) => Message::Text(text),
            Payload::Binary(bytes) => Message::Binary(bytes),
        }
    }
}

/// The answer's name for a form's field.
const FIELD: &str = "form field message";

/// Reads the body as its content type says: bytes for `application/octet-stream`, the field `message` of a form, else
/// text. A form without that field is text as well, unless it comes in parts: `curl -d hello` calls its plain text a
/// form.
///
/// # Errors
/// 400: empty, not UTF-8, or a form with something else in it; 415: in a form that is not read here.
pub fn read<'a>(head: &Head<'_>, body: &'a [u8]) -> Result<Pushed<'a>, Refusal> {
    check_codings(head.headers("content-encoding"))?;
    let media_type = MediaType::of(head.single("content-type")?.unwrap_or(""));
    if media_type.is("multipart/form-data") {
        return Ok(Pushed { payload: part(&media_type, body)?, notes: Notes::of(head, Some(FIELD)) });
    }
    let is_multipart =
        media_type.essence.get(..10).is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/"));
    if is_multipart {
        return Err(Refusal::fixed(415, "of multipart bodies only multipart/form-data is read here"));
    }
    if media_type.is("application/x-www-form-urlencoded")
        && let Some(text) = field(&media_type, body)?
    {
        return Ok(Pushed { payload: Payload::Text(Cow::Owned(text)), notes: Notes::of(head, Some(FIELD)) });
    }
    Ok(Pushed { payload: whole(&media_type, body)?, notes: Notes::of(head, None) })
}

/// All of it, as this type says.
fn whole<'a>(media_type: &MediaType<'_>, body: &'a [u8]) -> Result<Payload<'a>, Refusal> {
    if body.is_empty() {
        return Err(PushError::Empty.into());
    }
    if media_type.is("application/octet-stream") {
        return Ok(Payload::Binary(body));
    }
    check_charset(media_type)?;
    let text = simdutf8::basic::from_utf8(body).map_err(|_| PushError::NotUtf8)?;
    Ok(Payload::Text(Cow::Borrowed(text)))
}

/// The field `message` of a form in one piece; `None`: it has none, and is no form of ours. A bare word is no field:
/// whoever pushes the text `message` has no `=` in it.
fn field(media_type: &MediaType<'_>, body: &[u8]) -> Result<Option<String>, Refusal> {
    let message = PUSH_FORM[0].name.as_bytes();
    if !form::fields(body).any(|field| &*field.name == message && field.value.is_some()) {
        return Ok(None);
    }
    check_charset(media_type)?;
    let (mut tally, mut found) = (Tally::new("form field", PUSH_FORM), String::new());
    for field in form::fields(body) {
        let known = tally.admit(&field.name).map_err(not_a_text)?;
        found = known.take(field.value.unwrap_or_default())?.into_owned();
    }
    Ok(Some(found))
}

/// `curl -d` calls any text a form, and a text may have a `message=` in it.
fn not_a_text(refusal: Refusal) -> Refusal {
    let reason = format!("{}; text goes as it is with Content-Type: text/plain", refusal.reason);
    Refusal { reason: reason.into(), ..refusal }
}

/// The field `message` of a form in parts. A file that was chosen for it counts as what is in it.
fn part<'a>(media_type: &MediaType<'_>, body: &'a [u8]) -> Result<Payload<'a>, Refusal> {
    check_charset(media_type)?;
    let (mut tally, mut payload) = (Tally::new("form field", PUSH_FORM), None);
    for part in Parts::of(media_type, body)? {
        let part = part?;
        let known = tally.admit(part.name.as_bytes())?;
        if part.bytes.is_empty() {
            // The rule's own words for it.
            known.take(Cow::Borrowed(&[]))?;
        }
        check_codings(part.headers("content-encoding"))?;
        check_transfer_encoding(part.headers("content-transfer-encoding"))?;
        let content_type = part.headers("content-type").next().unwrap_or_default();
        let content_type = str::from_utf8(content_type).map_err(|_| Refusal::fixed(400, "malformed part"))?;
        payload = Some(whole(&MediaType::of(content_type), part.bytes)?);
    }
    tally.finish()?;
    let payload = payload.ok_or(PushError::Empty)?;
    Ok(payload)
}

/// Nothing is unpacked here (RFC 9110 section 8.4).
pub(super) fn check_codings<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<(), Refusal> {
    let mut codings = values.flat_map(list::elements);
    match codings.find(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        None => Ok(()),
        Some(coding) => {
            let reason = format!("Content-Encoding {} is not read here; send what it packs", shown(coding));
            Err(Refusal::new(415, reason).with_headers(&[("Accept-Encoding", "identity")]))
        }
    }
}

/// A remnant of mail in forms (RFC 7578 section 4.7): only encodings that leave the bytes as they are.
fn check_transfer_encoding<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Result<(), Refusal> {
    let as_it_is = |value: &[u8]| {
        let names: [&[u8]; 3] = [b"7bit", b"8bit", b"binary"];
        names.iter().any(|name| value.trim_ascii().eq_ignore_ascii_case(name))
    };
    match values.all(as_it_is) {
        true => Ok(()),
        false => {
            Err(Refusal::fixed(415, "Content-Transfer-Encoding: only 7bit, 8bit and binary are read here"))
        }
    }
}

/// Text is UTF-8 here, of which US-ASCII is a part.
fn check_charset(media_type: &MediaType<'_>) -> Result<(), Refusal> {
    let is_utf8 = |charset: &str| {
        ["utf-8", "utf8", "us-ascii", "ascii"].iter().any(|name| charset.eq_ignore_ascii_case(name))
    };
    for charset in media_type.all("charset") {
        let charset = charset.unwrap_or_default();
        if !is_utf8(&charset) {
            let named = shown(charset.as_bytes());
            let way = "text is utf-8 or us-ascii, and bytes go as application/octet-stream";
            return Err(Refusal::new(415, format!("the charset {named} is not read here; {way}")));
        }
    }
    Ok(())
}

impl From<PushError> for Refusal {
    /// Answers a push that was not taken.
    fn from(problem: PushError) -> Refusal {
        let status = match problem.cause() {
            // Its cause is what is wrong about it.
            PushError::BadItem { .. }
            | PushError::Empty
            | PushError::NotUtf8
            | PushError::BadChannel
            | PushError::BadUser
            | PushError::TooMany { .. }
            | PushError::BadTerms(_) => 400,
            PushError::OffsetDiffers { .. } => 409,
            // As the draft on the Idempotency-Key field has it.
            PushError::KeyReused => 422,
            PushError::NoSuchConnection => 404,
            PushError::TooLarge { .. } => 413,
            PushError::TooManyChannels { .. }
            | PushError::InboxFull
            | PushError::OutboxFull
            | PushError::Unavailable(_)
            | PushError::Stopped => 503,
        };
        let refusal = Refusal::new(status, problem.to_string());
        match problem {
            PushError::InboxFull | PushError::Unavailable(_) => refusal.with_headers(&[("Retry-After", "1")]),
            _ => refusal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head;

    const FORM: &str = "application/x-www-form-urlencoded";

    /// The pushed message, or the status.
    fn pushed_with(fields: &str, body: &[u8]) -> Result<(String, bool), u16> {
        let request = format!("POST /push HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
        let mut fields = head::Fields::new();
        let (head, _) = head::parse(request.as_bytes(), 8192, &mut fields).unwrap().unwrap();
        read(&head, body).map_err(|refusal| refusal.status).map(|pushed| {
            let text = match pushed.message() {
                Message::Text(text) => format!("text {text}"),
                Message::Binary(bytes) => format!("binary {bytes:?}"),
            };
            (text, pushed.notes.taken_as.is_some())
        })
    }

    fn pushed(content_type: &str, body: &[u8]) -> Result<(String, bool), u16> {
        pushed_with(&format!("Content-Type: {content_type}\r\n"), body)
    }

    fn whole(text: &str) -> Result<(String, bool), u16> {
        Ok((text.to_owned(), false))
    }

    fn field(text: &str) -> Result<(String, bool), u16> {
        Ok((text.to_owned(), true))
    }

    #[test]
    fn the_content_type_decides() {
        assert_eq!(pushed("text/plain", b"hi"), whole("text hi"));
        assert_eq!(pushed_with("", b"hi"), whole("text hi"));
        assert_eq!(pushed("application/octet-stream", b"\xff"), whole("binary [255]"));
        assert_eq!(pushed("application/octet-stream; charset=x", b"\xff"), whole("binary [255]"));
        assert_eq!(pushed("application/json; charset=UTF-8", b"{\"a\":1}"), whole("text {\"a\":1}"));
        assert_eq!(
            pushed(&format!("{FORM}; charset=utf-8"), b"message=caf%C3%A9+%26+tea"),
            field("text caf\u{e9} & tea")
        );
        assert_eq!(pushed(FORM, b"%6dess%61ge=hi"), field("text hi"));
        assert_eq!(pushed(FORM, b"message=100%"), field("text 100%"));
        assert_eq!(pushed(FORM, b"&message=a=b&"), field("text a=b"));
        for text in ["hello=world & co", "message", "a&message", "messages=1", "Message=1"] {
            assert_eq!(pushed(FORM, text.as_bytes()), whole(&format!("text {text}")), "curl -d {text:?}");
        }
    }

    #[test]
    fn nothing_and_bad_text_are_refused() {
        assert_eq!(pushed("text/plain", b""), Err(400));
        assert_eq!(pushed("text/plain", b"\xc3("), Err(400));
        assert_eq!(pushed(FORM, b"message=%ff"), Err(400));
        assert_eq!(pushed("application/octet-stream", b""), Err(400));
        assert_eq!(pushed_with("Content-Type: text/plain\r\nContent-Type: text/plain\r\n", b"hi"), Err(400));
    }

    #[test]
    fn a_form_has_the_one_field() {
        let refused = |body: &str| {
            let request = format!("POST /push HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n\r\n");
            let mut fields = head::Fields::new();
            let (head, _) = head::parse(request.as_bytes(), 8192, &mut fields).unwrap().unwrap();
            let refusal = read(&head, body.as_bytes()).unwrap_err();
            assert_eq!(refusal.status, 400, "{body}");
            refusal.reason.into_owned()
        };
        for (body, expected) in [
            ("message=", "message is empty"),
            ("message=a&message=b", "message is there more than once"),
            ("message=a&%6dessage=b", "message is there more than once"),
            ("message=a&message", "message is there more than once"),
            ("message=a&channel=b", "unknown form field \"channel\"; this path knows message"),
            ("5 + 5&message=a", "unknown form field of 5 bytes"),
        ] {
            let reason = refused(body);
            assert!(reason.contains(expected), "{body}: {reason}");
        }
        assert!(refused("see&message=a").contains("text/plain"));
    }

    #[test]
    fn what_is_not_read_is_not_pushed() {
        for fields in [
            "Content-Encoding: gzip",
            "Content-Encoding: identity, br",
            "Content-Encoding: identity\r\nContent-Encoding: zstd",
            "Content-Type: application/octet-stream\r\nContent-Encoding: gzip",
            "Content-Type: text/plain; charset=utf-16le",
            "Content-Type: text/plain; charset=\"ISO-8859-1\"",
            "Content-Type: text/plain; charset=utf-8; charset=utf-16",
            "Content-Type: text/plain; charset",
            "Content-Type: text/plain; charset=",
            "Content-Type: application/json; charset=utf-16",
            "Content-Type: multipart/mixed; boundary=x",
            "Content-Type: Multipart/Related; boundary=x",
        ] {
            assert_eq!(pushed_with(&format!("{fields}\r\n"), b"hi"), Err(415), "{fields}");
        }
        assert_eq!(pushed(&format!("{FORM}; charset=latin1"), b"message=a"), Err(415));
        assert_eq!(pushed(&format!("{FORM}; charset=latin1"), b"a"), Err(415));
        assert_eq!(
            pushed_with("Content-Encoding: Identity,\r\nContent-Encoding:\r\n", b"hi"),
            whole("text hi")
        );
        for utf8 in ["charset=US-ASCII", "charset = \"utf-8\"", "format=flowed", "x", ""] {
            assert_eq!(pushed(&format!("text/plain; {utf8}"), b"hi"), whole("text hi"), "{utf8}");
        }
    }

    fn parts(parts: &[(&str, &[u8])]) -> Result<(String, bool), u16> {
        let mut body = Vec::new();
        for (head, bytes) in parts {
            let head = format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n");
            body.extend([head.as_bytes(), bytes, b"\r\n"].concat());
        }
        body.extend(b"--b--\r\n");
        pushed("multipart/form-data; boundary=b", &body)
    }

    #[test]
    fn a_form_in_parts() {
        assert_eq!(parts(&[("name=\"message\"", "caf\u{e9} & +".as_bytes())]), field("text caf\u{e9} & +"));
        let file = "name=\"message\"; filename=\"a.bin\"\r\nContent-Type: application/octet-stream";
        assert_eq!(parts(&[(file, b"\xff\0")]), field("binary [255, 0]"));
        let text = "name=message; filename=a.txt\r\nContent-Type: text/plain; charset=utf-8";
        assert_eq!(parts(&[(text, b"hi")]), field("text hi"));
        let message = "name=message";
        for (form, expected) in [
            (&[][..], 400),
            (&[(message, &b""[..])], 400),
            (&[(message, b"\xff")], 400),
            (&[(message, b"a"), (message, b"b")], 400),
            (&[("name=channel", b"a"), (message, b"b")], 400),
            (&[("name=other", b"a")], 400),
            (&[("name=message\r\nContent-Type: text/plain; charset=utf-16", b"a")], 415),
            (&[("name=message\r\nContent-Transfer-Encoding: base64", b"aGk=")], 415),
            (&[("name=message\r\nContent-Encoding: gzip", b"a")], 415),
        ] {
            assert_eq!(parts(form), Err(expected), "{form:?}");
        }
        assert_eq!(parts(&[("name=message\r\nContent-Transfer-Encoding: 8bit", b"a")]), field("text a"));
        assert_eq!(pushed("multipart/form-data", b"hi"), Err(400));
    }
}
