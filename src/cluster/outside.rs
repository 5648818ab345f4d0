//! The part of the world that the threads of a cluster meet: connections to its server, and the time. A simulator has
//! one of its own, in which the same code runs.

use std::time::{Duration, Instant};

use redis::{Cmd, Connection, ConnectionLike, Pipeline, Value};

use super::address::Address;
use super::connect::plain;
use super::shards::Shards;

/// A connection to the server.
pub trait Wire: Send {
    /// The answers to commands that are sent at once.
    ///
    /// # Errors
    /// Why nobody knows what has come of them: the connection is of no use any more.
    fn ask(&mut self, commands: &Pipeline) -> Result<Vec<Value>, String>;

    /// The answer to one command; an error of the server's is a value.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    fn ask_one(&mut self, command: &Cmd) -> Result<Value, String>;

    /// An answer may take so long from now on.
    ///
    /// # Errors
    /// The connection is of no use any more.
    fn set_patience(&mut self, answer: Duration) -> Result<(), String>;
}

/// A connection that is open, and to whom.
pub struct Opened {
    /// The connection.
    pub wire: Box<dyn Wire>,
    /// The server's address.
    pub server: String,
}

/// Where connections come from, and what time it is.
pub trait Outside: Send + Sync {
    /// Connects, to a server that answers within such times.
    ///
    /// # Errors
    /// Why not, and to whom.
    fn open(&self, connect: Duration, answer: Duration) -> Result<Opened, String>;

    /// Whether a server that is connected to is still the one to be connected to.
    fn is_still(&self, server: &str, within: Duration) -> bool;

    /// Where the server is, in words that may be shown.
    fn address(&self) -> String;

    /// A clock that only goes forward.
    fn now(&self) -> Instant;

    /// Microseconds since 1970.
    fn unix_us(&self) -> u64;

    /// Waits.
    fn rest(&self, time: Duration);
}

/// Redis and the system's clock.
pub(super) struct System(pub Address);

impl Outside for System {
    fn open(&self, connect: Duration, answer: Duration) -> Result<Opened, String> {
        if let Address::Cluster(servers) = &self.0 {
            let shards = Shards::open(servers, connect, answer)?;
            return Ok(Opened { wire: Box::new(shards), server: servers.shown.clone() });
        }
        let super::address::Opened { connection, server } = self.0.open(connect)?;
        let mut wire = Box::new(connection);
        let set = wire
            .set_patience(answer)
            .and_then(|()| wire.set_write_timeout(Some(answer)).map_err(|problem| plain(&problem)));
        match set {
            Ok(()) => Ok(Opened { wire, server }),
            Err(why) => Err(format!("{server}: {why}")),
        }
    }

    fn is_still(&self, server: &str, within: Duration) -> bool {
        self.0.is_still(server, within)
    }

    fn address(&self) -> String {
        self.0.to_string()
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn unix_us(&self) -> u64 {
        super::unix_us()
    }

    fn rest(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

impl Wire for Connection {
    fn ask(&mut self, commands: &Pipeline) -> Result<Vec<Value>, String> {
        let (packed, count) = (commands.get_packed_pipeline(), commands.len());
        self.req_packed_commands(&packed, 0, count).map_err(|problem| plain(&problem))
    }

    fn ask_one(&mut self, command: &Cmd) -> Result<Value, String> {
        self.req_command(command).map_err(|problem| plain(&problem))
    }

    fn set_patience(&mut self, answer: Duration) -> Result<(), String> {
        self.set_read_timeout(Some(answer)).map_err(|problem| plain(&problem))
    }
}
