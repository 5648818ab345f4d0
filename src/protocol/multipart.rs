//! `multipart/form-data` bodies (RFC 7578, RFC 2046 section 5.1): a form's fields with a head each.
//!
//! A body lies in memory as a whole, so parts are slices of it. Strict where readers differ: nothing may stand in front
//! of the first part, nothing behind the last one, and a body that breaks off is none.

use super::media_type::MediaType;
use super::response::Refusal;
use httparse::{EMPTY_HEADER, Status, parse_headers};

/// Longest boundary (RFC 2046 section 5.1.1).
pub const BOUNDARY_BYTES_MAX: usize = 70;

/// Most bytes of a part's head.
pub const PART_HEAD_BYTES_MAX: usize = 4096;

/// Most fields in a part's head.
pub const PART_HEADERS_MAX: usize = 8;

const MALFORMED: Refusal = Refusal::fixed(400, "malformed multipart form");

/// One field of the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// The field's name.
    pub name: String,
    /// Its content.
    pub bytes: &'a [u8],
    headers: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Part<'a> {
    /// All fields of its head of this name, in order.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers
            .iter()
            .filter(move |(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
    }
}

/// The parts of a body, in order. The first error is the last item.
#[derive(Debug)]
pub struct Parts<'a> {
    /// The bytes behind a boundary; `None`: nothing more will come.
    rest: Option<&'a [u8]>,
    delimiter: Vec<u8>,
}

impl<'a> Parts<'a> {
    /// The parts of `body`, whose `Content-Type` is `multipart/form-data`.
    ///
    /// # Errors
    /// 400 without a proper boundary in the type, or in front of the body.
    pub fn of(media_type: &MediaType<'_>, body: &'a [u8]) -> Result<Parts<'a>, Refusal> {
        let boundary = media_type.one("boundary").filter(|boundary| is_boundary(boundary.as_bytes()));
        let boundary = boundary.ok_or(Refusal::fixed(400, "a multipart form without a proper boundary"))?;
        let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
        // The line end in front of the first one is there only where a preamble, which may be empty, is.
        let body = body.strip_prefix(b"\r\n").unwrap_or(body);
        let rest = body.strip_prefix(&delimiter[2..]).ok_or(MALFORMED)?;
        Ok(Parts { rest: Some(rest), delimiter })
    }

    /// The next part; `rest` stands behind the boundary in front of it.
    fn part(&mut self, rest: &'a [u8]) -> Result<Option<Part<'a>>, Refusal> {
        let after = match Behind::of(rest).ok_or(MALFORMED)? {
            Behind::End([] | b"\r\n") => return Ok(None),
            Behind::End(_) => return Err(MALFORMED),
            Behind::Part(after) => after,
        };
        let (headers, content) = head(after)?;
        let mut dispositions =
            headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-disposition"));
        let (Some((_, disposition)), None) = (dispositions.next(), dispositions.next()) else {
            return Err(Refusal::fixed(400, "a part of a form without one Content-Disposition"));
        };
        // A file's name may be of any encoding; the field's own is compared as it is.
        let disposition = String::from_utf8_lossy(disposition);
        let disposition = MediaType::of(&disposition);
        let name = disposition.one("name").filter(|_| disposition.is("form-data"));
        let name = name.ok_or(Refusal::fixed(400, "a part of a form without a name"))?.into_owned();
        let (bytes, rest) = self.content(content)?;
        self.rest = Some(rest);
        Ok(Some(Part { name, bytes, headers }))
    }

    /// The bytes before the next boundary, and those behind it. The search is linear: no two places where a
    /// boundary may begin share more than their first byte.
    fn content(&self, bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), Refusal> {
        let mut from = 0;
        while let Some(at) = bytes[from..].iter().position(|&byte| byte == b'\r').map(|at| from + at) {
            if let Some(rest) = bytes[at..].strip_prefix(&self.delimiter[..])
                && Behind::of(rest).is_some()
            {
                return Ok((&bytes[..at], rest));
            }
            from = at + 1;
        }
        Err(Refusal::fixed(400, "a multipart form without an end"))
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<Part<'a>, Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        self.part(rest).transpose()
    }
}

