//! Locks and atomics of what reactors share with each other and with other threads. The model checker has its
//! own, which go through every order of the threads: see `interleavings`.

#[cfg(not(all(test, wspush_loom)))]
pub(super) use std::sync::atomic::{AtomicBool, AtomicUsize};
#[cfg(not(all(test, wspush_loom)))]
pub(super) use std::sync::{Mutex, MutexGuard};

#[cfg(all(test, wspush_loom))]
pub(super) use loom::sync::atomic::{AtomicBool, AtomicUsize};
#[cfg(all(test, wspush_loom))]
pub(super) use loom::sync::{Mutex, MutexGuard};
