//! A server that is one of several: it joins them before it listens to anybody, and begins with what they have.

use std::sync::Arc;

use super::StartError;
use crate::config::Config;
#[cfg(feature = "cluster")]
use crate::config::LogLevel;
use crate::reactor::{Reactor, Shared, Stream};

/// A cluster that is about to be joined, if one is set.
#[cfg(feature = "cluster")]
pub(super) struct Joining(Option<crate::cluster::Joining>);

/// Without the feature there is none.
#[cfg(not(feature = "cluster"))]
pub(super) struct Joining;

#[cfg(feature = "cluster")]
impl Joining {
    /// Connects to it.
    pub fn begin(config: &Config, unix_us: u64) -> Result<Joining, StartError> {
        crate::cluster::Joining::begin(config, unix_us).map(Joining).map_err(StartError::Cluster)
    }

    /// The epoch that the default channel begins with.
    pub fn default_epoch(&self, unix_us: u64) -> u64 {
        self.0.as_ref().map_or(unix_us, crate::cluster::Joining::default_epoch)
    }

    /// From here on it places the publications.
    pub fn follow(&mut self, shared: &Arc<Shared>) {
        if let Some(cluster) = &mut self.0 {
            cluster.follow(shared);
        }
    }

    /// Takes in what it has.
    pub fn warm(self, shared: &Arc<Shared>, reactors: &mut [Box<Reactor<Stream>>]) -> Result<(), StartError> {
        let Some(cluster) = self.0 else { return Ok(()) };
        let address = cluster.address();
        let carry_out = || reactors.iter_mut().for_each(|reactor| reactor.carry_out_before_events());
        cluster.warm(shared, carry_out).map_err(StartError::Cluster)?;
        let Some(first) = reactors.first_mut() else { return Ok(()) };
        let now = first.now();
        let (channels, publications) = first.held();
        let fields: [(&str, &dyn std::fmt::Display); 3] =
            [("address", &address), ("channels", &channels), ("publications", &publications)];
        first.journal().event(now, LogLevel::Info, "cluster_joined", &fields);
        Ok(())
    }
}

#[cfg(not(feature = "cluster"))]
impl Joining {
    pub fn begin(_config: &Config, _unix_us: u64) -> Result<Joining, StartError> {
        Ok(Joining)
    }

    pub fn default_epoch(&self, unix_us: u64) -> u64 {
        unix_us
    }

    pub fn follow(&mut self, _shared: &Arc<Shared>) {}

    pub fn warm(
        self,
        _shared: &Arc<Shared>,
        _reactors: &mut [Box<Reactor<Stream>>],
    ) -> Result<(), StartError> {
        Ok(())
    }
}
