//! The apps, as a reactor knows them: each has a seat that it keeps, and a connection the number of its app's seat.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::auth::pusher::Credentials;
use crate::config::{Config, PUSHER_SPOKEN, PusherApp};
use crate::protocol::pusher::ChannelData;
use crate::push::ChannelId;

use super::super::v1::CommandCounts;
use super::authorizing::Question;
use super::sessions::Polls;
use super::timers::AppTimers;
use super::watching::Watching;

/// An app.
#[derive(Debug)]
pub struct App {
    /// Its settings.
    pub settings: PusherApp,
    /// For what its backend signs.
    pub credentials: Credentials,
}

/// An app's place.
#[derive(Debug)]
struct Seat {
    app: Arc<App>,
    /// Whether it is still configured.
    is_there: bool,
    open: Arc<AtomicU64>,
}

/// The open connections of each app, by its id: those of all reactors.
#[derive(Debug, Default)]
pub struct AppCounts(Mutex<HashMap<String, Arc<AtomicU64>>>);

impl AppCounts {
    fn of(&self, id: &str) -> Arc<AtomicU64> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.entry(id.to_owned()).or_default().clone()
    }
}

/// All apps that have been configured since the start.
#[derive(Debug, Default)]
pub struct Apps {
    seats: Vec<Seat>,
    /// The user of the subscription that is under way.
    pub joining: Option<ChannelData>,
    pub timers: AppTimers,
    /// Who is there of the users of apps with watchlists, by the apps' ids.
    pub watching: HashMap<String, Watching>,
    /// The connections that are polled.
    pub polls: Polls,
    /// The number of the last question to the host.
    pub questions: u32,
    /// How many events each connection has sent in this second.
    pub client_events: CommandCounts,
}

impl Apps {
    /// Takes over the apps of a configuration; those that are gone keep their seats.
    pub fn renew(&mut self, config: &Config, counts: &AppCounts) {
        if !PUSHER_SPOKEN {
            return;
        }
        self.seats.iter_mut().for_each(|seat| seat.is_there = false);
        for settings in &config.pusher_app {
            let known = self.seats.iter_mut().find(|seat| seat.app.settings.id == settings.id);
            if let Some(seat) = known {
                seat.is_there = true;
                if seat.app.settings != *settings {
                    seat.app = app(settings);
                }
            } else {
                let open = counts.of(&settings.id);
                self.seats.push(Seat { app: app(settings), is_there: true, open });
            }
        }
    }

    /// Whether there never was one.
    pub fn are_none(&self) -> bool {
        !PUSHER_SPOKEN || self.seats.is_empty()
    }

    /// The app whose clients show this key, and its seat.
    pub fn by_key(&self, key: &str) -> Option<(u32, &App)> {
        let seats = self.seats.iter().zip(0..);
        let found = seats.filter(|(seat, _)| seat.is_there).find(|(seat, _)| seat.app.settings.key == key);
        found.map(|(seat, number)| (number, &*seat.app))
    }

    /// The app that has this id.
    pub fn by_id(&self, id: &str) -> Option<&Arc<App>> {
        let seats = self.seats.iter().filter(|seat| PUSHER_SPOKEN && seat.is_there);
        seats.map(|seat| &seat.app).find(|app| app.settings.id == id)
    }

    /// The ids of the apps, in the order of their seats.
    #[cfg(feature = "handover")]
    pub fn ids(&self) -> Vec<String> {
        self.seats.iter().map(|seat| seat.app.settings.id.clone()).collect()
    }

    /// The app in a seat.
    pub fn at(&self, number: u32) -> Arc<App> {
        Arc::clone(&self.seats[number as usize].app)
    }

    /// How many connections it has here.
    pub fn open(&self, number: u32) -> u64 {
        self.seats[number as usize].open.load(Ordering::Relaxed)
    }

