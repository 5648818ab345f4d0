//! Counters. The reactor's thread owns them and bumps plain integers; nobody else reads them
//! but through a copy. `table.rs` is the one list of what there is: from it come the fields, the JSON of
//! `/stats` (through serde) and the Prometheus text of `/metrics`.

mod cluster;
mod exposition;
mod fine;
mod histogram;
mod label;
mod process;
mod protobuf;
mod reactors;
mod table;

pub use cluster::ClusterGauges;
pub use exposition::{Exposition, Format};
pub use histogram::Histogram;
pub use label::{Counts, Label};
pub use process::Process;
pub use table::{
    AuthWebhook, ChannelEnd, ChannelEvent, ChannelRefusal, CloseReason, ConnectionKind, ConnectionTransport,
    CpuPurpose, Gauges, KernelTls, Metrics, PauseReason, RefuseReason, Shortage, TlsHandshake, WorkKind,
};
