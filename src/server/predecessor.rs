//! The server that is running when this one starts, if that hands everything over.

use super::StartError;
use crate::config::Config;
use crate::reactor::event_loop::{Clock, EventLoop};
use crate::reactor::handover::{HandoverError, Succession, Successor};
use crate::reactor::listener::Listener;
use crate::reactor::{Reactor, Stream};

/// It, if there is one.
pub(super) struct Predecessor(Option<Successor>);

fn failed(error: HandoverError) -> StartError {
    StartError::Handover(error.to_string())
}

impl Predecessor {
    /// Asks it.
    pub(super) fn ask(config: &Config) -> Result<Predecessor, StartError> {
        match config.handover_path() {
            Some(path) => Successor::ask(path, config.reactors.count()).map(Predecessor).map_err(failed),
            None => Ok(Predecessor(None)),
        }
    }

    /// Its clock, which goes on.
    pub(super) fn clock(&self) -> Option<Clock> {
        self.0.as_ref().map(Successor::clock)
    }

    /// Its listeners.
    pub(super) fn take_listeners(&mut self) -> Vec<Listener> {
        self.0.as_mut().map(Successor::take_listeners).unwrap_or_default()
    }

    /// Lets a reactor take in what it has. False: there is none.
    pub(super) fn fill(&mut self, reactor: &mut Reactor<Stream>) -> Result<bool, StartError> {
        match &mut self.0 {
            Some(successor) => successor.fill(reactor).map(|()| true).map_err(failed),
            None => Ok(false),
        }
    }

    /// All reactors are there. How many connections they have from it; None: there is none.
    pub(super) fn complete(
        &mut self,
        reactors: &mut [Box<Reactor<Stream>>],
    ) -> Result<Option<usize>, StartError> {
        let Some(successor) = &mut self.0 else { return Ok(None) };
        successor.complete(reactors).map_err(failed)?;
        Ok(Some(reactors.iter().map(|reactor| reactor.connections()).sum()))
    }

    /// Takes over from it, and listens for a successor.
    pub(super) fn take_over(
        self,
        loops: Vec<EventLoop>,
        config: &Config,
    ) -> Result<Vec<EventLoop>, StartError> {
        if let Some(successor) = self.0 {
            return successor.take_over(loops).map_err(failed);
        }
        let Some(path) = config.handover_path() else { return Ok(loops) };
        let opened = Succession::open(path).and_then(|succession| succession.in_front_of(loops));
        opened.map_err(|error| StartError::Listen { address: format!("unix:{}", path.display()), error })
    }
}
