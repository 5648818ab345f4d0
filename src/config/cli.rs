//! The command line of `wspushd`: `lexopt` cuts it up, the table of settings says what there is.

use std::ffi::OsString;
use std::fmt::Write as _;

use lexopt::{Arg, Parser};

use super::error::Source;
use super::invocation::{Arguments, InvocationEnd};
use super::layers::FILE_VARIABLE;
use super::setting::{Group, Kind, Setting, Value};
use super::{Config, ConfigError, SETTINGS};

/// A flag that is no setting.
struct Own {
    written: &'static str,
    name: &'static str,
    short: Option<char>,
    help: &'static str,
    meaning: fn(&mut Parser, &mut Arguments) -> Result<(), InvocationEnd>,
}

const OWN: &[Own] = &[
    Own {
        written: "--config <FILE>",
        name: "config",
        short: None,
        help: "TOML file with settings [env: WSPUSH_CONFIG]",
        meaning: |parser, arguments| {
            arguments.config_file = Some(parser.value().map_err(refused)?);
            Ok(())
        },
    },
    Own {
        written: "--check",
        name: "check",
        short: None,
        help: "Print the configuration in effect as TOML, and end",
        meaning: |_, arguments| {
            arguments.check = true;
            Ok(())
        },
    },
    Own {
        written: "--help",
        name: "help",
        short: Some('h'),
        help: "Print this help",
        meaning: |_, _| Err(InvocationEnd::Shown(help())),
    },
    Own {
        written: "--version",
        name: "version",
        short: Some('V'),
        help: "Print the version",
        meaning: |_, _| {
            Err(InvocationEnd::Shown(concat!("wspushd ", env!("CARGO_PKG_VERSION"), "\n").to_owned()))
        },
    },
];

