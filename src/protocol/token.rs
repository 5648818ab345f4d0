//! Tokens and comma-separated lists in header fields (RFC 9110 sections 5.6.1 to 5.6.4).

/// Whether `bytes` are a token: one or more of the characters that need no quoting.
pub fn is_token(bytes: &[u8]) -> bool {
    let tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(tchar)
}

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
    fn tokens() {
        for token in ["a", "wspush.v1", "!#$%&'*+-.^_`|~09azAZ"] {
            assert!(is_token(token.as_bytes()), "{token}");
        }
        for other in ["", "a b", "a,b", "a\r\nb", "a\"", "a/b", "a;b", "a:b", "é", "\0", "\x7f"] {
            assert!(!is_token(other.as_bytes()), "{other:?}");
        }
    }

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
