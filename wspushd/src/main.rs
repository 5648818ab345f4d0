//! The daemon: settings in, signals in, a [`Server`] in between.
#![cfg_attr(not(test), deny(clippy::cast_possible_truncation))]

#[cfg(feature = "daemon")]
mod config;
#[cfg(feature = "feed")]
mod feed;
#[cfg(feature = "systemd")]
mod notify;
#[cfg(not(feature = "systemd"))]
#[path = "unnotified.rs"]
mod notify;
mod signals;
#[cfg(feature = "auth")]
mod token;
#[cfg(feature = "handover")]
mod upgrade;

use std::env;
use std::io::Write;
use std::process::ExitCode;
use std::thread;

use signals::Remembered;
use wspush::config::{Invocation, InvocationEnd, from_args};
use wspush::reactor::sys;
use wspush::server::check_cpus;
use wspush::{Server, auth, tls};

/// A bad setting, or an address that can't be listened on.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    #[cfg(feature = "auth")]
    if env::args_os().nth(1).is_some_and(|first| first == "token") {
        return token::run(env::args_os().skip(2));
    }
    #[cfg(feature = "feed")]
    if env::args_os().nth(1).is_some_and(|first| first == "feed") {
        return feed::run(env::args_os().skip(2));
    }
    #[cfg(feature = "handover")]
    if env::args_os().nth(1).is_some_and(|first| first == "upgrade") {
        return upgrade::run(env::args_os().skip(2));
    }
    #[cfg(feature = "daemon")]
    match env::args_os().nth(1) {
        Some(first) if first == "config" => return config::run(env::args_os().skip(2)),
        Some(first) if first == "completions" => return config::complete(env::args_os().skip(2)),
        _ => {}
    }
    // First of all: one that comes while the settings are read must not end the process.
    let signals = match Remembered::begin() {
        Ok(signals) => signals,
        Err(error) => return fail(&error, 1),
    };
    // Then at once, before anything else takes their numbers.
    let sockets = match sys::inherited_sockets() {
        Ok(sockets) => sockets,
        Err(error) => {
            return fail(&format_args!("LISTEN_FDS names what is no open descriptor: {error}"), EXIT_USAGE);
        }
    };
    let invocation = match from_args(env::args_os(), env::vars_os()) {
        Ok(invocation) if invocation.check => return check(&invocation),
        Ok(invocation) => invocation,
        Err(InvocationEnd::Shown(text)) => return print(&text, 0),
        Err(failure) => {
            say(&failure);
            return ExitCode::from(failure.exit_code());
        }
    };
    let signals = match signals.wait() {
        Ok(signals) => signals,
        Err(error) => return fail(&error, 1),
    };
    #[cfg(feature = "handover")]
    upgrade::begin();
    let config = invocation.config.clone();
    let server = match Server::bind_inheriting(config, |_| Box::new(()), None, sockets) {
        Ok(server) => server,
        Err(error) => {
            #[cfg(feature = "handover")]
            upgrade::failed(EXIT_USAGE);
            return fail(&error, EXIT_USAGE);
        }
    };
    #[cfg(feature = "handover")]
    if let Err(code) = upgrade::done(&server) {
        return code;
    }
    let handle = server.handle();
    notify::watch(handle.clone());
    thread::spawn(move || signals.obey(&handle, &invocation));
    notify::ready();
    match run(server) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

/// Runs it to its end. If a successor takes over, systemd hears of that from this process, which it knows: before it
/// ends, so that its end is not the service's.
fn run(mut server: Server) -> std::io::Result<()> {
    let mut successor = None;
    loop {
        let goes_on = server.poll_once(None)?;
        if successor.is_none() {
            successor = server.successor();
            successor.into_iter().for_each(notify::succeeded_by);
        }
        if !goes_on {
            return Ok(());
        }
    }
}

/// Prints the configuration in effect, if the files that it names are what they should be.
fn check(invocation: &Invocation) -> ExitCode {
    load(invocation).map_or_else(|code| code, |()| print(&invocation.check_text(), 0))
}

/// Reads the files that a configuration names, and warns of what is odd in them.
fn load(invocation: &Invocation) -> Result<(), ExitCode> {
    if let Err(error) = auth::load(&invocation.config).map(drop).and_then(|()| check_cpus(&invocation.config))
    {
        return Err(fail(&error, EXIT_USAGE));
    }
    match tls::load(&invocation.config, sys::calendar().as_secs()) {
        Ok(loaded) => {
            for warning in loaded.warnings {
                say(&format_args!("wspushd: {warning}"));
            }
            Ok(())
        }
        Err(error) => Err(fail(&error, EXIT_USAGE)),
    }
}

fn print(text: &str, code: u8) -> ExitCode {
    // A caller that has closed our standard output doesn't want it.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::from(code)
}

fn fail(error: &dyn std::fmt::Display, code: u8) -> ExitCode {
    say(&format_args!("wspushd: {error}"));
    ExitCode::from(code)
}

fn say(line: &dyn std::fmt::Display) {
    // Nor, if so, our standard error; the exit code stays what it is.
    let _ = writeln!(std::io::stderr(), "{line}");
}
