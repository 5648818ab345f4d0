//! The other side of the server: its admin API, or whatever takes the publications.
//!
//! An `address` is reached over TCP, TLS or a Unix socket (`link`). A `client` shows the `token`, sends requests and
//! takes their answers; with one, `pusher` posts publications, and `stats` reads what the server itself has counted.

pub(crate) mod address;
mod client;
mod link;
pub(crate) mod pusher;
pub(crate) mod stats;
pub(crate) mod token;

pub(crate) use client::Access;
