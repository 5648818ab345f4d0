//! HTTP answers, as far as a client of an API needs them: status, and a body with a length or in chunks.

/// The value of the header `name`, without the blanks around it.
pub(crate) fn field<'a>(headers: &[httparse::Header<'a>], name: &str) -> Option<&'a [u8]> {
    let header = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
    Some(header.value.trim_ascii())
}

/// The media type of envelopes, one a line.
pub(crate) const LINES: &[u8] = b"application/x-ndjson";

/// The head of an answer, as far as it matters here.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    pub(crate) status: u16,
    /// Its bytes.
    pub(crate) size: usize,
    pub(crate) is_chunked: bool,
    length: Option<usize>,
    pub(crate) media_type: &'a [u8],
    pub(crate) etag: Option<&'a [u8]>,
    pub(crate) modified: Option<&'a [u8]>,
}

impl<'a> Head<'a> {
    /// Finds the end of a head; `Ok(None)` asks for more bytes.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Option<Self>, String> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Response::new(&mut headers);
        let size = match head.parse(bytes).map_err(|error| format!("the answer is not HTTP: {error}"))? {
            httparse::Status::Complete(size) => size,
            httparse::Status::Partial => return Ok(None),
        };
        let field = |name| field(head.headers, name);
        let length = field("Content-Length").and_then(|value| std::str::from_utf8(value).ok());
        Ok(Some(Self {
            status: head.code.unwrap_or(0),
            size,
            is_chunked: field("Transfer-Encoding")
                .is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked")),
            length: length.and_then(|length| length.parse().ok()),
            media_type: field("Content-Type").unwrap_or_default(),
            etag: field("ETag"),
            modified: field("Last-Modified"),
        }))
    }

    /// The body, and the bytes of head and body, of an answer that has an end; `Ok(None)` asks for more bytes.
    pub(crate) fn body(&self, bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, String> {
        let rest = &bytes[self.size..];
        let body = if matches!(self.status, 204 | 304) {
            Some((Vec::new(), 0))
        } else if self.is_chunked {
            chunks(rest)?
        } else {
            let length =
                self.length.ok_or("an answer without a length ends the connection (keep-alive is needed)")?;
            rest.get(..length).map(|body| (body.to_vec(), length))
        };
        Ok(body.map(|(body, size)| (body, self.size + size)))
    }
}

/// A whole answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Bytes of head and body as they came.
    pub(crate) size: usize,
}

impl Answer {
    /// Finds the end of an answer; `Ok(None)` asks for more bytes.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, String> {
        let Some(head) = Head::parse(bytes)? else { return Ok(None) };
        Ok(head.body(bytes)?.map(|(body, size)| Self { status: head.status, body, size }))
    }
}

/// The body that is in chunks, and the bytes that they take.
fn chunks(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, String> {
    let (mut body, mut at) = (Vec::new(), 0);
    while let Some(rest) = bytes.get(at..) {
        let (line, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete((line, size))) => (line, size as usize),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err("a broken chunk in the answer".into()),
        };
        if size == 0 {
            let end = at + line + 2; // No trailers: nobody sends them to a push.
            return Ok((bytes.len() >= end).then_some((body, end)));
        }
        let Some(chunk) = rest.get(line..line.saturating_add(size)) else { return Ok(None) };
        body.extend_from_slice(chunk);
        at += line + size + 2;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_end_where_they_end() {
        for (text, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP", Some(("ok", 40))),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", None),
            ("HTTP/1.1 204 No Content\r\n\r\nHTTP", Some(("", 27))),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\nHTTP", Some(("", 48))),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP",
                Some(("ok", 59)),
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n", None),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok", None),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nok", None),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nok", None),
            ("HTTP/1.1 200", None),
        ] {
            let answer = Answer::parse(text.as_bytes()).unwrap();
            let found =
                answer.as_ref().map(|answer| (std::str::from_utf8(&answer.body).unwrap(), answer.size));
            assert_eq!(found, expected, "{text}");
        }
        assert!(Answer::parse(b"HTTP/1.0 200 OK\r\n\r\nok").is_err());
        assert!(Answer::parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n").is_err());
    }
}
