//! The fuzzers' entry points, each a function of some bytes that panics where a promise is broken. The targets in
//! `fuzz/fuzz_targets` only name one of these; `tests/corpus.rs` calls all of them with the checked-in corpora.

#![allow(dead_code)] // Every target uses one of them.

#[cfg(feature = "certificate")]
mod certificate;
#[cfg(feature = "deflate")]
mod deflated;
mod envelopes;
mod frames;
mod http;
mod positions;
mod proxied;
#[cfg(feature = "pusher")]
mod pusher;
#[cfg(feature = "pusher")]
mod pusher_event;
mod routes;
mod schedule;
mod streams;
#[cfg(feature = "auth")]
mod token;

#[cfg(feature = "certificate")]
pub use certificate::certificate;
#[cfg(feature = "deflate")]
pub use deflated::inflate;
pub use envelopes::envelope;
pub use frames::{chunked, frame, message};
pub use http::{admin, config, extensions, handshake, head, multipart, push_request};
pub use positions::{since, state};
pub use proxied::proxied;
#[cfg(feature = "pusher")]
pub use pusher::{pusher_message, pusher_signature};
#[cfg(feature = "pusher")]
pub use pusher_event::pusher_event;
pub use routes::route;
pub use schedule::{connection, world};
pub use streams::{event, positions};
#[cfg(feature = "auth")]
pub use token::token;

/// A function of some bytes.
type Target = fn(&[u8]);

/// The targets by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("admin", admin),
    #[cfg(feature = "certificate")]
    ("certificate", certificate),
    ("chunked", chunked),
    ("config", config),
    ("connection", connection),
    ("envelope", envelope),
    ("event", event),
    ("extensions", extensions),
    ("frame", frame),
    ("handshake", handshake),
    ("head", head),
    #[cfg(feature = "deflate")]
    ("inflate", inflate),
    ("message", message),
    ("multipart", multipart),
    ("positions", positions),
    ("proxy", proxied),
    ("push_request", push_request),
    #[cfg(feature = "pusher")]
    ("pusher_event", pusher_event),
    #[cfg(feature = "pusher")]
    ("pusher_message", pusher_message),
    #[cfg(feature = "pusher")]
    ("pusher_signature", pusher_signature),
    ("route", route),
    ("since", since),
    ("state", state),
    #[cfg(feature = "auth")]
    ("token", token),
    ("world", world),
];

/// Splits off the first byte, a choice.
fn choice(data: &[u8]) -> (u8, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (*first, rest))
}

/// Cuts `data` into pieces whose lengths the bytes of `cuts` say, over and over.
fn pieces<'a>(cuts: &'a [u8], mut data: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut lengths = cuts.iter().cycle();
    std::iter::from_fn(move || {
        if data.is_empty() {
            return None;
        }
        let len = lengths.next().map_or(data.len(), |&len| usize::from(len) + 1).min(data.len());
        let (piece, rest) = data.split_at(len);
        data = rest;
        Some(piece)
    })
}
