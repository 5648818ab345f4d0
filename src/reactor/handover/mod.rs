//! A running server hands everything to its successor: listeners, connections, channels and what is known of all of
//! them pass to a new process over a Unix-domain socket, and no client notices.
//!
//! The new process asks ([`Successor`]); the old one ([`Succession`]) stops between two turns, all reactors of it at
//! once (`meeting.rs`), tells all it has in records and lends its descriptors along. Until the new process has said
//! that it takes over, the old one has everything and touches nothing, and neither does the new one. Then it is the
//! other way round. That word is one byte in a socket, and one moment decides: the old process waits for it for a
//! bounded time, shuts its side for reading and looks once more. The byte was there by then, or the kernel refuses it
//! to the new process.
//!
//! All that is told has a version and a checksum. Whatever goes wrong before the word (another version, no room, a
//! process that dies or stands still) leaves the old server as if nobody had asked.

mod counted;
mod fault;
mod giving;
mod image;
mod meeting;
mod predecessor;
mod records;
mod successor;
mod taken_over;

pub use giving::Handing;
pub use predecessor::Succession;
pub use successor::{HandoverError, Successor};

/// A successor says this first, and the version behind it.
const HELLO: [u8; 8] = *b"wspushHO";

/// The records' version: it changes with anything that is told, see the test `the_format_is_pinned`.
const VERSION: u32 = 5;

/// The word by which the successor takes over.
const TAKEN: u8 = b'T';

/// How long a successor may take to say what it wants, and the server to come to a moment in which nothing is under
/// way.
const ASKING_MS: u64 = 2_000;

/// Between two looks at a server that is asked, and not yet at a moment in which nothing is under way.
const LOOK_MS: u64 = 5;

/// How long the hand-over itself may take, in which nobody is served: so long,
const FROZEN_MS: u64 = 2_000;
/// and a millisecond more for each so many connections.
const CONNECTIONS_PER_MS: u64 = 50;

/// How long the old server may take to answer at all.
const ANSWER_MS: u64 = ASKING_MS + 3_000;

#[cfg(test)]
mod tests;
