//! All routes, as the reactor has them.

use std::time::Duration;

use crate::config::Config;
use crate::narrow;
use crate::protocol::response::Refusal;

use super::super::flow::Pieces;
use super::super::handler::Handler;
use super::super::kind::Kind;
use super::super::v1;
use super::RouteId;
use super::path::segments;
use super::pattern::{Pattern, ROUTES_MAX, RouteError};
use super::tree::Tree;

/// The terms of a route that differ from the server's settings. None: as there.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// As the setting of this name.
    pub message_bytes_max: Option<usize>,
    /// As the setting of this name.
    pub subprotocols: Option<Vec<String>>,
    /// As the setting of this name.
    pub origins: Option<Vec<String>>,
    /// How messages are handed over where the decision about a client doesn't say it.
    pub pieces: Pieces,
    /// The idle time-out that sessions have from the beginning on.
    pub idle_timeout: Option<Duration>,
}

/// A route as a callback sees it.
#[derive(Clone, Copy)]
pub struct At<'a> {
    /// Which one it is.
    pub id: RouteId,
    /// Its pattern.
    pub pattern: &'a Pattern,
}

/// A route.
struct Entry {
    pattern: Pattern,
    terms: Terms,
    handler: Box<dyn Handler>,
}

/// All of them.
#[derive(Default)]
pub struct Routes {
    entries: Vec<Entry>,
    tree: Tree,
}

impl Routes {
    pub(super) fn add(
        &mut self,
        pattern: Pattern,
        terms: Terms,
        handler: Box<dyn Handler>,
    ) -> Result<RouteId, RouteError> {
        let refuse = |problem: String| Err(RouteError::new(pattern.text(), problem));
        if self.entries.len() == ROUTES_MAX {
            return refuse(format!(
                "a server has {ROUTES_MAX} routes at the most; one with {{names}} or * takes many paths"
            ));
        }
        let id = narrow::to_u8(self.entries.len());
        if let Err(taken) = self.tree.insert(&pattern, id) {
            let taken = self.entries[usize::from(taken)].pattern.text();
            return refuse(format!("{taken:?} takes the same paths"));
        }
        self.entries.push(Entry { pattern, terms, handler });
        Ok(RouteId(id))
    }

    /// Whether a server with these settings can have these routes.
    ///
    /// # Errors
    /// The first one that it can't have.
    pub fn check(&self, config: &Config) -> Result<(), RouteError> {
        for Entry { pattern, terms, .. } in &self.entries {
            let refuse = |problem: String| Err(RouteError::new(pattern.text(), problem));
            if let Some(path) = pattern.exact()
                && config.serves(path)
            {
                return refuse(
                    "the server has this path itself (settings: endpoints, ws_paths, demo)".to_owned(),
                );
            }
            let Terms { message_bytes_max, subprotocols, origins, .. } = terms.clone();
            let with_terms = Config {
                message_bytes_max: message_bytes_max.unwrap_or(config.message_bytes_max),
                subprotocols: subprotocols.unwrap_or_default(),
                origins: origins.unwrap_or_default(),
                ..config.clone()
            };
            if let Err(error) = with_terms.validate() {
                return refuse(error.to_string());
            }
        }
        Ok(())
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The route of a path, as its patterns are held against it; None: there is none for it.
    ///
    /// # Errors
    /// 400: it is no path that may be taken for one.
    #[cold]
    pub fn find(&self, path: &str) -> Result<Option<RouteId>, Refusal> {
        Ok(self.tree.find(&segments(path)?).map(RouteId))
    }

    /// A route's terms.
    pub fn terms(&self, id: RouteId) -> &Terms {
        &self.entries[id.number()].terms
    }

    /// Whether a subprotocol is there for those who ask for this.
    pub fn speaks(&self, kind: Kind, config: &Config, name: &str) -> bool {
        let own = kind.route().and_then(|id| self.terms(id).subprotocols.as_ref());
        kind == Kind::PUSH && name == v1::PROTOCOL
            || own.unwrap_or(&config.subprotocols).iter().any(|own| own == name)
    }

    /// A route's pattern, and its handler.
    pub fn at(&mut self, id: RouteId) -> (At<'_>, &mut dyn Handler) {
        let Entry { pattern, handler, .. } = &mut self.entries[id.number()];
        (At { id, pattern }, &mut **handler)
    }

    /// A route's pattern.
    pub fn pattern(&self, id: RouteId) -> &Pattern {
        &self.entries[id.number()].pattern
    }

    /// Whether there is a host behind a route.
    pub fn is_host(&self, id: RouteId) -> bool {
        self.entries[id.number()].handler.is_host()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}
