//! The counters of wspushd itself, from its `GET /stats`.

use super::address::Address;
use super::client::{self, Access, Client};
use crate::redact;
use serde::{Deserialize, Serialize};

/// The counters that say what a campaign cost in writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Counters {
    /// Publications written to subscribers.
    pub(crate) deliveries: u64,
    /// Calls that write to a socket.
    pub(crate) sends: u64,
    pub(crate) send_bytes: u64,
}

/// The part of the answer that is read.
#[derive(Deserialize)]
struct Document {
    counters: Counters,
}

impl Counters {
    /// The difference to an earlier reading.
    pub(crate) const fn since(self, before: Self) -> Self {
        Self {
            deliveries: self.deliveries.saturating_sub(before.deliveries),
            sends: self.sends.saturating_sub(before.sends),
            send_bytes: self.send_bytes.saturating_sub(before.send_bytes),
        }
    }
}

/// A server's statistics.
pub(crate) struct Stats {
    address: Address,
    access: Access,
}

impl Stats {
    pub(crate) const fn new(address: Address, access: Access) -> Self {
        Self { address, access }
    }

    /// Asks over a new connection: an idle one would have been ended meanwhile.
    pub(crate) fn counters(&self) -> Result<Counters, String> {
        self.ask().map_err(|error| format!("stats of {error}"))
    }

    fn ask(&self) -> Result<Counters, String> {
        let answer = Client::connect(&self.address, &self.access)?.get();
        let failed = |error: String| format!("{}: {error}", self.address);
        let answer = answer.map_err(failed)?;
        if answer.status != 200 {
            return Err(failed(client::refusal(answer.status)));
        }
        let document: Document = serde_json::from_slice(&answer.body)
            .map_err(|error| failed(format!("not the statistics of wspushd: {}", redact::json(&error))))?;
        Ok(document.counters)
    }
}
