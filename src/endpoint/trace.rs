//! `traceparent`: the request that a push is part of, as its publisher's tracing knows it (W3C Trace Context, level 1).
//! It comes back in the answer and stands in the log; the server makes no spans of its own.

use crate::protocol::head::Head;

use super::Receipt;

/// The field's name, in the request, in the answer and in the log.
pub const FIELD: &str = "traceparent";

/// The field as it was sent. None: there is none, or one that is to be ignored (section 3.2.2.5).
pub fn parent<'a>(head: &Head<'a>) -> Option<&'a str> {
    head.single(FIELD).ok()?.and_then(valid)
}

/// The same of a host's, who has taken it out of a request of its own.
pub fn valid(text: &str) -> Option<&str> {
    is_valid(text).then_some(text)
}

/// Whether somebody records this trace (section 3.2.2.5.1): only then a line of the log is worth its place.
pub fn is_sampled(parent: &str) -> bool {
    let flags = parent.split('-').nth(3).and_then(|flags| u8::from_str_radix(flags, 16).ok());
    flags.is_some_and(|flags| flags & 1 != 0)
}

/// A publication of a host's that is part of such a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    /// The request.
    pub parent: Box<str>,
    /// Where the publication stands.
    pub receipts: Vec<Receipt>,
    /// Whether it stood there before.
    pub duplicate: bool,
}

impl Traced {
    /// The bytes that it takes in the inbox.
    pub fn bytes(&self) -> usize {
        size_of::<Traced>() + self.parent.len() + self.receipts.len() * size_of::<Receipt>()
    }
}

/// Version, trace, parent and flags, in small hexadecimal digits. What a later version puts behind them is not looked
/// at, but it is bounded.
fn is_valid(text: &str) -> bool {
    let is_hex = |part: &str, len: usize| {
        part.len() == len && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_some = |part: &str| part.bytes().any(|byte| byte != b'0');
    let mut parts = text.splitn(5, '-');
    let mut next = || parts.next().unwrap_or("");
    let (version, trace, parent, flags) = (next(), next(), next(), next());
    let has_more = parts.next().is_some();
    is_hex(version, 2)
        && version != "ff"
        && (is_hex(trace, 32) && is_some(trace))
        && (is_hex(parent, 16) && is_some(parent))
        && is_hex(flags, 2)
        && !(has_more && version == "00")
        && text.len() <= 128
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_flag_says_whether_it_is_recorded() {
        let parent = |flags: &str| format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
        let sampled = ["00", "01", "02", "03", "ff"].map(|flags| is_sampled(&parent(flags)));
        assert_eq!(sampled, [false, true, false, true, true]);
        assert!(!is_sampled("") && !is_sampled("00-a-b-x"));
    }

    #[test]
    fn as_the_standard_has_it() {
        let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(is_valid(valid) && is_valid(&valid.replacen("00", "cc", 1)));
        assert!(is_valid(&format!("{}-more", valid.replacen("00", "cc", 1))));
        for wrong in [
            String::new(),
            format!("{valid}-more"),
            valid.to_uppercase(),
            valid.replacen("00", "ff", 1),
            valid.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            valid.replace("00f067aa0ba902b7", &"0".repeat(16)),
            valid.replace("-01", ""),
            valid.replace("-01", "-1"),
            format!("{}-{}", valid.replacen("00", "cc", 1), "x".repeat(100)),
        ] {
            assert!(!is_valid(&wrong), "{wrong}");
        }
    }
}
