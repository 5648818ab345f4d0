//! The settings and their defaults. The names here are the names everywhere: key in the TOML file,
//! `WSPUSH_<NAME>` in the environment and `--<name>` on the command line.
//!
//! [`SETTINGS`] is the one table from which everything else comes: how text becomes a value ([`Setting`]),
//! the layers of defaults, file, environment and flags ([`Layers`]), the command line (`cli`), what
//! `--check` prints, what a reload may change and the tables of the documents. A value's way is: text ->
//! [`Value`] within the setting's [`Kind`] -> field of [`Config`] -> [`Config::validate`] for what only
//! holds between fields.

mod api_key;
mod backend;
#[cfg(test)]
pub(crate) mod blessed;
mod channel_name;
mod channel_rule;
mod check;
#[cfg(feature = "command-line")]
mod cli;
mod client_rights;
mod cluster;
#[cfg(all(test, feature = "command-line", feature = "deflate"))]
// The defaults are those of the default build.
mod documents;
mod error;
mod field;
#[cfg(feature = "daemon")]
mod file;
mod fitting;
mod handover;
mod heartbeat;
#[cfg(feature = "command-line")]
mod invocation;
mod layers;
mod memory_max;
mod nearest;
mod paths;
mod pusher;
mod reactors;
#[cfg(any(feature = "auth", feature = "tls"))]
mod read;
mod reload;
#[macro_use]
mod rows;
#[cfg(feature = "daemon")]
mod rule_tables;
mod setting;
mod settings;
#[cfg(test)]
mod settings_tests;
mod shown;
mod socket_mode;
mod text_form;
mod tokens;
mod transport;
mod trusted;
mod validate;

// How settings come into being is the daemon's and the documents' business, not an embedder's.
pub use api_key::{ApiKey, ApiRight};
#[doc(hidden)]
pub use backend::webhook_secret_bytes;
pub use channel_name::{channel_name_ok, pattern_matches, pattern_ok, pattern_opens};
#[doc(hidden)]
pub use channel_rule::ChannelRule;
pub use client_rights::{ClientRight, ClientRights};
pub use cluster::ClusterDown;
#[cfg(feature = "cluster")]
pub(crate) use cluster::{ClusterUrl, Way};
pub use error::{ConfigError, Problem, Source};
pub(crate) use fitting::Fitting;
pub use heartbeat::Heartbeat;
#[cfg(feature = "command-line")]
#[doc(hidden)]
pub use invocation::{Invocation, InvocationEnd, from_args};
pub use layers::Layers;
pub use memory_max::MemoryMax;
#[doc(hidden)]
pub use paths::DEMO_SHOWN;
pub use pusher::{Apps, PusherApp, PusherEvent};
#[doc(hidden)]
pub use pusher::{PUSHER_SPOKEN, app_channel, app_itself, id_of_app_itself, is_of_app};
pub use reactors::Reactors;
#[cfg(any(feature = "auth", feature = "tls"))]
#[doc(hidden)]
pub use read::read_file;
#[doc(hidden)]
pub use setting::{Group, Kind, Setting, Value};
pub use settings::Config;
#[doc(hidden)]
pub use settings::SETTINGS;
#[doc(hidden)]
pub use shown::shown;
pub use socket_mode::SocketMode;
#[cfg(feature = "auth")]
#[doc(hidden)]
pub use tokens::is_url;
pub use transport::Transport;
pub use trusted::AddressBlock;
pub use validate::OWN_ORIGIN;

pub use crate::limits::Bounds;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Where a public listener listens: `127.0.0.1:8080`, or `tls://0.0.0.0:8443` for one that speaks TLS; with `proxy://`
/// or `proxy+tls://` before it for one that proxies connect to by the PROXY protocol.
///
/// ```
/// use wspush::config::Listen;
///
/// let listen: Listen = "tls://0.0.0.0:8443".parse()?;
/// assert!(listen.tls && listen.address.port() == 8443);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The address (IPv4 or IPv6).
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Whether each connection begins with a header of the PROXY protocol.
    pub proxy: bool,
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Listen {
        Listen { address, tls: false, proxy: false }
    }
}

/// Whether clients are asked for a certificate on listeners that speak TLS.
///
/// ```
/// use wspush::config::{ClientAuth, Config};
///
/// let config = Config { tls_client_auth: ClientAuth::Required, ..Config::default() };
/// assert_eq!(config.validate().unwrap_err().key, "tls_client_auth", "tls_client_ca is missing");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not.
    Off,
    /// They are; those without one come in as well.
    Optional,
    /// They are, and without one nobody comes in.
    Required,
}

