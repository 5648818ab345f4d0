//! `wspush-bench plan`: how many machines so many connections take, from what one of them costs.
//!
//! Nothing is measured here. A machine has as many connections as the scarcest of memory, cores and network allows, and
//! a deadline is met if all machines together write fast enough.

mod measured;
mod text;

use crate::args::{Aim, Costs, Machine, Sizing};
use serde::Serialize;
use std::io::Write;

/// As many machines as these stand in the table, in parts of those that are needed.
const PARTS: [f64; 5] = [0.5, 1.0, 2.0, 4.0, 8.0];

/// Connections of one machine, as far as each thing that it has allows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Room {
    pub(crate) memory: f64,
    pub(crate) cores: f64,
    pub(crate) network: f64,
}

impl Room {
    /// The scarcest, and its name.
    fn least(&self) -> (f64, &'static str) {
        let all = [(self.memory, "memory"), (self.cores, "cores"), (self.network, "network")];
        all.into_iter().min_by(|one, other| one.0.total_cmp(&other.0)).unwrap_or((0.0, "memory"))
    }
}

/// So many machines, and what becomes of each of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Row {
    pub(crate) machines: u64,
    pub(crate) connections_each: u64,
    pub(crate) memory_bytes: f64,
    /// Whether that is at hand.
    pub(crate) has_memory: bool,
    /// Until the last write, from when it begins: by the cores, and by the network.
    pub(crate) cores_s: f64,
    pub(crate) network_s: f64,
    /// From the push to the last receipt.
    pub(crate) last_s: f64,
    pub(crate) is_in_time: bool,
    /// Until all have come, if all come at once.
    pub(crate) return_s: f64,
    /// Of all its cores, for heartbeats.
    pub(crate) idle_percent: f64,
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Outlook {
    pub(crate) room: Room,
    pub(crate) limit: &'static str,
    /// None: no number of machines is enough, as the engine takes all the time.
    pub(crate) machines: Option<u64>,
    pub(crate) rows: Vec<Row>,
    /// Bytes that the engine sends for each publication, to all machines.
    pub(crate) engine_bytes: Option<f64>,
}

/// Bytes of an entry of the stream beside the message, as a node reads it.
const ENTRY_BYTES: f64 = 200.0;

/// Makes the plan.
pub(crate) fn outlook(aim: &Aim, machine: &Machine, costs: &Costs) -> Outlook {
    let model = Model { aim, machine, costs };
    let room = model.room();
    let (least, limit) = room.least();
    let machines = (least >= 1.0).then(|| (aim.connections / least.floor()).ceil().max(1.0) as u64);
    let around = |machines: u64| {
        let mut counts: Vec<u64> = PARTS.iter().map(|part| (machines as f64 * part).ceil() as u64).collect();
        counts.dedup();
        counts.into_iter().map(|count| model.row(count)).collect()
    };
    Outlook {
        room,
        limit,
        machines,
        rows: machines.map(around).unwrap_or_default(),
        engine_bytes: machines.map(|machines| machines as f64 * (aim.size as f64 + ENTRY_BYTES)),
    }
}

struct Model<'a> {
    aim: &'a Aim,
    machine: &'a Machine,
    costs: &'a Costs,
}

impl Model<'_> {
    fn usable(&self) -> f64 {
        self.machine.usable / 100.0
    }

    fn connection_bytes(&self) -> f64 {
        self.costs.user_bytes + self.costs.kernel_bytes + self.costs.pending_bytes
    }

    /// Microseconds of CPU that a second has.
    fn cpu_us_per_s(&self) -> f64 {
        let scaling = if self.machine.cores > 1 { self.machine.scaling / 100.0 } else { 1.0 };
        self.machine.cores as f64 * scaling * 1e6 * self.usable()
    }

    /// Of that, what heartbeats leave for deliveries to so many.
    fn cpu_left_us_per_s(&self, connections: f64) -> f64 {
        self.cpu_us_per_s() - connections * self.heartbeat_us_per_s()
    }

    fn heartbeat_us_per_s(&self) -> f64 {
        let between_s = self.costs.heartbeat.as_secs_f64();
        if between_s > 0.0 { self.costs.heartbeat_us / between_s } else { 0.0 }
    }

    fn bits(&self) -> f64 {
        // Those that come one after the other have a write each.
        8.0 * (self.aim.size as f64 + self.costs.wire_bytes) * self.aim.publications as f64
    }

    fn delivery_us(&self) -> f64 {
        self.costs.delivery_us * self.aim.publications as f64
    }

    fn room(&self) -> Room {
        let left_s = (self.aim.deadline.as_secs_f64() - self.aim.engine.as_secs_f64()).max(0.0);
        Room {
            memory: self.machine.memory * self.usable() / self.connection_bytes(),
            // c deliveries and the heartbeats of c connections fill the time.
            cores: left_s * self.cpu_us_per_s() / (self.delivery_us() + left_s * self.heartbeat_us_per_s()),
            network: left_s * self.machine.network * self.usable() / self.bits(),
        }
    }

    fn row(&self, machines: u64) -> Row {
        let each = (self.aim.connections / machines as f64).ceil();
        let cpu_left = self.cpu_left_us_per_s(each);
        let cores_s = if cpu_left > 0.0 { each * self.delivery_us() / cpu_left } else { f64::INFINITY };
        let network_s = each * self.bits() / (self.machine.network * self.usable());
        let last_s = self.aim.engine.as_secs_f64() + cores_s.max(network_s);
        let memory_bytes = each * self.connection_bytes();
        Row {
            machines,
            connections_each: each as u64,
            memory_bytes,
            has_memory: memory_bytes <= self.machine.memory * self.usable(),
            cores_s,
            network_s,
            last_s,
            is_in_time: last_s <= self.aim.deadline.as_secs_f64(),
            return_s: each * self.costs.handshake_us / self.cpu_us_per_s(),
            idle_percent: 100.0 * each * self.heartbeat_us_per_s() / (self.cpu_us_per_s() / self.usable()),
        }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    version: &'static str,
    connections: f64,
    deadline_s: f64,
    #[serde(flatten)]
    outlook: &'a Outlook,
}

/// Prints the plan. False: it can't be done.
pub(crate) fn run(sizing: &Sizing) -> Result<bool, String> {
    let mut sizing = sizing.clone();
    if let Some(file) = &sizing.costs.measured {
        let costs = measured::read(file)?;
        costs.put_into(&mut sizing.costs);
    }
    let Sizing { aim, machine, costs, output } = &sizing;
    let outlook = outlook(aim, machine, costs);
    let text = text::render(&outlook, &sizing);
    std::io::stdout().write_all(text.as_bytes()).map_err(|problem| format!("standard output: {problem}"))?;
    if let Some(file) = &output.json {
        let document = Document {
            version: env!("CARGO_PKG_VERSION"),
            connections: aim.connections,
            deadline_s: aim.deadline.as_secs_f64(),
            outlook: &outlook,
        };
        let json = serde_json::to_string_pretty(&document).map_err(|problem| problem.to_string())?;
        std::fs::write(file, json + "\n").map_err(|problem| format!("{}: {problem}", file.display()))?;
    }
    Ok(outlook.machines.is_some())
}

#[cfg(test)]
mod tests;
