//! The TOML file: a flat table of settings, each error with its line.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::error::{Problem, Source};
use super::layers::{Layers, unknown};
use super::setting::{Kind, Setting, Value};
use super::{ConfigError, SETTINGS};

/// A file larger than this is not a configuration, but a mistake such as a log's name.
const FILE_BYTES_MAX: u64 = 1 << 20;

impl Layers {
    /// Reads the file at `path` and lays it over what is there.
    pub fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let mut text = String::new();
        let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
        let refuse = |why: String| {
            let source = Source::File { path: path.to_owned(), line: 0 };
            ConfigError { source, key: String::new(), value: None, problem: Problem::Unreadable(why) }
        };
        match read {
            Err(error) => Err(refuse(format!("cannot be read: {error}"))),
            Ok(bytes) if bytes as u64 > FILE_BYTES_MAX => {
                Err(refuse(format!("larger than {FILE_BYTES_MAX} bytes")))
            }
            Ok(_) => self.add_toml(path, &text),
        }
    }

    /// Lays the TOML document `text` over what is there; `path` is its name in errors.
    pub fn add_toml(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let place =
            |span: Range<usize>| Source::File { path: path.to_owned(), line: line_at(text, span.start) };
        let table = DeTable::parse(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            let source = place(span.clone());
            let why = format!("{}{}", error.message(), near(text, span));
            ConfigError { source, key: String::new(), value: None, problem: Problem::Unreadable(why) }
        })?;
        // The table is sorted by name; a reader expects the first error of the file.
        let mut entries: Vec<_> = table.get_ref().iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let name = key.get_ref().as_ref();
            let Some(row) = SETTINGS.iter().position(|setting| setting.name == name) else {
                let names = SETTINGS.iter().map(|setting| setting.name);
                return Err(unknown(place(key.span()), name.to_owned(), names));
            };
            let setting = &SETTINGS[row];
            let refuse = |(problem, span): (Problem, Range<usize>)| ConfigError {
                source: place(span.clone()),
                key: name.to_owned(),
                value: (!setting.secret).then(|| text.get(span).unwrap_or_default().to_owned()),
                problem,
            };
            let read = value_of(setting, value.get_ref(), value.span()).map_err(&refuse)?;
            setting.set(&mut self.config, read).map_err(|problem| refuse((problem, value.span())))?;
            self.sources[row] = place(key.span());
        }
        Ok(())
    }
}

/// A value of the setting's kind, or what is wrong with which part of the text.
fn value_of(
    setting: &Setting,
    value: &DeValue<'_>,
    span: Range<usize>,
) -> Result<Value, (Problem, Range<usize>)> {
    let other = |span| (setting.expected(), span);
    match (setting.kind, value) {
        (Kind::Integer { .. }, DeValue::Integer(number)) => {
            setting.integer(number.as_str(), number.radix()).map_err(|problem| (problem, span))
        }
        (Kind::Boolean, DeValue::Boolean(yes)) => Ok(Value::Boolean(*yes)),
        (Kind::Text(_) | Kind::Choice(_), DeValue::String(text)) => {
            setting.parse(text).map_err(|problem| (problem, span))
        }
        (Kind::List { .. }, DeValue::Array(array)) => {
            let entries = array.iter().map(|entry| match entry.get_ref() {
                DeValue::String(text) => Ok(text.clone().into_owned()),
                _ => Err(other(entry.span())),
            });
            entries.collect::<Result<_, _>>().map(Value::List)
        }
        _ => Err(other(span)),
    }
}

/// The part of the text that is no TOML, or else its line; nothing where a secret may stand.
fn near(text: &str, span: Range<usize>) -> String {
    let (before, after) = text.split_at_checked(span.start).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text[start..].lines().next().unwrap_or_default().trim();
    if SETTINGS.iter().any(|setting| setting.secret && line.contains(setting.name)) {
        return String::new();
    }
    let part = after.get(..span.len()).and_then(|part| part.lines().next()).unwrap_or_default().trim();
    match if part.is_empty() { line } else { part } {
        "" => String::new(),
        near => format!(" at \"{near}\""),
    }
}

