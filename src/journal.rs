//! The operator's log: one line for each event, in logfmt or JSON, at a bounded rate for each kind of event, so that a
//! flood of bad clients fills no disk. What a client sent can neither start a line nor forge a field.

use std::fmt::{self, Display};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{LogFormat, LogLevel};
use crate::time::Time;

mod line;

pub use line::VALUE_BYTES_MAX;

/// Where lines go that an embedder takes itself; a line comes without its newline.
///
/// ```
/// use wspush::Sink;
///
/// let sink: Sink = Box::new(|level, line| eprintln!("{level:?} {line}"));
/// # drop(sink);
/// ```
pub type Sink = Box<dyn FnMut(LogLevel, &str) + Send>;

/// Lines of one event that pass at once.
pub const BURST_LINES: u32 = 10;
/// After the burst one line of an event passes in this time.
pub const REFILL_US: u64 = 1_000_000;
enum Output {
    Sink(Sink),
    Writer(Box<dyn Write + Send>),
    /// That of several reactors' logs.
    Shared(Arc<Mutex<Output>>),
}

impl Output {
    /// Writes a line. False: it is lost.
    fn put(&mut self, level: LogLevel, line: &mut String) -> bool {
        match self {
            Output::Sink(sink) => {
                sink(level, line);
                true
            }
            Output::Writer(writer) => {
                line.push('\n');
                writer.write_all(line.as_bytes()).is_ok()
            }
            Output::Shared(output) => output.lock().unwrap_or_else(PoisonError::into_inner).put(level, line),
        }
    }
}

/// The operator's log. It has no lock: it belongs to the reactor's thread.
///
/// ```no_run
/// use wspush::config::LogLevel;
/// use wspush::{Config, Journal, Server};
///
/// let lines = Journal::new(LogLevel::Info, Box::new(|_level, line| println!("wspush: {line}")));
/// let server = Server::bind_with(Config::default(), |_handle| Box::new(()), Some(lines))?;
/// # drop(server);
/// # Ok::<(), wspush::StartError>(())
/// ```
pub struct Journal {
    level: LogLevel,
    format: LogFormat,
    output: Output,
    gates: Vec<Gate>,
    /// Kept from line to line, so that a line allocates nothing.
    line: String,
    lost: u64,
    /// How many of these no line has told of.
    untold: u64,
}

impl Journal {
    /// A log into `sink`.
    pub fn new(level: LogLevel, sink: Sink) -> Journal {
        Journal::with_output(level, Output::Sink(sink))
    }

    /// A log into `writer`: one `write` for each line. It runs on the reactor's thread and must not wait: one that
    /// can't take a line now should fail, and the line is counted as lost.
    pub fn writer(level: LogLevel, writer: Box<dyn Write + Send>) -> Journal {
        Journal::with_output(level, Output::Writer(writer))
    }

    /// The same once for each of so many reactors, into one place.
    pub(crate) fn divide(self, reactors: usize) -> Vec<Journal> {
        let Journal { level, format, output, .. } = self;
        if reactors == 1 {
            return vec![Journal { format, ..Journal::with_output(level, output) }];
        }
        let output = Arc::new(Mutex::new(output));
        let copy = |_| Journal { format, ..Journal::with_output(level, Output::Shared(output.clone())) };
        (0..reactors).map(copy).collect()
    }

    fn with_output(level: LogLevel, output: Output) -> Journal {
        Journal {
            level,
            format: LogFormat::Logfmt,
            output,
            gates: Vec::new(),
            line: String::new(),
            lost: 0,
            untold: 0,
        }
    }

    /// How much is logged.
    pub fn level(&self) -> LogLevel {
        self.level
    }

    /// Changes how much is logged.
    pub fn set_level(&mut self, level: LogLevel) {
        self.level = level;
    }

    /// Changes how lines are written.
    pub fn set_format(&mut self, format: LogFormat) {
        self.format = format;
    }

    /// Whether an event of this level is logged: ask before collecting expensive fields.
    pub fn is_on(&self, level: LogLevel) -> bool {
        level != LogLevel::Off && level <= self.level
    }

