//! The push room: channels, their logs, and where every subscriber stands in them.
//!
//! A [`Publication`] is checked and encoded into wire bytes where it enters, and appended to its channel's
//! [`Log`], a bounded ring. A subscriber owns no queue, only a [`Cursor`] into the ring; what it still
//! has to get is the bytes from there to the head. The [`Ledger`] counts, for each publication, how many
//! have it, lag, were skipped or left, at two additions for a write whatever it carried. A subscriber may
//! take publications in another [`Form`], deflated, in an envelope, or as plain HTTP has them; while somebody does the
//! channel has a [`Ring`] of that form as well, under the same offsets, and each publication is encoded for it once.
//!
//! May import: protocol, config, limits, error. It knows no socket and no clock.

pub mod anew;
pub mod budget;
pub mod channel;
pub mod channels;
mod eighths;
pub mod encoder;
pub mod entry;
mod evicted;
pub mod form;
pub mod ledger;
mod lines;
pub mod log;
pub mod memberships;
pub mod message;
pub mod midway;
pub mod notices;
mod older;
pub mod options;
pub mod other_rings;
pub mod pace;
pub mod past;
pub mod place;
pub mod position;
pub mod positions;
pub mod prepared;
pub mod presence;
pub mod publication;
pub mod push_error;
pub mod ring;
pub mod rules;
pub mod since;
pub mod state;
pub mod stream;
pub mod terms;

pub use anew::Broken;
pub use budget::Room;
pub use channel::{Channel, Member, Membership, Walk};
pub use channels::{ChannelId, Channels, DEFAULT, DEFAULT_NAME, FIRST_OFFSET, LogLimits};
pub use eighths::Eighths;
pub use encoder::{Encoded, Encoder};
pub use entry::{Entry, Gap, Recovery};
pub use form::{Form, Lens};
pub use ledger::{Delivery, Ledger, Passage, RECEIPTS_KEPT, Written};
pub use log::{Cursor, Log};
pub use memberships::Memberships;
pub use message::{Kind, Message};
pub use midway::Midway;
pub use options::PushOptions;
pub use other_rings::OtherRings;
pub use pace::{Pace, Part};
pub use past::{History, HistoryAsked, HistoryOrder, Past};
pub use place::Place;
pub use position::{NoPosition, Position};
pub use positions::Positions;
pub use prepared::{Carried, Prepared};
pub use publication::Publication;
pub use push_error::PushError;
pub use ring::Ring;
pub use rules::{ChannelRules, Keep, Missed, Priority};
pub use since::{NoSince, Since};
pub use terms::{PublishTerms, fingerprint};
