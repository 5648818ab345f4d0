//! `wspushd config`: the defaults as a file, the settings as a JSON schema, a file that is checked.
//! `wspushd completions`: the flags for shells.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::{Map, Value as Json, json};
use wspush::config::{Kind, Layers, SETTINGS, Setting, Value, from_args};

use super::{EXIT_USAGE, fail, load, print, say};

const HELP: &str = "\
The settings of the server, for people and for programs

Usage: wspushd config default
       wspushd config schema
       wspushd config check [OPTIONS] [FILE]
       wspushd completions bash|zsh|fish

default  prints a TOML file with every setting at its default.
schema   prints a JSON schema of that file, for editors.
check    reads the FILE, and what it names, as the server would, and says whether it would start with it (exit
         status 2: it would not). OPTIONS are those of wspushd --help. wspushd --check prints what is in effect.
";

/// The shells for which there are completions.
const SHELLS: &str = "bash, zsh, fish";

/// The flags of `wspushd feed`.
const FEED: &str = "--source --to --channel --group --table --listen --from-start --help";

/// Does what the arguments behind `config` say.
pub(crate) fn run(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let what = args.next().unwrap_or_default();
    let rest: Vec<OsString> = args.collect();
    match what.to_str() {
        Some("--help" | "-h") => print(HELP, 0),
        _ if rest.iter().any(|arg| arg == "--help" || arg == "-h") => print(HELP, 0),
        Some("default") if rest.is_empty() => print(&Layers::daemon().to_toml(), 0),
        Some("schema") if rest.is_empty() => print(&format!("{:#}\n", schema()), 0),
        Some("default" | "schema") => usage("there is nothing to say behind default and schema"),
        Some("check") => check(rest),
        _ => usage("there are config default, config schema and config check"),
    }
}

/// Does what the arguments behind `completions` say.
pub(crate) fn complete(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let shell = args.next().unwrap_or_default();
    match shell.to_str().filter(|_| args.next().is_none()) {
        Some("--help" | "-h") => print(HELP, 0),
        Some("bash") => print(&bash(), 0),
        Some("zsh") => print(&zsh(), 0),
        Some("fish") => print(&fish(), 0),
        _ => usage(&format!("there are completions for {SHELLS}")),
    }
}

fn usage(why: &str) -> ExitCode {
    fail(&format_args!("{why}; see wspushd config --help"), EXIT_USAGE)
}

fn check(rest: Vec<OsString>) -> ExitCode {
    let (mut args, mut behind_flag) = (vec![OsString::from("wspushd")], false);
    for arg in rest {
        let is_flag = arg.to_str().is_some_and(|text| text.starts_with("--"));
        // The file is neither a flag nor a flag's value.
        if !is_flag && !behind_flag {
            args.push("--config".into());
        }
        behind_flag = arg.to_str().is_some_and(takes_next);
        args.push(arg);
    }
    let invocation = match from_args(args.into_iter(), std::env::vars_os()) {
        Ok(invocation) => invocation,
        Err(end) => {
            say(&end);
            return ExitCode::from(end.exit_code());
        }
    };
    match load(&invocation) {
        Ok(()) => print("the configuration is good\n", 0),
        Err(code) => code,
    }
}

/// Whether the argument behind this one is its value: `--demo` has none, `--demo=true` has it in itself.
fn takes_next(flag: &str) -> bool {
    flag == "--config"
        || SETTINGS.iter().any(|setting| setting.flag() == flag && !matches!(setting.kind, Kind::Boolean))
}

