//! Options that several modes have, each under the heading of its group.

use super::value::{duration, header, rate, size};
use crate::admin::address::Address;
use crate::cpus::Cpus;
use crate::job::Wait;
use crate::payload::Body;
use crate::source::SourceRange;
use crate::target::Target;
use crate::tls::{Terms, Version};
use crate::transport::Kind;
use clap::Args;
use clap::builder::RangedU64ValueParser;
use std::path::PathBuf;
use std::time::Duration;

/// A whole number from 1 to a bound.
fn upto(max: u64) -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(1..=max)
}

/// How the load is set up, in every campaign.
#[derive(Args)]
pub(crate) struct Setup {
    #[command(flatten)]
    pub(crate) connections: Connections,
    #[command(flatten)]
    pub(crate) tls: Tls,
    #[command(flatten)]
    pub(crate) client: Client,
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// The connections, and how fast they are opened.
#[derive(Args)]
#[command(next_help_heading = "Connections")]
pub(crate) struct Connections {
    /// How connections are made: by WebSocket, as it is or with wspush.v1, or by HTTP, as an event stream, as lines or
    /// by long polling
    #[arg(long, value_name = "NAME", default_value = "ws")]
    pub(crate) transport: Kind,
    /// The address, ws:// or wss:// for ws and v1, http:// or https:// for the others [default:
    /// ws://127.0.0.1:8080/ws, or the transport's own path there]
    #[arg(long, default_value = "ws://127.0.0.1:8080/ws", hide_default_value = true, value_parser = Target::load,
          default_value_ifs = [
              ("transport", "sse", "http://127.0.0.1:8080/sse"),
              ("transport", "stream", "http://127.0.0.1:8080/stream"),
              ("transport", "poll", "http://127.0.0.1:8080/poll"),
          ])]
    pub(crate) url: Target,
    /// How many connections to open
    #[arg(long = "connections", short = 'n', value_name = "NUMBER", default_value_t = 100,
          value_parser = upto(u32::MAX.into()))]
    pub(crate) count: u32,
    /// Bind the sockets to successive addresses of this range, so that ports don't run out (28,000 for each
    /// address)
    #[arg(long, value_name = "CIDR", value_parser = SourceRange::parse)]
    pub(crate) source: Option<SourceRange>,
    /// Connections to begin per second [default: as fast as the window allows]
    #[arg(long, value_name = "PER_SECOND", default_value_t = 0.0, hide_default_value = true,
          value_parser = rate)]
    pub(crate) rate: f64,
    /// Handshakes under way at once; keep it below the server's listen backlog
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = upto(u32::MAX.into()))]
    pub(crate) window: u32,
    /// Time limit of a handshake, of a push, and for the last receipt
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Another request header, "Name: value"; may be repeated
    #[arg(long = "header", value_name = "LINE", value_parser = header)]
    pub(crate) headers: Vec<String>,
    /// Offer permessage-deflate, inflate what comes and tell how much it saved
    #[arg(long)]
    pub(crate) deflate: bool,
    /// Send the RFC's sample key instead of random ones, for servers that answer with constants
    #[arg(long)]
    pub(crate) fixed_key: bool,
}

/// How wss:// and https:// connections are secured, and whom an https:// address has to satisfy.
#[derive(Args)]
#[command(next_help_heading = "TLS")]
pub(crate) struct Tls {
    /// Trust these certificates (PEM): the issuer's, or the server's own when it is self-made [default: the
    /// system's]
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    ca: Option<PathBuf>,
    /// Check no certificate
    #[arg(long, short = 'k')]
    insecure: bool,
    /// Offer this version only [default: both]
    #[arg(long, value_name = "VERSION")]
    tls_version: Option<Version>,
    /// Collect session tickets on connections that are not counted, then resume with a new ticket each time
    #[arg(long)]
    resume: bool,
}

impl Tls {
    /// For the connections.
    pub(crate) fn terms(&self) -> Terms {
        Terms { version: self.tls_version, resumes: self.resume, ..self.trust() }
    }

    /// For the admin API.
    pub(crate) fn trust(&self) -> Terms {
        Terms { ca: self.ca.clone(), is_insecure: self.insecure, version: None, resumes: false }
    }

