//! The Java binding: what the class `io.wspush.Native` (java/) is made of.
//!
//! A call comes in through [`natives`], where a panic fence and `failure` turn everything that goes wrong into a
//! Java exception. Java names its server by an id of the `registry`, checked for its generation, so that a
//! call after `close()` is an error and never a wild pointer. Messages are read by `payload` and go to
//! [`wspush::server::Handle`]; whatever has several parts travels as one byte array (`packed`), because each crossing
//! costs more than the bytes in it. Small messages lie in memory that both sides see (`crossing`).
//!
//! The other way goes through `handler`: the reactor runs on a Java daemon thread that has called the native `run`,
//! so it is attached for all its life, and calls one object (`methods`). Every callback has a frame of local
//! references of its own, since `run` doesn't return. No static refers to anything of Java's, so a class loader that
//! nobody uses any more can be collected, and this library unloaded with it.
//!
//! May import: server and what it exports.
#![allow(unsafe_code)]

pub mod authorization;
pub mod batch;
pub mod crossing;
pub mod flow;
mod handler;
mod methods;
mod native_error;
pub mod natives;
mod packed;
mod payload;
mod raw;
pub mod reads;
mod registry;
mod replies;
mod routes;
mod stats;
pub mod users;
