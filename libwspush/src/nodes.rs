//! Which servers a cluster has.

use std::ffi::c_void;

use super::pointer::Versioned;
use super::reads::{Asker, Found, none, wspush_answer, wspush_on_answer};
use super::server::wspush_server;
use super::status::*;
use super::text::wspush_str;

/// A server of a cluster. Set `struct_size` to `sizeof(wspush_node)` before the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wspush_node {
    /// `sizeof(wspush_node)`.
    pub struct_size: usize,
    /// Its name (setting `node`).
    pub name: wspush_str,
    /// This run of it.
    pub run: wspush_str,
    /// The version that it is of.
    pub version: wspush_str,
    /// When it started, in milliseconds since 1970.
    pub since_ms: u64,
    /// Its connections, three seconds ago at the most.
    pub connections: u64,
    /// How far it was behind the streams then, in milliseconds.
    pub lag_ms: u64,
    /// For how many milliseconds its lease is still good: it is gone then, unless it is heard of.
    pub lease_ms: u64,
}

// SAFETY: repr(C), `struct_size` is first, and the rest are integers and pointers.
unsafe impl Versioned for wspush_node {
    const SIZE_MIN: usize = 7 * size_of::<usize>() + 32;
}

/// Asks which servers the cluster has: `wspush_answer_node` with each index, this one among them. Redis is asked, so
/// the status of the answer is `WSPUSH_EAGAIN` if that is away. `WSPUSH_EINVAL`: this server is in none (setting
/// `cluster`). As `wspush_channel` otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_nodes(
    server: *const wspush_server,
    on_answer: wspush_on_answer,
    user_data: *mut c_void,
) -> wspush_status {
    let made = server;
    call!(server: server => {
        let asker = Asker::new(on_answer, user_data, made)?;
        server.handle.nodes(move |nodes| asker.tell(nodes.map(|nodes| Some(Found::Nodes(nodes)))))?;
        Ok(WSPUSH_OK)
    })
}

/// A server of the answer, by index from 0. `WSPUSH_ENOTFOUND`: there are no more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_answer_node(
    answer: *const wspush_answer,
    index: usize,
    node: *mut wspush_node,
) -> wspush_status {
    call!(answer: current, node: sized_place => {
        let found = match &answer.0 {
            Found::Nodes(nodes) => nodes.get(index),
            _ => None,
        };
        let info = found.ok_or_else(|| none("node", index))?;
        node.put(wspush_node {
            struct_size: 0,
            name: info.node.as_str().into(),
            run: info.run.as_str().into(),
            version: info.version.as_str().into(),
            since_ms: info.since_ms,
            connections: info.connections,
            lag_ms: info.lag_ms,
            lease_ms: info.lease_ms,
        });
        Ok(WSPUSH_OK)
    })
}
