//! One line of the log, in either of its formats. Names are ours, so only values are escaped.

use std::fmt::{self, Display, Write as _};

use crate::config::LogFormat;

/// A value's bytes in a line, its quotes not counted.
pub const VALUE_BYTES_MAX: usize = 256;

/// The end of a value that has been cut.
const CUT: &str = "...";

/// Begins a line.
pub(super) fn begin(line: &mut String, format: LogFormat) {
    line.clear();
    if format == LogFormat::Json {
        line.push('{');
    }
}

/// Ends it, without its newline.
pub(super) fn end(line: &mut String, format: LogFormat) {
    if format == LogFormat::Json {
        line.push('}');
    }
}

/// Appends a field. In JSON each value is a string, whatever it looks like, so that a field has one type in all lines.
pub(super) fn push(line: &mut String, format: LogFormat, key: &str, value: &dyn Display) {
    match format {
        LogFormat::Logfmt if line.is_empty() => {}
        LogFormat::Logfmt => line.push(' '),
        LogFormat::Json if line.ends_with('{') => line.push('"'),
        LogFormat::Json => line.push_str(",\""),
    }
    line.push_str(key);
    line.push_str(if format == LogFormat::Json { "\":" } else { "=" });
    let start = line.len();
    let end = start + VALUE_BYTES_MAX - CUT.len();
    let mut escaped = Escaped { line, format, end, plain: true, cut: false };
    // An error is the end of the room (or the value's own); what has been written until then is good.
    let _ = write!(escaped, "{value}");
    let Escaped { plain, cut, .. } = escaped;
    if cut {
        line.push_str(CUT);
    }
    if !plain || line.len() == start || format == LogFormat::Json {
        line.insert(start, '"');
        line.push('"');
    }
}

/// Writes text into a line as the inside of a quoted string, as far as there is room.
struct Escaped<'a> {
    line: &'a mut String,
    format: LogFormat,
    end: usize,
    plain: bool,
    cut: bool,
}

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            let start = self.line.len();
            match c {
                '"' | '\\' => self.line.extend(['\\', c]),
                '\n' => self.line.push_str("\\n"),
                '\r' => self.line.push_str("\\r"),
                '\t' => self.line.push_str("\\t"),
                ' '..='~' => self.line.push(c),
                _ if c.is_alphanumeric() => self.line.push(c),
                // The rest of Unicode can turn a terminal's line round or end it.
                c if u32::from(c) <= 0xffff => write!(self.line, "\\u{:04x}", u32::from(c))?,
                c if self.format == LogFormat::Logfmt => write!(self.line, "\\U{:08x}", u32::from(c))?,
                // JSON has no longer escape than this (RFC 8259 section 7).
                c => c
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .try_for_each(|half| write!(self.line, "\\u{half:04x}"))?,
            }
            if self.line.len() > self.end {
                self.line.truncate(start);
                self.cut = true;
                return Err(fmt::Error);
            }
            self.plain &= c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '=');
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value_of(value: &dyn Display) -> String {
        let mut line = String::new();
        push(&mut line, LogFormat::Logfmt, "k", value);
        line
    }

    fn json_of(values: &[&dyn Display]) -> String {
        let mut line = String::new();
        begin(&mut line, LogFormat::Json);
        for value in values {
            push(&mut line, LogFormat::Json, "k", value);
        }
        end(&mut line, LogFormat::Json);
        line
    }

    #[test]
    fn hostile_values_stay_values() {
        assert_eq!(value_of(&"plain/1.2:3"), "k=plain/1.2:3");
        assert_eq!(value_of(&""), r#"k="""#);
        assert_eq!(value_of(&"x\nts=0 level=error"), r#"k="x\nts=0 level=error""#);
        assert_eq!(value_of(&r#"a" b="c\"#), r#"k="a\" b=\"c\\""#);
        assert_eq!(value_of(&"\r\t\0\x1b[2J"), r#"k="\r\t\u0000\u001b[2J""#);
        assert_eq!(value_of(&"Zoë\u{202e}\u{2028}\u{e0001}"), r#"k="Zoë\u202e\u2028\U000e0001""#);
        assert_eq!(json_of(&[&1, &"", &"a\"{\u{e0001}"]), r#"{"k":"1","k":"","k":"a\"{\udb40\udc01"}"#);
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let line = value_of(&"ä".repeat(1_000));
        assert!(line.ends_with("ä...\"") && line.len() <= VALUE_BYTES_MAX + "k=\"\"".len(), "{line}");
        // A cut never leaves half an escape.
        let line = value_of(&"\n".repeat(1_000));
        assert!(line.ends_with("\\n...\""), "{line}");
        assert_eq!(value_of(&"x".repeat(253)).len(), 253 + 2);
    }

    proptest! {
        #[test]
        fn no_value_breaks_out(text in any::<String>()) {
            let line = value_of(&text);
            prop_assert!(!line.chars().any(char::is_control));
            prop_assert!(line.len() <= VALUE_BYTES_MAX + "k=\"\"".len());
            let value = &line[2..];
            match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
                Some(inside) => {
                    let mut bare = inside.replace("\\\\", "");
                    bare = bare.replace("\\\"", "");
                    prop_assert!(!bare.contains('"') && !bare.ends_with('\\'));
                }
                None => prop_assert!(!value.is_empty() && !value.contains([' ', '"', '=', '\\'])),
            }
        }

        #[test]
        fn a_line_of_json_is_read_by_others(text in any::<String>()) {
            let line = json_of(&[&text]);
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            let value = read["k"].as_str().unwrap();
            prop_assert!(value == text || value.strip_suffix(CUT).is_some_and(|begun| text.starts_with(begun)));
            prop_assert!(!line.chars().any(char::is_control));
        }
    }
}
