//! The reactor room: the only one with sockets and, in its poll loop, a clock.
//!
//! [`Reactor`] holds the connections and does everything that follows from bytes, readiness, commands and
//! time; it is generic over [`Socket`] and gets the time as an argument, so that a simulator can drive it.
//! [`EventLoop`] drives it on Linux: mio's poll, the listeners, the clock.
//!
//! The path of a byte in: `EventLoop` -> [`Reactor::take_event`] -> `input` -> `http`, or the connection's `transport`
//! -> endpoint.
//! The path of a publication out: [`Shared::publish`] -> `commands` -> the channel's log -> `flush` -> sockets.
//!
//! May import: endpoint, push, protocol, tls, config, metrics, journal, limits, error.

pub mod addresses;
mod administration;
mod admission;
mod afar;
mod ahead;
mod alike;
mod anteroom;
mod apart;
#[cfg(feature = "pusher")]
pub mod app_events;
#[cfg(feature = "pusher")]
mod apps;
mod arrival;
mod assembling;
mod attendance;
#[doc(hidden)]
pub mod audit;
pub mod backend;
mod backlog;
mod breaks;
mod bucket;
mod budgets;
mod closing;
mod commands;
mod connections;
pub mod connects;
mod control;
mod cpu;
pub mod delivery;
mod demo;
pub mod directory;
pub mod doors;
mod drain;
mod durations;
mod ending;
pub mod engine;
pub mod event_loop;
mod events;
mod exhibition;
pub mod flow;
mod flush;
pub mod granted;
#[cfg(feature = "handover")]
pub mod handover;
mod happenings;
mod heartbeat;
pub mod holdings;
mod http;
mod input;
#[cfg(all(test, wspush_loom))]
mod interleavings;
pub mod ktls;
mod lines;
pub mod listener;
mod listing;
pub mod machine;
mod memory;
pub mod memory_budget;
mod messages;
mod missed;
#[cfg(not(feature = "handover"))]
mod no_handover;
mod notices;
mod occupancy;
mod opening;
mod order;
pub mod outbox;
mod output;
pub mod own;
mod paced;
mod peers;
mod pieces;
mod places;
mod placing;
mod poll;
mod process;
pub mod published_keys;
mod pusher;
mod questions;
mod rates;
mod reaching;
#[allow(clippy::module_inception)]
mod reactor;
mod refusal;
pub mod reload;
pub mod rest;
mod resume;
mod senders;
pub mod sending;
pub mod shared;
pub mod shares;
pub mod slot;
pub(crate) mod snapshot;
pub mod socket;
mod sse;
pub mod stamp;
mod state_file;
mod strangers;
mod streams;
mod subscriptions;
mod sweep;
mod sync;
pub mod sys;
mod timers;
mod tls;
mod tokens;
mod told;
pub mod totals;
pub mod transport;
mod tuning;
mod undecided;
mod unix_path;
mod upgrade;
pub mod user_commands;
pub mod users;
mod v1;
pub mod waiting;
mod websocket;
mod wire;
mod work;

pub use event_loop::EventLoop;
pub use events::Readiness;
pub use reactor::{Host, ListenerRole, REFUSALS_MAX, Reactor, Turn};
pub use shared::{Batch, Command, Item, Shared, Wake};
pub use socket::{Socket, Stream};
