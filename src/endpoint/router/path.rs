//! The path of a request as patterns are held against it: its segments, each decoded for itself, so that a slash that
//! is encoded parts nothing.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::protocol::response::Refusal;

/// The segments of a path. A slash behind it makes no other one of it.
///
/// # Errors
/// 400 for a path that may be understood in two ways, or be one that a host takes for another place: `.` and `..`,
/// broken escapes, characters that are controls, and what is no UTF-8.
pub fn segments(path: &str) -> Result<Vec<Cow<'_, str>>, Refusal> {
    let rest = path.strip_prefix('/').unwrap_or(path);
    if rest.is_empty() {
        return Ok(Vec::new());
    }
    rest.strip_suffix('/').unwrap_or(rest).split('/').map(decoded).collect()
}

fn decoded(segment: &str) -> Result<Cow<'_, str>, Refusal> {
    let text = if segment.contains('%') { unescaped(segment)? } else { Cow::Borrowed(segment) };
    // An escape may have been a slash.
    if text.split(['/', '\\']).any(|name| matches!(name, "." | "..")) {
        return Err(Refusal::fixed(400, "a segment of the path is . or .. (RFC 3986 section 6.2.2.3)"));
    }
    if text.contains(char::is_control) {
        return Err(Refusal::fixed(400, "a control character is in the path"));
    }
    Ok(text)
}

fn unescaped(segment: &str) -> Result<Cow<'_, str>, Refusal> {
    let is_escape =
        |rest: &[u8]| matches!(rest, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    let bytes = segment.as_bytes();
    let mut escapes = bytes.iter().enumerate().filter(|&(_, &byte)| byte == b'%');
    if !escapes.all(|(at, _)| is_escape(&bytes[at + 1..])) {
        return Err(Refusal::fixed(
            400,
            "a percent sign in the path begins no escape (RFC 3986 section 2.1)",
        ));
    }
    percent_decode(bytes).decode_utf8().map_err(|_| Refusal::fixed(400, "the path is no UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Result<Vec<String>, u16> {
        let all = segments(path).map_err(|refusal| refusal.status)?;
        Ok(all.into_iter().map(Cow::into_owned).collect())
    }

    #[test]
    fn segments_are_decoded_one_by_one() {
        for (path, expected) in [
            ("/", &[][..]),
            ("*", &["*"]),
            ("/a", &["a"]),
            ("/a/", &["a"]),
            ("/a/b", &["a", "b"]),
            ("/a//b", &["a", "", "b"]),
            ("//", &[""]),
            ("/a//", &["a", ""]),
            ("/a%2Fb/c", &["a/b", "c"]),
            ("/caf%C3%A9/%20+", &["caf\u{e9}", " +"]),
            ("/%2525", &["%25"]),
            ("/...", &["..."]),
            ("/..a/.b", &["..a", ".b"]),
        ] {
            assert_eq!(read(path).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn a_path_that_leads_elsewhere_is_refused() {
        for path in [
            "/a/../b",
            "/..",
            "/.",
            "/a/.",
            "/%2e%2E/b",
            "/.%2e",
            "/a%2F..%2Fb",
            "/..%2f",
            "/a%5c..",
            "/a\\..",
            "/%",
            "/%2",
            "/%zz",
            "/a%2/b",
            "/%00",
            "/a%0d%0aSet-Cookie:b",
            "/%7f",
            "/%c2%85",
            "/%ff",
            "/%c3%28",
        ] {
            assert_eq!(read(path), Err(400), "{path}");
        }
    }
}
