//! The command line.

use crate::job::Wait;
use crate::payload::{self, Body};
use crate::source::SourceRange;
use crate::target::Target;
use crate::tls::{Terms, Version};
use clap::{Args, CommandFactory, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Load client for WebSocket servers: opens very many connections, and checks and times what they receive.
///
/// Exit status: 0 when every connection and message was as it should be, 1 when a connection failed or a
/// message was lost, duplicated, reordered or corrupted, 2 when the bench could not run.
#[derive(Parser)]
#[command(name = "wspush-bench", version, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    mode: Mode,
}

#[derive(Subcommand)]
enum Mode {
    /// Open connections, hold them, and report the set-up rate and the server's memory for each
    Connect(Connect),
    /// Post publications and check that every connection receives every one, in order and unchanged
    Broadcast(Broadcast),
    /// Send messages and count the round trips of a server that sends them back
    Echo(Echo),
    /// For a long time let connections come and go while publications are posted; watch the server's memory
    Soak(Soak),
    /// A child process of a campaign
    #[command(hide = true)]
    Worker,
}

/// What all campaigns take.
#[derive(Args, Clone)]
pub(crate) struct Common {
    /// The WebSocket address, ws:// or wss://
    #[arg(long, default_value = "ws://127.0.0.1:8080/ws", value_parser = Target::websocket)]
    pub(crate) url: Target,
    #[command(flatten)]
    pub(crate) tls: Tls,
    /// Offer permessage-deflate, inflate what comes and tell how much it saved
    #[arg(long)]
    pub(crate) deflate: bool,
    /// How many connections to open
    #[arg(long, short = 'n', default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: u32,
    /// Bind the sockets to successive addresses of this range, so that ports don't run out (28,000 for each
    /// address)
    #[arg(long, value_name = "CIDR", value_parser = SourceRange::parse)]
    pub(crate) source: Option<SourceRange>,
    /// Connections to begin per second [default: as fast as the window allows]
    #[arg(long, value_name = "PER_SECOND", default_value_t = 0.0, hide_default_value = true,
          value_parser = rate)]
    pub(crate) rate: f64,
    /// Handshakes under way at once; keep it below the server's listen backlog
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) window: u32,
    /// Worker threads in each process
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) threads: u32,
    /// Processes to divide the connections between [default: as many as the descriptor limit asks for]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) processes: Option<u32>,
    /// Sleep in epoll, or poll without pause: a sleeping client costs the server a wake-up per send
    #[arg(long, default_value = "sleep", value_parser = wait)]
    pub(crate) wait: Wait,
    /// Time limit of a handshake, of a push, and for the last receipt
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Another request header, "Name: value"; may be repeated
    #[arg(long = "header", value_name = "LINE", value_parser = header)]
    pub(crate) headers: Vec<String>,
    /// Send the RFC's sample key instead of random ones, for servers that answer with constants
    #[arg(long)]
    pub(crate) fixed_key: bool,
    /// Process of the server, to read its memory and processor time; may be repeated
    #[arg(long, value_name = "PID")]
    pub(crate) server_pid: Vec<u32>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the report as a web page with plots
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

/// How wss:// connections are secured.
#[derive(Args, Clone)]
#[command(next_help_heading = "TLS")]
pub(crate) struct Tls {
    /// Trust these certificates (PEM): the issuer's, or the server's own when it is self-made [default: the
    /// system's]
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    ca: Option<PathBuf>,
    /// Check no certificate
    #[arg(long, short = 'k')]
    insecure: bool,
    /// Offer this version only, 1.2 or 1.3 [default: both]
    #[arg(long, value_name = "VERSION", value_parser = version)]
    tls_version: Option<Version>,
    /// Collect session tickets on connections that are not counted, then resume with a new ticket each time
    #[arg(long)]
    resume: bool,
}

impl Tls {
    pub(crate) fn terms(&self) -> Terms {
        Terms {
            ca: self.ca.clone(),
            is_insecure: self.insecure,
            version: self.tls_version,
            resumes: self.resume,
        }
    }

    pub(crate) const fn is_default(&self) -> bool {
        self.ca.is_none() && !self.insecure && self.tls_version.is_none() && !self.resume
    }
}

