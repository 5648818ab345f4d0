//! The TOML file: a flat table of settings, each error with its line.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use toml::de::{DeArray, DeTable, DeValue};

use super::error::{Problem, Source};
use super::layers::Layers;
use super::rule_tables::{Tables, entries_of, tables_of};
use super::setting::{Kind, Setting, Value};
use super::shown::shown;
use super::{ConfigError, SETTINGS};

/// A file larger than this is not a configuration, but a mistake such as a log's name.
const FILE_BYTES_MAX: u64 = 1 << 20;

impl Layers {
    /// Reads the file at `path` and lays it over what is there.
    pub fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
        let refuse = |why: String| Err(ConfigError::unreadable(place(path, 0), why));
        match read {
            Err(error) => return refuse(format!("cannot be read: {error}")),
            Ok(n) if n as u64 > FILE_BYTES_MAX => {
                return refuse(format!("larger than {FILE_BYTES_MAX} bytes"));
            }
            Ok(_) => {}
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) => self.add_toml(path, text),
            Err(_) if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") => {
                refuse("UTF-16; TOML is UTF-8, save it as that".to_owned())
            }
            Err(error) => {
                let line = line_at(&bytes, error.valid_up_to());
                Err(ConfigError::unreadable(place(path, line), "not UTF-8".to_owned()))
            }
        }
    }

    /// Lays the TOML document `text` over what is there; `path` is its name in errors.
    pub fn add_toml(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        // Some editors begin a file with a mark of its encoding.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let place = |span: &Range<usize>| place(path, line_at(text.as_bytes(), span.start));
        let table = DeTable::parse(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            let why = format!("{} ({})", error.message(), near(text, &span));
            ConfigError::unreadable(place(&span), why)
        })?;
        // The table is sorted by name; a reader expects the first error of the file.
        let mut entries: Vec<_> = table.get_ref().iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let tables = tables_of(key.get_ref());
            let name = tables.map_or(key.get_ref().as_ref(), |tables| tables.setting);
            let Some(row) = SETTINGS.iter().position(|setting| setting.name == name) else {
                let names = SETTINGS.iter().map(|setting| setting.name);
                return Err(ConfigError::unknown(place(&key.span()), name.to_owned(), names));
            };
            let setting = &SETTINGS[row];
            let refuse = |(problem, span): (Problem, Range<usize>)| {
                let value = text.get(span.clone()).filter(|_| !setting.secret).and_then(one_value);
                ConfigError::new(place(&span), name.to_owned(), value.map(str::to_owned), problem)
            };
            if let Some(Tables { table: other, setting, .. }) = tables
                && other != setting
                && table.get_ref().contains_key(*setting)
            {
                let why = format!(
                    "{setting} and [[{other}]] are one setting in two forms; write it in one of them"
                );
                let problem = Problem::Invalid(why);
                return Err(ConfigError::new(place(&key.span()), name.to_owned(), None, problem));
            }
            let read = match (tables, value.get_ref()) {
                (Some(tables), DeValue::Array(list))
                    if tables.table != tables.setting || has_tables(list) =>
                {
                    entries_of(tables, list)
                }
                (Some(tables), _) if tables.table != tables.setting => {
                    Err((setting.expected(), value.span()))
                }
                (_, other) => value_of(setting, other, value.span()),
            };
            let read = read.map_err(&refuse)?;
            setting.set(&mut self.config, read).map_err(|problem| refuse((problem, value.span())))?;
            self.sources[row] = place(&key.span());
        }
        Ok(())
    }
}

fn has_tables(list: &DeArray<'_>) -> bool {
    list.iter().any(|entry| matches!(entry.get_ref(), DeValue::Table(_)))
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
        (Kind::Count(_), DeValue::Integer(number)) => {
            setting.parse(number.as_str()).map_err(|problem| (problem, span))
        }
        (Kind::Text(_) | Kind::Choice(_) | Kind::Count(_), DeValue::String(text)) => {
            setting.parse(text).map_err(|problem| (problem, span))
        }
        // A single entry needs no brackets; several are separated as on the command line.
        (Kind::List { .. }, DeValue::String(text)) => setting.parse(text).map_err(|problem| (problem, span)),
        (Kind::List { .. }, DeValue::Array(array)) => {
            let entries = array.iter().map(|entry| match entry.get_ref() {
                DeValue::String(text) => Ok(text.clone().into_owned()),
                DeValue::Integer(number) if setting.lists_numbers() => Ok(number.as_str().to_owned()),
                _ => Err(other(entry.span())),
            });
            entries.collect::<Result<_, _>>().map(Value::List)
        }
        _ => Err(other(span)),
    }
}

