//! The messages of the Pusher Channels protocol, version 7: what clients say and what they are told. A message is a
//! text frame with a JSON object that has an `event`, and perhaps a `channel` and `data`; to clients `data` is a string
//! that holds JSON.
//!
//! A publication of an app's channel is such a message, as its subscribers get it.

pub mod channel;
pub mod command;
pub mod event;
pub mod lines;
pub mod socket_id;

pub use channel::Traits;
pub use command::{ChannelData, Command, UserData};
pub use event::{Event, Members};
pub use socket_id::SocketId;
