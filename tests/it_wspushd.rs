//! The tests of the daemon, over real sockets, as one program: `cargo test -p wspushd --test it push::` runs those of
//! `tests/push.rs`. Every file of tests is a module here, and `daemon` is what they share.
//!
//! They run side by side, so none may change what belongs to the whole process (variables, the working directory,
//! signals). One that must is a program of its own: a `[[test]]` in wspushd/Cargo.toml that says why.
#![allow(clippy::unwrap_used)]

mod daemon;
mod wire;

mod admin_door;
mod admin_http;
mod admin_list;
mod api_keys;
mod auth_webhook;
mod batches;
mod browser;
mod channel_rules;
mod channels;
mod close;
#[cfg(feature = "cluster")]
mod cluster;
#[cfg(feature = "cluster")]
mod cluster_cuts;
#[cfg(feature = "cluster")]
mod cluster_failures;
#[cfg(feature = "cluster")]
mod cluster_hosts;
#[cfg(feature = "cluster")]
mod cluster_links;
#[cfg(feature = "cluster")]
mod cluster_local;
#[cfg(feature = "cluster")]
mod cluster_nodes;
#[cfg(feature = "cluster")]
mod cluster_presence;
#[cfg(feature = "cluster")]
mod cluster_spread;
mod config_command;
mod connections;
mod deflate;
mod demo;
mod drain;
mod fanout;
#[cfg(feature = "feed")]
mod feed;
mod handle;
#[cfg(feature = "handover")]
mod handover;
#[cfg(feature = "handover")]
mod handover_kinds;
#[cfg(feature = "handover")]
mod handover_page;
mod handshake;
mod heartbeat;
mod history;
mod host;
mod host_settings;
mod hostile_death;
mod hostile_faults;
mod hostile_frames;
mod hostile_handshake;
mod hostile_info;
mod hostile_resources;
mod hostile_storm;
mod hostile_tls;
mod jwks;
mod ktls;
mod large_frames;
mod limits;
mod memory_max;
mod monitoring;
mod odd_systems;
mod paces;
mod packages;
mod pending;
mod pieces;
mod poll;
mod presence;
mod proxied;
mod publishing;
mod push;
mod pusher;
mod pusher_http;
mod pusher_webhooks;
mod rates;
mod reactor_cpus;
mod reactors;
mod reactors_host;
mod reactors_load;
mod reads;
mod refusals;
mod restart;
mod resume;
mod revocation;
mod routes;
mod scrape;
mod secrets;
mod signals;
mod slow_consumers;
mod small_machines;
mod sse;
mod state_file;
mod stats;
mod stream;
mod syscalls;
mod systemd;
mod tls;
mod tokens;
mod transports;
mod tuning;
mod unix_admin;
mod users;
mod v1;
mod webhooks;
