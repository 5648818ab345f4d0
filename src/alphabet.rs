//! The characters that names in protocols are made of, where settings and what peers send are held to the same ones.

/// Whether `bytes` are a token (RFC 9110 section 5.6.2): one or more of the characters that need no quoting.
pub fn is_token(bytes: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(is_tchar)
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
}
