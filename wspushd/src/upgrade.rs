//! `wspushd upgrade`: another server takes over from the one that runs, and this program ends when it has. It is what
//! systemd's `ExecReload` runs, which has to come back.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStringExt;
use std::process::{Command, ExitCode, Stdio};

use wspush::Server;
use wspush::config::from_args;

use super::{EXIT_USAGE, fail, print, say};

const HELP: &str = "\
Starts a server that takes over from the one that is running, at the path of handover, and ends when it has

Usage: wspushd upgrade [OPTIONS]

OPTIONS are those of wspushd --help, and so are the variables. The new server is this program's binary; it goes on
in the background, with the same standard error. Exit status: 0 it has taken over, 1 nothing has happened, 2 a setting
is wrong.
";

/// Tells the new server that it is one, and is waited for.
const VARIABLE: &str = "WSPUSHD_UPGRADE";

const WATCHDOG: &str = "WATCHDOG_USEC";

/// Its word for the program that waits.
const READY: &str = "ready\n";

/// Does what the arguments behind `upgrade` say.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let rest: Vec<OsString> = args.collect();
    if rest.iter().any(|arg| arg == "--help" || arg == "-h") {
        return print(HELP, 0);
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

fn start(args: &[OsString]) -> std::io::Result<ExitCode> {
    let mut command = Command::new(env::current_exe()?);
    command.args(args).env(VARIABLE, "1").env_remove("WATCHDOG_PID");
    command.envs(watchdog().map(|time| (WATCHDOG, time)));
    let mut server = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut said = String::new();
    if let Some(output) = server.stdout.take() {
        BufReader::new(output).read_line(&mut said)?;
    }
    if said == READY {
        return Ok(ExitCode::SUCCESS);
    }
    // It has said why.
    let status = server.wait()?;
    Ok(ExitCode::from(
        status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0).unwrap_or(1),
    ))
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
    if env::var_os(VARIABLE).is_none() {
        return Ok(());
    }
    if server.handed_over().is_none() {
        return Err(fail(&"no server is running at the path of handover: there is nothing to take over", 1));
    }
    print(READY, 0);
    Ok(())
}
