//! `libwspush`: the C ABI that `include/wspush.h` declares, and the Java binding; thin and without logic of their own.
//!
//! A call comes in through an export in the file of its noun. The body of every one is `call!` (guard.rs), the only
//! way in: it fences panics, checks what it was given (pointer.rs), and turns a `CallError` into a
//! status and this thread's last error. What is left goes to [`wspush::server`]. The other way goes through
//! `host`, the reactor's `Handler`, which calls the host's functions with a `connect` or a `session`.
//!
//! One contract holds for all exports, which is why none repeats it: a pointer is NULL or points to what its type
//! says, a length counts bytes that are there, and a handle has not been freed.
//!
//! cbindgen reads this room in the order of the modules below; the comments here are the header's.
//! May import: server and what the crate's root exports.
#![allow(unsafe_code)]
// Conversions to narrower integers say how they are right, as in the crate behind.
#![cfg_attr(not(test), deny(clippy::cast_possible_truncation))]
// C's names, and the one contract above instead of a section for each export.
#![allow(non_camel_case_types, clippy::missing_safety_doc)]

pub mod status;
pub mod text;
pub mod version;

#[macro_use]
mod guard;
mod error;
mod pointer;

pub mod attributes;
pub mod authorization;
mod batch;
pub mod callbacks;
pub mod config;
pub mod connect;
pub mod flow;
mod fork;
mod host;
#[cfg(feature = "jni")]
pub mod jni;
pub mod last_error;
#[cfg(test)]
mod layout;
pub mod nodes;
pub mod pending;
pub mod presence;
mod publishing;
pub mod push;
pub mod reads;
pub mod routes;
mod running;
pub mod server;
pub mod session;
pub mod stats;
pub mod tuning;
pub mod users;
