//! This node among the others: it renews its lease, and sees to those whose lease is over.
//!
//! Leases are counted by the server's clock alone. A node that was away for longer than its lease is gone to the
//! others; when it comes back it is a new member of the cluster, of which they hear all that it has.

use std::time::{Duration, Instant};

use redis::cmd;
use serde_json::json;

use super::connect::{Link, strange};
use super::{Terms, reply};
use crate::reactor::Shared;

/// So long a node is there that is not heard of.
const LEASE: Duration = Duration::from_secs(10);
/// Between two times that it is heard of.
const BEAT: Duration = Duration::from_secs(3);

/// The membership.
pub(super) struct Membership {
    /// How often it has begun.
    count: u64,
    has_joined: bool,
    due: Instant,
}

impl Membership {
    pub fn new() -> Membership {
        Membership { count: 1, has_joined: false, due: Instant::now() }
    }

    /// Its name in Redis.
    fn id(&self, terms: &Terms) -> String {
        format!("{}#{}", terms.origin, self.count)
    }

    /// Does what is due.
    ///
    /// # Errors
    /// The connection's.
    pub fn tend(&mut self, link: &mut Link, terms: &Terms, shared: &Shared) -> Result<(), String> {
        if Instant::now() < self.due {
            return Ok(());
        }
        self.beat(link, terms, shared)?;
        self.due = Instant::now() + BEAT;
        Ok(())
    }

    fn beat(&mut self, link: &mut Link, terms: &Terms, shared: &Shared) -> Result<(), String> {
        loop {
            let (epoch, entry) = terms.known.of(terms.keys.partitions());
            let mut command = cmd("EVALSHA");
            command.arg(&link.scripts.beat).arg(6);
            terms.keys.of_partition(terms.keys.partitions()).iter().for_each(|key| _ = command.arg(key));
            ["lease", "info", "dead"].iter().for_each(|what| _ = command.arg(terms.keys.of_nodes(what)));
            command.arg(epoch).arg(entry).arg(terms.entries).arg(self.id(terms)).arg(info(terms, shared));
            command.arg(LEASE.as_millis().to_string()).arg(if self.has_joined { "renew" } else { "join" });
            let answer = link.ask(&command)?;
            match reply::list(&answer) {
                [said] if reply::text(said) == Some("lost") => {
                    self.count += 1;
                    self.has_joined = false;
                }
                [_, epoch, entry, _live, _dead] => {
                    let number = |value| reply::number(value).ok_or_else(strange);
                    terms.known.note(terms.keys.partitions(), number(epoch)?, number(entry)?);
                    self.has_joined = true;
                    return Ok(());
                }
                _ => return Err(strange()),
            }
        }
    }
}

/// A node's own account of itself.
fn info(terms: &Terms, shared: &Shared) -> String {
    let info = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "since_ms": terms.since_ms,
        "connections": shared.stats().connections,
        "lag_ms": terms.counts.lag_ms(),
    });
    info.to_string()
}
