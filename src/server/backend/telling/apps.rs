//! The backends of apps (Pusher Channels): each is told what happens in its own app, in its protocol's words.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::batch::{Batch, Tell};
use super::{Settings, Telling};
use crate::config::Config;
use crate::metrics::Histogram;
use crate::reactor::Shared;
use crate::reactor::backend::{AppEvent, Told, Turn};
use crate::server::unix_us;

impl Tell for AppEvent {
    /// There is no place in it for how many nobody was told of: that stands in the log.
    fn batch(id: String, _dropped: u64, events: &[AppEvent]) -> Batch {
        let mut body = format!("{{\"time_ms\":{},\"events\":[", unix_us() / 1_000);
        for (n, event) in events.iter().enumerate() {
            body.push_str(if n == 0 { "" } else { "," });
            body.push_str(&event.json);
        }
        body.push_str("]}");
        Batch { id, body: body.into_bytes(), count: events.len() }
    }

    fn turn(&self) -> &Turn {
        &self.turn
    }
}

/// A thread for each app that wants to be told.
pub(in super::super) struct Apps {
    shared: Arc<Shared>,
    tellings: BTreeMap<String, Telling<AppEvent>>,
}

impl Apps {
    pub(in super::super) fn new(shared: Arc<Shared>) -> Apps {
        Apps { shared, tellings: BTreeMap::new() }
    }

    pub(in super::super) fn renew(&mut self, config: &Config) {
        let wanted = |id: &str| config.apps().by_id(id).and_then(|app| Settings::of_app(config, app));
        for app in config.pusher_app.iter().filter(|app| app.webhook_url.is_some()) {
            let begin = || Telling::new(self.shared.clone());
            self.tellings.entry(app.id.clone()).or_insert_with(begin);
        }
        for (id, telling) in &mut self.tellings {
            telling.renew(wanted(id));
        }
        self.tellings.retain(|id, _| wanted(id).is_some());
    }

    pub(in super::super) fn tell(&mut self, app: &str, event: AppEvent) {
        if let Some(telling) = self.tellings.get_mut(app) {
            telling.tell(event);
        }
    }

    /// The numbers of all of them, beside those.
    pub(in super::super) fn told(&self, mut told: Told) -> Told {
        for one in self.tellings.values().map(Telling::told) {
            told.events += one.events;
            told.dropped += one.dropped;
            told.failures += one.failures;
            told.attempts += one.attempts;
        }
        told
    }

    pub(in super::super) fn seconds(&self, mut seconds: Histogram) -> Histogram {
        self.tellings.values().for_each(|telling| seconds.add(&telling.seconds()));
        seconds
    }

    pub(in super::super) fn waiting(&self) -> usize {
        self.tellings.values().map(Telling::waiting).sum()
    }
}
