//! Signals, from the first moment on: TERM and INT drain, the second one ends at once; HUP
//! reads the settings again, USR2 writes the state. Others that are sent by habit end nothing: logrotate's USR1, and
//! XFSZ, which comes when the log's file may grow no more.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::notify;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use wspush::config::{Invocation, LogLevel};
use wspush::push::PushError;
use wspush::reactor::event_loop::Clock;
use wspush::reactor::sys;
use wspush::{Config, Handle, Journal};

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
        let (mut draining, mut log) = (false, Log::new(&invocation.config));
        for signal in first.into_iter().chain(self.signals.forever()) {
            match signal {
                SIGHUP => reload(handle, invocation, &mut log),
                SIGUSR1 => log.event(LogLevel::Info, "signal", &[("signal", &"USR1"), ("means", &NOTHING)]),
                SIGUSR2 => save_state(handle, &mut log),
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

fn reload(handle: &Handle, invocation: &Invocation, log: &mut Log) {
    notify::reloading();
    let taken = match invocation.reload() {
        Ok(config) => {
            log.follow(&config);
            handle.reload(config)
        }
        Err(problem) => handle.not_reloaded(&problem),
    };
    log.unless_taken(taken, "not_reloaded", "HUP");
    notify::reloaded(handle);
}

fn save_state(handle: &Handle, log: &mut Log) {
    log.unless_taken(handle.save_state(), "state_not_saved", "USR2");
}

const NOTHING: &str = "nothing: HUP reads the settings again, USR2 saves the state, TERM ends the server";

/// The log of this thread, for lines that the reactor, whose log it is, can't write now. It waits for nobody who should
/// read it.
struct Log {
    journal: Journal,
    clock: Clock,
}

impl Log {
    fn new(config: &Config) -> Log {
        let journal = Journal::writer(config.log_level, Box::new(sys::Stderr));
        let mut log = Log { journal, clock: Clock::start() };
        log.follow(config);
        log
    }

    fn follow(&mut self, config: &Config) {
        self.journal.set_level(config.log_level);
        self.journal.set_format(config.log_format);
    }

    fn event(&mut self, level: LogLevel, name: &'static str, fields: &[(&'static str, &dyn Display)]) {
        self.journal.event(self.clock.now(), level, name, fields);
    }

    /// Says that a signal was not obeyed, if so, and whether to send it again.
    fn unless_taken(&mut self, taken: Result<(), PushError>, name: &'static str, signal: &str) {
        let problem = match taken {
            Ok(()) => return,
            Err(PushError::InboxFull) => format!("{}; send {signal} again", PushError::InboxFull),
            Err(problem) => problem.to_string(),
        };
        self.event(LogLevel::Error, name, &[("problem", &problem)]);
    }
}
