//! Bytes in, values out: everything that a peer's bytes mean, and what ours must look like.
//!
//! Nothing here knows a socket, a clock or a log; bytes and limits come in as arguments, so the reactor, the
//! simulator and the fuzzers drive the same code. May import: limits, alphabet.
//!
//! A byte's path: where a proxy speaks first, [`proxy`] finds for whom it does; [`head`] finds the request,
//! [`handshake`] judges it and writes the 101 (or [`body`] reads a plain request's body, [`form`] and [`multipart`]
//! take it apart as its [`media_type`] says, and [`response`] answers it); from then on [`message`] walks every
//! read, or [`pieces`] if the host takes messages as they come, with [`frame`] for the headers, [`mask`],
//! [`Inflater`] and [`utf8`] for the payload, [`close`] for the last frame. What goes out is compressed by
//! [`Deflater`], if [`extensions`] has agreed on it, and for `wspush.v1`, whose other messages are in [`v1`], it is
//! in an [`envelope`]; over plain HTTP it is a [`chunk`], of an [`event_stream`] or of envelopes. Only what is
//! incomplete is kept: in [`pool`]. What a peer does wrong comes out as a [`Refusal`] before the upgrade,
//! and as a [`Violation`] after it.
#![forbid(unsafe_code)]

pub mod body;
pub mod chunk;
pub mod close;
pub mod cookie;
#[cfg(feature = "deflate")]
pub mod deflate;
#[cfg(not(feature = "deflate"))]
pub mod deflate_disabled;
pub mod envelope;
pub mod event_stream;
pub mod extensions;
pub mod form;
pub mod forwarded;
pub mod frame;
pub mod handshake;
pub mod head;
#[cfg(feature = "deflate")]
pub mod inflate;
#[cfg(feature = "deflate")]
pub mod inflating;
pub mod json;
pub mod list;
pub mod mask;
pub mod media_type;
pub mod message;
pub mod multipart;
pub mod origin;
pub mod pieces;
pub mod pool;
pub mod proxy;
pub mod pusher;
pub mod response;
pub mod target;
pub mod utf8;
pub mod v1;

pub use body::{Chunked, Framing};
pub use chunk::Chunk;
pub use close::{CloseCode, Violation};
#[cfg(feature = "deflate")]
pub use deflate::Deflater;
#[cfg(not(feature = "deflate"))]
pub use deflate_disabled::{Deflater, INFLATING_BYTES, Inflater, Inflating};
pub use envelope::Enveloper;
pub use extensions::Agreement;
pub use frame::Opcode;
pub use head::Head;
#[cfg(feature = "deflate")]
pub use inflate::Inflater;
#[cfg(feature = "deflate")]
pub use inflating::{INFLATING_BYTES, Inflating};
pub use media_type::MediaType;
pub use message::{Assembly, Event, Step};
pub use origin::Origin;
pub use pool::{Chain, Pool};
pub use response::{Refusal, Response};