    /// Lines that could not be written: a full disk, a closed standard error.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Logs one event, unless its level is off or too many of its kind came before it; the next line of its
    /// kind that passes says how many did not. Names of fields are ours, so only values are escaped.
    pub fn event(
        &mut self,
        now: Time,
        level: LogLevel,
        name: &'static str,
        fields: &[(&'static str, &dyn Display)],
    ) {
        if !self.is_on(level) {
            return;
        }
        let Some(suppressed) = self.gate(name, now).pass(level, now) else { return };
        self.write(now, level, name, fields, suppressed);
    }

    /// Logs one event whose lines are all there or none: no rate bounds them.
    pub fn record(
        &mut self,
        now: Time,
        level: LogLevel,
        name: &'static str,
        fields: &[(&'static str, &dyn Display)],
    ) {
        if self.is_on(level) {
            self.write(now, level, name, fields, 0);
        }
    }

    /// Says what has been suppressed and not been told yet; for the end.
    pub fn finish(&mut self, now: Time) {
        for index in 0..self.gates.len() {
            let Gate { name, level, .. } = self.gates[index];
            let suppressed = std::mem::take(&mut self.gates[index].suppressed);
            if suppressed > 0 && self.is_on(level) {
                self.write(now, level, name, &[], suppressed);
            }
        }
    }

    fn gate(&mut self, name: &'static str, now: Time) -> &mut Gate {
        // A few dozen names at most, and all of them in the program's text: a list is enough.
        let index = self.gates.iter().position(|gate| gate.name == name).unwrap_or_else(|| {
            self.gates.push(Gate::new(name, now));
            self.gates.len() - 1
        });
        &mut self.gates[index]
    }

    fn write(
        &mut self,
        now: Time,
        level: LogLevel,
        name: &str,
        fields: &[(&str, &dyn Display)],
        suppressed: u64,
    ) {
        line::begin(&mut self.line, self.format);
        let mut push = |key, value: &dyn Display| line::push(&mut self.line, self.format, key, value);
        push("ts", &now.rfc3339());
        push("level", &level.name());
        push("event", &name);
        for (key, value) in fields {
            push(key, value);
        }
        if suppressed > 0 {
            push("suppressed", &suppressed);
        }
        if self.untold > 0 {
            push("lost", &self.untold);
        }
        line::end(&mut self.line, self.format);
        if self.output.put(level, &mut self.line) {
            self.untold = 0;
        } else {
            self.lost += 1;
            self.untold += 1;
        }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("level", &self.level)
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}

/// The rate limit of one event: a token bucket that counts what it turned away.
struct Gate {
    name: &'static str,
    level: LogLevel,
    tokens: u32,
    refilled: Time,
    suppressed: u64,
}

impl Gate {
    fn new(name: &'static str, now: Time) -> Gate {
        Gate { name, level: LogLevel::Off, tokens: BURST_LINES, refilled: now, suppressed: 0 }
    }

    /// How many were suppressed before this one, which passes; or `None`, and it is suppressed as well.
    fn pass(&mut self, level: LogLevel, now: Time) -> Option<u64> {
        self.level = level;
        let refills = now.us_since(self.refilled) / REFILL_US;
        if refills > 0 {
            let room = u64::from(BURST_LINES - self.tokens);
            self.tokens += u32::try_from(refills.min(room)).unwrap_or(0);
            self.refilled = self.refilled.plus_us(refills * REFILL_US);
        }
        if self.tokens == 0 {
            self.suppressed += 1;
            return None;
        }
        self.tokens -= 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    const START: Time = Time { mono_us: 77, unix_us: 1_795_255_200_123_456 };

    fn journal(level: LogLevel) -> (Journal, Arc<Mutex<Vec<String>>>) {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&lines);
        let sink: Sink = Box::new(move |_, line| into.lock().unwrap().push(line.to_owned()));
        (Journal::new(level, sink), lines)
    }

    #[test]
    fn a_line_is_logfmt() {
        let (mut journal, lines) = journal(LogLevel::Info);
        journal.event(START, LogLevel::Warn, "slow_consumer", &[("conn", &17), ("channel", &"a b")]);
        assert_eq!(
            *lines.lock().unwrap(),
            [r#"ts=2026-11-21T10:00:00.123Z level=warn event=slow_consumer conn=17 channel="a b""#]
        );
    }

    #[test]
    fn or_json() {
        let (mut journal, lines) = journal(LogLevel::Info);
        journal.set_format(LogFormat::Json);
        journal.event(START, LogLevel::Warn, "slow_consumer", &[("conn", &17), ("channel", &"a b")]);
        let line = r#"{"ts":"2026-11-21T10:00:00.123Z","level":"warn","event":"slow_consumer","conn":"17","channel":"a b"}"#;
        assert_eq!(*lines.lock().unwrap(), [line]);
    }

    #[test]
    fn a_record_is_never_left_out() {
        let (mut journal, lines) = journal(LogLevel::Info);
        (0..100).for_each(|_| journal.record(START, LogLevel::Info, "audit", &[]));
        assert_eq!(lines.lock().unwrap().len(), 100);
        journal.record(START, LogLevel::Debug, "audit", &[]);
        assert_eq!(lines.lock().unwrap().len(), 100);
    }

    #[test]
    fn levels_above_the_set_one_are_silent() {
        let (mut journal, lines) = journal(LogLevel::Warn);
        for &level in LogLevel::ALL {
            journal.event(START, level, level.name(), &[]);
        }
        assert_eq!(lines.lock().unwrap().len(), 2);
        journal.set_level(LogLevel::Off);
        journal.event(START, LogLevel::Error, "error", &[]);
        assert_eq!(lines.lock().unwrap().len(), 2);
        assert!(!journal.is_on(LogLevel::Off));
    }

    #[test]
    fn a_flood_is_a_burst_and_then_one_a_second() {
        let (mut journal, lines) = journal(LogLevel::Debug);
        for us in 0..5_000 {
            journal.event(START.plus_us(us), LogLevel::Info, "flood", &[]);
        }
        assert_eq!(lines.lock().unwrap().len(), BURST_LINES as usize);
        journal.event(START, LogLevel::Info, "other", &[]);
        assert_eq!(lines.lock().unwrap().len(), BURST_LINES as usize + 1);

        let later = START.plus_us(REFILL_US);
        journal.event(later, LogLevel::Info, "flood", &[]);
        journal.event(later, LogLevel::Info, "flood", &[]);
        assert_eq!(lines.lock().unwrap().len(), BURST_LINES as usize + 2);
        assert!(lines.lock().unwrap()[11].ends_with("event=flood suppressed=4990"));

        // Rest fills the bucket again, but no further than the burst.
        let much_later = START.plus_us(3_600_000_000);
        for _ in 0..20 {
            journal.event(much_later, LogLevel::Info, "flood", &[]);
        }
        assert_eq!(lines.lock().unwrap().len(), 2 * BURST_LINES as usize + 2);
        assert!(lines.lock().unwrap()[12].ends_with("event=flood suppressed=1"));
        journal.finish(much_later);
        assert!(lines.lock().unwrap()[22].ends_with("event=flood suppressed=10"));
        journal.finish(much_later);
        assert_eq!(lines.lock().unwrap().len(), 23);
    }

    #[test]
    fn the_rate_holds_over_a_long_flood() {
        let (mut journal, lines) = journal(LogLevel::Debug);
        for ms in 0..60_000 {
            journal.event(START.plus_us(ms * 1_000), LogLevel::Info, "flood", &[]);
        }
        assert_eq!(lines.lock().unwrap().len(), BURST_LINES as usize + 59);
    }

    #[test]
    fn a_clock_that_goes_back_is_no_licence() {
        let mut gate = Gate::new("x", START);
        let before = Time { mono_us: 0, unix_us: 0 };
        assert_eq!((0..20).filter(|_| gate.pass(LogLevel::Info, before).is_some()).count(), 10);
    }

    #[test]
    fn a_full_disk_is_counted() {
        #[derive(Clone, Default)]
        struct Disk(Arc<Mutex<(bool, Vec<u8>)>>);
        impl Write for Disk {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let (full, written) = &mut *self.0.lock().unwrap();
                if *full { Err(io::ErrorKind::StorageFull.into()) } else { written.write(bytes) }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let disk = Disk::default();
        disk.0.lock().unwrap().0 = true;
        let mut journal = Journal::writer(LogLevel::Info, Box::new(disk.clone()));
        journal.event(START, LogLevel::Info, "start", &[]);
        journal.event(START, LogLevel::Info, "start", &[]);
        assert_eq!(journal.lost(), 2);
        disk.0.lock().unwrap().0 = false;
        journal.event(START, LogLevel::Info, "room", &[]);
        journal.event(START, LogLevel::Info, "more", &[]);
        let written = String::from_utf8(disk.0.lock().unwrap().1.clone()).unwrap();
        assert!(written.contains("event=room lost=2\n") && written.ends_with("event=more\n"), "{written}");
    }
}