/// The two ways in which a boundary may end.
enum Behind<'a> {
    /// A part.
    Part(&'a [u8]),
    /// That was the last boundary.
    End(&'a [u8]),
}

impl<'a> Behind<'a> {
    /// `None`: it only looked like a boundary, and belongs to what is in the part.
    fn of(rest: &'a [u8]) -> Option<Behind<'a>> {
        let padding = |bytes: &'a [u8]| {
            let len = bytes.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(bytes.len());
            &bytes[len..]
        };
        if let Some(rest) = rest.strip_prefix(b"--") {
            let rest = padding(rest);
            return (rest.is_empty() || rest.starts_with(b"\r\n")).then_some(Behind::End(rest));
        }
        padding(rest).strip_prefix(b"\r\n").map(Behind::Part)
    }
}

/// A part's head, and what follows it.
#[allow(clippy::type_complexity)] // Names and values, and the rest.
fn head(bytes: &[u8]) -> Result<(Vec<(&str, &[u8])>, &[u8]), Refusal> {
    let mut headers = [EMPTY_HEADER; PART_HEADERS_MAX];
    match parse_headers(&bytes[..bytes.len().min(PART_HEAD_BYTES_MAX)], &mut headers) {
        Ok(Status::Complete((size, headers))) => {
            Ok((headers.iter().map(|field| (field.name, field.value)).collect(), &bytes[size..]))
        }
        Ok(Status::Partial) if bytes.len() <= PART_HEAD_BYTES_MAX => Err(MALFORMED),
        Ok(Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            let reason =
                format!("a part's head over {PART_HEAD_BYTES_MAX} bytes or {PART_HEADERS_MAX} fields");
            Err(Refusal::new(400, reason))
        }
        Err(_) => Err(MALFORMED),
    }
}

/// RFC 2046 section 5.1.1.
fn is_boundary(bytes: &[u8]) -> bool {
    let is_char = |byte: &u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte);
    (1..=BOUNDARY_BYTES_MAX).contains(&bytes.len()) && bytes.iter().all(is_char) && !bytes.ends_with(b" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts<'a>(boundary: &str, body: &'a [u8]) -> Result<Vec<(String, &'a [u8])>, u16> {
        let media_type = format!("multipart/form-data; boundary={boundary}");
        let parts = Parts::of(&MediaType::of(&media_type), body).map_err(|refusal| refusal.status)?;
        parts.map(|part| part.map(|part| (part.name, part.bytes)).map_err(|refusal| refusal.status)).collect()
    }

    fn one<'a>(name: &str, bytes: &'a [u8]) -> Vec<(String, &'a [u8])> {
        vec![(name.to_owned(), bytes)]
    }

    #[test]
    fn what_clients_send() {
        let curl = b"--------------------------d74496d66958873e\r\n\
            Content-Disposition: form-data; name=\"message\"\r\n\r\nhello\r\n\
            --------------------------d74496d66958873e--\r\n";
        assert_eq!(parts("------------------------d74496d66958873e", curl), Ok(one("message", b"hello")));
        let file = b"--x\r\ncontent-disposition: form-data; name=\"message\"; filename=\"a \xff.bin\"\r\n\
            Content-Type: application/octet-stream\r\n\r\n\x00\r\n--xy\r\n\xff\r\n--x--";
        assert_eq!(parts("x", file), Ok(one("message", b"\x00\r\n--xy\r\n\xff")));
        let two = b"\r\n--x \t\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n\
            --x\r\nContent-Disposition: form-data; name=b\r\n\r\n\r\n--x--\t\r\n";
        assert_eq!(parts("\"x\"", two), Ok(vec![("a".into(), &b"1"[..]), ("b".into(), &b""[..])]));
        assert_eq!(parts("x", b"--x--\r\n"), Ok(vec![]));
        let type_of = |body| {
            let mut parts = Parts::of(&MediaType::of("m/f; boundary=x"), body).unwrap();
            parts.next().unwrap().unwrap().headers("content-type").next().map(<[u8]>::to_vec)
        };
        assert_eq!(type_of(&file[..]), Some(b"application/octet-stream".to_vec()));
    }

    #[test]
    fn what_is_no_form_is_refused() {
        let with = |head: &str| format!("--x\r\n{head}\r\n\r\nhi\r\n--x--\r\n");
        let good = "Content-Disposition: form-data; name=\"m\"";
        assert_eq!(parts("x", with(good).as_bytes()), Ok(one("m", b"hi")));
        for head in [
            String::new(),
            "Content-Type: text/plain".to_owned(),
            "Content-Disposition: form-data".to_owned(),
            "Content-Disposition: form-data; name=\"m".to_owned(),
            "Content-Disposition: form-data; name=a; name=b".to_owned(),
            "Content-Disposition: attachment; name=m".to_owned(),
            format!("{good}\r\n{good}"),
            format!("{good}\r\nno field"),
            format!("{good}\r\nX: {}", "y".repeat(PART_HEAD_BYTES_MAX)),
            format!("{good}{}", "\r\nX: y".repeat(PART_HEADERS_MAX)),
        ] {
            assert_eq!(parts("x", with(&head).as_bytes()), Err(400), "{head}");
        }
        let whole = with(good);
        for cut in 0..whole.len() - 4 {
            assert_eq!(parts("x", &whole.as_bytes()[..cut]), Err(400), "{cut} bytes");
        }
        for (boundary, body) in [
            ("", &whole[..]),
            ("\"\"", &whole),
            ("y", &whole),
            ("x; boundary=x", &whole),
            ("\"a\\\"b\"", &whole),
            (&"x".repeat(71), &whole),
            ("x", &format!("preamble\r\n{whole}")),
            ("x", &format!("{whole}epilogue")),
            ("x", &whole.replace("\r\n", "\n")),
        ] {
            assert_eq!(parts(boundary, body.as_bytes()), Err(400), "{boundary} {body:?}");
        }
    }

    proptest! {
        /// Whatever lies between two boundaries comes out as it went in.
        #[test]
        fn contents_come_out_as_they_went_in(
            contents in proptest::collection::vec(
                proptest::collection::vec(
                    prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'-'), Just(b'x'), any::<u8>()], 0..40),
                0..4,
            ),
        ) {
            let boundary = "xx-x";
            let clash = |content: &Vec<u8>| content.windows(8).any(|at| at == b"\r\n--xx-x");
            prop_assume!(!contents.iter().any(clash));
            let mut body = Vec::new();
            for (n, content) in contents.iter().enumerate() {
                let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=n{n}\r\n\r\n");
                body.extend([head.as_bytes(), content, b"\r\n"].concat());
            }
            body.extend(format!("--{boundary}--\r\n").as_bytes());
            let read = parts(boundary, &body);
            let expected: Vec<(String, &[u8])> =
                contents.iter().enumerate().map(|(n, content)| (format!("n{n}"), &content[..])).collect();
            prop_assert_eq!(read, Ok(expected));
        }
    }
}
