//! Text that is not ours, as a message may repeat it. A secret can stand wherever somebody puts one: a key in the
//! place of its file's name, a password in an address. A setting that is a secret is never repeated at all.

/// Stands in the place of what is not shown.
pub const HIDDEN: &str = "...";

/// How a block of a PEM file begins; a private key is one.
const PEM_BEGIN: &str = "-----BEGIN";

/// A run of base64 as long as this is no word, and the shortest private keys are longer.
const KEY_CHARS_MIN: usize = 40;

/// The text without the parts that look like a key or stand where an address has its password.
pub fn shown(text: &str) -> String {
    let (text, cut) = match text.find(PEM_BEGIN) {
        Some(at) => (&text[..at], HIDDEN),
        None => (text, ""),
    };
    without_keys(&without_users(text)) + cut
}

/// Whether a text is a key, or a piece of one, where a file's name should stand.
pub(super) fn looks_like_a_key(text: &str) -> bool {
    text.contains(PEM_BEGIN) || text.split(is_no_base64).any(is_key)
}

/// `scheme://user:password@host` without the user. A password may have any character in it, unescaped by mistake; so
/// all that stands before the last @ is taken for it.
fn without_users(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, address) = rest.split_at(at + 3);
        out.push_str(before);
        let end = address.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(address.len());
        let (address, behind) = address.split_at(end);
        match address.rsplit_once('@') {
            Some((_, host)) => out.extend([HIDDEN, "@", host]),
            None => out.push_str(address),
        }
        rest = behind;
    }
    out + rest
}

fn without_keys(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive(is_no_base64) {
        let run = piece.trim_end_matches(is_no_base64);
        if is_key(run) {
            out.extend([HIDDEN, &piece[run.len()..]]);
        } else {
            out.push_str(piece);
        }
    }
    out
}

fn is_no_base64(c: char) -> bool {
    !(c.is_ascii_alphanumeric() || "+/=".contains(c))
}

/// An absolute path has the same characters, but no key begins with a slash: its DER begins with 0x30, which is M.
fn is_key(run: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| run.bytes().any(|byte| kind(&byte));
    run.len() >= KEY_CHARS_MIN
        && !run.starts_with('/')
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410 section 10.3: an Ed25519 key, the shortest there is.
    const KEY: &str = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";

    #[test]
    fn keys_are_not_shown() {
        assert_eq!(shown(KEY), HIDDEN);
        assert_eq!(shown(&format!("[\"{KEY}\", \"a.key\"]")), "[\"...\", \"a.key\"]");
        let pem = format!("\"-----BEGIN PRIVATE KEY-----\n{KEY}\n-----END PRIVATE KEY-----\"");
        assert_eq!(shown(&pem), "\"...");
        assert!(looks_like_a_key(KEY) && looks_like_a_key(&pem) && looks_like_a_key(&pem[20..]));
    }

    #[test]
    fn passwords_in_addresses_are_not_shown() {
        assert_eq!(shown("https://me:hunter2@h:1/a"), "https://...@h:1/a");
        assert_eq!(
            shown("\"https://hunter2@h\", \"wss://a:b/c@d?e@f g"),
            "\"https://...@h\", \"wss://...@f g"
        );
        assert_eq!(shown("https://a, b@c"), "https://a, b@c");
    }

    #[test]
    fn everything_else_is() {
        for text in [
            "",
            "127.0.0.1:8080",
            "tls://[::]:1",
            "/srv/Somebody/projects/Service2/certificates/server1",
            "certificates/production/europe/frontend/server",
            "99999999999999999999999999999999999999999999999999",
            "https://example.com:8443",
            "ä\u{1f600}",
        ] {
            assert_eq!(shown(text), text);
            assert!(!looks_like_a_key(text), "{text}");
        }
    }
}
