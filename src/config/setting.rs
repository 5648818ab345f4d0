//! One setting: its names, what it may be, and the way from text to a field of [`Config`] and back.

use std::fmt;

use super::Config;
use super::error::Problem;
use crate::limits::Bounds;

/// The value of a setting, before it becomes a field and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number; no setting is negative.
    Integer(u64),
    /// Yes or no.
    Boolean(bool),
    /// One text.
    Text(String),
    /// Several.
    List(Vec<String>),
    /// Nothing; only some settings may be left unset, and no text means it.
    Unset,
}

/// The type of a setting's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number within bounds.
    Integer {
        /// The allowed values.
        bounds: Bounds,
        /// Of what.
        unit: &'static str,
    },
    /// Yes or no.
    Boolean,
    /// One text; how it looks.
    Text(&'static str),
    /// A number or a word; what they may be.
    Count(&'static str),
    /// At most so many texts without commas; how one looks.
    List {
        /// How many.
        max: usize,
        /// How one looks.
        of: &'static str,
    },
    /// One of these.
    Choice(&'static [&'static str]),
}

/// The topics of settings: the headings of `--help` and `--check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Who may come in, and where.
    Network,
    /// Who a client says it is.
    Auth,
    /// The operator's backend: asked who a client is, and told what happens.
    Backend,
    /// How much of everything.
    Limits,
    /// How long.
    Timeouts,
    /// How much is kept, and for whom.
    Channels,
    /// permessage-deflate.
    Compression,
    /// The reactor's turns and the operator's log.
    Running,
    /// Several servers that are one service.
    Cluster,
}

impl Group {
    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            Group::Network => "Network",
            Group::Auth => "Tokens",
            Group::Backend => "Webhooks",
            Group::Limits => "Limits",
            Group::Timeouts => "Time-outs",
            Group::Channels => "Logs and channels",
            Group::Compression => "Compression",
            Group::Running => "Running",
            Group::Cluster => "Cluster",
        }
    }
}

/// One row of [`SETTINGS`](super::SETTINGS).
pub struct Setting {
    /// The key in the TOML file, which is the field's name.
    pub name: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// Under which heading it stands.
    pub group: Group,
    /// The type of its values.
    pub kind: Kind,
    /// Whether HUP changes it; otherwise a restart does.
    pub reloadable: bool,
    /// Never shown.
    pub secret: bool,
    pub(super) set: fn(&mut Config, Value) -> Result<(), String>,
    pub(super) get: fn(&Config) -> Value,
}

impl Setting {
    /// Whether the entries of its list are numbers, which a file may have as such.
    pub fn lists_numbers(&self) -> bool {
        matches!(self.kind, Kind::List { of, .. } if of.ends_with("number"))
    }

    /// The flag: `--max-connections`.
    pub fn flag(&self) -> String {
        format!("--{}", self.name.replace('_', "-"))
    }

    /// The environment variable: `WSPUSH_MAX_CONNECTIONS`.
    pub fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.name.to_ascii_uppercase())
    }

    /// The value in `config`; a secret is not left out.
    pub fn get(&self, config: &Config) -> Value {
        (self.get)(config)
    }

    /// Whether the value is a secret, which is shown to nobody.
    pub(super) fn is_hidden(&self, value: &Value) -> bool {
        self.secret && !matches!(value, Value::Unset) && *value != Value::List(Vec::new())
    }

    /// Sets it, if `value` is allowed.
    pub fn set(&self, config: &mut Config, value: Value) -> Result<(), Problem> {
        match (&value, self.kind) {
            (Value::Integer(number), Kind::Integer { bounds, unit }) if !bounds.contains(*number) => {
                return Err(Problem::OutOfRange { bounds, unit });
            }
            (Value::List(list), Kind::List { max, .. }) if list.len() > max => {
                return Err(Problem::Invalid(format!("at most {max} are allowed")));
            }
            (Value::List(list), Kind::List { of, .. }) => {
                // A comma separates the entries in a variable, so no entry may have one.
                if let Some(entry) = list.iter().find(|entry| entry.contains(',')) {
                    let entry = if self.secret { "an entry".to_owned() } else { format!("{entry:?}") };
                    return Err(Problem::Invalid(format!("{entry} is not {of}")));
                }
            }
            (Value::Integer(_), Kind::Integer { .. })
            | (Value::Boolean(_), Kind::Boolean)
            | (Value::Text(_), Kind::Text(_) | Kind::Choice(_))
            | (Value::Integer(_) | Value::Text(_), Kind::Count(_))
            | (Value::Unset, Kind::Text(_)) => {}
            _ => return Err(self.expected()),
        }
        (self.set)(config, value).map_err(Problem::Invalid)
    }

    /// A value from the text of a variable or of a flag; a list's entries are separated by commas.
    pub fn parse(&self, text: &str) -> Result<Value, Problem> {
        match self.kind {
            Kind::Integer { .. } => self.integer(&text.replace('_', ""), 10),
            Kind::Boolean => match text {
                "true" | "1" => Ok(Value::Boolean(true)),
                "false" | "0" => Ok(Value::Boolean(false)),
                _ => Err(self.expected()),
            },
            Kind::Text(_) => Ok(Value::Text(text.to_owned())),
            Kind::Count(_) => Ok(text.parse().map_or_else(|_| Value::Text(text.to_owned()), Value::Integer)),
            Kind::Choice(names) if names.contains(&text) => Ok(Value::Text(text.to_owned())),
            Kind::Choice(_) => Err(self.expected()),
            Kind::List { .. } if text.is_empty() => Ok(Value::List(Vec::new())),
            Kind::List { .. } => {
                Ok(Value::List(text.split(',').map(|entry| entry.trim().to_owned()).collect()))
            }
        }
    }

    /// An integer from its digits, which may be more than any integer holds.
    pub(super) fn integer(&self, digits: &str, radix: u32) -> Result<Value, Problem> {
        let Kind::Integer { bounds, unit } = self.kind else { return Err(self.expected()) };
        let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
        if unsigned.is_empty() || !unsigned.chars().all(|c| c.is_digit(radix)) {
            return Err(self.expected());
        }
        // Whatever does not fit 64 bits fits no bounds either.
        match u64::from_str_radix(digits, radix) {
            Ok(number) if bounds.contains(number) => Ok(Value::Integer(number)),
            _ if digits.starts_with('-') && unsigned.chars().all(|c| c == '0') && bounds.contains(0) => {
                Ok(Value::Integer(0))
            }
            _ => Err(Problem::OutOfRange { bounds, unit }),
        }
    }

    /// The problem of a value that has another type.
    pub(super) fn expected(&self) -> Problem {
        Problem::Expected(match self.kind {
            Kind::Integer { bounds: Bounds { min, max }, unit } => {
                format!("an integer in {min}..={max} {unit}")
            }
            Kind::Boolean => "true or false".to_owned(),
            Kind::Text(what) => format!("text: {what}"),
            Kind::Count(what) => what.to_owned(),
            Kind::List { of, .. } => format!("a list of text, each {of}"),
            Kind::Choice(names) => format!("one of {}", names.join(", ")),
        })
    }

    /// The allowed values, for people: `1..=64 connections` or `close, skip`.
    pub fn allowed(&self) -> String {
        match self.kind {
            Kind::Integer { bounds: Bounds { min, max }, unit } => format!("{min}..={max} {unit}"),
            Kind::Boolean => "true, false".to_owned(),
            Kind::Text(what) | Kind::Count(what) => what.to_owned(),
            Kind::List { of, .. } => format!("{of} (list)"),
            Kind::Choice(names) => names.join(", "),
        }
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setting").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// The prefix of all our variables.
pub(super) const VARIABLE_PREFIX: &str = "WSPUSH_";

/// As in a TOML file.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Integer(number) => write!(f, "{number}"),
            Value::Boolean(yes) => write!(f, "{yes}"),
            Value::Text(text) => write_quoted(f, text),
            Value::Unset => f.write_str("none"),
            Value::List(list) => {
                f.write_str("[")?;
                for (index, entry) in list.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    write_quoted(f, entry)?;
                }
                f.write_str("]")
            }
        }
    }
}

