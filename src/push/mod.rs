//! The push room: channels, their logs, and where every subscriber stands in them.
//!
//! A [`Publication`] is checked and encoded into wire bytes where it enters, and appended to its channel's
//! [`Log`], a bounded ring. A subscriber owns no queue, only a [`Cursor`] into the ring; what it still
//! has to get is the bytes from there to the head. The [`Ledger`] counts, for each publication, how many
//! have it, lag, were skipped or left, at two additions for a write whatever it carried. Once a subscriber
//! takes deflated frames, the channel keeps each publication in that form as well ([`Deflated`]), under the
//! same offsets.
//!
//! May import: protocol, limits, error. It knows no socket and no clock.

pub mod budget;
pub mod channel;
pub mod channels;
pub mod deflated;
pub mod ledger;
pub mod log;
pub mod memberships;
pub mod message;
pub mod midway;
pub mod options;
pub mod publication;
pub mod push_error;

pub use budget::Room;
pub use channel::{Channel, Member, Membership, Walk};
pub use channels::{ChannelId, Channels, DEFAULT, DEFAULT_NAME, LogLimits};
pub use deflated::Deflated;
pub use ledger::{Delivery, Ledger, Passage, RECEIPTS_KEPT};
pub use log::{Cursor, Log};
pub use memberships::Memberships;
pub use message::Message;
pub use midway::Midway;
pub use options::PushOptions;
pub use publication::{Kind, Publication};
pub use push_error::PushError;
