//! `traceparent`: the request that a push is part of, as its publisher's tracing knows it (W3C Trace Context, level 1).
//! It comes back in the answer and stands in the audit line; the server makes no spans of its own.

use crate::protocol::head::Head;

/// The field's name, in the request, in the answer and in the log.
pub const FIELD: &str = "traceparent";

/// The field as it was sent. None: there is none, or one that is to be ignored (section 3.2.2.5).
pub fn parent<'a>(head: &Head<'a>) -> Option<&'a str> {
    head.single(FIELD).ok()?.filter(|text| is_valid(text))
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
