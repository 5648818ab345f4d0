//! A connection to the Redis server, and what is asked of that before it is relied on.

use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerErrorKind, Value, cmd};

use super::Terms;
use super::mirror::{Change, read_standing};
use super::outside::{Opened, Wire};
use super::reply;
use super::roll::Member;
use super::scripts::Scripts;

/// To a connection, at the most.
pub(super) const CONNECT: Duration = Duration::from_millis(500);
/// To an answer, at the most: whoever pushes is answered within a second.
pub(super) const ANSWER: Duration = Duration::from_millis(700);
/// To each of both at the start.
const START: Duration = Duration::from_secs(5);
/// The oldest version that has all that is needed.
const VERSION_MIN: [u32; 2] = [6, 2];
/// Members of a node that are read at once.
const MEMBERS_AT_ONCE: usize = 1_000;
/// How the keys are laid out.
const FORMAT: &str = "1";

/// A connection, and the scripts' names there.
pub(super) struct Link {
    pub wire: Box<dyn Wire>,
    pub scripts: Scripts,
    /// The server's address.
    pub server: String,
}

impl Link {
    /// Connects.
    ///
    /// # Errors
    /// Why not.
    pub fn open(terms: &Terms) -> Result<Link, String> {
        Link::open_within(terms, CONNECT, ANSWER)
    }

    /// The same at the start of a server, for which nobody waits yet.
    pub fn open_at_start(terms: &Terms) -> Result<Link, String> {
        Link::open_within(terms, START, START)
    }

    fn open_within(terms: &Terms, connect: Duration, answer: Duration) -> Result<Link, String> {
        let Opened { mut wire, server } = terms.outside.open(connect, answer)?;
        let begin = |wire: &mut dyn Wire| {
            let info = ask(wire, cmd("INFO").arg("everything"))?;
            let info = reply::text(&info).unwrap_or_default();
            check_server(info)?;
            check_kind(info, terms.is_spread)?;
            Scripts::load(wire)
        };
        match begin(&mut *wire) {
            Ok(scripts) => Ok(Link { wire, scripts, server }),
            Err(why) => Err(format!("{server}: {why}")),
        }
    }

    /// One command's answer.
    pub fn ask(&mut self, command: &redis::Cmd) -> Result<Value, String> {
        ask(&mut *self.wire, command)
    }

    /// Whether all nodes have the same partitions; the first one says so.
    ///
    /// # Errors
    /// They have not.
    pub fn check_partitions(&mut self, terms: &Terms) -> Result<(), String> {
        let (meta, own) = (terms.keys.meta(), terms.keys.partitions());
        for (field, value, name) in [
            ("format", FORMAT.to_owned(), "the layout of the keys"),
            ("partitions", own.to_string(), "cluster_partitions"),
        ] {
            self.ask(cmd("HSETNX").arg(&meta).arg(field).arg(&value))?;
            let there = self.ask(cmd("HGET").arg(&meta).arg(field))?;
            let there = reply::text(&there).unwrap_or_default();
            if there != value {
                return Err(format!(
                    "{name} is {value} here, and {there} at the nodes that are there already"
                ));
            }
        }
        Ok(())
    }

    /// How a partition is, and where its channels stand if that is asked for. A server that has lost something begins
    /// another life of it.
    pub fn look(
        &mut self,
        terms: &Terms,
        partition: usize,
        (epoch, entry): (u64, u64),
        heads: bool,
    ) -> Result<Look, String> {
        let mut command = cmd("EVALSHA");
        command.arg(&self.scripts.look).arg(3);
        terms.keys.of_partition(partition).iter().for_each(|key| _ = command.arg(key));
        command.arg(epoch).arg(entry).arg(u8::from(heads));
        let value = self.ask(&command)?;
        let [epoch, entry, newest, heads] = reply::list(&value) else { return Err(strange()) };
        let heads = reply::list(heads).chunks_exact(2).filter_map(|pair| {
            let (offset, own) = split(reply::text(&pair[1])?)?;
            Some((reply::text(&pair[0])?.to_owned(), own.or(reply::number(epoch))?, offset))
        });
        Ok(Look {
            epoch: reply::number(epoch).ok_or_else(strange)?,
            entry: reply::number(entry).ok_or_else(strange)?,
            newest: reply::text(newest).unwrap_or("0-0").to_owned(),
            heads: heads.collect(),
        })
    }
}

impl Link {
    /// The members of a node, a part after the other.
    ///
    /// # Errors
    /// The connection's.
    pub fn members_of(&mut self, terms: &Terms, node: &str) -> Result<Vec<Change>, String> {
        let (key, mut cursor, mut found) =
            (terms.keys.of_nodes(&format!("of:{node}")), "0".to_owned(), Vec::new());
        loop {
            let page = self.ask(cmd("HSCAN").arg(&key).arg(&cursor).arg("COUNT").arg(MEMBERS_AT_ONCE))?;
            let [next, members] = reply::list(&page) else { return Err(strange()) };
            let members = reply::list(members).chunks_exact(2).filter_map(|pair| {
                let member = Member::of(reply::text(&pair[0])?).filter(Member::is_told)?;
                Some((member.channel, member.user, read_standing(reply::text(&pair[1])?)))
            });
            found.extend(members);
            cursor = reply::text(next).unwrap_or("0").to_owned();
            if cursor == "0" {
                return Ok(found);
            }
        }
    }
}