/// Where in its line the error is. The line itself may be that of a secret, whatever stands on it: a key that is
/// mistyped, the rest of a text that begins in another line, a file that is no TOML at all. Only a setting's name is
/// none.
fn near(text: &str, span: &Range<usize>) -> String {
    let name = text.get(span.clone()).and_then(|part| SETTINGS.iter().find(|setting| setting.name == part));
    match name {
        Some(setting) => format!("at \"{}\"", setting.name),
        None => {
            let before = text.get(..span.start).unwrap_or(text);
            let start = before.rfind('\n').map_or(0, |at| at + 1);
            format!("column {}", 1 + before[start..].chars().count())
        }
    }
}

/// A value as it stands there, if it is one and nothing else: there may be a secret in a comment between the entries of
/// a list, or in a table where none is expected.
fn one_value(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.contains(['\n', '#', '{']))
}

/// A line of a file, for errors.
fn place(path: &Path, line: usize) -> Source {
    Source::File { path: shown(&path.to_string_lossy()).into(), line }
}

/// The line, from 1, in which byte `at` stands.
fn line_at(text: &[u8], at: usize) -> usize {
    1 + text.iter().take(at).filter(|&&byte| byte == b'\n').count()
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
    fn a_list_of_one_needs_no_brackets() {
        let config = read("listen = '127.0.0.1:1'\nchannels = \"news.*, orders\"\norigins = '*'\n").unwrap();
        assert_eq!(config.listen, ["127.0.0.1:1".parse().unwrap()]);
        assert_eq!((config.channels.len(), config.origins.len()), (2, 1));
        let refused = refused("tls_cert = 'a.pem'\nlisten = 'localhost:80'");
        assert!(
            refused.starts_with("wspushd.toml:2: listen = 'localhost:80': \"localhost:80\" is not"),
            "{refused}"
        );
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
            ("demo = true\ndemo = false", "wspushd.toml:2: duplicate key (at \"demo\")"),
            ("demo = true\n\ndrain_ms 5", "wspushd.toml:3: key with no value, expected `=` (column 10)"),
        ] {
            assert_eq!(refused(text), error);
        }
    }

    #[test]
    fn rules_are_tables_too() {
        let config = read(
            "[[channel]]\nmatch = \"news.*\"\nkeep = \"latest\"\nttl_ms = 60_000\n\n\
             [[channel]]\nmatch = \"*\"\npublications = 5\n",
        )
        .unwrap();
        let rules: Vec<String> = config.channel_rule.iter().map(ToString::to_string).collect();
        assert_eq!(rules, ["news.* ttl_ms=60000 keep=latest", "* publications=5"]);
        assert_eq!(
            read("channel_rule = [\"news.* ttl_ms=60000 keep=latest\", \"* publications=5\"]").unwrap(),
            config
        );
        let lists = "presence = true\nclients = [\"subscribe\", \"history\"]\n[[channel]]\nmatch = \"b\"\nclients = []";
        let config = read(&format!("[[channel]]\nmatch = \"a\"\n{lists}")).unwrap();
        let rules: Vec<String> = config.channel_rule.iter().map(ToString::to_string).collect();
        assert_eq!(rules, ["a presence=true clients=subscribe+history", "b clients="]);
        for (text, error) in [
            (
                "demo = true\n\n[[channel]]\nmatch = \"a\"\nkep = \"all\"",
                "wspushd.toml:3: channel_rule = [[channel]]: a: unknown key \"kep\"; did you mean \"keep\"?",
            ),
            (
                "[[channel]]\nkeep = \"all\"",
                "wspushd.toml:1: channel_rule = [[channel]]: a table [[channel]] has a key match, which",
            ),
            ("[channel]\nmatch = \"a\"", "wspushd.toml:1: channel_rule"),
            (
                "[[channel]]\nmatch = \"a\"\npresence = 1.5",
                "wspushd.toml:3: channel_rule = 1.5: the values here are",
            ),
            (
                "[[channel]]\nmatch = \"a\"\nclients = [\"history\", 7]",
                "wspushd.toml:3: channel_rule = [\"history\", 7]: clients is not a list of words",
            ),
            (
                "channel_rule = [\"a\"]\n[[channel]]\nmatch = \"a\"",
                "wspushd.toml:2: channel_rule: channel_rule and [[channel]] are one setting",
            ),
            (
                "channel_rule = [\"a publications=2000\"]",
                "wspushd.toml:1: channel_rule = [\"a publications=2000\"]: a: publications=2000 is more than \
                 log_publications = 1024; raise that, and bound the others by a last rule for *",
            ),
            (
                "channel_rule = [\"a\", \"a keep=all\"]",
                "wspushd.toml:1: channel_rule = [\"a\", \"a keep=all\"]: a is there twice",
            ),
        ] {
            let said = refused(text);
            assert!(said.starts_with(error), "{text}: {said}");
        }
    }

    #[test]
    fn the_first_error_is_told_and_a_secret_never() {
        assert!(refused("zzz = 1\naaa = 1").contains(":1: unknown key \"zzz\""));
        let error = refused("\nadmin_token = \"pass word\"");
        assert!(error.starts_with("wspushd.toml:2: admin_token: ") && !error.contains("pass"), "{error}");
        let error = refused("admin_token = 12345678");
        assert!(!error.contains("1234"), "{error}");
    }

    #[test]
    fn no_error_quotes_what_may_be_a_secret() {
        for text in [
            "admin_token = \"hunter2",
            "admin_token = hunter2",
            "admin_token \"hunter2\"",
            "admin_token = \"\"\"\nhunter2",
            "admin_token = '''\nhunter2\n''' x",
            "admin_token = \"a\nhunter2\"",
            "admin_token = \"\\hunter2\"",
            "admin_token = [\"hunter2\"]",
            "admin_token = { a = \"hunter2\" }",
            "admin_token.hunter2 = 1",
            "admin_tokn = \"hunter2",
            "admin-token = hunter2",
            "token: hunter2",
            "hunter2",
            "hunter2 = 1",
            "\"hunter2 \" = 1",
            "[hunter2]",
            "demo = true hunter2",
            "listen = [\"x\", # hunter2\n \"hunter2",
            "listen = [\"x\" # hunter2\n]",
            "listen = [[\"a\"], { token = \"hunter2\" }]",
            "demo = { token = \"hunter2\" }",
            "tls_key = [\"https://me:hunter2@h\", 7, \"https://hunter2@h\"]",
            "origins = [\"https://me:hunter2@h\"]",
            "origins = [\"https://me:hunter2@h\", \"https://me:hunter2@h\"]",
            "admin = \"tls://me:hunter2@127.0.0.1:1\"",
            "admin_token = \"hunter2\"\nadmin_token = \"hunter2\"",
            "admin_token = \"hunter2 \"",
            "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----",
            "tls_key = [\"-----BEGIN PRIVATE KEY-----\\nhunter2\"]",
            "drain_ms = \"-----BEGIN PRIVATE KEY-----\\nhunter2\"",
        ] {
            let error = read(text).expect_err("a wrong file was accepted");
            for said in [error.to_string(), format!("{error:?}")] {
                assert!(!said.contains("hunter2"), "{text}: {said}");
            }
        }
    }

    #[test]
    fn a_token_that_is_empty_is_not_none() {
        assert_eq!(
            refused("admin_token = \"\""),
            "wspushd.toml:1: admin_token: a token has 1 to 256 letters, digits and -._~+/="
        );
        assert!(refused("tls_client_ca = ''").contains("a file's name has 1 to"));
    }

    #[test]
    fn a_mark_of_the_encoding_is_read_over() {
        assert!(read("\u{feff}demo = true").unwrap().demo);
        assert_eq!(refused("\u{feff}\nbogus = 1"), "wspushd.toml:2: unknown key \"bogus\"");
        let path = std::env::temp_dir().join(format!("wspush-{}-utf16.toml", std::process::id()));
        for (bytes, error) in [
            (&b"\xff\xfed\0"[..], ": UTF-16; TOML is UTF-8, save it as that"),
            (b"\n\nx\xff", ":3: not UTF-8"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let refused = Layers::default().add_file(&path).unwrap_err().to_string();
            assert!(refused.ends_with(error), "{refused}");
        }
        std::fs::remove_file(&path).unwrap();
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
