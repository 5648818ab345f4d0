//! The endpoint room: what a path does.
//!
//! A request head that the reactor has read is routed by [`public::destination`] or answered by [`admin::answer`];
//! what it may say is in [`requests`] and read by [`query`]; what it needs done goes through the [`Control`] trait,
//! which the reactor implements. Connections on `/ws` are decided on by the embedder's [`Handler`], those at paths of
//! its own by the [`Router`]'s; `/echo` and `/chat` belong to the demo.
//!
//! May import: push, protocol, config, metrics, limits, error. It knows no socket and no clock.

pub mod admin;
pub mod answer_fields;
pub mod app_client;
#[cfg(feature = "pusher")]
pub mod apps;
pub mod authorization;
pub mod batch;
pub mod batch_item;
pub mod beginnings;
pub mod caller;
pub mod channels;
pub mod chat;
pub mod closed;
pub mod conn_id;
pub mod connect;
pub mod control;
#[cfg(feature = "dashboard")]
pub mod dashboard;
pub mod demo;
pub mod fallback;
pub mod flow;
pub mod guard;
pub mod handler;
pub mod hosted;
pub mod kind;
mod markdown;
pub mod more;
pub mod node_info;
pub mod nodes;
pub mod origins;
pub mod presence;
pub mod public;
pub mod publishing;
pub mod push_request;
pub mod query;
pub mod question;
pub mod reads;
pub mod refusals;
pub mod requests;
pub mod router;
mod scrape;
pub mod session_state;
pub mod sessions;
pub mod streams;
pub mod trace;
pub mod tune;
pub mod users;
pub mod v1;

pub use authorization::{Authorization, Authorized};
pub use batch_item::{BatchItem, PublishedBatch};
pub use beginnings::Beginnings;
pub use channels::{ChannelInfo, ChannelList, ChannelPage};
pub use closed::Closed;
pub use conn_id::ConnId;
pub use connect::Connect;
pub use control::{ConnectionInfo, Control, Page, Published, Receipt, Stats, Taken};
pub use flow::{FlowAsked, FlowPace, Fragment, Outgoing, Pieces};
pub use handler::{Accept, Decision, Handler, Session};
pub use kind::Kind;
pub use markdown::parameters_markdown;
pub use node_info::NodeInfo;
pub use presence::{ChannelMember, ChannelPresence};
pub use reads::{ChannelHistory, HistoryQuery, UserPage};
pub use router::{Route, RouteError, RouteId, Router, Routes};
pub use sessions::{SessionInfo, SessionList, SessionPage};
pub use users::UserConnection;