/// One command's answer.
fn ask(wire: &mut dyn Wire, command: &redis::Cmd) -> Result<Value, String> {
    match wire.ask_one(command)? {
        Value::ServerError(problem) => Err(plain(&problem.into())),
        value => Ok(value),
    }
}

/// Whether a server can be relied on that says this of itself.
pub(super) fn check_server(info: &str) -> Result<(), String> {
    let version = reply::field(info, "redis_version").unwrap_or("unknown");
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let found = [numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)];
    if found < VERSION_MIN {
        let [major, minor] = VERSION_MIN;
        return Err(format!("the server is Redis {version}; {major}.{minor} or newer is needed"));
    }
    let policy = reply::field(info, "maxmemory_policy").unwrap_or("noeviction");
    if policy != "noeviction" {
        return Err(format!(
            "the server's maxmemory-policy is {policy}, by which publications would be lost; set noeviction"
        ));
    }
    match reply::field(info, "role") {
        Some("master") | None => Ok(()),
        Some(role) => Err(format!("the server is a {role}; publications go to a master")),
    }
}

/// Whether it is one of a Redis Cluster, or none.
fn check_kind(info: &str, is_spread: bool) -> Result<(), String> {
    match (reply::field(info, "cluster_enabled") == Some("1"), is_spread) {
        (true, false) => {
            Err("the server is one of a Redis Cluster; the URL begins with redis-cluster:// then".to_owned())
        }
        (false, true) => {
            Err("the server is none of a Redis Cluster; the URL begins with redis:// then".to_owned())
        }
        _ => Ok(()),
    }
}

/// How a partition is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub epoch: u64,
    /// How many entries the stream has ever had.
    pub entry: u64,
    /// The id of the newest that is there.
    pub newest: String,
    /// Channels with their epochs and newest offsets.
    pub heads: Vec<(String, u64, u64)>,
}

/// `offset epoch day`, where the epoch may be left out.
fn split(head: &str) -> Option<(u64, Option<u64>)> {
    let mut parts = head.split(' ');
    let offset = parts.next()?.parse().ok()?;
    let epoch = parts.next().filter(|epoch| !epoch.is_empty());
    Some((offset, epoch.map(str::parse).transpose().ok()?))
}

/// An answer that none of our scripts gives.
pub(super) fn strange() -> String {
    "an answer that was not expected".to_owned()
}

/// Why something has failed, in words that tell an operator what to do. None of them has a password.
pub(super) fn plain(problem: &RedisError) -> String {
    match problem.kind() {
        ErrorKind::AuthenticationFailed => {
            "the password or the user of the URL is not the server's".to_owned()
        }
        ErrorKind::Server(ServerErrorKind::BusyLoading) => "the server is still loading its data".to_owned(),
        _ if problem.is_timeout() => "no answer in time".to_owned(),
        _ if problem.is_connection_refusal() => "the connection is refused".to_owned(),
        _ => match problem.code() {
            Some("NOAUTH") => "the server asks for a password, and the URL has none".to_owned(),
            Some("WRONGPASS") => "the password or the user of the URL is not the server's".to_owned(),
            _ => problem.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_whether_it_can_be_relied_on() {
        let said =
            |version: &str, more: &str| check_server(&format!("redis_version:{version}\r\n{more}\r\n"));
        assert_eq!(said("7.0.15", "maxmemory_policy:noeviction\r\nrole:master"), Ok(()));
        assert_eq!((said("6.2.0", ""), said("10.0", "")), (Ok(()), Ok(())));
        for (version, more, why) in [
            ("6.0.16", "", "Redis 6.0.16"),
            ("", "", "needed"),
            ("7.0.15", "maxmemory_policy:volatile-lru", "volatile-lru"),
            ("7.0.15", "role:slave", "a slave"),
        ] {
            let problem = said(version, more).unwrap_err();
            assert!(problem.contains(why), "{problem}");
        }
    }

    #[test]
    fn a_server_is_what_the_url_says() {
        let kind = |enabled: &str, is_spread| {
            check_kind(&format!("cluster_enabled:{enabled}\r\n"), is_spread).is_ok()
        };
        assert!(kind("0", false) && kind("1", true) && !kind("1", false) && !kind("0", true));
    }

    #[test]
    fn a_head_may_have_an_epoch_of_its_own() {
        assert_eq!(split("12"), Some((12, None)));
        assert_eq!(split("12  20785"), Some((12, None)));
        assert_eq!(split("0 1795257271813595 20785"), Some((0, Some(1_795_257_271_813_595))));
        assert_eq!((split(""), split("x 1"), split("1 x")), (None, None, None));
    }
}
