//! The names of channels, and the patterns that name many of them.

use crate::limits::{APP_CHANNEL_NAME_BYTES_MAX, CHANNEL_NAME_BYTES_MAX};

/// The beginning of the names of all channels of apps of the Pusher Channels protocol: `pusher/ID/NAME`. Their names
/// there are longer.
pub(crate) const APPS: &str = "pusher/";

/// Whether `name` can be a channel's: 1 to 128 letters, digits and `._-:/@+~!$` of ASCII. Such a name stands
/// unescaped in JSON, HTML, a log line and a list with commas; `*` is left for patterns.
pub fn channel_name_ok(name: &str) -> bool {
    !name.is_empty() && name.len() <= bytes_max(name) && name.bytes().all(is_name_byte)
}

/// Whether `pattern` is a channel's name, or the beginning of one (which may be empty) and a `*`.
pub fn pattern_ok(pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => prefix.len() < bytes_max(prefix) && prefix.bytes().all(is_name_byte),
        None => channel_name_ok(pattern),
    }
}

/// Whether `pattern` is `name`, or ends in `*` and `name` begins with the rest of it.
pub fn pattern_matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

/// The same where it decides over what a client may do. `*` opens no app's channels, whose own signatures say who may
/// come in; a pattern that begins with `pusher/` does.
pub fn pattern_opens(pattern: &str, name: &str) -> bool {
    pattern_matches(pattern, name) && (!name.starts_with(APPS) || pattern.starts_with(APPS))
}

fn bytes_max(name: &str) -> usize {
    if name.starts_with(APPS) { APP_CHANNEL_NAME_BYTES_MAX } else { CHANNEL_NAME_BYTES_MAX }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-:/@+~!$".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["a", "public.news", "user:17/inbox@eu+x~1!$", &"n".repeat(128)] {
            assert!(channel_name_ok(name) && pattern_ok(name), "{name}");
        }
        for name in [
            "", " ", "a b", "a*", "a,b", "a\"b", "a'b", "a\\b", "<a>", "a&b", "a%20", "a?b", "ä", "a\n",
            "a\0",
        ] {
            assert!(!channel_name_ok(name), "{name:?}");
        }
        assert!(!channel_name_ok(&"n".repeat(129)));
        let of_app = format!("pusher/{}/{}", "1".repeat(32), "n".repeat(200));
        assert!(channel_name_ok(&of_app) && pattern_ok(&of_app) && !channel_name_ok(&(of_app + "n")));
    }

    #[test]
    fn patterns() {
        for pattern in ["*", "public.*", "a", &format!("{}*", "p".repeat(127))] {
            assert!(pattern_ok(pattern), "{pattern}");
        }
        for pattern in ["", "**", "a*b", "*a", "a b*", &format!("{}*", "p".repeat(128))] {
            assert!(!pattern_ok(pattern), "{pattern}");
        }
        assert!(pattern_matches("public.*", "public.a") && pattern_matches("public.*", "public."));
        assert!(!pattern_matches("public.*", "publicity") && !pattern_matches("public.*", "public"));
        assert!(pattern_opens("*", "a") && pattern_opens("pusher/3/*", "pusher/3/a"));
        assert!(!["*", "push*", "pusher*"].iter().any(|pattern| pattern_opens(pattern, "pusher/3/a")));
        assert!(pattern_matches("*", "a") && pattern_matches("a", "a") && !pattern_matches("a", "ab"));
    }
}