/// Either kind of flag.
enum Flag {
    Own(&'static Own),
    Setting(usize),
}

/// Reads the arguments; the first one is the program's name.
pub(super) fn parse(args: impl Iterator<Item = OsString>) -> Result<Arguments, InvocationEnd> {
    let mut arguments = Arguments::default();
    let mut parser = Parser::from_iter(args);
    let mut previous = None;
    while let Some(arg) = parser.next().map_err(refused)? {
        let flag = match arg {
            Arg::Long(name) => find(name).ok_or_else(|| unknown_flag(format!("--{name}")))?,
            Arg::Short(letter) => {
                let own = OWN.iter().find(|own| own.short == Some(letter));
                Flag::Own(own.ok_or_else(|| unknown_flag(format!("-{letter}")))?)
            }
            Arg::Value(_) => return Err(stray(previous)),
        };
        match flag {
            Flag::Own(own) => {
                (own.meaning)(&mut parser, &mut arguments)?;
                previous = Some(format!("--{}", own.name));
            }
            Flag::Setting(row) => {
                let value = match SETTINGS[row].kind {
                    Kind::Boolean => parser.optional_value().unwrap_or_else(|| "true".into()),
                    _ => parser.value().map_err(refused)?,
                };
                add(&mut arguments.flags, row, value);
                previous = Some(SETTINGS[row].flag());
            }
        }
    }
    Ok(arguments)
}

fn find(name: &str) -> Option<Flag> {
    let own = OWN.iter().find(|own| own.name == name).map(Flag::Own);
    let is_named = |setting: &Setting| setting.flag().strip_prefix("--") == Some(name);
    own.or_else(|| SETTINGS.iter().position(is_named).map(Flag::Setting))
}

/// A list grows with every flag; of anything else the last one counts.
fn add(flags: &mut Vec<(usize, OsString)>, row: usize, value: OsString) {
    match flags.iter_mut().find(|(taken, _)| *taken == row) {
        Some((_, list)) if matches!(SETTINGS[row].kind, Kind::List { .. }) => {
            list.push(",");
            list.push(value);
        }
        Some((_, last)) => *last = value,
        None => flags.push((row, value)),
    }
}

fn unknown_flag(written: String) -> InvocationEnd {
    let own = OWN.iter().map(|own| format!("--{}", own.name));
    let names: Vec<String> = SETTINGS.iter().map(Setting::flag).chain(own).collect();
    ConfigError::unknown(Source::CommandLine, written, names.iter().map(String::as_str)).into()
}

fn refused(error: lexopt::Error) -> InvocationEnd {
    unreadable(match error {
        lexopt::Error::MissingValue { option } => {
            let option = option.unwrap_or_default();
            format!("{option} needs a value: {option} VALUE or {option}=VALUE")
        }
        lexopt::Error::UnexpectedValue { option, .. } => format!("{option} takes no value"),
        _ => "not understood".to_owned(),
    })
}

/// An argument that belongs to no flag may be half of a token with a space in it: it is not repeated.
fn stray(previous: Option<String>) -> InvocationEnd {
    let place = previous
        .map_or_else(|| "the first argument".to_owned(), |flag| format!("the argument behind {flag}"));
    unreadable(format!("{place} is no flag; every setting is one: --NAME VALUE or --NAME=VALUE"))
}

fn unreadable(why: String) -> InvocationEnd {
    ConfigError::unreadable(Source::CommandLine, why).into()
}

fn help() -> String {
    let mut text = String::from(
        "A WebSocket push server\n\nUsage: wspushd [OPTIONS]\n       wspushd token new|check (see wspushd token \
         --help)\n       wspushd config default|schema|check (see wspushd config --help)\n       \
         wspushd feed redis-stream|redis-channel|postgres (see wspushd feed --help)\n       \
         wspushd upgrade (see wspushd upgrade --help)\n       \
         wspushd completions bash|zsh|fish\n\nInvocation:\n",
    );
    for own in OWN {
        let short = own.short.map_or_else(|| "   ".to_owned(), |letter| format!("-{letter},"));
        let _ = writeln!(text, "  {short} {}\n          {}", own.written, own.help);
    }
    let mut group: Option<Group> = None;
    for setting in SETTINGS {
        if group != Some(setting.group) {
            let _ = writeln!(text, "\n{}:", setting.group.title());
            group = Some(setting.group);
        }
        describe(&mut text, setting);
    }
    text += "\nA flag is stronger than a variable, a variable stronger than the file. In the file the keys\n\
             are the flags' names with underscores: max_connections = 1000. A list is a repeated flag, or\n\
             has commas. HUP reads the file again. ";
    text + FILE_VARIABLE + " names it, as --config does.\n"
}

/// A setting's entry in the help: the flag with its value, what it is for, what is allowed, what it is otherwise.
fn describe(text: &mut String, setting: &Setting) {
    let flag = setting.flag();
    let _ = match setting.kind {
        Kind::Boolean => writeln!(text, "      {flag}[=<BOOL>]"),
        _ => writeln!(text, "      {flag} <{}>", value_name(setting)),
    };
    let _ = writeln!(text, "          {}", setting.help);
    if !matches!(setting.kind, Kind::Boolean) {
        let _ = writeln!(text, "          [allowed: {}]", setting.allowed());
    }
    let _ = writeln!(
        text,
        "          [default: {}] [env: {}]",
        default_text(setting, &Config::daemon()),
        setting.variable()
    );
}

/// The default as the flag takes it, or `none`.
pub(super) fn default_text(setting: &Setting, defaults: &Config) -> String {
    match setting.get(defaults) {
        Value::Text(text) => text,
        Value::List(list) if list.is_empty() => "none".to_owned(),
        Value::List(list) => list.join(","),
        number_boolean_or_unset => number_boolean_or_unset.to_string(),
    }
}

fn value_name(setting: &Setting) -> &'static str {
    match setting.kind {
        Kind::Integer { unit: "ms", .. } => "MS",
        Kind::Integer { unit: "bytes", .. } => "BYTES",
        Kind::Integer { .. } | Kind::Count(_) => "N",
        Kind::Choice(_) => "CHOICE",
        _ if setting.name == "listen" || setting.name == "admin" => "ADDR",
        _ => "TEXT",
    }
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
