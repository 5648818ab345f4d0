//! `wspushd token new` and `wspushd token check`: tokens for operators, by the settings that the server has.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::Read;
use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use wspush::auth::{self, Claims, Rights, Rules};
use wspush::config::{InvocationEnd, from_args};
use wspush::reactor::sys;
use wspush::server::keys;
use wspush::{Config, limits};

use super::{EXIT_USAGE, fail, print, say};

/// A token that is no good.
const EXIT_REFUSED: u8 = 1;
/// How long a new token is valid unless it is said.
const VALID: Duration = Duration::from_secs(3_600);

const HELP: &str = "\
Makes and checks tokens (JWT) by the settings of the server: the same file, variables and flags

Usage: wspushd token new [--user NAME] [--expires TIME] [--channel NAME]... [--allow PATTERN]...
                         [--publish PATTERN]... [--info JSON] [OPTIONS]
       wspushd token check [OPTIONS] <FILE

new prints a token signed with the first auth_secret, for the first auth_audience, from the first auth_issuer.
      --user <NAME>
          Who it is for; without it, nobody in particular
      --expires <TIME>
          How long it is valid, like 90s, 15min, 1h or 7days, or never [default: 1h]
      --channel <NAME>
          A channel that is joined at once
      --allow <PATTERN>
          Channels that may be asked for: a name, or the beginning of one and *
      --publish <PATTERN>
          Channels that may be published to
      --info <JSON>
          What others may be shown of the user

check reads a token from standard input and says what it means, or why it is refused (exit status 1).
A token is a key: it is never an argument, which other users of the machine see.

OPTIONS are those of wspushd --help; --config and the variables lead to the same keys as the server has.
";

/// The claims that `new` is asked for.
#[derive(Default)]
struct Wanted {
    claims: Claims,
    valid: Option<String>,
}

/// Does what the arguments behind `token` say.
pub(crate) fn run(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let what = args.next().unwrap_or_default();
    let rest: Vec<OsString> = args.collect();
    let wants_help = |text: &OsStr| text == "--help" || text == "-h";
    if wants_help(&what) || rest.iter().any(|arg| wants_help(arg)) {
        return print(HELP, 0);
    }
    let done = match what.to_str() {
        Some("new") => new(rest),
        Some("check") => check(rest),
        _ => Err(usage("the first word behind token is new or check")),
    };
    match done {
        Ok(text) => print(&text, 0),
        Err(code) => code,
    }
}

fn usage(why: &str) -> ExitCode {
    fail(&format_args!("{why}; see wspushd token --help"), EXIT_USAGE)
}

/// The settings, by what is left of the arguments.
fn settings(rest: Vec<OsString>) -> Result<Config, ExitCode> {
    let args = [OsString::from("wspushd")].into_iter().chain(rest);
    match from_args(args, std::env::vars_os()) {
        Ok(invocation) => Ok(invocation.config),
        Err(InvocationEnd::Shown(text)) => Err(print(&text, 0)),
        Err(failure) => {
            say(&failure);
            Err(ExitCode::from(failure.exit_code()))
        }
    }
}

fn now_s() -> u64 {
    sys::calendar().as_secs()
}

fn new(args: Vec<OsString>) -> Result<String, ExitCode> {
    let (mut wanted, rest) = Wanted::read(args)?;
    let config = settings(rest)?;
    let Some(secret) = config.auth_secret.first() else {
        return Err(usage("tokens are made with auth_secret (WSPUSH_AUTH_SECRET), and auth set"));
    };
    let valid = match wanted.valid.as_deref() {
        Some("never") => None,
        Some(text) => match humantime::parse_duration(text) {
            Ok(time) => Some(time),
            Err(_) => return Err(usage("--expires is no time like 90s, 15min, 1h or never")),
        },
        None => Some(VALID),
    };
    wanted.claims.rights.expires_s = valid.map(|time| now_s().saturating_add(time.as_secs()));
    let made = auth::issue(secret, &wanted.claims, &Rules::of(&config), now_s());
    made.map(|token| token + "\n").map_err(|error| fail(&error, EXIT_USAGE))
}

fn check(args: Vec<OsString>) -> Result<String, ExitCode> {
    let config = settings(args)?;
    let loaded = auth::load(&config).map_err(|error| fail(&error, EXIT_USAGE))?;
    let mut verifier = loaded.ok_or_else(|| usage("tokens are not looked at: set auth, and the keys"))?;
    if let Some(url) = config.auth_jwks.as_ref().filter(|_| config.fetches_keys()) {
        let refuse = |why| fail(&format_args!("auth_jwks = {url:?}: {why}"), EXIT_USAGE);
        verifier.set_published(keys::read(url).map_err(refuse)?);
    }
    let mut text = String::new();
    // One byte more, and white space around it, shows that it is too long.
    let bytes_max = limits::TOKEN_BYTES_MAX as u64 + 64;
    if let Err(error) = std::io::stdin().take(bytes_max).read_to_string(&mut text) {
        return Err(fail(&format_args!("standard input: {error}"), EXIT_USAGE));
    }
    let verdict = verifier.check(text.trim(), now_s());
    verdict.outcome.map(|claims| shown(&claims)).map_err(|error| fail(&error, EXIT_REFUSED))
}

/// The meaning of a token, a line for each thing that it says.
fn shown(claims: &Claims) -> String {
    let Claims { user, channels, rights: Rights { expires_s, allow, publish, info }, .. } = claims;
    let mut text = match expires_s {
        Some(expires_s) => {
            let when = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(*expires_s));
            format!("valid until {when}, {} s from now\n", expires_s.saturating_sub(now_s()))
        }
        None => "valid for ever\n".to_owned(),
    };
    let one_line = |text: &str| text.escape_debug().to_string();
    let _ = writeln!(text, "user: {}", user.as_deref().map_or_else(|| "nobody".to_owned(), one_line));
    for (name, list) in [("channels", &channels[..]), ("allow", allow), ("publish", publish)] {
        if !list.is_empty() {
            let _ = writeln!(text, "{name}: {}", list.join(" "));
        }
    }
    if let Some(info) = info {
        let _ = writeln!(text, "info: {}", info.replace(['\n', '\r'], " "));
    }
    text
}

impl Wanted {
    /// Takes out what is about the token; what is left is about the settings.
    fn read(args: Vec<OsString>) -> Result<(Wanted, Vec<OsString>), ExitCode> {
        let (mut wanted, mut rest) = (Wanted::default(), Vec::new());
        let mut lists: [Vec<String>; 3] = Default::default();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let text = arg.to_str().unwrap_or_default().to_owned();
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (text.as_str(), None),
            };
            if !["--user", "--expires", "--channel", "--allow", "--publish", "--info"].contains(&name) {
                rest.push(arg);
                continue;
            }
            let next = || args.next().and_then(|value| value.into_string().ok());
            let value = value.or_else(next).ok_or_else(|| usage(&format!("{name} needs a value")))?;
            match name {
                "--user" => wanted.claims.user = Some(value),
                "--expires" => wanted.valid = Some(value),
                "--channel" => lists[0].push(value),
                "--allow" => lists[1].push(value),
                "--publish" => lists[2].push(value),
                _ => wanted.claims.rights.info = Some(value.into()),
            }
        }
        let [channels, allow, publish] = lists;
        wanted.claims.channels = channels;
        (wanted.claims.rights.allow, wanted.claims.rights.publish) = (allow.into(), publish.into());
        Ok((wanted, rest))
    }
}
