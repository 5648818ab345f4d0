//! What can be set, with its defaults. The names here are the names everywhere: key in the TOML file,
//! `WSPUSH_<NAME>` in the environment and `--<name>` on the command line.
//!
//! [`SETTINGS`] is the one table from which everything else comes: how text becomes a value ([`Setting`]),
//! the layers of defaults, file, environment and flags ([`Layers`]), the command line (`cli`), what
//! `--check` prints, what a reload may change and the tables of the documents. A value's way is: text ->
//! [`Value`] within the setting's [`Kind`] -> field of [`Config`] -> [`Config::validate`] for what only
//! holds between fields.

mod channel_name;
mod check;
#[cfg(feature = "command-line")]
mod cli;
#[cfg(all(test, feature = "command-line", feature = "deflate"))]
// The defaults are those of the default build.
mod documents;
mod error;
mod field;
#[cfg(feature = "daemon")]
mod file;
#[cfg(feature = "command-line")]
mod invocation;
mod layers;
mod nearest;
mod reload;
mod setting;
mod settings;
mod shown;
mod text_form;
mod validate;

pub use channel_name::{channel_name_ok, pattern_matches, pattern_ok};
pub use error::{ConfigError, Problem, Source};
#[cfg(feature = "command-line")]
pub use invocation::{Failure, Invocation, from_args};
pub use layers::Layers;
pub use setting::{Group, Kind, Setting, Value};
pub use settings::SETTINGS;
pub use shown::shown;
pub use validate::OWN_ORIGIN;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Where a public listener listens: `127.0.0.1:8080`, or `tls://0.0.0.0:8443` for one that speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The address (IPv4 or IPv6).
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Listen {
        Listen { address, tls: false }
    }
}

/// Whether clients are asked for a certificate on listeners that speak TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not.
    Off,
    /// They are; those without one come in as well.
    Optional,
    /// They are, and without one nobody comes in.
    Required,
}

/// Whether the kernel takes over TLS connections that it can take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelTls {
    /// It does.
    Auto,
    /// It does not.
    Off,
}

/// Where the admin API listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminListen {
    /// Nowhere; the embedder pushes through its `Handle`.
    Off,
    /// A TCP address; anything but loopback needs `admin_token`.
    Tcp(SocketAddr),
    /// A TCP address on which TLS is spoken; anything but loopback needs `admin_token`.
    Tls(SocketAddr),
    /// A Unix-domain socket, created with mode 0600 and removed at the end.
    Unix(PathBuf),
}

/// What happens to a subscriber that has fallen off the tail of a channel's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlowConsumer {
    /// Close 1013 (try again later).
    Close,
    /// Go on with the newest publication; the gap is counted, and told where the protocol can carry it.
    Skip,
}

/// How much the server writes to its log, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What ends or endangers the service.
    Error,
    /// What an operator should look at.
    Warn,
    /// Start, limits, drain.
    Info,
    /// Every connection.
    Debug,
}

