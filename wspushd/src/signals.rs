//! Signals, from the first moment on: TERM and INT drain, the second one ends at once; HUP
//! reads the settings again, USR2 writes the state. Others that are sent by habit end nothing: logrotate's USR1, and
//! XFSZ, which comes when the log's file may grow no more.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::notify;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use wspush::Handle;
use wspush::config::Invocation;
use wspush::push::PushError;
use wspush::reactor::sys;

const TAKEN: [i32; 6] = [SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGXFSZ];

/// Signals that are remembered while nobody obeys them yet.
pub(crate) struct Remembered(Vec<(i32, Arc<AtomicBool>)>);

impl Remembered {
    /// From here on no signal ends the process in the old way. No descriptor is opened: those that were inherited are
    /// still to be told from others.
    pub(crate) fn begin() -> io::Result<Remembered> {
        let remember = |signal| {
            let came = Arc::new(AtomicBool::new(false));
            flag::register(signal, came.clone())?;
            Ok((signal, came))
        };
        TAKEN.into_iter().map(remember).collect::<io::Result<_>>().map(Remembered)
    }

    /// From here on they wait to be obeyed.
    pub(crate) fn wait(self) -> io::Result<Waiting> {
        Ok(Waiting { signals: Signals::new(TAKEN)?, remembered: self })
    }
}

/// Signals that wait to be obeyed.
pub(crate) struct Waiting {
    signals: Signals,
    remembered: Remembered,
}

impl Waiting {
    /// Obeys them as they come, for ever.
    pub(crate) fn obey(mut self, handle: &Handle, invocation: &Invocation) {
        // One that came in between may be remembered in both ways.
        let came = self.remembered.0.iter().filter(|(_, came)| came.load(Ordering::Relaxed));
        let mut first: BTreeSet<i32> = came.map(|(signal, _)| *signal).collect();
        first.extend(self.signals.pending());
        let mut draining = false;
        for signal in first.into_iter().chain(self.signals.forever()) {
            match signal {
                SIGHUP => reload(handle, invocation),
                SIGUSR1 => nothing_is_meant("USR1"),
                SIGUSR2 => save_state(handle),
                SIGTERM | SIGINT if draining => std::process::exit(128 + signal),
                SIGTERM | SIGINT => {
                    draining = true;
                    notify::stopping();
                    handle.drain();
                }
                // The line that was too much is counted; there is no place to say it.
                _ => {}
            }
        }
    }
}

fn reload(handle: &Handle, invocation: &Invocation) {
    notify::reloading();
    let taken = match invocation.reload() {
        Ok(config) => handle.reload(config),
        Err(problem) => handle.not_reloaded(&problem),
    };
    match taken {
        Ok(()) => {}
        // The log is the reactor's, and that can't be reached now.
        Err(PushError::InboxFull) => {
            say(&format_args!("not reloaded: {}; send HUP again", PushError::InboxFull));
        }
        Err(error) => say(&format_args!("not reloaded: {error}")),
    }
    notify::reloaded(handle);
}

fn save_state(handle: &Handle) {
    match handle.save_state() {
        Ok(()) => {}
        Err(PushError::InboxFull) => {
            say(&format_args!("no state saved: {}; send USR2 again", PushError::InboxFull))
        }
        Err(error) => say(&format_args!("no state saved: {error}")),
    }
}

fn nothing_is_meant(name: &str) {
    let others = "HUP reads the settings again, USR2 saves the state, TERM ends the server";
    say(&format_args!("{name} does nothing here: {others}"));
}

/// Says a line without waiting for whoever should read it; whoever has closed our standard error doesn't want it.
fn say(line: &dyn Display) {
    let _ = sys::Stderr.write(format!("wspushd: {line}\n").as_bytes());
}
