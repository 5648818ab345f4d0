//! wspush: a WebSocket push server for very many, mostly idle connections.
//!
//! A [`Server`] holds the connections; a [`Handle`] pushes to them from any thread; a [`Handler`] decides who may
//! connect and hears what clients say. What is pushed lies once in a log of wire bytes, and every subscriber has
//! only a cursor into it: see `docs/ARCHITECTURE.md`.
//!
//! ```no_run
//! use wspush::{Config, Message, Server};
//!
//! let server = Server::bind(Config::default())?;
//! let handle = server.handle();
//! std::thread::spawn(move || handle.broadcast(Message::Text("hello")));
//! server.run()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The public API is what stands here and in [`config`]. Every other module is how it is done, visible only to the
//! programs of this repository (the daemon, the library for C and Java, tests, benches, fuzz targets), and may change
//! with any version.

#![cfg_attr(not(test), deny(clippy::cast_possible_truncation))]

mod alphabet;
#[doc(hidden)]
pub mod auth;
#[cfg(feature = "cluster")]
#[doc(hidden)]
pub mod cluster;
pub mod config;
#[doc(hidden)]
pub mod endpoint;
#[doc(hidden)]
pub mod journal;
#[doc(hidden)]
pub mod limits;
#[doc(hidden)]
pub mod metrics;
mod narrow;
#[doc(hidden)]
pub mod protocol;
#[doc(hidden)]
pub mod push;
#[doc(hidden)]
pub mod reactor;
#[doc(hidden)]
pub mod server;
#[doc(hidden)]
pub mod time;
#[doc(hidden)]
pub mod tls;

pub use auth::{Claims, Rights};
#[doc(inline)]
pub use config::{Config, Transport};
pub use endpoint::control::{Memory, Rates, StatsLimits};
pub use endpoint::{
    Accept, Authorization, Authorized, Closed, ConnId, Connect, Decision, Fragment, Handler, Pieces, Route,
    RouteError, RouteId, Router, Session, Stats,
};
pub use endpoint::{BatchItem, NodeInfo, Published, PublishedBatch, Receipt};
pub use endpoint::{
    ChannelHistory, ChannelInfo, ChannelList, ChannelMember, ChannelPage, ChannelPresence, HistoryQuery,
    SessionInfo, SessionList, SessionPage, UserConnection, UserPage,
};
pub use journal::{Journal, Sink};
pub use metrics::Metrics;
pub use protocol::close::CloseCode;
pub use push::{
    Delivery, Gap, HistoryOrder, Message, NoPosition, NoSince, Pace, Past, Position, PublishTerms, PushError,
    PushOptions, Since,
};
pub use server::{Handle, ReactorLoop, Server, StartError};
pub use tls::TlsError;