/// Everything that can be set. [`Config::default`] is a server on loopback port 8080, whose host pushes through a
/// [`Handle`](crate::Handle): a library opens no port that nobody asked for.
#[derive(Clone, PartialEq)]
pub struct Config {
    /// Public listeners.
    pub listen: Vec<Listen>,
    /// The admin listener; the daemon has one unless told otherwise.
    pub admin: AdminListen,
    /// Bearer token the admin API asks for; an empty one is refused.
    pub admin_token: Option<String>,
    /// PEM files with a certificate and what certifies it, for the listeners that speak TLS. The first one is for
    /// clients that ask for none of the names in any.
    pub tls_cert: Vec<String>,
    /// PEM files with the certificates' private keys, in the same order.
    pub tls_key: Vec<String>,
    /// DER files with the certificates' OCSP responses, in the same order; none, or one for each (`-`: it has none).
    pub tls_ocsp: Vec<String>,
    /// PEM file with the certificates by which clients' certificates are checked.
    pub tls_client_ca: Option<String>,
    /// Whether clients are asked for a certificate.
    pub tls_client_auth: ClientAuth,
    /// Whether the kernel takes over open connections that speak TLS.
    pub kernel_tls: KernelTls,
    /// Serve the demo page, `/echo` and `/chat`.
    pub demo: bool,
    /// Serve nothing but `/ws` on the public listeners.
    pub ws_only: bool,
    /// Let another process of the same user listen on the same TCP addresses, to take over from this one.
    pub reuseport: bool,
    /// Open connections on the public listeners; one more is answered 503.
    pub max_connections: usize,
    /// Open connections on the admin listener.
    pub admin_connections_max: usize,
    /// Open connections from one address (IPv4 /32, IPv6 /64); 0: no cap.
    pub connections_per_address_max: u32,
    /// Allowed `Origin` values; `*` allows any, a request without one (no browser) always passes. `auto`
    /// ([`OWN_ORIGIN`]): any, but only the server's own, which is that of `Host`, for a handshake with a cookie or
    /// other credentials, and for one that a `Handler` decides on.
    pub origins: Vec<String>,
    /// Channels that a client may choose with `?channel=`: exact names, or a prefix ending in `*`.
    pub channels: Vec<String>,
    /// Subprotocols the server offers; the client's first match is chosen.
    pub subprotocols: Vec<String>,
    /// Channels alive at once.
    pub channels_max: usize,
    /// Channels that one connection may join beyond the default one.
    pub channels_per_connection_max: usize,
    /// A channel without subscribers and publications for this long is forgotten.
    pub channel_idle_ms: u64,
    /// From accept to the end of the request head; also from a later request's first byte to its end.
    pub handshake_ms: u64,
    /// A request head's size.
    pub handshake_bytes_max: usize,
    /// A message from a client, all fragments together.
    pub message_bytes_max: usize,
    /// Memory for all incomplete messages and request heads together.
    pub assembly_bytes_max: usize,
    /// Memory for all outboxes, the input that waits behind them, and the demo's request bodies together.
    pub backlog_bytes_max: usize,
    /// A connection silent for this long is pinged; 0: never.
    pub heartbeat_ms: u64,
    /// A pinged connection that stays silent for this long is dropped.
    pub pong_wait_ms: u64,
    /// A message has so long from its first byte to its last.
    pub message_ms: u64,
    /// After a close frame or a last response: how long the peer may take to close its side.
    pub close_wait_ms: u64,
    /// An HTTP connection without a request for this long is closed.
    pub keep_alive_ms: u64,
    /// Publications that a channel's log keeps.
    pub log_publications: usize,
    /// Bytes that a channel's log keeps.
    pub log_bytes: usize,
    /// Memory for all logs together; beyond it the largest gives up its older half.
    pub logs_bytes_max: usize,
    /// Bytes waiting for one connection outside the logs.
    pub outbox_bytes_max: usize,
    /// What happens to a subscriber that falls off the log.
    pub slow_consumer: SlowConsumer,
    /// Offer permessage-deflate (RFC 7692) to clients that ask for it.
    pub deflate: bool,
    /// Messages below this size are not compressed.
    pub deflate_bytes_min: usize,
    /// How hard the compressor tries: 1 is the fastest, 9 the smallest.
    pub deflate_level: u8,
    /// From the first TERM or INT to the end.
    pub drain_ms: u64,
    /// An admin request's body.
    pub admin_body_bytes_max: usize,
    /// Commands from other threads waiting for the reactor.
    pub inbox_commands_max: usize,
    /// Their bytes.
    pub inbox_bytes_max: usize,
    /// Subscribers visited by the flush between two looks at the poll.
    pub flush_slice: usize,
    /// Connections accepted per listener between two looks at the poll.
    pub accept_budget: usize,
    /// How much is logged.
    pub log_level: LogLevel,
}

/// A secret is not in it.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Config");
        for setting in SETTINGS {
            match setting.get(self) {
                value if setting.is_hidden(&value) => fields.field(setting.name, &format_args!("(set)")),
                value => fields.field(setting.name, &format_args!("{value}")),
            };
        }
        fields.finish()
    }
}

impl Config {
    /// What the daemon starts from: nobody could push without the admin API, so that is on loopback port 8081.
    pub fn daemon() -> Config {
        let admin = AdminListen::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)));
        Config { admin, ..Config::default() }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)).into()],
            admin: AdminListen::Off,
            admin_token: None,
            tls_cert: Vec::new(),
            tls_key: Vec::new(),
            tls_ocsp: Vec::new(),
            tls_client_ca: None,
            tls_client_auth: ClientAuth::Off,
            kernel_tls: KernelTls::Auto,
            demo: false,
            ws_only: false,
            reuseport: false,
            max_connections: 1_000_000,
            admin_connections_max: 64,
            connections_per_address_max: 0,
            origins: vec![OWN_ORIGIN.to_owned()],
            channels: vec!["public.*".to_owned()],
            subprotocols: Vec::new(),
            channels_max: 10_000,
            channels_per_connection_max: 16,
            channel_idle_ms: 300_000,
            handshake_ms: 5_000,
            handshake_bytes_max: 8 << 10,
            message_bytes_max: 64 << 10,
            assembly_bytes_max: 64 << 20,
            backlog_bytes_max: 64 << 20,
            heartbeat_ms: 30_000,
            pong_wait_ms: 10_000,
            message_ms: 60_000,
            close_wait_ms: 2_000,
            keep_alive_ms: 75_000,
            log_publications: 1_024,
            log_bytes: 4 << 20,
            logs_bytes_max: 1 << 30,
            outbox_bytes_max: 64 << 10,
            slow_consumer: SlowConsumer::Close,
            deflate: cfg!(feature = "deflate"),
            deflate_bytes_min: 128,
            deflate_level: 3,
            drain_ms: 5_000,
            admin_body_bytes_max: 1 << 20,
            inbox_commands_max: 65_536,
            inbox_bytes_max: 64 << 20,
            flush_slice: 4_096,
            accept_budget: 64,
            log_level: LogLevel::Info,
        }
    }
}