    /// Whether an option says whom to trust.
    pub(super) const fn has_trust(&self) -> bool {
        self.ca.is_some() || self.insecure
    }

    /// Whether an option is for connections alone.
    pub(super) const fn has_session(&self) -> bool {
        self.tls_version.is_some() || self.resume
    }
}

/// How this program works.
#[derive(Args)]
#[command(next_help_heading = "Client")]
pub(crate) struct Client {
    /// Worker threads in each process
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = upto(256))]
    pub(crate) threads: u32,
    /// Processes to divide the connections between [default: as many as the descriptor limit asks for]
    #[arg(long, value_name = "NUMBER", value_parser = upto(1024))]
    pub(crate) processes: Option<u32>,
    /// Sleep in epoll, or poll without pause: a sleeping client costs the server a wake-up per send
    #[arg(long, value_name = "HOW", default_value = "sleep")]
    pub(crate) wait: Wait,
}

/// Where the server's costs are read.
#[derive(Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct Server {
    /// Process of the server, to read its memory and processor time; may be repeated
    #[arg(long = "server-pid", value_name = "PID")]
    pub(crate) pids: Vec<u32>,
    /// Let the threads of --server-pid run on these processors only, such as 0-3,8; at the end they may run where they
    /// could before
    #[arg(long = "server-cpus", value_name = "LIST", requires = "pids", value_parser = Cpus::parse)]
    pub(crate) cpus: Option<Cpus>,
    /// The statistics of wspushd, to read its counters: http://, https:// or unix:/SOCKET, as for --push
    #[arg(long, value_name = "ADDRESS", value_parser = Address::stats)]
    pub(crate) stats: Option<Address>,
    /// File with the bearer token for --push and --stats [default: what WSPUSH_ADMIN_TOKEN holds, if it is set]
    #[arg(long, value_name = "FILE")]
    pub(crate) admin_token_file: Option<PathBuf>,
}

/// Where the report goes beside standard output.
#[derive(Args)]
#[command(next_help_heading = "Report")]
pub(crate) struct Output {
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the report as a web page with plots
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

/// Size and kind of a message.
#[derive(Args, Clone, Copy)]
#[command(next_help_heading = "Messages")]
pub(crate) struct Message {
    /// Bytes of a message [default: 128, of the echo 32, of JSON 1024]
    #[arg(long, value_name = "BYTES", value_parser = size)]
    size: Option<usize>,
    /// Content of a message: text is the alphabet, over and over; json a price list that shrinks as real ones do
    #[arg(long, value_name = "KIND", default_value = "text")]
    payload: Body,
}

impl Message {
    /// Its body and its size, which is `text_default` for text unless told otherwise.
    pub(super) fn form(self, text_default: usize) -> (Body, usize) {
        (self.payload, self.size.unwrap_or(if self.payload == Body::Json { 1_024 } else { text_default }))
    }
}

/// How publications are made.
#[derive(Args)]
#[command(next_help_heading = "Publications")]
pub(crate) struct Push {
    /// Where to POST the publications, whose bodies are the messages: http://, https:// or a Unix socket as
    /// unix:/SOCKET or unix:/SOCKET:/PATH
    #[arg(long = "push", value_name = "ADDRESS", default_value = "http://127.0.0.1:8081/push",
          value_parser = Address::push)]
    pub(crate) address: Address,
    /// Post as application/octet-stream
    #[arg(long)]
    binary: bool,
    /// Publications posted at a time
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = upto(100_000))]
    pub(crate) burst: u32,
    /// POSTs written back to back before their answers are read
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = upto(10_000))]
    pub(crate) pipeline: u32,
    #[command(flatten)]
    message: Message,
}

impl Push {
    /// Of the requests. Not application/json: a server might take that for a command of its own.
    pub(crate) const fn content_type(&self) -> &'static str {
        if self.binary { "application/octet-stream" } else { "text/plain; charset=utf-8" }
    }

    /// Kind and bytes of a publication.
    pub(crate) fn message(&self) -> (Body, usize) {
        self.message.form(128)
    }
}
