//! Where the Redis server is, and the way to say it without its password: at an address, or where the Sentinels say.

use std::fmt;
use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::{Client, Connection, ConnectionInfo, ConnectionLike, IntoConnectionInfo, ProtocolVersion, cmd};

use super::connect::plain;
use super::reply;

/// No error repeats the URL.
const NO_URL: &str = "the URL is not one of a Redis server";
const SENTINEL: &str = "redis+sentinel://";

/// A Redis server's address.
pub(super) enum Address {
    Fixed(Server),
    Sentinels(Sentinels),
}

/// One server.
pub(super) struct Server {
    client: Client,
    shown: String,
}

/// Those who know which server is the master.
pub(super) struct Sentinels {
    sentinels: Vec<Server>,
    master: String,
    /// The part of a URL before the master's address, and the one behind it.
    user: String,
    database: String,
    shown: String,
}

/// A connection that is open, and to whom.
pub(super) struct Opened {
    pub connection: Connection,
    pub server: String,
}

impl Address {
    /// Reads a URL. No error repeats it.
    pub fn parse(url: &str) -> Result<Address, String> {
        match url.strip_prefix(SENTINEL) {
            None => Server::parse(url).map(Address::Fixed),
            Some(rest) => Sentinels::parse(rest).map(Address::Sentinels),
        }
    }

    /// Connects.
    ///
    /// # Errors
    /// Why not, and to whom.
    pub fn open(&self, within: Duration) -> Result<Opened, String> {
        match self {
            Address::Fixed(server) => server.open(within),
            Address::Sentinels(sentinels) => sentinels.master(within)?.open(within),
        }
    }

    /// Whether a server that is connected to is still the one to be connected to.
    pub fn is_still(&self, server: &str, within: Duration) -> bool {
        match self {
            Address::Fixed(_) => true,
            // Sentinels that are away say nothing against it.
            Address::Sentinels(sentinels) => {
                sentinels.master(within).map_or(true, |master| master.shown == server)
            }
        }
    }
}

impl Server {
    fn parse(url: &str) -> Result<Server, String> {
        let info: ConnectionInfo = url.into_connection_info().map_err(|_| NO_URL.to_owned())?;
        let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
        let info = info
            .set_redis_settings(redis.set_lib_name("wspush", env!("CARGO_PKG_VERSION")))
            .set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let shown = info.addr().to_string();
        let client = Client::open(info).map_err(|_| NO_URL.to_owned())?;
        Ok(Server { client, shown })
    }

    fn open(&self, within: Duration) -> Result<Opened, String> {
        match self.client.get_connection_with_timeout(within) {
            Ok(connection) => Ok(Opened { connection, server: self.shown.clone() }),
            Err(problem) => Err(format!("{}: {}", self.shown, plain(&problem))),
        }
    }
}

impl Sentinels {
    fn parse(rest: &str) -> Result<Sentinels, String> {
        let (authority, path) = rest.split_once('/').ok_or(NO_URL)?;
        let (user, hosts) = authority.rsplit_once('@').map_or(("", authority), |(user, hosts)| (user, hosts));
        let (master, database) = path.split_once('/').unwrap_or((path, "0"));
        if master.is_empty() {
            return Err(format!("{SENTINEL} is followed by Sentinels and the master's name"));
        }
        let sentinel = |host: &str| {
            // As it is for a Sentinel, whose port is another.
            let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            Server::parse(&format!("redis://{host}{}", if has_port { "" } else { ":26379" }))
        };
        Ok(Sentinels {
            sentinels: hosts.split(',').map(sentinel).collect::<Result<_, _>>()?,
            master: master.to_owned(),
            user: if user.is_empty() { String::new() } else { format!("{user}@") },
            database: database.to_owned(),
            shown: format!("{master} of {hosts}"),
        })
    }

    /// The master, as the first Sentinel says that answers.
    fn master(&self, within: Duration) -> Result<Server, String> {
        let mut why = "there is no Sentinel".to_owned();
        for sentinel in &self.sentinels {
            match self.ask(sentinel, within) {
                Ok(master) => return Ok(master),
                Err(problem) => why = problem,
            }
        }
        Err(why)
    }

    fn ask(&self, sentinel: &Server, within: Duration) -> Result<Server, String> {
        let Opened { mut connection, server } = sentinel.open(within)?;
        let why = |problem: redis::RedisError| format!("Sentinel {server}: {}", plain(&problem));
        connection.set_read_timeout(Some(within)).map_err(why)?;
        let mut command = cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.master);
        let answer = connection.req_command(&command).map_err(why)?;
        match reply::list(&answer) {
            [host, port] => {
                let text = |value| reply::text(value).unwrap_or_default();
                let host = text(host);
                let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
                Server::parse(&format!("redis://{}{host}:{}/{}", self.user, text(port), self.database))
            }
            _ => Err(format!("Sentinel {server} knows no master {}", self.master)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Address::Fixed(server) => &server.shown,
            Address::Sentinels(sentinels) => &sentinels.shown,
        })
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("redis://user:s3cret@127.0.0.1:7000/2", "127.0.0.1:7000"),
            ("redis+sentinel://:s3cret@a:1,b/main/3", "main of a:1,b"),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!((address.to_string(), format!("{address:?}")), (shown.into(), shown.into()));
        }
        for url in ["redis://:s3cret@h:99999/x", "redis+sentinel://:s3cret@a", "redis+sentinel://:s3cret@a/"]
        {
            let problem = Address::parse(url).unwrap_err();
            assert!(!problem.contains("s3cret"), "{problem}");
        }
    }

    #[test]
    fn sentinels_have_their_own_port_and_no_password() {
        let Ok(Address::Sentinels(all)) = Address::parse("redis+sentinel://u:p%40@a,b:7,[::1]/main/3") else {
            panic!("Sentinels")
        };
        let shown: Vec<&str> = all.sentinels.iter().map(|sentinel| sentinel.shown.as_str()).collect();
        assert_eq!((shown.len(), shown[0], shown[1]), (3, "a:26379", "b:7"));
        assert!(
            all.sentinels.iter().all(|sentinel| {
                sentinel.client.get_connection_info().redis_settings().password().is_none()
            })
        );
        assert_eq!((&*all.user, &*all.master, &*all.database), ("u:p%40@", "main", "3"));
    }
}
