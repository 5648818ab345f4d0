//! Where the Redis server is, and the way to say it without its password: at an address, or where the Sentinels say.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use redis::io::tcp::TcpSettings;
use redis::{Cmd, Connection, ConnectionInfo, ConnectionLike, IntoConnectionInfo};
use redis::{ProtocolVersion, RedisError, Value, cmd};

use super::certificates::Certificates;
use super::connect::plain;
use super::reply;
use super::servers::Servers;
use super::slots::address;
use crate::config::{ClusterUrl, Way};

/// No error repeats the URL.
pub(super) const NO_URL: &str = "the URL is not one of a Redis server";

/// A Redis server's address.
pub(super) enum Address {
    Fixed(Server),
    Sentinels(Sentinels),
    Cluster(Arc<Servers>),
}

/// One server.
pub(super) struct Server {
    info: ConnectionInfo,
    certificates: Certificates,
    pub shown: String,
}

/// Those who know which server is the master.
pub(super) struct Sentinels {
    sentinels: Vec<Server>,
    master: String,
    /// The master's URL: the part before its address, and the one behind it.
    scheme: &'static str,
    user: String,
    database: String,
    certificates: Certificates,
    shown: String,
}

/// A connection that is open, and to whom.
pub(super) struct Opened {
    pub connection: Connection,
    pub server: String,
}

impl Address {
    /// Reads a URL. No error repeats it.
    pub fn parse(url: &str, certificates: &Certificates) -> Result<Address, String> {
        let ClusterUrl { way, scheme, rest } = ClusterUrl::of(url).ok_or(NO_URL)?;
        Ok(match way {
            Way::Server => Address::Fixed(Server::parse(url, certificates)?),
            Way::Sentinels => Address::Sentinels(Sentinels::parse(rest, scheme, certificates)?),
            Way::Cluster => Address::Cluster(Arc::new(Servers::parse(rest, scheme, certificates)?)),
        })
    }

    /// Connects.
    ///
    /// # Errors
    /// Why not, and to whom.
    pub fn open(&self, within: Duration) -> Result<Opened, String> {
        match self {
            Address::Fixed(server) => server.open(within),
            Address::Sentinels(sentinels) => sentinels.master(within)?.open(within),
            Address::Cluster(_) => Err("there are several servers".to_owned()),
        }
    }

    /// Whether a server that is connected to is still the one to be connected to.
    pub fn is_still(&self, server: &str, within: Duration) -> bool {
        match self {
            // A master that is none any more says so.
            Address::Fixed(_) | Address::Cluster(_) => true,
            // Sentinels that are away say nothing against it.
            Address::Sentinels(sentinels) => {
                sentinels.master(within).map_or(true, |master| master.shown == server)
            }
        }
    }
}

impl Server {
    pub fn parse(url: &str, certificates: &Certificates) -> Result<Server, String> {
        let info: ConnectionInfo = url.into_connection_info().map_err(|_| NO_URL.to_owned())?;
        let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
        let info = info
            .set_redis_settings(redis.set_lib_name("wspush", env!("CARGO_PKG_VERSION")))
            .set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let shown = info.addr().to_string();
        Ok(Server { info, certificates: certificates.clone(), shown })
    }

    pub fn open(&self, within: Duration) -> Result<Opened, String> {
        let client = self.certificates.client(self.info.clone())?;
        match client.get_connection_with_timeout(within) {
            Ok(connection) => Ok(Opened { connection, server: self.shown.clone() }),
            Err(problem) => Err(format!("{}: {}", self.shown, plain(&problem))),
        }
    }

    /// One question, to a connection of its own.
    pub fn ask(&self, command: &Cmd, within: Duration) -> Result<Value, String> {
        let mut connection = self.open(within)?.connection;
        let why = |problem: RedisError| format!("{}: {}", self.shown, plain(&problem));
        connection.set_read_timeout(Some(within)).map_err(why)?;
        match connection.req_command(command).map_err(why)? {
            Value::ServerError(problem) => Err(why(problem.into())),
            answer => Ok(answer),
        }
    }
}

/// The part of a URL before the hosts, with its @, and the hosts.
pub(super) fn split_user(authority: &str) -> (&str, &str) {
    authority.split_at(authority.rfind('@').map_or(0, |at| at + 1))
}

