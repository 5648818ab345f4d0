//! The command line: one mode, with its own options (here) and those that it shares with others (`options`).

mod options;
mod sizing;
mod value;

pub(crate) use options::{Push, Setup};
pub(crate) use sizing::{Aim, Costs, Machine, Sizing};

use crate::payload::{self, Body};
use crate::redact;
use crate::transport::Kind;
use clap::builder::RangedU64ValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use options::{Connections, Message};
use std::path::PathBuf;
use std::time::Duration;
use value::{duration, percent, rate};

/// Load client for push servers: opens very many connections, by WebSocket, as event streams or as polls, and checks
/// and times what they receive.
///
/// Each mode has its own options: wspush-bench MODE --help.
///
/// Exit status: 0 when every connection and message was as it should be, 1 when a connection failed, a message was
/// lost, duplicated, reordered or corrupted or there is no plan, 2 when the bench could not run.
#[derive(Parser)]
#[command(name = "wspush-bench", version, arg_required_else_help = true)]
#[command(subcommand_value_name = "MODE", subcommand_help_heading = "Modes")]
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
    /// Draw bars from a JSON document as an SVG image, for light and dark backgrounds
    Plot(Plot),
    /// Tell how many machines so many connections take, and how soon all of them have a message
    Plan(Sizing),
    /// A child process of a campaign
    #[command(hide = true)]
    Worker,
}

#[derive(Args)]
#[command(next_help_heading = "Connect")]
pub(crate) struct Connect {
    /// Hold the connections open for so long
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub(crate) hold: Duration,
    #[command(flatten)]
    pub(crate) setup: Setup,
}

#[derive(Args)]
#[command(next_help_heading = "Broadcast")]
pub(crate) struct Broadcast {
    /// How many publications are measured
    #[arg(long, short = 'm', value_name = "NUMBER", default_value_t = 10,
          value_parser = RangedU64ValueParser::<u32>::new().range(1..=10_000_000))]
    pub(crate) messages: u32,
    /// Pause after the last receipt of a burst; with --fixed-interval, time from burst to burst
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = duration)]
    pub(crate) interval: Duration,
    /// Push on time, whether or not everybody has the last burst
    #[arg(long)]
    pub(crate) fixed_interval: bool,
    /// Publications before the measured ones, checked but not timed
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) warm_up: u32,
    /// Leave so many per cent of the connections unread
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent)]
    pub(crate) never_read: f64,
    /// Receive buffer of the unread connections; a small one is full sooner
    #[arg(long, value_name = "BYTES")]
    pub(crate) receive_buffer: Option<u32>,
    #[command(flatten)]
    pub(crate) push: Push,
    #[command(flatten)]
    pub(crate) setup: Setup,
}

#[derive(Args)]
#[command(next_help_heading = "Echo")]
pub(crate) struct Echo {
    /// How long to measure
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub(crate) duration: Duration,
    /// How long to run before that
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = duration)]
    pub(crate) warm_up: Duration,
    /// Messages under way on each connection
    #[arg(long, short = 'd', value_name = "NUMBER", default_value_t = 1,
          value_parser = RangedU64ValueParser::<u32>::new().range(1..=10_000))]
    pub(crate) outstanding: u32,
    #[command(flatten)]
    message: Message,
    #[command(flatten)]
    pub(crate) setup: Setup,
}

#[derive(Args)]
#[command(next_help_heading = "Soak")]
pub(crate) struct Soak {
    /// How long
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(crate) duration: Duration,
    /// Connections that leave, and are replaced, per second
    #[arg(long, value_name = "PER_SECOND", default_value_t = 10.0, value_parser = rate)]
    pub(crate) churn: f64,
    /// Time between publications
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub(crate) interval: Duration,
    #[command(flatten)]
    pub(crate) push: Push,
    #[command(flatten)]
    pub(crate) setup: Setup,
}

impl Echo {
    /// Kind and bytes of a message.
    pub(crate) fn message(&self) -> (Body, usize) {
        self.message.form(32)
    }
}

#[derive(Args)]
#[command(next_help_heading = "Plot")]
pub(crate) struct Plot {
    /// The document (docs/bench.md shows one); - is standard input
    #[arg(default_value = "-", value_name = "DOCUMENT")]
    pub(crate) document: PathBuf,
    /// Where the image goes [default: standard output]
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// A campaign as it was asked for.
pub(crate) enum Plan {
    Connect(Connect),
    Broadcast(Broadcast),
    Echo(Echo),
    Soak(Soak),
}

/// The task of this process.
pub(crate) enum Action {
    Worker,
    Plot(Plot),
    Plan(Box<Sizing>),
    Campaign(Box<Plan>),
}

/// Reads the command line, or ends the process with help or with what is wrong.
pub(crate) fn parse() -> Action {
    let line = CommandLine::try_parse().unwrap_or_else(|error| redacted(error).exit());
    let plan = match line.mode {
        Mode::Worker => return Action::Worker,
        Mode::Plot(plot) => return Action::Plot(plot),
        Mode::Plan(sizing) => return Action::Plan(Box::new(sizing)),
        Mode::Connect(plan) => Plan::Connect(plan),
        Mode::Broadcast(plan) => Plan::Broadcast(plan),
        Mode::Echo(plan) => Plan::Echo(plan),
        Mode::Soak(plan) => Plan::Soak(plan),
    };
    if let Err(error) = plan.check() {
        CommandLine::command().error(ErrorKind::ArgumentConflict, error).exit();
    }
    Action::Campaign(Box::new(plan))
}

/// The options of a plan, for tests.
#[cfg(test)]
pub(crate) fn sizing(options: &[&str]) -> Sizing {
    let line = ["wspush-bench", "plan"].iter().chain(options);
    match CommandLine::try_parse_from(line).unwrap_or_else(|error| panic!("{error}")).mode {
        Mode::Plan(sizing) => sizing,
        _ => unreachable!("it is called plan"),
    }
}

/// An error that does not quote the secrets in a value.
fn redacted(mut error: clap::Error) -> clap::Error {
    let option = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    if !option.starts_with('-') && matches!(error.kind(), ErrorKind::UnknownArgument) {
        // The rest of something that had a blank in it.
        error.insert(ContextKind::InvalidArg, ContextValue::String("...".to_owned()));
    }
    if error.get(ContextKind::InvalidSubcommand).is_some() {
        error.insert(ContextKind::InvalidSubcommand, ContextValue::String("...".to_owned()));
    }
    if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) {
        let shown = match error.kind() {
            // It belongs elsewhere.
            ErrorKind::TooManyValues => "...".to_owned(),
            _ if option.starts_with("--header") => redact::header(value),
            _ => redact::address(value),
        };
        error.insert(ContextKind::InvalidValue, ContextValue::String(shown));
    }
    error
}

