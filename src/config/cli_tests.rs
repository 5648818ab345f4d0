//! The command line from the outside: precedence, reload, errors, help.

use std::fs;
use std::path::PathBuf;

use super::super::setting::Value;
use super::super::{AdminListen, Config, Invocation, MemoryMax, SlowConsumer, from_args};
use super::*;

/// A file in the temporary directory that goes away at the end.
struct TomlFile(PathBuf);

impl TomlFile {
    fn new(name: &str, text: &str) -> TomlFile {
        let path = std::env::temp_dir().join(format!("wspush-{}-{name}.toml", std::process::id()));
        fs::write(&path, text).unwrap();
        TomlFile(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TomlFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn run(flags: &[&str], environment: &[(&str, &str)]) -> Result<Invocation, InvocationEnd> {
    let args = std::iter::once("wspushd").chain(flags.iter().copied()).map(OsString::from);
    from_args(args, environment.iter().map(|(name, text)| (name.into(), text.into())))
}

fn refused(flags: &[&str]) -> String {
    let failure = run(flags, &[]).expect_err("a wrong command line was accepted");
    assert_eq!(failure.exit_code(), 2);
    let text = failure.to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}

#[test]
fn nothing_given_is_the_default() {
    let invocation = run(&[], &[]).unwrap();
    assert_eq!(invocation.config, Config::daemon());
    assert!(!invocation.check && invocation.config_file.is_none());
}

#[test]
fn a_flag_beats_a_variable_beats_the_file() {
    let file = TomlFile::new("precedence", "drain_ms = 1\nflush_slice = 1\naccept_budget = 1\n");
    let variables = [("WSPUSH_FLUSH_SLICE", "2"), ("WSPUSH_ACCEPT_BUDGET", "2")];
    let invocation = run(&["--config", file.path(), "--accept-budget", "3"], &variables).unwrap();
    let config = &invocation.config;
    assert_eq!((config.drain_ms, config.flush_slice, config.accept_budget), (1, 2, 3));
    let text = invocation.check_text();
    assert!(text.contains(&format!("drain_ms = 1  # {}:1\n", file.path())), "{text}");
    assert!(text.contains("flush_slice = 2  # environment WSPUSH_FLUSH_SLICE\n"), "{text}");
    assert!(text.contains("accept_budget = 3  # command line --accept-budget\n"), "{text}");

    let again = TomlFile::new("precedence-again", &text);
    assert_eq!(run(&["--config", again.path(), "--check"], &[]).unwrap().config, *config);
}

#[test]
fn the_file_may_be_named_by_a_variable() {
    let file = TomlFile::new("variable", "demo = true\n");
    let variables = [("WSPUSH_CONFIG", file.path())];
    assert!(run(&[], &variables).unwrap().config.demo);
    assert!(!run(&["--demo=false"], &variables).unwrap().config.demo);
    let other = TomlFile::new("flag", "ws_only = true\n");
    let config = run(&["--config", other.path()], &variables).unwrap().config;
    assert!(config.ws_only && !config.demo);
}

#[test]
fn flags_of_every_kind() {
    let flags = ["--listen", "127.0.0.1:1", "--listen=[::1]:2", "--admin", "unix:/a", "--demo"];
    let config = run(&flags, &[]).unwrap().config;
    assert_eq!(config.listen.len(), 2);
    assert_eq!(config.admin, [AdminListen::Unix("/a".into())]);
    assert!(config.demo);
    let flags = ["--demo", "--demo=false", "--slow-consumer", "close", "--slow-consumer=skip", "--origins="];
    let config = run(&flags, &[]).unwrap().config;
    assert!(!config.demo && config.origins.is_empty());
    assert_eq!(config.slow_consumer, SlowConsumer::Skip);
}

#[test]
fn the_daemon_has_an_admin_listener_and_a_bound_and_a_library_has_none() {
    let daemon = run(&[], &[]).unwrap().config;
    assert_eq!(daemon.admin, ["127.0.0.1:8081".parse().unwrap()]);
    assert_eq!(daemon.memory_max, MemoryMax::Auto);
    let library = Config { admin: Vec::new(), memory_max: MemoryMax::Off, ..daemon };
    assert_eq!(Config::default(), library);
}

#[test]
fn every_setting_has_a_flag_that_takes_its_default() {
    for setting in SETTINGS {
        let text = match setting.get(&Config::daemon()) {
            Value::Unset => continue,
            Value::Text(text) => text,
            Value::List(list) => list.join(","),
            value => value.to_string(),
        };
        let invocation = run(&[&format!("{}={text}", setting.flag())], &[]).unwrap();
        assert_eq!(invocation.config, Config::daemon(), "{}", setting.name);
        let row = SETTINGS.iter().position(|other| other.name == setting.name).unwrap();
        assert_eq!(invocation.layers.sources[row], Source::CommandLine, "{}", setting.name);
    }
}

#[test]
fn wrong_flags_are_one_clear_line() {
    assert_eq!(
        refused(&["--max-connections", "0"]),
        "wspushd: command line: --max-connections = 0 is out of range; allowed 1..=50000000 connections"
    );
    assert_eq!(
        refused(&["--max-connections", "-5"]),
        "wspushd: command line: --max-connections = -5 is out of range; allowed 1..=50000000 connections"
    );
    assert_eq!(
        refused(&["--max-conections=5"]),
        "wspushd: command line: unknown flag \"--max-conections\"; did you mean \"--max-connections\"?"
    );
    assert_eq!(
        refused(&["--chek"]),
        "wspushd: command line: unknown flag \"--chek\"; did you mean \"--check\"?"
    );
    assert_eq!(refused(&["--demo=maybe"]), "wspushd: command line: --demo = maybe is not true or false");
    assert_eq!(
        refused(&["--listen"]),
        "wspushd: command line: --listen needs a value: --listen VALUE or --listen=VALUE"
    );
    assert_eq!(refused(&["--check=yes"]), "wspushd: command line: --check takes no value");
    assert_eq!(refused(&["-x"]), "wspushd: command line: unknown flag \"-x\"");
    assert!(refused(&["--listen="]).contains("at least one address"));
    assert_eq!(
        refused(&["stray"]),
        "wspushd: command line: the first argument is no flag; every setting is one: --NAME VALUE or --NAME=VALUE"
    );
    let half_a_token = refused(&["--admin-token=abc", "def"]);
    assert!(half_a_token.contains("the argument behind --admin-token is no flag"), "{half_a_token}");
    assert!(!half_a_token.contains("def"), "{half_a_token}");
    assert!(refused(&["--config", "/nonexistent"]).starts_with("wspushd: /nonexistent: cannot be read"));
    assert!(
        refused(&["--admin", "0.0.0.0:1"])
            .contains("--admin = [\"0.0.0.0:1\"]: an address that is not loopback")
    );
    assert!(refused(&["--ab\nc"]).contains("unknown flag"));
}

#[test]
fn no_error_repeats_what_may_be_a_secret() {
    for (flags, said) in [
        (&["--admin-token=", "hunter2"][..], "is no flag"),
        (&["hunter2"], "is no flag"),
        (&["--check=hunter2"], "--check takes no value"),
        (&["--admin-tokn", "hunter2"], "did you mean \"--admin-token\""),
        (&["--admin-tokn=hunter2"], "did you mean \"--admin-token\""),
        (&["--admin_token=hunter2"], "did you mean \"--admin-token\""),
        (&["--hunter2"], "unknown flag, not shown"),
        (&["--admin-token=hunter2 "], "--admin-token: a token has"),
        (&["--tls-key=-----BEGIN PRIVATE KEY-----\nhunter2"], "the name of its file"),
        (&["--origins=https://me:hunter2@h"], "https://...@h"),
        (&["--config=-----BEGIN PRIVATE KEY-----\nhunter2"], "cannot be read"),
    ] {
        let text = refused(flags);
        assert!(text.contains(said) && !text.contains("hunter2"), "{flags:?}: {text}");
    }
    let invocation = run(&["--admin-token=hunter2"], &[("WSPUSH_ADMIN_TOKEN", "hunter2")]).unwrap();
    for text in [invocation.check_text(), format!("{invocation:?}"), format!("{:#?}", invocation.config)] {
        assert!(text.contains("(set)") && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn an_empty_token_is_an_error_in_every_layer() {
    let error = run(&[], &[("WSPUSH_ADMIN_TOKEN", "")]).unwrap_err().to_string();
    assert!(error.contains("WSPUSH_ADMIN_TOKEN: a token has 1 to 256"), "{error}");
    let error = run(&["--admin-token="], &[("WSPUSH_ADMIN_TOKEN", "t0ken")]).unwrap_err().to_string();
    assert!(error.contains("--admin-token: a token has 1 to 256"), "{error}");
    let config = Config { admin_token: Some(String::new()), ..Config::default() };
    assert_eq!(config.validate().unwrap_err().key, "admin_token");
    let text = run(&[], &[]).unwrap().check_text();
    assert!(text.contains("\n# admin_token =  # default; not set\n"), "{text}");
}

#[test]
fn help_shows_every_setting_under_its_heading() {
    let failure = run(&["--help", "--bogus"], &[]).unwrap_err();
    assert_eq!(failure.exit_code(), 0);
    let text = failure.to_string();
    for setting in SETTINGS {
        for part in [&setting.flag(), &setting.variable(), setting.help, setting.group.title()] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
    assert!(text.contains("[default: 1000000] [env: WSPUSH_MAX_CONNECTIONS]"), "{text}");
    let version = run(&["--version"], &[]).unwrap_err();
    assert_eq!(version, InvocationEnd::Shown(format!("wspushd {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn reload_reads_the_file_again_under_the_same_flags() {
    let file = TomlFile::new("reload", "drain_ms = 1\nlog_level = \"warn\"\n");
    let invocation = run(&["--config", file.path(), "--flush-slice=9"], &[("WSPUSH_DRAIN_MS", "7")]).unwrap();
    fs::write(&file.0, "drain_ms = 2\nlog_level = \"debug\"\nflush_slice = 5\nlog_bytes = 2097152\n")
        .unwrap();
    let new = invocation.reload().unwrap();
    assert_eq!((new.drain_ms, new.flush_slice), (7, 9));
    assert_eq!(invocation.config.reloadable_changes(&new), (vec!["log_level"], vec!["log_bytes"]));
    fs::write(&file.0, "drain_ms = x\n").unwrap();
    assert!(invocation.reload().unwrap_err().to_string().starts_with(&format!("{}:1: ", file.path())));
}
