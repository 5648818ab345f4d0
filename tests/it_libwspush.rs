//! The tests of the library for C, C++ and Java, as one program: `cargo test -p libwspush --test it java::` runs those
//! of `tests/java.rs`. Hosts of all languages use one `library`, which is built once.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[allow(dead_code)]
#[path = "browser/chromium.rs"]
mod chromium;
mod library;
mod wire;

mod ffi;
mod header;
mod java;
mod spring;
mod websocket_api;