impl Plan {
    /// Refuses contradictions before anything is opened.
    fn check(&self) -> Result<(), String> {
        let Setup { connections, tls, server, .. } = self.setup();
        self.check_transport()?;
        let push = self.push().map(|push| &push.address);
        if tls.has_session() && !connections.url.is_secure {
            return Err(
                "--tls-version and --resume are for wss:// and https:// addresses, and --url has none".into(),
            );
        }
        let has_secure_admin = push.into_iter().chain(&server.stats).any(|address| address.is_secure());
        if tls.has_trust() && !connections.url.is_secure && !has_secure_admin {
            return Err("--ca and --insecure are for wss:// and https:// addresses, and there is none".into());
        }
        if server.admin_token_file.is_some() && push.is_none() && server.stats.is_none() {
            return Err("--admin-token-file is for --push and --stats, and there is neither".into());
        }
        if let Some((Body::Json, size)) = self.message()
            && size < payload::JSON_SIZE_MIN
        {
            let size_min = payload::JSON_SIZE_MIN;
            return Err(format!("--size {size} is too small for --payload json: at least {size_min}"));
        }
        Ok(())
    }

    /// Refuses what a transport can't do.
    fn check_transport(&self) -> Result<(), String> {
        let Connections { transport, url, deflate, .. } = &self.setup().connections;
        let name =
            transport.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        if transport.is_websocket() != url.is_websocket {
            let schemes = if transport.is_websocket() { "ws:// or wss://" } else { "http:// or https://" };
            return Err(format!(
                "--transport {name} needs an {schemes} address, and --url is {}://",
                url.scheme()
            ));
        }
        if *deflate && !transport.is_websocket() {
            return Err(format!("--deflate is WebSocket's, and --transport is {name}"));
        }
        match self {
            Self::Echo(_) if *transport != Kind::Ws => {
                Err(format!("echo sends messages as they are, which only --transport ws can, and not {name}"))
            }
            Self::Broadcast(plan) if plan.never_read > 0.0 && *transport == Kind::Poll => {
                Err("--never-read needs connections that are written to unasked, and polls are not".into())
            }
            _ => Ok(()),
        }
    }

    /// Kind and bytes of a message.
    pub(crate) fn message(&self) -> Option<(Body, usize)> {
        match self {
            Self::Connect(_) => None,
            Self::Broadcast(Broadcast { push, .. }) | Self::Soak(Soak { push, .. }) => Some(push.message()),
            Self::Echo(plan) => Some(plan.message()),
        }
    }

    /// How publications are made, if there are any.
    pub(crate) const fn push(&self) -> Option<&Push> {
        match self {
            Self::Broadcast(Broadcast { push, .. }) | Self::Soak(Soak { push, .. }) => Some(push),
            Self::Connect(_) | Self::Echo(_) => None,
        }
    }

    pub(crate) const fn setup(&self) -> &Setup {
        match self {
            Self::Connect(Connect { setup, .. })
            | Self::Broadcast(Broadcast { setup, .. })
            | Self::Echo(Echo { setup, .. })
            | Self::Soak(Soak { setup, .. }) => setup,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn errors_quote_no_secret() {
        for args in [
            ["--header", "Cookie: hunter2\n"],
            ["--header", "Bearer hunter2"],
            ["--url", "ws://h/ws?token=hunter2 3"],
            ["--url", "ws://me:hunter2@127.0.0.1/ws"],
            ["--stats", "http://me:hunter2@127.0.0.1/"],
        ] {
            let line = ["wspush-bench", "connect"].into_iter().chain(args);
            let error = CommandLine::try_parse_from(line).err().unwrap();
            let text = redacted(error).to_string();
            assert!(text.contains(args[0]) && !text.contains("hunter2"), "{text}");
        }
        for (args, words) in [
            (&["connect", "hunter2"][..], "unexpected argument"),
            (&["connect", "--header", "Cookie: a", "hunter2"], "unexpected argument"),
            (&["connect", "--admin-token", "hunter2"], "--admin-token"),
            (&["connect", "--admin-token=hunter2"], "--admin-token"),
            (&["connect", "--insecure=hunter2"], "--insecure"),
            (&["hunter2", "connect"], "unrecognized subcommand"),
        ] {
            let line = ["wspush-bench"].iter().chain(args);
            let text = redacted(CommandLine::try_parse_from(line).err().unwrap()).to_string();
            assert!(text.contains(words) && !text.contains("hunter2"), "{text}");
        }
    }
}
