//! A build that hands nothing over, and takes nothing over.

use super::StartError;
use crate::config::Config;
use crate::reactor::event_loop::{Clock, EventLoop};
use crate::reactor::listener::Listener;
use crate::reactor::{Reactor, Stream};

/// There is none.
pub(super) struct Predecessor;

impl Predecessor {
    pub(super) fn ask(_config: &Config) -> Result<Predecessor, StartError> {
        Ok(Predecessor)
    }

    pub(super) fn clock(&self) -> Option<Clock> {
        None
    }

    pub(super) fn take_listeners(&mut self) -> Vec<Listener> {
        Vec::new()
    }

    pub(super) fn fill(&mut self, _reactor: &mut Reactor<Stream>) -> Result<bool, StartError> {
        Ok(false)
    }

    pub(super) fn complete(
        &mut self,
        _reactors: &mut [Box<Reactor<Stream>>],
    ) -> Result<Option<usize>, StartError> {
        Ok(None)
    }

    pub(super) fn take_over(
        self,
        loops: Vec<EventLoop>,
        _config: &Config,
    ) -> Result<Vec<EventLoop>, StartError> {
        Ok(loops)
    }
}
