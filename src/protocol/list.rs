//! Comma-separated lists in header fields (RFC 9110 sections 5.6.1 and 5.6.4).

/// The elements of one field line, without the white space around them. Empty ones are legal and mean nothing (RFC
/// 9110 section 5.6.1.2). A comma inside a quoted string separates nothing.
pub fn elements(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    line.split(move |&byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' => return !quoted,
            _ => {}
        }
        false
    })
    .map(<[u8]>::trim_ascii)
    .filter(|element| !element.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let split = |line: &'static str| -> Vec<&str> {
            elements(line.as_bytes()).map(|element| std::str::from_utf8(element).unwrap()).collect()
        };
        assert_eq!(split("keep-alive, Upgrade"), ["keep-alive", "Upgrade"]);
        assert_eq!(split("a ,\tb,,"), ["a", "b"]);
        assert_eq!(split(" ,\t, a,"), ["a"]);
        assert_eq!(split(""), [""; 0]);
        assert_eq!(split(r#"a="x, y", b"#), [r#"a="x, y""#, "b"]);
        assert_eq!(split(r#""a\", b", c"#), [r#""a\", b""#, "c"]);
        assert_eq!(split(r#"a, "open, b"#), ["a", r#""open, b"#]);
    }
}
