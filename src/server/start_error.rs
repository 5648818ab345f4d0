//! Why there is no server.

use std::fmt;
use std::io;

use crate::config::ConfigError;
use crate::endpoint::RouteError;
use crate::tls::TlsError;

/// Why a server could not be started.
///
/// ```
/// use wspush::{Config, Server, StartError};
///
/// let config = Config { max_connections: 0, ..Config::default() };
/// match Server::bind(config) {
///     Err(StartError::Config(error)) => assert_eq!(error.key, "max_connections"),
///     Err(other) => panic!("{other}"),
///     Ok(_) => panic!("there are no servers for nobody"),
/// }
/// ```
#[derive(Debug)]
pub enum StartError {
    /// A setting is out of range, or doesn't go with another.
    Config(ConfigError),
    /// A certificate or a key is not what it should be.
    Tls(TlsError),
    /// A route of the host's is at odds with the settings.
    Route(RouteError),
    /// The cluster can't be joined; why.
    Cluster(String),
    /// An address could not be listened on.
    Listen {
        /// The address.
        address: String,
        /// The system's error.
        error: io::Error,
    },
    /// The server that is running has not handed over (`handover`), and goes on.
    Handover(String),
    /// The system refused something else.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Config(error) => error.fmt(f),
            StartError::Tls(error) => error.fmt(f),
            StartError::Route(error) => error.fmt(f),
            StartError::Cluster(why) => write!(f, "cluster: {why}"),
            StartError::Listen { address, error } => write!(f, "cannot listen on {address}: {error}"),
            StartError::Handover(why) => write!(f, "the running server has not handed over: {why}"),
            StartError::System(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> StartError {
        StartError::System(error)
    }
}
