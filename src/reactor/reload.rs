//! New settings and certificates for a server that runs.

use std::fmt::Display;

use crate::auth::{self, Verifier};
use crate::config::{Config, LogLevel};
use crate::tls::{self, Loaded};

use super::reactor::{ListenerRole, Reactor, encoder};
use super::socket::Socket;

/// The settings that were read again, and what the files have that they name.
#[derive(Clone, Debug)]
pub struct Renewed {
    /// The settings.
    pub config: Config,
    /// Certificates and their keys.
    pub tls: Loaded,
    /// The verifier of tokens.
    pub verifier: Option<Verifier>,
}

/// The settings that were read again; or why they could not be.
pub type Renewal = Result<Renewed, String>;

impl Renewed {
    /// Reads the files that these settings name, at this time.
    ///
    /// # Errors
    /// One of them is not what it should be.
    pub fn read(config: Config, unix_us: u64) -> Renewal {
        let tls = tls::load(&config, unix_us / 1_000_000).map_err(|problem| problem.to_string())?;
        let verifier = auth::load(&config).map_err(|problem| problem.to_string())?;
        Ok(Renewed { config, tls, verifier })
    }
}

impl<S: Socket> Reactor<S> {
    /// Takes over what can be changed while running: all of it, or nothing.
    pub(super) fn reload(&mut self, renewal: Renewal) {
        let taken = renewal.and_then(|mut renewed| {
            renewed.config = self.fitted(renewed.config);
            let mixed = self.config.reloaded(&renewed.config).map_err(|problem| problem.to_string())?;
            // A path for `ws_paths` may be a route of the host's.
            self.routes.check(&mixed).map_err(|problem| problem.to_string())?;
            Ok((self.config.reloadable_changes(&renewed.config), mixed, renewed))
        });
        let ((mut applied, need_restart), config, renewed) = match taken {
            Ok(taken) => taken,
            Err(problem) => {
                if self.shared.is_first() {
                    self.journal.event(self.now, LogLevel::Error, "not_reloaded", &[("problem", &problem)]);
                }
                return;
            }
        };
        let keeps_keys = config.fetches_keys() && config.auth_jwks == self.config.auth_jwks;
        self.take_over(config);
        let mut changed = self.renew_tls(renewed.tls);
        if let (Some(old), Some(new)) = (&self.verifier, &renewed.verifier) {
            changed.extend(new.changes_since(old));
        }
        let old = std::mem::replace(&mut self.verifier, renewed.verifier);
        if let (true, Some(old), Some(new)) = (keeps_keys, old, &mut self.verifier) {
            new.adopt_published(old);
        }
        self.read_keys_anew();
        self.renew_backend();
        applied.extend(changed.into_iter().filter(|name| !applied.contains(name)).collect::<Vec<_>>());
        self.journal.set_level(self.config.log_level);
        self.journal.set_format(self.config.log_format);
        let fields: [(&str, &dyn Display); 2] =
            [("applied", &applied.join(",")), ("need_restart", &need_restart.join(","))];
        if self.shared.is_first() {
            self.journal.event(self.now, LogLevel::Info, "reloaded", &fields);
        }
    }

    fn take_over(&mut self, config: Config) {
        self.encoder = encoder(&config);
        self.config = config;
        self.scratch.answer.forget();
        self.connections.timers.hurry();
        for role in [ListenerRole::Public, ListenerRole::Admin] {
            let max = self.config.connections_per_address_max;
            self.connections.addresses_of(role).set_max(max);
        }
        self.apps.renew(&self.config, &self.shared.app_counts);
        self.tell_channels_the_policy();
        self.channels.set_rules(self.config.channel_rule.clone());
        self.review_presence();
        self.wire.tls.backlog_bytes_max = self.config.backlog_bytes_max / self.shared.reactors();
    }

    /// The settings whose files have other contents than before.
    fn renew_tls(&mut self, loaded: Loaded) -> Vec<&'static str> {
        let mut changed = Vec::new();
        // Listeners are what they were: whether there are any with TLS doesn't change.
        if let (Some(old), Some(new)) = (&self.wire.tls.acceptor, loaded.acceptor) {
            changed = new.changes_since(old);
            self.set_acceptor(Some(new));
        }
        for warning in loaded.warnings.iter().filter(|_| self.shared.is_first()) {
            self.journal.event(self.now, LogLevel::Warn, "certificate", &[("problem", warning)]);
        }
        changed
    }
}