/// The line, from 1, in which byte `at` stands.
fn line_at(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Config;
    use super::*;

    fn read(text: &str) -> Result<Config, ConfigError> {
        let mut layers = Layers::default();
        layers.add_toml(Path::new("wspushd.toml"), text)?;
        layers.finish()
    }

    fn refused(text: &str) -> String {
        read(text).expect_err("a wrong file was accepted").to_string()
    }

    #[test]
    fn a_file_is_read() {
        let config = read(
            "# comment\nlisten = [\n  \"127.0.0.1:1\",\n  \"[::1]:2\",\n]\nadmin = \"unix:/run/a\"\n\
             demo = true\nlog_bytes = 0x20_0000\nmax_connections = 1_000\nslow_consumer = \"skip\"\n",
        )
        .unwrap();
        assert_eq!((config.listen.len(), config.demo), (2, true));
        assert_eq!((config.log_bytes, config.max_connections), (2 << 20, 1_000));
    }

    #[test]
    fn errors_carry_line_key_value_and_range() {
        for (text, error) in [
            (
                "\n\n\n\n\n\nmax_connections = 0",
                "wspushd.toml:7: max_connections = 0 is out of range; allowed 1..=50000000 connections",
            ),
            (
                "demo = true\n\nmax_conections = 1\n",
                "wspushd.toml:3: unknown key \"max_conections\"; did you mean \"max_connections\"?",
            ),
            ("bogus = 1", "wspushd.toml:1: unknown key \"bogus\""),
            ("[network]\nlisten = []", "wspushd.toml:1: unknown key \"network\""),
            ("\ndrain_ms = -1", "wspushd.toml:2: drain_ms = -1 is out of range; allowed 0..=600000 ms"),
            (
                "drain_ms = 99999999999999999999999",
                "wspushd.toml:1: drain_ms = 99999999999999999999999 is out of range; allowed 0..=600000 ms",
            ),
            ("drain_ms = 1.5", "wspushd.toml:1: drain_ms = 1.5 is not an integer in 0..=600000 ms"),
            ("drain_ms = \"5\"", "wspushd.toml:1: drain_ms = \"5\" is not an integer in 0..=600000 ms"),
            ("demo = 1", "wspushd.toml:1: demo = 1 is not true or false"),
            (
                "origins = [\n \"*\",\n 7,\n]",
                "wspushd.toml:3: origins = 7 is not a list of text, each auto, *, null or an \
                 origin like https://example.com:8443",
            ),
            ("slow_consumer = 'wait'", "wspushd.toml:1: slow_consumer = 'wait' is not one of close, skip"),
            (
                "listen = [\"localhost:80\"]",
                "wspushd.toml:1: listen = [\"localhost:80\"]: \"localhost:80\" is not an address with its \
                 port like 127.0.0.1:8080, [::]:8080 or tls://0.0.0.0:8443",
            ),
            ("\nlisten = []", "wspushd.toml:2: listen = []: at least one address is needed"),
            (
                "demo = true\nws_only = true",
                "wspushd.toml:2: ws_only = true: demo needs other paths than /ws; one of the two must be off",
            ),
            ("demo = true\ndemo = false", "wspushd.toml:2: duplicate key at \"demo\""),
            (
                "demo = true\n\ndrain_ms 5",
                "wspushd.toml:3: key with no value, expected `=` at \"drain_ms 5\"",
            ),
        ] {
            assert_eq!(refused(text), error);
        }
    }

    #[test]
    fn the_first_error_is_told_and_a_secret_never() {
        assert!(refused("zzz = 1\naaa = 1").contains(":1: unknown key \"zzz\""));
        let error = refused("\nadmin_token = \"pass word\"");
        assert!(error.starts_with("wspushd.toml:2: admin_token: ") && !error.contains("pass"), "{error}");
        let error = refused("admin_token = 12345678");
        assert!(!error.contains("1234"), "{error}");
        for text in ["admin_token = \"hunter2", "admin_token = hunter2", "admin_token \"hunter2\""] {
            assert!(!refused(text).contains("hunter2"), "{}", refused(text));
        }
    }

    #[test]
    fn every_integer_at_both_ends() {
        for setting in SETTINGS {
            let Kind::Integer { bounds, .. } = setting.kind else { continue };
            for (number, ok) in [
                (bounds.min, true),
                (bounds.max, true),
                (bounds.max + 1, false),
                (bounds.min.wrapping_sub(1), false),
            ] {
                let text = format!("\n{} = {number}", setting.name);
                let mut layers = Layers::default();
                match layers.add_toml(Path::new("f"), &text) {
                    Ok(()) => assert!(ok, "{text}"),
                    Err(error) => {
                        assert!(!ok && error.to_string().starts_with("f:2: "), "{error}");
                        assert!(matches!(error.problem, Problem::OutOfRange { .. }), "{error}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_file_that_cannot_be_read() {
        let error = Layers::default().add_file(Path::new("/nonexistent/w.toml")).unwrap_err().to_string();
        assert!(error.starts_with("/nonexistent/w.toml: cannot be read: "), "{error}");
        let error = Layers::default().add_file(Path::new("/dev/zero")).unwrap_err().to_string();
        assert_eq!(error, "/dev/zero: larger than 1048576 bytes");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = read(&text);
        }

        #[test]
        fn no_toml_panics(
            row in 0..SETTINGS.len(),
            value in "[-+]?[0-9a-fx_.:T\\[\\]{}\"'\\\\, \n=#-]{0,24}",
        ) {
            if let Err(error) = read(&format!("{} = {value}", SETTINGS[row].name)) {
                prop_assert!(!error.to_string().contains('\n'));
            }
        }
    }
}
