//! Costs that a campaign has measured: the JSON of `wspush-bench broadcast --server-pid PID --json FILE`.

use crate::args::Costs;
use serde_json::Value;
use std::path::Path;

/// The costs in such a report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measured {
    user_bytes: f64,
    delivery_us: f64,
    handshake_us: f64,
}

impl Measured {
    pub(super) fn put_into(self, costs: &mut Costs) {
        costs.user_bytes = self.user_bytes;
        costs.delivery_us = self.delivery_us;
        costs.handshake_us = self.handshake_us;
    }
}

/// Reads a report.
pub(super) fn read(file: &Path) -> Result<Measured, String> {
    let text = std::fs::read_to_string(file).map_err(|problem| format!("{}: {problem}", file.display()))?;
    parse(&text).map_err(|why| format!("{}: {why}", file.display()))
}

pub(super) fn parse(text: &str) -> Result<Measured, String> {
    let report: Value = serde_json::from_str(text).map_err(|problem| format!("no report: {problem}"))?;
    let server = &report["server"];
    let cost = |of: &str| server[of]["total_us"].as_f64().filter(|total_us| *total_us > 0.0);
    let user_bytes = server["bytes_per_connection"].as_f64().filter(|bytes| *bytes >= 0.0);
    match (user_bytes, cost("per_delivery"), cost("per_handshake")) {
        (Some(user_bytes), Some(delivery_us), Some(handshake_us)) => {
            Ok(Measured { user_bytes, delivery_us, handshake_us })
        }
        _ => Err("it does not tell what a server costs; broadcast --server-pid --json writes one that does"
            .to_owned()),
    }
}
