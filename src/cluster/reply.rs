//! Answers of Redis, as values of ours.

use redis::Value;

/// A text.
pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

/// A number, which may be written as a text.
pub(super) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        other => text(other)?.parse().ok(),
    }
}

/// Several values; nothing is none.
pub(super) fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        _ => &[],
    }
}

/// The value of a line `name:value`.
pub(super) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_name() {
        let info = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n";
        assert_eq!((field(info, "redis_version"), field(info, "redis")), (Some("7.0.15"), None));
    }

    #[test]
    fn numbers_come_in_two_ways() {
        assert_eq!(number(&Value::Int(7)), Some(7));
        assert_eq!(number(&Value::BulkString(b"8".to_vec())), Some(8));
        assert_eq!((number(&Value::Int(-1)), number(&Value::Nil)), (None, None));
    }
}
