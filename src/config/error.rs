//! Errors in a configuration: where it stands, which key, which value, what would be allowed.

use std::fmt;
use std::path::PathBuf;

use super::nearest::nearest;
use super::shown::shown;
use crate::limits::Bounds;

/// Where a value comes from, weakest first.
///
/// ```
/// use wspush::config::{Layers, Source};
///
/// let variables = [("WSPUSH_DRAIN_MS".into(), "soon".into())];
/// let error = Layers::default().add_environment(variables).unwrap_err();
/// assert_eq!(error.source, Source::Environment);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it, or an embedder set the field itself.
    Default,
    /// A line (from 1; 0: the file as a whole) of the TOML file.
    File {
        /// The file's name as it was given.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// A variable `WSPUSH_*`.
    Environment,
    /// A flag.
    CommandLine,
}

/// The kinds of errors in a configuration.
///
/// ```
/// use wspush::config::{Layers, Problem};
///
/// let error = Layers::default().add_option("max_conections", "9").unwrap_err();
/// assert_eq!(error.problem, Problem::Unknown { nearest: Some("max_connections".into()) });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// An integer that is too small or too large.
    OutOfRange {
        /// The allowed range.
        bounds: Bounds,
        /// Of what.
        unit: &'static str,
    },
    /// A value of another type or none of the choices.
    Expected(String),
    /// A value that has the right type and is wrong all the same, alone or beside others.
    Invalid(String),
    /// No such key, variable or flag; perhaps the nearest one was meant.
    Unknown {
        /// The nearest name there is.
        nearest: Option<String>,
    },
    /// The file or the command line cannot be read at all.
    Unreadable(String),
}

/// A configuration that is refused. Its text is one line: where, what, and what would be allowed. What looks like a
/// secret is in none of the fields.
///
/// ```
/// use wspush::Config;
///
/// let error = Config { flush_slice: 0, ..Config::default() }.validate().unwrap_err();
/// assert!(error.to_string().starts_with("flush_slice = 0 is out of range"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where it stands.
    pub source: Source,
    /// The key, variable or flag as it is written there; empty if the source itself is the problem, or if it is unknown
    /// and looks like no name.
    pub key: String,
    /// The value, unless it is missing or secret.
    pub value: Option<String>,
    /// The kind of error.
    pub problem: Problem,
}

impl ConfigError {
    /// An error about `key`, whose value is given unless the setting is a secret.
    pub(super) fn new(source: Source, key: String, value: Option<String>, problem: Problem) -> ConfigError {
        let problem = match problem {
            Problem::Invalid(why) => Problem::Invalid(shown(&why)),
            Problem::Unreadable(why) => Problem::Unreadable(shown(&why)),
            problem => problem,
        };
        ConfigError { source, key, value: value.as_deref().map(shown), problem }
    }

    /// An error about a file that a setting names.
    #[cfg(feature = "auth")]
    pub(crate) fn of_file(setting: &str, file: &str, why: String) -> ConfigError {
        let value = Some(format!("{file:?}"));
        ConfigError::new(Source::Default, setting.to_owned(), value, Problem::Invalid(why))
    }

    /// An error about a setting that is a secret.
    #[cfg(feature = "auth")]
    pub(crate) fn of_secret(setting: &str, why: String) -> ConfigError {
        ConfigError::new(Source::Default, setting.to_owned(), None, Problem::Invalid(why))
    }

    /// An error about the source as a whole.
    #[cfg(any(feature = "command-line", feature = "daemon"))]
    pub(super) fn unreadable(source: Source, why: String) -> ConfigError {
        ConfigError::new(source, String::new(), None, Problem::Unreadable(why))
    }

    /// An error about a name that there is not. It is repeated if it can be a name that was mistyped; something else
    /// got there by another mistake, and may be anything.
    pub(super) fn unknown<'a>(
        source: Source,
        key: String,
        names: impl Iterator<Item = &'a str>,
    ) -> ConfigError {
        let nearest = nearest(&key, names).map(str::to_owned);
        let is_name = key.len() <= NAME_BYTES_MAX
            && key.bytes().all(|byte| byte.is_ascii_alphabetic() || b"-_".contains(&byte));
        let key = if is_name { key } else { String::new() };
        ConfigError::new(source, key, None, Problem::Unknown { nearest })
    }
}

/// A longer name than any of ours is none.
const NAME_BYTES_MAX: usize = 48;

/// The longest piece of foreign text that is repeated in an error.
const SHOWN_CHARS_MAX: usize = 100;

/// Text of unknown origin, on one line and not too long.
fn one_line(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => escaped(&text[..end]) + "...",
        None => escaped(text),
    }
}

fn escaped(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        match c {
            '"' | '\'' | '\\' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    shown
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File { path, line: 0 } => f.write_str(&escaped(&path.to_string_lossy())),
            Source::File { path, line } => write!(f, "{}:{line}", escaped(&path.to_string_lossy())),
            Source::Environment => f.write_str("environment"),
            Source::CommandLine => f.write_str("command line"),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source != Source::Default {
            write!(f, "{}: ", self.source)?;
        }
        let key = one_line(&self.key);
        match &self.problem {
            Problem::Unknown { nearest } => {
                let noun = match self.source {
                    Source::Environment => "variable",
                    Source::CommandLine => "flag",
                    Source::Default | Source::File { .. } => "key",
                };
                match key.as_str() {
                    "" => write!(f, "unknown {noun}, not shown because it may be a secret")?,
                    key => write!(f, "unknown {noun} \"{key}\"")?,
                }
                return match nearest {
                    Some(nearest) => write!(f, "; did you mean \"{nearest}\"?"),
                    None => Ok(()),
                };
            }
            Problem::Unreadable(why) => return f.write_str(&one_line(why)),
            Problem::OutOfRange { .. } | Problem::Expected(_) | Problem::Invalid(_) => {}
        }
        f.write_str(&key)?;
        if let Some(value) = &self.value {
            write!(f, " = {}", one_line(value))?;
        }
        match &self.problem {
            Problem::OutOfRange { bounds: Bounds { min, max }, unit } => {
                write!(f, " is out of range; allowed {min}..={max} {unit}")
            }
            Problem::Expected(what) => write!(f, " is not {what}"),
            Problem::Invalid(why) | Problem::Unreadable(why) => write!(f, ": {why}"),
            Problem::Unknown { .. } => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_on_one_line() {
        assert_eq!(one_line("a\nb\u{1b}[2J\u{202e}\"'"), r#"a\nb\u{1b}[2J\u{202e}"'"#);
        assert_eq!(one_line(&"x".repeat(200)).len(), SHOWN_CHARS_MAX + 3);
    }
}
