//! Memory that a storm of connections has taken goes back when the storm is over.

use std::collections::HashMap;
use std::hash::Hash;

use slab::Slab;

use super::reactor::Reactor;
use super::socket::Socket;
use super::sys;

/// Chunks of the assembly pool that are given back in one tick at the most: each may be a call. The default pool takes
/// 6.4 s for all of it.
const CHUNKS_PER_TICK: usize = 256;

/// Slots whose memory an empty server keeps.
const SLOTS_AT_REST: usize = 1_024;

/// Lets a map of many that has few entries by now take the memory of few.
pub(super) fn shrink_sparse<K: Eq + Hash, V>(map: &mut HashMap<K, V>) {
    if map.capacity() > 4 * map.len().max(256) {
        map.shrink_to(2 * map.len());
    }
}

impl<S: Socket> Reactor<S> {
    /// Gives back what was not needed since the last tick: the kernel clears it and hands it out again when it is.
    pub(super) fn give_memory_back(&mut self) {
        self.pool.give_back(CHUNKS_PER_TICK, sys::discard);
        if self.connections.slots.is_empty() && self.connections.used > SLOTS_AT_REST {
            // As at the start: reserved, and a page costs nothing before its first connection.
            self.connections.slots = Slab::with_capacity(self.connections.slots.capacity());
            (self.connections.used, self.connections.timers.sweep_next, self.connections.timers.sweep_due) =
                (0, 0, 0);
        }
    }

    /// Whether there will be something to give back, though nobody is connected.
    pub(super) fn has_memory_to_give(&self) -> bool {
        self.pool.chunks_backed() > self.pool.chunks_in_use() || self.connections.used > SLOTS_AT_REST
    }
}