/// The file as JSON Schema 2020-12 has it.
fn schema() -> Json {
    let defaults = Layers::daemon().finish().unwrap_or_default();
    let mut properties: Map<String, Json> = SETTINGS
        .iter()
        .map(|setting| {
            let mut row = kind(setting);
            row.insert("description".to_owned(), setting.help.into());
            if let Some(default) = json_of(&setting.get(&defaults)) {
                row.insert("default".to_owned(), default);
            }
            (setting.name.to_owned(), Json::Object(row))
        })
        .collect();
    let tables = |what: &str| json!({ "type": "array", "items": { "type": "object" }, "description": what });
    properties.insert("channel".to_owned(), tables("Rules of channels, as channel_rule has them"));
    for name in ["api_key", "pusher_app"] {
        if let Some(entries) = properties.get_mut(name).and_then(Json::as_object_mut) {
            entries.insert("items".to_owned(), json!({ "type": ["string", "object"] }));
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("wspushd {}", env!("CARGO_PKG_VERSION")),
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}

fn kind(setting: &Setting) -> Map<String, Json> {
    let row = match setting.kind {
        Kind::Integer { bounds, .. } => {
            json!({ "type": "integer", "minimum": bounds.min, "maximum": bounds.max })
        }
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Text(_) => json!({ "type": "string" }),
        Kind::Count(_) => json!({ "type": ["integer", "string"] }),
        Kind::Choice(names) => json!({ "type": "string", "enum": names }),
        Kind::List { max, .. } if setting.lists_numbers() => {
            json!({ "type": ["array", "string"], "items": { "type": ["integer", "string"] }, "maxItems": max })
        }
        Kind::List { max, .. } => {
            json!({ "type": ["array", "string"], "items": { "type": "string" }, "maxItems": max })
        }
    };
    match row {
        Json::Object(row) => row,
        _ => Map::new(),
    }
}

fn json_of(value: &Value) -> Option<Json> {
    match value {
        Value::Integer(number) => Some((*number).into()),
        Value::Boolean(yes) => Some((*yes).into()),
        Value::Text(text) => Some(text.clone().into()),
        Value::List(list) => Some(list.clone().into()),
        Value::Unset => None,
    }
}

/// The words that may stand behind a flag: of letters, digits and `-` only.
fn choices(setting: &Setting) -> &'static [&'static str] {
    match setting.kind {
        Kind::Choice(names) => names,
        _ => &[],
    }
}

fn takes_file(setting: &Setting) -> bool {
    matches!(setting.kind, Kind::Text(of) | Kind::List { of, .. } if of.contains("file"))
}

fn bash() -> String {
    let flags: Vec<String> = SETTINGS.iter().map(Setting::flag).collect();
    let mut text = format!(
        "_wspushd() {{\n  local now=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}}\n  \
         case $before in\n    \
         wspushd) COMPREPLY=($(compgen -W 'token config feed upgrade completions --config --check --help --version \
         {all}' \
         -- \
         \"$now\")); return ;;\n    token) COMPREPLY=($(compgen -W 'new check' -- \"$now\")); return ;;\n    \
         config) COMPREPLY=($(compgen -W 'default schema check' -- \"$now\")); return ;;\n    \
         feed) COMPREPLY=($(compgen -W 'redis-stream redis-channel postgres' -- \"$now\")); return ;;\n    \
         --source|--to|--channel|--group|--table|--listen) [[ ${{COMP_WORDS[1]}} = feed ]] && return ;;\n    \
         completions) COMPREPLY=($(compgen -W 'bash zsh fish' -- \"$now\")); return ;;\n    \
         --config) COMPREPLY=($(compgen -f -- \"$now\")); return ;;\n",
        all = flags.join(" ")
    );
    for setting in SETTINGS {
        let _ = match choices(setting) {
            [] if takes_file(setting) => {
                writeln!(text, "    {}) COMPREPLY=($(compgen -f -- \"$now\")); return ;;", setting.flag())
            }
            [] => continue,
            names => writeln!(
                text,
                "    {}) COMPREPLY=($(compgen -W '{}' -- \"$now\")); return ;;",
                setting.flag(),
                names.join(" ")
            ),
        };
    }
    let all = flags.join(" ");
    let _ = write!(
        text,
        "  esac\n  if [[ ${{COMP_WORDS[1]}} = feed ]]; then\n    \
         COMPREPLY=($(compgen -W '{FEED}' -- \"$now\")); return\n  fi\n  \
         COMPREPLY=($(compgen -W '--config --check --help --version {all}' -- \"$now\"))\n}}\n\
         complete -F _wspushd wspushd\n"
    );
    text
}

/// Text within single quotes and brackets.
fn zsh_text(help: &str) -> String {
    help.replace('\'', "'\\''").replace('[', "\\[").replace(']', "\\]").replace(':', "\\:")
}

fn zsh() -> String {
    let mut text = "#compdef wspushd\n_arguments \\\n  '1:command:(token config feed upgrade completions)' \\\n  \
                    '--config[TOML file with settings]:file:_files' \\\n  '--check[print the configuration in effect]' \
                    \\\n  '(- *)'{-h,--help}'[print help]' \\\n  '(- *)'{-V,--version}'[print the version]'"
        .to_owned();
    for setting in SETTINGS {
        let value = match choices(setting) {
            [] if matches!(setting.kind, Kind::Boolean) => String::new(),
            [] if takes_file(setting) => ":file:_files".to_owned(),
            [] => ":value:".to_owned(),
            names => format!(":value:({})", names.join(" ")),
        };
        let _ = write!(text, " \\\n  '{}[{}]{value}'", setting.flag(), zsh_text(setting.help));
    }
    text.push('\n');
    text
}

fn fish() -> String {
    let mut text = "complete -c wspushd -n __fish_use_subcommand -f -a 'token config feed upgrade completions'\n\
                    complete -c wspushd -n '__fish_seen_subcommand_from feed' -f \
                    -a 'redis-stream redis-channel postgres'\n\
                    complete -c wspushd -n '__fish_seen_subcommand_from feed' -f \
                    -a '--source --to --channel --group --table --listen --from-start'\n\
                    complete -c wspushd -n '__fish_seen_subcommand_from token' -f -a 'new check'\n\
                    complete -c wspushd -n '__fish_seen_subcommand_from config' -f -a 'default schema check'\n\
                    complete -c wspushd -n '__fish_seen_subcommand_from completions' -f -a 'bash zsh fish'\n\
                    complete -c wspushd -l config -r -F -d 'TOML file with settings'\n\
                    complete -c wspushd -l check -f -d 'print the configuration in effect'\n\
                    complete -c wspushd -s h -l help -f -d 'print help'\n\
                    complete -c wspushd -s V -l version -f -d 'print the version'\n"
        .to_owned();
    for setting in SETTINGS {
        let flag = setting.flag();
        let value = match choices(setting) {
            [] if matches!(setting.kind, Kind::Boolean) => "-f".to_owned(),
            [] if takes_file(setting) => "-r -F".to_owned(),
            [] => "-r -f".to_owned(),
            names => format!("-r -f -a '{}'", names.join(" ")),
        };
        let help = setting.help.replace('\\', "\\\\").replace('\'', "\\'");
        let _ = writeln!(text, "complete -c wspushd -l {} {value} -d '{help}'", flag.trim_start_matches('-'));
    }
    text
}