#[derive(Args)]
pub(crate) struct Connect {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Hold the connections open for so long
    #[arg(long, default_value = "1s", value_parser = duration)]
    pub(crate) hold: Duration,
}

/// What a message is.
#[derive(Args, Clone, Copy)]
pub(crate) struct Message {
    /// Bytes of a message [default: 128, of the echo 32, of JSON 1024]
    #[arg(long, value_parser = size)]
    size: Option<usize>,
    /// What it carries: text (the alphabet, over and over) or json (a price list that shrinks as real ones do)
    #[arg(long, value_name = "KIND", default_value = "text", value_parser = body)]
    pub(crate) payload: Body,
}

impl Message {
    pub(crate) fn size(self, text_default: usize) -> usize {
        self.size.unwrap_or(if self.payload == Body::Json { 1_024 } else { text_default })
    }
}

/// How publications are made.
#[derive(Args, Clone)]
pub(crate) struct Push {
    /// Where to POST the publications; the body is the message
    #[arg(long = "push", value_name = "URL", default_value = "http://127.0.0.1:8081/push",
          value_parser = Target::http)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) message: Message,
    /// Post as application/octet-stream
    #[arg(long)]
    pub(crate) binary: bool,
    /// Publications posted at a time
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) burst: u32,
    /// POSTs written back to back before their answers are read
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) pipeline: u32,
}

#[derive(Args)]
pub(crate) struct Broadcast {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) push: Push,
    /// How many publications are measured
    #[arg(long, short = 'm', default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) messages: u32,
    /// Pause after the last receipt of a burst; with --fixed-interval, time from burst to burst
    #[arg(long, default_value = "100ms", value_parser = duration)]
    pub(crate) interval: Duration,
    /// Push on time, whether or not everybody has the last burst
    #[arg(long)]
    pub(crate) fixed_interval: bool,
    /// Publications before the measured ones, checked but not timed
    #[arg(long, default_value_t = 1)]
    pub(crate) warm_up: u32,
    /// Leave so many per cent of the connections unread
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent)]
    pub(crate) never_read: f64,
    /// Receive buffer of the unread connections; a small one is full sooner
    #[arg(long, value_name = "BYTES")]
    pub(crate) receive_buffer: Option<u32>,
}

#[derive(Args)]
pub(crate) struct Echo {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Messages under way on each connection
    #[arg(long, short = 'd', default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) outstanding: u32,
    #[command(flatten)]
    pub(crate) message: Message,
    /// How long to measure
    #[arg(long, default_value = "5s", value_parser = duration)]
    pub(crate) duration: Duration,
    /// How long to run before that
    #[arg(long, default_value = "500ms", value_parser = duration)]
    pub(crate) warm_up: Duration,
}

#[derive(Args)]
pub(crate) struct Soak {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) push: Push,
    /// How long
    #[arg(long, default_value = "60s", value_parser = duration)]
    pub(crate) duration: Duration,
    /// Connections that leave, and are replaced, per second
    #[arg(long, value_name = "PER_SECOND", default_value_t = 10.0, value_parser = rate)]
    pub(crate) churn: f64,
    /// Time between publications
    #[arg(long, default_value = "1s", value_parser = duration)]
    pub(crate) interval: Duration,
}

/// What to measure.
pub(crate) enum Plan {
    Connect(Connect),
    Broadcast(Broadcast),
    Echo(Echo),
    Soak(Soak),
}

/// What this process is for.
pub(crate) enum Action {
    Worker,
    Campaign(Box<Plan>),
}

/// Reads the command line, or ends the process with help or with what is wrong.
pub(crate) fn parse() -> Action {
    let plan = match CommandLine::parse().mode {
        Mode::Worker => return Action::Worker,
        Mode::Connect(plan) => Plan::Connect(plan),
        Mode::Broadcast(plan) => Plan::Broadcast(plan),
        Mode::Echo(plan) => Plan::Echo(plan),
        Mode::Soak(plan) => Plan::Soak(plan),
    };
    if let Err(error) = plan.check() {
        CommandLine::command().error(clap::error::ErrorKind::ArgumentConflict, error).exit();
    }
    Action::Campaign(Box::new(plan))
}

