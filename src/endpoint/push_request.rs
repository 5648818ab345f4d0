//! `POST /push`: what its body means.

use std::borrow::Cow;

use crate::protocol::head::Head;
use crate::push::{Message, PushError};

/// The message of a push, with what had to be decoded for it.
pub enum Pushed<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes.
    Binary(&'a [u8]),
}

impl Pushed<'_> {
    /// As a message.
    pub fn message(&self) -> Message<'_> {
        match self {
            Pushed::Text(text) => Message::Text(text),
            Pushed::Binary(bytes) => Message::Binary(bytes),
        }
    }
}

/// Reads the body as its content type says: bytes for `application/octet-stream`, the field `message` of a form,
/// else text. A form without that field is text as well: `curl -d hello` calls its plain text a form.
pub fn read<'a>(head: &Head<'_>, body: &'a [u8]) -> Result<Pushed<'a>, PushError> {
    let content_type = head.header_str("content-type").unwrap_or("");
    let media_type = content_type.split(';').next().unwrap_or("").trim();
    let pushed = if media_type.eq_ignore_ascii_case("application/octet-stream") {
        Pushed::Binary(body)
    } else {
        let field = media_type
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
            .then(|| form_field(body, "message"))
            .flatten();
        match field {
            Some(text) => Pushed::Text(Cow::Owned(text?)),
            None => {
                Pushed::Text(Cow::Borrowed(simdutf8::basic::from_utf8(body).map_err(|_| PushError::NotUtf8)?))
            }
        }
    };
    if pushed.message().bytes().is_empty() { Err(PushError::Empty) } else { Ok(pushed) }
}

/// A form field's first value. The form decoder replaces bad UTF-8, which a push must refuse instead, so the
/// value is decoded as bytes first.
fn form_field(body: &[u8], name: &str) -> Option<Result<String, PushError>> {
    let value = body.split(|&b| b == b'&').find_map(|pair| {
        let rest = pair.strip_prefix(name.as_bytes())?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b"=") }
    })?;
    let spaced: Vec<u8> = value.iter().map(|&b| if b == b'+' { b' ' } else { b }).collect();
    let bytes = percent_encoding::percent_decode(&spaced).collect();
    Some(String::from_utf8(bytes).map_err(|_| PushError::NotUtf8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head;

    fn text(content_type: &str, body: &[u8]) -> Result<String, PushError> {
        let request = format!("POST /push HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n\r\n");
        let (head, _) = head::parse(request.as_bytes(), 8192).unwrap().unwrap();
        read(&head, body).map(|pushed| match pushed {
            Pushed::Text(text) => format!("text {text}"),
            Pushed::Binary(bytes) => format!("binary {bytes:?}"),
        })
    }

    #[test]
    fn the_content_type_decides() {
        assert_eq!(text("text/plain", b"hi"), Ok("text hi".into()));
        assert_eq!(text("application/octet-stream", b"\xff"), Ok("binary [255]".into()));
        let form = "application/x-www-form-urlencoded; charset=utf-8";
        assert_eq!(text(form, b"a=1&message=caf%C3%A9+%26+tea"), Ok("text caf\u{e9} & tea".into()));
        assert_eq!(text(form, b"hello=world & co"), Ok("text hello=world & co".into()));
        assert_eq!(text(form, b"message=100%"), Ok("text 100%".into()));
    }

    #[test]
    fn nothing_and_bad_text_are_refused() {
        assert_eq!(text("text/plain", b""), Err(PushError::Empty));
        assert_eq!(text("text/plain", b"\xc3("), Err(PushError::NotUtf8));
        let form = "application/x-www-form-urlencoded";
        assert_eq!(text(form, b"message="), Err(PushError::Empty));
        assert_eq!(text(form, b"message=%ff"), Err(PushError::NotUtf8));
        assert_eq!(text("application/octet-stream", b""), Err(PushError::Empty));
    }
}