/// Whether clients show a token.
///
/// ```
/// use wspush::config::{Config, TokenAuth};
///
/// let config = Config { auth: TokenAuth::Required, ..Config::default() };
/// assert!(config.validate().is_err(), "there is no key to check them with");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenAuth {
    /// Tokens are not looked at.
    None,
    /// A token is checked if there is one; those without come in as well.
    Optional,
    /// Without one nobody comes in.
    Required,
}

/// Whether the kernel takes over TLS connections that it can take over.
///
/// ```
/// use wspush::config::{Config, KernelTls};
///
/// let config = Config { kernel_tls: KernelTls::Off, ..Config::default() };
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelTls {
    /// It does.
    Auto,
    /// It does not.
    Off,
}

/// Where an admin listener listens.
///
/// ```
/// use wspush::config::{AdminListen, Config};
///
/// let admin = vec![AdminListen::Unix("/run/wspush.sock".into()), "metrics://0.0.0.0:9464".parse()?];
/// let config = Config { admin, ..Config::default() };
/// assert!(config.validate().is_ok());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminListen {
    /// A TCP address; anything but loopback needs `admin_token`.
    Tcp(SocketAddr),
    /// A TCP address on which TLS is spoken; anything but loopback needs `admin_token`.
    Tls(SocketAddr),
    /// A Unix-domain socket, created with `admin_socket_mode` and removed at the end.
    Unix(PathBuf),
    /// A TCP address at which there are numbers only, for anybody: `/metrics`, `/healthz` and `/readyz`.
    Metrics(SocketAddr),
}

/// The treatment of a subscriber that has fallen off the tail of a channel's log.
///
/// ```
/// use wspush::config::{Config, SlowConsumer};
///
/// // A ticker: nobody needs the prices of a minute ago.
/// let config = Config { slow_consumer: SlowConsumer::Skip, ..Config::default() };
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlowConsumer {
    /// Close 1013 (try again later).
    Close,
    /// Go on with the newest publication; the gap is counted, and told where the protocol can carry it.
    Skip,
}

/// The publications for a subscriber that lags behind a channel.
///
/// ```
/// use wspush::config::Keep;
///
/// assert_eq!("latest".parse(), Ok(Keep::Latest));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// All that the log still has.
    #[default]
    All,
    /// The newest publication; one that keeps up gets all.
    Latest,
}

/// Whose subscribers are written to first, when several channels have something for theirs.
///
/// ```
/// use wspush::config::Priority;
///
/// assert_eq!(Priority::default(), Priority::Normal);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// Before the others.
    High,
    /// As most are.
    #[default]
    Normal,
    /// Behind the others.
    Low,
}

/// The beginning for a subscriber whose position can't be recovered. It is told what it misses, whichever it is.
///
/// ```
/// use wspush::config::Missed;
///
/// assert_eq!(Missed::default(), Missed::Report);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missed {
    /// The next publication.
    #[default]
    Report,
    /// The oldest publication that the channel still has.
    Tail,
    /// The newest publication.
    Latest,
}

/// Whether each request to the admin listener that changes something is a line of the log.
///
/// ```
/// use wspush::config::Audit;
///
/// assert_eq!("auto".parse(), Ok(Audit::Auto));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audit {
    /// Where there are a token or keys, and so somebody to name.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// How a line of the log is written.
///
/// ```
/// use wspush::config::LogFormat;
///
/// assert_eq!(LogFormat::Json.name(), "json");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `key=value`, with quotes where they are needed.
    Logfmt,
    /// An object, each of whose values is a string.
    Json,
}

/// How much the server writes to its log, least first.
///
/// ```
/// use wspush::config::LogLevel;
///
/// assert!(LogLevel::Error < LogLevel::Debug);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Events that end or endanger the service.
    Error,
    /// Events that an operator should look at.
    Warn,
    /// Start, limits, drain.
    Info,
    /// Every connection.
    Debug,
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
    /// The daemon's defaults: nobody could push without the admin API, so that is on loopback port 8081; and as the
    /// process is the server's alone, its memory is bounded by the machine's.
    pub fn daemon() -> Config {
        let admin = vec![AdminListen::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)))];
        Config { admin, memory_max: MemoryMax::Auto, ..Config::default() }
    }
}
