//! A build that systemd is told nothing by.

use wspush::Handle;

pub(crate) fn ready() {}

pub(crate) fn succeeded_by(_process: u32) {}

pub(crate) fn reloading() {}

pub(crate) fn reloaded(_handle: &Handle) {}

pub(crate) fn stopping() {}

pub(crate) fn watch(_handle: Handle) {}
