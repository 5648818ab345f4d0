//! The servers of a Redis Cluster: some of them are known at first, and tell of the others.

use std::time::Duration;

use redis::cmd;

use super::address::{NO_URL, Server, split_user};
use super::certificates::Certificates;
use super::slots::{SlotMap, host_of};

/// They, and how each is connected to.
pub(super) struct Servers {
    known: Vec<Server>,
    scheme: &'static str,
    /// The part of a URL before an address.
    user: String,
    certificates: Certificates,
    pub shown: String,
}

impl Servers {
    /// Reads what stands behind a URL's scheme; `scheme` is that of one server.
    pub fn parse(rest: &str, scheme: &'static str, certificates: &Certificates) -> Result<Servers, String> {
        let authority = rest.trim_end_matches('/');
        let (user, hosts) = split_user(authority);
        if hosts.is_empty() || hosts.contains(['/', '?']) {
            return Err(NO_URL.to_owned());
        }
        let mut servers = Servers {
            known: Vec::new(),
            scheme,
            user: user.to_owned(),
            certificates: certificates.clone(),
            shown: hosts.to_owned(),
        };
        let known = hosts.split(',').map(|host| servers.at(host)).collect::<Result<_, _>>()?;
        servers.known = known;
        Ok(servers)
    }

    /// The server at an address.
    pub fn at(&self, address: &str) -> Result<Server, String> {
        Server::parse(&format!("{}{}{address}", self.scheme, self.user), &self.certificates)
    }

    /// Which master has which slots, as the first server says that answers.
    ///
    /// # Errors
    /// Why none does, or that there is not a master for each of them.
    pub fn slots(&self, within: Duration) -> Result<SlotMap, String> {
        let mut why = "there is no server".to_owned();
        for server in &self.known {
            match ask(server, within) {
                Ok(map) if map.is_whole() => return Ok(map),
                Ok(_) => why = format!("{}: the cluster has not all slots", server.shown),
                Err(problem) => why = problem,
            }
        }
        Err(why)
    }
}

fn ask(server: &Server, within: Duration) -> Result<SlotMap, String> {
    let answer = server.ask(cmd("CLUSTER").arg("SLOTS"), within)?;
    let map = SlotMap::read(&answer, host_of(&server.shown));
    map.ok_or_else(|| format!("{}: no Redis Cluster is there", server.shown))
}