/// A TOML basic string.
fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            c if c.is_control() => write!(f, "\\u{:04X}", u32::from(c))?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

#[cfg(test)]
mod tests {
    use super::super::SETTINGS;
    use super::*;

    fn named(name: &str) -> &'static Setting {
        SETTINGS.iter().find(|setting| setting.name == name).unwrap()
    }

    #[test]
    fn names() {
        let setting = named("max_connections");
        assert_eq!(setting.flag(), "--max-connections");
        assert_eq!(setting.variable(), "WSPUSH_MAX_CONNECTIONS");
    }

    #[test]
    fn every_integer_at_both_ends_and_beyond() {
        let mut integers = 0;
        for setting in SETTINGS {
            let Kind::Integer { bounds, unit } = setting.kind else { continue };
            integers += 1;
            for number in [bounds.min, bounds.max] {
                let mut config = Config::default();
                let value = setting.parse(&number.to_string()).unwrap();
                setting.set(&mut config, value).unwrap();
                assert_eq!(setting.get(&config), Value::Integer(number), "{}", setting.name);
            }
            let refused = Problem::OutOfRange { bounds, unit };
            let outside = [i128::from(bounds.min) - 1, i128::from(bounds.max) + 1, i128::MIN, i128::MAX];
            for number in outside {
                assert_eq!(setting.parse(&number.to_string()), Err(refused.clone()), "{}", setting.name);
            }
            let mut config = Config::default();
            assert_eq!(setting.set(&mut config, Value::Integer(bounds.max + 1)), Err(refused));
            assert_eq!(config, Config::default(), "{} was changed all the same", setting.name);
            for text in ["", "-", "1.5", "many", "1 ", "0x10", "٣"] {
                assert!(matches!(setting.parse(text), Err(Problem::Expected(_))), "{} {text}", setting.name);
            }
        }
        assert!(integers > 20);
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        let values = [Value::Integer(1), Value::Boolean(true), Value::Text("x".into()), Value::List(vec![])];
        for setting in SETTINGS {
            let accepted = values.iter().filter(|&value| {
                let mut config = Config::default();
                !matches!(setting.set(&mut config, value.clone()), Err(Problem::Expected(_)))
            });
            let kinds = if matches!(setting.kind, Kind::Count(_)) { 2 } else { 1 };
            assert_eq!(accepted.count(), kinds, "{}", setting.name);
        }
    }

    #[test]
    fn text_of_booleans_lists_and_numbers() {
        assert_eq!(named("demo").parse("1"), Ok(Value::Boolean(true)));
        assert_eq!(named("demo").parse("false"), Ok(Value::Boolean(false)));
        assert!(named("demo").parse("yes").is_err());
        assert_eq!(named("origins").parse("a, b"), Ok(Value::List(vec!["a".into(), "b".into()])));
        assert_eq!(named("origins").parse(""), Ok(Value::List(vec![])));
        assert_eq!(named("max_connections").parse("1_000"), Ok(Value::Integer(1000)));
        assert_eq!(named("drain_ms").parse("-0"), Ok(Value::Integer(0)));
        assert!(named("slow_consumer").parse("wait").is_err());
    }
}
