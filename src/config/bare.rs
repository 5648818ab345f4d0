//! The command line of the build for small machines, which has neither clap nor TOML: the same flags, shorter help.

use std::ffi::OsString;

use super::SETTINGS;
use super::error::{ConfigError, Source};
use super::invocation::{Arguments, Failure, STRAY};
use super::setting::{Kind, Setting};

/// Reads the arguments; the first one is the program's name.
pub(super) fn parse(args: impl Iterator<Item = OsString>) -> Result<Arguments, Failure> {
    let mut arguments = Arguments::default();
    let mut args = args.skip(1);
    while let Some(arg) = args.next() {
        let text = arg.to_string_lossy();
        let (name, mut value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(OsString::from(value))),
            None => (&*text, None),
        };
        match name {
            "--help" | "-h" => return Err(Failure::Shown(help())),
            "--version" | "-V" => {
                return Err(Failure::Shown(concat!("wspushd ", env!("CARGO_PKG_VERSION")).to_owned()));
            }
            "--check" => arguments.check = true,
            "--config" => {
                arguments.config_file =
                    Some(value.take().or_else(|| args.next()).ok_or_else(|| missing(name))?)
            }
            _ => {
                let Some(row) = SETTINGS.iter().position(|setting| setting.flag() == name) else {
                    let flags: Vec<String> = SETTINGS.iter().map(Setting::flag).collect();
                    let flags = flags.iter().map(String::as_str);
                    // A value that has lost its flag may be a secret.
                    let error = match name.starts_with("--") {
                        true => ConfigError::unknown(Source::CommandLine, name.to_owned(), flags),
                        false => ConfigError::unreadable(Source::CommandLine, STRAY.to_owned()),
                    };
                    return Err(error.into());
                };
                let value = match (value, &SETTINGS[row].kind) {
                    (Some(value), _) => value,
                    (None, Kind::Boolean) => OsString::from("true"),
                    (None, _) => args.next().ok_or_else(|| missing(name))?,
                };
                add(&mut arguments.flags, row, value);
            }
        }
    }
    Ok(arguments)
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

fn missing(flag: &str) -> Failure {
    let why = format!("a value is required for '{flag}' but none was supplied");
    ConfigError::unreadable(Source::CommandLine, why).into()
}

fn help() -> String {
    let mut text = String::from("A WebSocket push server\n\nUsage: wspushd [--check] [--FLAG VALUE]...\n");
    for setting in SETTINGS {
        text += &format!("  {:32} {}\n", setting.flag(), setting.help);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(args: &[&str]) -> Result<Vec<(&'static str, String)>, String> {
        let args = std::iter::once("wspushd").chain(args.iter().copied()).map(OsString::from);
        let arguments = parse(args).map_err(|failure| failure.to_string())?;
        let name =
            |(row, text): &(usize, OsString)| (SETTINGS[*row].name, text.to_string_lossy().into_owned());
        Ok(arguments.flags.iter().map(name).collect())
    }

    #[test]
    fn flags_are_those_of_the_table() {
        let got = flags(&[
            "--listen",
            "a:1",
            "--demo",
            "--listen=b:2",
            "--ws-only=false",
            "--drain-ms",
            "1",
            "--drain-ms=2",
        ]);
        let expected = [("listen", "a:1,b:2"), ("demo", "true"), ("ws_only", "false"), ("drain_ms", "2")];
        assert_eq!(got, Ok(expected.map(|(name, text)| (name, text.to_owned())).to_vec()));
    }

    #[test]
    fn mistakes_are_told() {
        assert!(
            flags(&["--max-conections", "1"]).unwrap_err().contains("did you mean \"--max-connections\"?")
        );
        assert!(flags(&["--drain-ms"]).unwrap_err().contains("a value is required for '--drain-ms'"));
        let error = flags(&["--admin-token=", "hunter2"]).unwrap_err();
        assert!(error.contains("belongs to no flag") && !error.contains("hunter2"), "{error}");
        assert!(flags(&["--help"]).unwrap_err().contains("--heartbeat-ms"));
    }
}
