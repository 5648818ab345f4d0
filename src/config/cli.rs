//! The command line of `wspushd`, made from the table of settings; without the feature `daemon` see `bare`.

use std::ffi::OsString;
use std::sync::LazyLock;

use clap::builder::ValueParser;
use clap::error::{ContextKind, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::error::Source;
use super::invocation::{Arguments, Failure, STRAY};
use super::layers::FILE_VARIABLE;
use super::setting::{Kind, Setting, Value};
use super::{Config, ConfigError, SETTINGS};

/// Flags without their dashes, in the order of [`SETTINGS`]; clap wants names that live for ever.
static LONG_NAMES: LazyLock<Vec<String>> =
    LazyLock::new(|| SETTINGS.iter().map(|setting| setting.flag()[2..].to_owned()).collect());

const CONFIG: &str = "config";
const CHECK: &str = "check";

/// Reads the arguments; the first one is the program's name.
pub(super) fn parse(args: impl Iterator<Item = OsString>) -> Result<Arguments, Failure> {
    let matches = command().try_get_matches_from(args).map_err(|error| failure(&error))?;
    Ok(Arguments {
        config_file: matches.get_one::<OsString>(CONFIG).cloned(),
        check: matches.get_flag(CHECK),
        flags: flags(&matches),
    })
}

/// The settings among the flags, as text; what a list's flag said each time is one list.
fn flags(matches: &ArgMatches) -> Vec<(usize, OsString)> {
    let named = SETTINGS.iter().enumerate();
    let given = named.filter_map(|(row, setting)| Some((row, matches.get_many::<OsString>(setting.name)?)));
    given.map(|(row, texts)| (row, texts.cloned().collect::<Vec<_>>().join(&OsString::from(",")))).collect()
}

/// The command line.
pub fn command() -> Command {
    let own = "Invocation";
    let mut command = Command::new("wspushd")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A WebSocket push server")
        .after_help(format!(
            "A flag is stronger than a variable, a variable stronger than the file. In the file the keys\n\
             are the flags' names with underscores: max_connections = 1000. A list is a repeated flag, or\n\
             has commas. HUP reads the file again. {FILE_VARIABLE} names it, as --config does."
        ))
        .args_override_self(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .next_line_help(true)
        .arg(
            Arg::new(CONFIG)
                .long(CONFIG)
                .value_name("FILE")
                .value_parser(ValueParser::os_string())
                .help(format!("TOML file with settings [env: {FILE_VARIABLE}]"))
                .help_heading(own),
        )
        .arg(
            Arg::new(CHECK)
                .long(CHECK)
                .action(ArgAction::SetTrue)
                .help("Print the configuration in effect as TOML, and end")
                .help_heading(own),
        )
        .arg(
            Arg::new("help")
                .long("help")
                .short('h')
                .action(ArgAction::Help)
                .help("Print this help")
                .help_heading(own),
        )
        .arg(
            Arg::new("version")
                .long("version")
                .short('V')
                .action(ArgAction::Version)
                .help("Print the version")
                .help_heading(own),
        );
    let default = Config::default();
    for (setting, long) in SETTINGS.iter().zip(LONG_NAMES.iter()) {
        command = command.arg(flag(setting, long, &setting.get(&default)));
    }
    command
}

fn flag(setting: &'static Setting, long: &'static str, default: &Value) -> Arg {
    let mut help = setting.help.to_owned();
    if !matches!(setting.kind, Kind::Boolean) {
        help += &format!("\n[allowed: {}]", setting.allowed());
    }
    let default = match default {
        Value::Text(text) => text.clone(),
        Value::List(list) if list.is_empty() => "none".to_owned(),
        Value::List(list) => list.join(","),
        number_boolean_or_unset => number_boolean_or_unset.to_string(),
    };
    help += &format!("\n[default: {default}] [env: {}]", setting.variable());
    let arg = Arg::new(setting.name)
        .long(long)
        .help(help)
        .help_heading(setting.group.title())
        // Our own errors name the range, whatever the layer.
        .value_parser(ValueParser::os_string())
        .allow_negative_numbers(true);
    match setting.kind {
        Kind::Boolean => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_name("BOOL"),
        Kind::List { .. } => arg.action(ArgAction::Append).value_name(value_name(setting)),
        Kind::Integer { .. } | Kind::Text(_) | Kind::Choice(_) => {
            arg.action(ArgAction::Set).value_name(value_name(setting))
        }
    }
}

fn value_name(setting: &Setting) -> &'static str {
    match setting.kind {
        Kind::Integer { unit: "ms", .. } => "MS",
        Kind::Integer { unit: "bytes", .. } => "BYTES",
        Kind::Integer { .. } => "N",
        Kind::Choice(_) => "CHOICE",
        _ if setting.name == "listen" || setting.name == "admin" => "ADDR",
        _ => "TEXT",
    }
}

/// What clap found wrong, in one line and in our words where there are better ones.
fn failure(error: &clap::Error) -> Failure {
    let text = error.to_string();
    let context = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Failure::Shown(text),
        ErrorKind::UnknownArgument if context(ContextKind::InvalidArg).starts_with('-') => {
            let written = context(ContextKind::InvalidArg);
            let key = written.split('=').next().unwrap_or_default().to_owned();
            let own = [CONFIG, CHECK, "help", "version"].map(|name| format!("--{name}"));
            let names: Vec<String> = SETTINGS.iter().map(Setting::flag).chain(own).collect();
            Failure::Refused(ConfigError::unknown(Source::CommandLine, key, names.iter().map(String::as_str)))
        }
        // What stands in the place of a value may be a secret, so nothing of the rest is repeated but our own names.
        kind => {
            let arg = context(ContextKind::InvalidArg);
            let why = match kind {
                ErrorKind::UnknownArgument => STRAY.to_owned(),
                ErrorKind::InvalidValue => format!("a value is required for '{arg}' but none was supplied"),
                ErrorKind::TooManyValues => format!("'{arg}' takes no value"),
                kind => kind.to_string(),
            };
            ConfigError::unreadable(Source::CommandLine, why).into()
        }
    }
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