    /// Counts a connection that comes, unless there are as many as the app may have; so many are at other nodes.
    pub fn enter(&self, number: u32, afar: u64) -> bool {
        let Seat { app, open, .. } = &self.seats[number as usize];
        let max = app.settings.connections_max;
        let next = |open: u64| (max == 0 || open + afar < max).then_some(open + 1);
        open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }

    /// The same for one that is there already.
    #[cfg(feature = "handover")]
    pub fn count(&self, number: u32) {
        self.seats[number as usize].open.fetch_add(1, Ordering::Relaxed);
    }

    /// One has gone.
    pub fn leave(&self, number: u32) {
        self.seats[number as usize].open.fetch_sub(1, Ordering::Relaxed);
    }

    /// When something is due for apps.
    pub fn due_ms(&self, grace_ms: u64) -> Option<u64> {
        if self.are_none() {
            return None;
        }
        let watching = self.watching.values().filter_map(|watching| watching.due_ms(grace_ms)).min();
        [self.timers.due_ms(), self.polls.due_ms(), watching].into_iter().flatten().min()
    }

    /// An app in which that is due.
    pub fn watching_due(&self, now_ms: u64, grace_ms: u64) -> Option<String> {
        let is_due = |watching: &Watching| watching.due_ms(grace_ms).is_some_and(|due_ms| due_ms <= now_ms);
        self.watching.iter().find(|(_, watching)| is_due(watching)).map(|(app, _)| app.clone())
    }

    /// Why its connections are to end.
    pub fn over(&self, number: u32) -> Option<(u16, &'static str)> {
        let Seat { app, is_there, .. } = &self.seats[number as usize];
        match (is_there, app.settings.enabled) {
            (false, _) => Some((4_001, "the app does not exist any more")),
            (true, false) => Some((4_003, "the app is disabled")),
            (true, true) => None,
        }
    }
}

#[cfg(feature = "pusher")]
fn app(settings: &PusherApp) -> Arc<App> {
    let credentials = Credentials::new(&settings.key, &settings.secret);
    Arc::new(App { settings: settings.clone(), credentials })
}

/// There is none in this build, whose settings say so.
#[cfg(not(feature = "pusher"))]
fn app(settings: &PusherApp) -> Arc<App> {
    unreachable!("the app {} in a build without apps", settings.id)
}

/// The state of a connection that has more of it than its channels.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct AppSession {
    /// In which presence channels it is, and as which user.
    pub members: Vec<(ChannelId, Box<str>)>,
    /// The users that it is told of.
    pub watches: Vec<Box<str>>,
    /// Its questions that the host has not answered yet.
    pub questions: Vec<Question>,
    /// The session whose requests are its own, if it is no WebSocket.
    pub session: Option<Box<str>>,
}

#[cfg(all(test, feature = "pusher"))]
mod tests {
    use super::*;

    #[test]
    fn an_app_keeps_its_seat() {
        let config = |texts: &[&str]| {
            let pusher_app = texts.iter().map(|text| text.parse().unwrap()).collect();
            Config { pusher_app, ..Config::default() }
        };
        let (mut apps, counts) = (Apps::default(), AppCounts::default());
        apps.renew(&config(&["3 key=a secret=b", "4 key=c secret=d"]), &counts);
        let number = |apps: &Apps, key| apps.by_key(key).map(|(number, _)| number);
        assert_eq!((number(&apps, "a"), number(&apps, "c"), number(&apps, "x")), (Some(0), Some(1), None));
        assert!(apps.enter(1, 7));
        apps.renew(&config(&["4 key=e secret=d enabled=false", "5 key=a secret=b"]), &counts);
        assert_eq!((number(&apps, "a"), number(&apps, "c"), number(&apps, "e")), (Some(2), None, Some(1)));
        assert_eq!((apps.over(0).unwrap().0, apps.over(1).unwrap().0, apps.over(2)), (4_001, 4_003, None));
        assert_eq!((apps.open(1), apps.at(1).settings.key.as_str()), (1, "e"));
        apps.leave(1);
        assert!(apps.open(1) == 0 && apps.by_id("3").is_none() && apps.by_id("5").is_some());
    }
}