impl Plan {
    /// What contradicts itself, told before anything is opened.
    fn check(&self) -> Result<(), String> {
        let common = self.common();
        if !common.url.is_secure && !common.tls.is_default() {
            return Err(format!(
                "--ca, --insecure, --tls-version and --resume are for wss:// addresses, and the address is \
                 ws://{}",
                common.url.host
            ));
        }
        if let Some((message, size)) = self.message()
            && message.payload == Body::Json
            && size < payload::JSON_SIZE_MIN
        {
            let size_min = payload::JSON_SIZE_MIN;
            return Err(format!("--size {size} is too small for --payload json: at least {size_min}"));
        }
        Ok(())
    }

    /// What is sent, and of how many bytes.
    pub(crate) fn message(&self) -> Option<(Message, usize)> {
        match self {
            Self::Connect(_) => None,
            Self::Broadcast(Broadcast { push, .. }) | Self::Soak(Soak { push, .. }) => {
                Some((push.message, push.message.size(128)))
            }
            Self::Echo(plan) => Some((plan.message, plan.message.size(32))),
        }
    }

    pub(crate) fn common(&self) -> &Common {
        match self {
            Self::Connect(plan) => &plan.common,
            Self::Broadcast(plan) => &plan.common,
            Self::Echo(plan) => &plan.common,
            Self::Soak(plan) => &plan.common,
        }
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Broadcast(_) => "broadcast",
            Self::Echo(_) => "echo",
            Self::Soak(_) => "soak",
        }
    }
}

/// `250ms`, `10s`, `2m`, `1h`; a bare number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let unit_s = match &text[digits..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        unit => return Err(format!("unknown unit {unit:?}: expected us, ms, s, m or h")),
    };
    let number: f64 =
        text[..digits].parse().map_err(|_| "expected a number and a unit, such as 250ms".to_owned())?;
    let seconds = number * unit_s;
    if seconds > 7.0 * 86_400.0 {
        return Err("expected at most a week".into());
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn number(text: &str, expected: &str, is_good: impl Fn(f64) -> bool) -> Result<f64, String> {
    text.parse().ok().filter(|number: &f64| is_good(*number)).ok_or_else(|| format!("expected {expected}"))
}

fn rate(text: &str) -> Result<f64, String> {
    number(text, "a number of connections per second, 0 for no limit", |rate| (0.0..=1e7).contains(&rate))
}

fn percent(text: &str) -> Result<f64, String> {
    number(text, "per cent from 0 to 100", |percent| (0.0..=100.0).contains(&percent))
}

fn size(text: &str) -> Result<usize, String> {
    let size = text.parse().ok().filter(|size| (payload::SIZE_MIN..=16 << 20).contains(size));
    size.ok_or_else(|| {
        format!("expected {} to 16777216 bytes (number, time and checksum take {0})", payload::SIZE_MIN)
    })
}

fn body(text: &str) -> Result<Body, String> {
    match text {
        "text" => Ok(Body::Text),
        "json" => Ok(Body::Json),
        _ => Err("expected text or json".into()),
    }
}

fn version(text: &str) -> Result<Version, String> {
    match text {
        "1.2" => Ok(Version::Tls12),
        "1.3" => Ok(Version::Tls13),
        _ => Err("expected 1.2 or 1.3".into()),
    }
}

fn wait(text: &str) -> Result<Wait, String> {
    match text {
        "sleep" => Ok(Wait::Sleep),
        "busy" => Ok(Wait::Busy),
        _ => Err("expected sleep or busy".into()),
    }
}

fn header(text: &str) -> Result<String, String> {
    match text.split_once(':') {
        Some((name, _)) if !name.is_empty() && !text.contains(['\r', '\n']) => Ok(text.to_owned()),
        _ => Err("expected \"Name: value\"".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn durations_with_and_without_units() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("1.5"), Ok(Duration::from_millis(1_500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for bad in ["", "s", "5 parsecs", "-1s", "1000h", "1.2.3s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert!(size("31").is_err() && size("32").is_ok());
        assert!(percent("101").is_err() && percent("0.5").is_ok());
        assert!(rate("-1").is_err() && rate("NaN").is_err());
        assert!(header("Cookie").is_err() && header("Cookie: a=b").is_ok());
    }
}
