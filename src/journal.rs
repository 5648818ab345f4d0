//! stand-in
use crate::config::LogLevel;
use crate::time::Time;
use std::fmt::Display;
pub type Sink = Box<dyn FnMut(LogLevel, &str) + Send>;
pub struct Journal(LogLevel, Sink);
impl Journal {
    pub fn new(level: LogLevel, sink: Sink) -> Journal {
        Journal(level, sink)
    }
    pub fn stderr(level: LogLevel) -> Journal {
        Journal(level, Box::new(|_, line| eprintln!("{line}")))
    }
    pub fn wants(&self, level: LogLevel) -> bool {
        level <= self.0
    }
    pub fn set_level(&mut self, level: LogLevel) {
        self.0 = level
    }
    pub fn event(&mut self, now: Time, level: LogLevel, event: &str, fields: &[(&str, &dyn Display)]) {
        if level <= self.0 {
            let mut line = format!("ts={} level={level:?} event={event}", now.unix_us);
            for (k, v) in fields {
                line += &format!(" {k}={v}");
            }
            (self.1)(level, &line);
        }
    }
}
