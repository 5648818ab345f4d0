//! `wspushd upgrade`: another server takes over from the one that runs, and this program ends when it has. It is what
//! systemd's `ExecReload` runs, which has to come back.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStringExt;
use std::process::{Command, ExitCode, Stdio};

use wspush::Server;
use wspush::config::from_args;

use super::{EXIT_USAGE, fail, print, say};

const HELP: &str = "\
Starts a server that takes over from the one that is running, at the path of handover, and ends when it has

Usage: wspushd upgrade [OPTIONS]

OPTIONS are those of wspushd --help, and so are the variables. The new server is this program's binary; it goes on
in the background, with the same standard error. Exit status: 0 it has taken over, 1 there is nothing to take over, 2 a
setting is wrong, or the server that is running does not hand over. It goes on then.
";

/// Tells a process which part it has.
const VARIABLE: &str = "WSPUSHD_UPGRADE";

/// The one that starts the new server, and ends at once. That leaves the server to systemd, which must see a child of
/// its own when it is told that the service is another process now: only then it hears of that one's end, and waits
/// for it.
const STARTER: &str = "starter";

/// The new server, which is waited for.
const SERVER: &str = "server";

const WATCHDOG: &str = "WATCHDOG_USEC";

/// Its word for the program that waits.
const READY: &str = "ready\n";

/// Does what the arguments behind `upgrade` say.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let rest: Vec<OsString> = args.collect();
    if rest.iter().any(|arg| arg == "--help" || arg == "-h") {
        return print(HELP, 0);
    }
    if has_part(STARTER) {
        return match part(SERVER, &rest).and_then(|mut server| server.spawn()) {
            Ok(_) => ExitCode::SUCCESS,
            Err(error) => fail(&error, 1),
        };
    }
    let program = env::args_os().next().unwrap_or_default();
    match from_args([program].into_iter().chain(rest.iter().cloned()), env::vars_os()) {
        Ok(invocation) if invocation.config.handover_path().is_some() => {}
        Ok(_) => {
            return fail(
                &"an upgrade needs handover = \"unix:/path\", here and in the running server",
                EXIT_USAGE,
            );
        }
        Err(end) => {
            say(&end);
            return ExitCode::from(end.exit_code());
        }
    }
    match start(&rest) {
        Ok(code) => code,
        Err(error) => fail(&error, 1),
    }
}

fn has_part(part: &str) -> bool {
    env::var_os(VARIABLE).is_some_and(|own| own == part)
}

/// This program again, with another part.
fn part(name: &str, args: &[OsString]) -> std::io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args(args).env(VARIABLE, name);
    Ok(command)
}

fn start(args: &[OsString]) -> std::io::Result<ExitCode> {
    let mut command = part(STARTER, &[])?;
    command.arg("upgrade").args(args).env_remove("WATCHDOG_PID");
    command.envs(watchdog().map(|time| (WATCHDOG, time)));
    let mut starter = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (gate, output) = (starter.stdin.take(), starter.stdout.take());
    if !starter.wait()?.success() {
        return Ok(ExitCode::from(1));
    }
    // The server is nobody's child now, and may begin.
    drop(gate);
    let mut said = String::new();
    if let Some(output) = output {
        BufReader::new(output).read_line(&mut said)?;
    }
    // Unless it is ready, it has said why.
    let code = if said == READY { 0 } else { said.trim_end().parse().unwrap_or(1) };
    Ok(ExitCode::from(code))
}

/// Waits, in a new server, until nobody has it for a child.
pub(crate) fn begin() {
    if has_part(SERVER) {
        // Nothing is said there: it is closed.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
    }
}

/// Says with which status it ends, if somebody waits for that.
pub(crate) fn failed(code: u8) {
    if has_part(SERVER) {
        print(&format!("{code}\n"), 0);
    }
}

/// The time for signs of life, which systemd tells the service's process alone: the next one goes on giving them.
fn watchdog() -> Option<OsString> {
    let service: u32 = env::var("MAINPID").ok()?.parse().ok()?;
    let environment = std::fs::read(format!("/proc/{service}/environ")).ok()?;
    let name = [WATCHDOG.as_bytes(), b"="].concat();
    let time = environment.split(|byte| *byte == 0).find_map(|variable| variable.strip_prefix(&name[..]))?;
    Some(OsString::from_vec(time.to_vec()))
}

/// Says that it has, if somebody waits for that. An error: there was nothing to take over.
pub(crate) fn done(server: &Server) -> Result<(), ExitCode> {
    if !has_part(SERVER) {
        return Ok(());
    }
    if server.handed_over().is_none() {
        return Err(fail(&"no server is running at the path of handover: there is nothing to take over", 1));
    }
    print(READY, 0);
    Ok(())
}