impl Sentinels {
    fn parse(rest: &str, scheme: &'static str, certificates: &Certificates) -> Result<Sentinels, String> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').ok_or(NO_URL)?;
        let (user, hosts) = split_user(authority);
        let (master, database) = path.split_once('/').unwrap_or((path, "0"));
        if master.is_empty() {
            return Err("behind the Sentinels stands the master's name".to_owned());
        }
        let own = own_user(query)?;
        let sentinel = |host: &str| {
            // As it is for a Sentinel, whose port is another.
            let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            let url = format!("{scheme}{own}{host}{}", if has_port { "" } else { ":26379" });
            Server::parse(&url, certificates)
        };
        Ok(Sentinels {
            sentinels: hosts.split(',').map(sentinel).collect::<Result<_, _>>()?,
            master: master.to_owned(),
            scheme,
            user: user.to_owned(),
            database: database.to_owned(),
            certificates: certificates.clone(),
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
        let mut command = cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.master);
        let answer = sentinel.ask(&command, within).map_err(|why| format!("Sentinel {why}"))?;
        match reply::list(&answer) {
            [host, port] => {
                let text = |value| reply::text(value).unwrap_or_default();
                let (scheme, user, at) = (self.scheme, &self.user, address(text(host), text(port)));
                Server::parse(&format!("{scheme}{user}{at}/{}", self.database), &self.certificates)
            }
            _ => Err(format!("Sentinel {} knows no master {}", sentinel.shown, self.master)),
        }
    }
}

/// The Sentinels' own user and password, as they stand before a host.
fn own_user(query: &str) -> Result<String, String> {
    let (mut user, mut password) = (None, None);
    for pair in query.split('&').filter(|_| !query.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let place = match name {
            "sentinel_user" => &mut user,
            "sentinel_password" => &mut password,
            _ => return Err("behind ? only sentinel_user and sentinel_password may stand".to_owned()),
        };
        let value = percent_decode_str(value).decode_utf8().map_err(|_| NO_URL)?;
        if value.is_empty() {
            return Err(format!("{name} is empty: {name}=.. or nothing"));
        }
        if place.replace(utf8_percent_encode(&value, NON_ALPHANUMERIC).to_string()).is_some() {
            return Err(format!("{name} is there twice"));
        }
    }
    match (user, password) {
        (user, Some(password)) => Ok(format!("{}:{password}@", user.unwrap_or_default())),
        (None, None) => Ok(String::new()),
        (Some(_), None) => Err("with sentinel_user goes sentinel_password".to_owned()),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Address::Fixed(server) => &server.shown,
            Address::Sentinels(sentinels) => &sentinels.shown,
            Address::Cluster(servers) => &servers.shown,
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

    fn parse(url: &str) -> Result<Address, String> {
        Address::parse(url, &Certificates::default())
    }

    fn sentinels(url: &str) -> Sentinels {
        match parse(url) {
            Ok(Address::Sentinels(sentinels)) => sentinels,
            _ => panic!("Sentinels"),
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("redis://user:s3cret@127.0.0.1:7000/2", "127.0.0.1:7000"),
            ("redis+sentinel://:s3cret@a:1,b/main/3", "main of a:1,b"),
            ("redis+sentinel://a:1,b/main?sentinel_password=s3cret", "main of a:1,b"),
            ("redis-cluster://:s3cret@a:1,b/", "a:1,b"),
        ] {
            let address = parse(url).unwrap();
            assert_eq!((address.to_string(), format!("{address:?}")), (shown.into(), shown.into()));
        }
        for url in [
            "redis://:s3cret@h:99999/x",
            "redis+sentinel://:s3cret@a",
            "redis+sentinel://:s3cret@a/",
            "redis+sentinel://a/m?sentinel_user=s3cret",
            "redis+sentinel://a/m?s3cret=x",
            "redis+sentinel://a/m?sentinel_password=",
            "redis+sentinel://a/m?sentinel_password",
            "redis+sentinel://a/m?sentinel_password=s3cret&",
            "redis+sentinel://a/m?sentinel_password=s3cret&sentinel_password=other",
            "redis-cluster://:s3cret@a/0",
            "redis-cluster://:s3cret@",
        ] {
            let problem = parse(url).unwrap_err();
            assert!(!problem.contains("s3cret"), "{problem}");
        }
    }

    #[test]
    fn sentinels_have_their_own_port_and_password() {
        let all = sentinels("redis+sentinel://u:p%40@a,b:7,[::1]/main/3");
        let shown: Vec<&str> = all.sentinels.iter().map(|sentinel| sentinel.shown.as_str()).collect();
        assert_eq!((shown.len(), shown[0], shown[1]), (3, "a:26379", "b:7"));
        let own = |all: &Sentinels| {
            let settings = all.sentinels[0].info.redis_settings();
            (settings.username().map(str::to_owned), settings.password().map(str::to_owned))
        };
        assert_eq!(own(&all), (None, None));
        assert_eq!((&*all.user, &*all.master, &*all.database), ("u:p%40@", "main", "3"));
        let all = sentinels("redis+sentinel://:p@a/main?sentinel_user=s&sentinel_password=x%2Fy+%40");
        assert_eq!(own(&all), (Some("s".to_owned()), Some("x/y+@".to_owned())));
        assert_eq!((&*all.user, &*all.database), (":p@", "0"));
    }
}
