//! The options of `plan`: what is wanted, what a machine has, and what a connection and a delivery cost.

use super::value::{amount, duration, percent};
use clap::Args;
use clap::builder::RangedU64ValueParser;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Args, Clone, Debug)]
pub(crate) struct Sizing {
    #[command(flatten)]
    pub(crate) aim: Aim,
    #[command(flatten)]
    pub(crate) machine: Machine,
    #[command(flatten)]
    pub(crate) costs: Costs,
    #[command(flatten)]
    pub(crate) output: PlanOutput,
}

/// The aim of a plan.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Aim")]
pub(crate) struct Aim {
    /// How many connections there are in all, such as 100M
    #[arg(long, short = 'n', value_name = "NUMBER", default_value = "100M", value_parser = amount)]
    pub(crate) connections: f64,
    /// Time from a push to the last receipt
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(crate) deadline: Duration,
    /// Bytes of a message
    #[arg(long, value_name = "BYTES", default_value_t = 128,
          value_parser = RangedU64ValueParser::<u64>::new().range(1..=16 << 20))]
    pub(crate) size: u64,
    /// Publications to everybody within that time; several that lie side by side go out in one write
    #[arg(long, value_name = "NUMBER", default_value_t = 1,
          value_parser = RangedU64ValueParser::<u64>::new().range(1..=1_000))]
    pub(crate) publications: u64,
    /// Time until all machines have it: the engine, and what a failover of it takes
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = duration)]
    pub(crate) engine: Duration,
}

/// One of the machines.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Machine")]
pub(crate) struct Machine {
    /// Memory, such as 64G
    #[arg(long, value_name = "BYTES", default_value = "64G", value_parser = amount)]
    pub(crate) memory: f64,
    /// Cores that are wspushd's, one reactor each
    #[arg(long, value_name = "NUMBER", default_value_t = 8,
          value_parser = RangedU64ValueParser::<u64>::new().range(1..=64))]
    pub(crate) cores: u64,
    /// Bits a second that its network takes, such as 10G
    #[arg(long, value_name = "BITS", default_value = "10G", value_parser = amount)]
    pub(crate) network: f64,
    /// Per cent of memory, cores and network that may be used up
    #[arg(long, value_name = "PERCENT", default_value_t = 70.0, value_parser = percent)]
    pub(crate) usable: f64,
    /// Per cent of a single core's deliveries that each of several makes
    #[arg(long, value_name = "PERCENT", default_value_t = 75.0, value_parser = percent)]
    pub(crate) scaling: f64,
}

/// Costs, as they were measured. The defaults are those of docs/benchmarks.md and docs/million.md.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Costs")]
pub(crate) struct Costs {
    /// Take user bytes, and CPU for each delivery and handshake, from what broadcast --server-pid --json has written
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user_bytes", "delivery_us", "handshake_us"])]
    pub(crate) measured: Option<PathBuf>,
    /// User-space memory of a connection
    #[arg(long, value_name = "BYTES", default_value = "48", value_parser = amount)]
    pub(crate) user_bytes: f64,
    /// Kernel memory of a connection that is idle
    #[arg(long, value_name = "BYTES", default_value = "3744", value_parser = amount)]
    pub(crate) kernel_bytes: f64,
    /// Kernel memory of a connection beside that while a message to it is on its way
    #[arg(long, value_name = "BYTES", default_value = "4096", value_parser = amount)]
    pub(crate) pending_bytes: f64,
    /// CPU of a delivery, in microseconds
    #[arg(long, value_name = "US", default_value = "6.01", value_parser = amount)]
    pub(crate) delivery_us: f64,
    /// CPU of a handshake, in microseconds
    #[arg(long, value_name = "US", default_value = "14.1", value_parser = amount)]
    pub(crate) handshake_us: f64,
    /// CPU of a heartbeat and its answer, in microseconds
    #[arg(long, value_name = "US", default_value = "8.5", value_parser = amount)]
    pub(crate) heartbeat_us: f64,
    /// Time between the heartbeats of a connection
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) heartbeat: Duration,
    /// Bytes on the wire for each write beside the messages: headers of the frame, TCP, IP and Ethernet, with its gap
    #[arg(long, value_name = "BYTES", default_value = "94", value_parser = amount)]
    pub(crate) wire_bytes: f64,
}

/// Where the plan goes beside standard output.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Plan")]
pub(crate) struct PlanOutput {
    /// Write the plan as JSON
    #[arg(long = "plan-json", value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}
