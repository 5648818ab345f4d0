//! Watchlists: users who have signed in are told which of those they watch are there, and when these come and go. A
//! user comes with the first connection at any reactor and goes with the last one, which may be back within the grace
//! that presence has.
//!
//! Only apps with `watchlists` have any of this. Telling all watchers of somebody takes as many turns as it needs; if
//! that user comes and goes meanwhile, each is told how it is in the end, and nobody the same thing twice.

use std::collections::{HashMap, VecDeque};

use crate::config::PUSHER_SPOKEN;
use crate::config::{app_itself, id_of_app_itself};
use crate::limits::PUSHER_WATCHLIST_MAX;
use crate::metrics::WorkKind;
use crate::narrow;
use crate::protocol::pusher::{UserData, event};
use crate::push::presence::{Change, Departure, Presence};

use super::super::engine::Attended;
use super::super::peers::PeerNews;
use super::super::reactor::Reactor;
use super::super::socket::Socket;
use super::super::work::{CALL, DEADLINE, NAME};
use super::CLIENT_EVENT;
use super::apps::App;

/// A connection that watches a user.
#[derive(Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
struct Watcher {
    slot: u32,
    serial: u32,
    /// Whether the user is there, as it was told last.
    is_online: bool,
}

/// A user of whom somebody is told.
#[derive(Debug, Default, serde::Deserialize, serde::Serialize)]
struct Watched {
    watchers: Vec<Watcher>,
    /// The watcher that comes next; None: all know how it is.
    next: Option<usize>,
}

/// The users of one app.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
pub struct Watching {
    online: Presence,
    watched: HashMap<Box<str>, Watched>,
    /// Those whose watchers are still to be told.
    untold: VecDeque<Box<str>>,
    /// The newest change of users at other nodes of a cluster that it has begun with.
    #[serde(skip)]
    afar: u64,
}

impl Default for Watching {
    fn default() -> Watching {
        let (watched, untold) = (HashMap::new(), VecDeque::new());
        Watching { online: Presence::new(usize::MAX), watched, untold, afar: 0 }
    }
}

impl Watching {
    fn is_online(&self, user: &str) -> bool {
        self.online.find(user).is_some()
    }

    /// Whether nothing is known any more.
    fn is_empty(&self) -> bool {
        self.online.is_empty() && self.watched.is_empty()
    }

    /// When something is due.
    pub fn due_ms(&self, grace_ms: u64) -> Option<u64> {
        if self.untold.is_empty() {
            self.online.lost_since_ms().map(|lost_ms| lost_ms + grace_ms)
        } else {
            Some(0)
        }
    }

    fn enter(&mut self, user: &str) {
        self.enter_several(user, 1);
    }

    fn enter_several(&mut self, user: &str, count: u32) {
        if self.online.enter_several(user, None, count) == Change::Join {
            self.changed(user);
        }
    }

    fn leave(&mut self, user: &str, departure: Departure) {
        self.leave_several(user, departure, 1);
    }

    fn leave_several(&mut self, user: &str, departure: Departure, count: u32) {
        if self.online.leave_several(user, departure, count) == Change::Leave {
            self.changed(user);
        }
    }

    /// A user is there, or not any more: whoever watches it is to be told.
    fn changed(&mut self, user: &str) {
        let Some(watched) = self.watched.get_mut(user) else { return };
        if watched.next.replace(0).is_none() {
            self.untold.push_back(user.into());
        }
    }

    fn watch(&mut self, user: &str, (slot, serial): (u32, u32)) {
        let is_online = self.is_online(user);
        self.watched.entry(user.into()).or_default().watchers.push(Watcher { slot, serial, is_online });
    }

    fn unwatch(&mut self, user: &str, slot: u32) {
        let Some(watched) = self.watched.get_mut(user) else { return };
        watched.watchers.retain(|watcher| watcher.slot != slot);
        watched.next = watched.next.map(|_| 0);
        if watched.watchers.is_empty() {
            self.watched.remove(user);
        }
    }

    /// The next watcher who does not know how somebody is: where it is, whom it watches, and whether that is there.
    fn pop_untold(&mut self) -> Option<(u32, u32, Box<str>, bool)> {
        let user = self.untold.front()?;
        let is_online = self.online.find(user).is_some();
        if let Some(watched) = self.watched.get_mut(user) {
            let next = watched.next.unwrap_or_default();
            let ignorant = watched.watchers.iter_mut().enumerate().skip(next);
            if let Some((at, watcher)) = ignorant.into_iter().find(|(_, one)| one.is_online != is_online) {
                watcher.is_online = is_online;
                let told = (watcher.slot, watcher.serial, user.clone(), is_online);
                watched.next = Some(at + 1);
                return Some(told);
            }
            watched.next = None;
        }
        self.untold.pop_front();
        None
    }
}

impl<S: Socket> Reactor<S> {
    /// A connection has signed in: the user is there, and is told of those it wants to hear of.
    pub(super) fn watch(&mut self, index: usize, app: &App, user: &UserData, is_new: bool) {
        if !app.settings.watchlists {
            return;
        }
        let (id, now) = (&app.settings.id, (narrow::to_u32(index), self.connections.slots[index].serial));
        if is_new {
            self.came_online(id, &user.id);
            if let Some(engine) = self.shared.engine() {
                engine.entered(&app_itself(id), &user.id, None);
            }
            if self.shared.has_others() {
                let (app, user) = (id.as_str().into(), user.id.as_str().into());
                self.shared.tell_others(self.shared.seat(), &PeerNews::SignedIn { app, user });
            }
        }
        self.end_watching(index, id);
        let mut users: Vec<Box<str>> = user.watchlist.iter().map(|one| one.as_str().into()).collect();
        users.sort_unstable();
        users.dedup();
        self.work.charge(WorkKind::Names, users.len() as u64 * NAME);
        if !users.is_empty() {
            let watching = self.watching_of(id);
            users.iter().for_each(|one| watching.watch(one, now));
            let (online, offline): (Vec<&str>, Vec<&str>) =
                users.iter().map(|one| &**one).partition(|one| watching.is_online(one));
            event::push_watched(&online, &offline, &mut self.scratch.said);
            self.say_made(index);
            self.connections.slots[index].aside_mut().app.get_or_insert_default().watches = users;
        }
        if user.is_cut {
            let why =
                format!("a watchlist has at most {PUSHER_WATCHLIST_MAX} users; the first ones are taken");
            event::push_error(CLIENT_EVENT + 1, &why, &mut self.scratch.said);
            self.say_made(index);
        }
    }

    /// A connection that has signed in is about to go.
    pub(super) fn unwatch(&mut self, index: usize, app: &App, departure: Departure) {
        let id = &app.settings.id;
        if !self.apps.watching.contains_key(id) {
            return;
        }
        self.end_watching(index, id);
        let Some(user) = Self::signed_in(&self.connections.slots[index], app).map(Box::<str>::from) else {
            return;
        };
        self.went_offline(id, &user, departure);
        if let Some(engine) = self.shared.engine() {
            engine.left(&app_itself(id), &user, self.away_for(departure));
        }
        if self.shared.has_others() {
            let news = PeerNews::SignedOut { app: id.as_str().into(), user, departure };
            self.shared.tell_others(self.shared.seat(), &news);
        }
    }

    fn end_watching(&mut self, index: usize, app: &str) {
        let slot = &mut self.connections.slots[index];
        let Some(watches) = slot.app_session_mut().map(|session| std::mem::take(&mut session.watches)) else {
            return;
        };
        slot.tidy_app();
        if let Some(watching) = self.apps.watching.get_mut(app) {
            watches.iter().for_each(|user| watching.unwatch(user, narrow::to_u32(index)));
        }
    }

    /// A user has signed in on a connection, here or at another reactor.
    pub(in super::super) fn came_online(&mut self, app: &str, user: &str) {
        if !PUSHER_SPOKEN {
            return;
        }
        self.watching_of(app).enter(user);
    }

    /// The users of an app, which begin with those at other nodes.
    fn watching_of(&mut self, app: &str) -> &mut Watching {
        let shared = &self.shared;
        self.apps.watching.entry(app.to_owned()).or_insert_with(|| {
            let mut watching = Watching::default();
            if let Some(engine) = shared.engine() {
                let (version, users) = engine.members(&app_itself(app));
                watching.afar = version;
                users.iter().for_each(|user| watching.enter_several(&user.user, user.connections));
            }
            watching
        })
    }

    /// Something has changed at another node: who has signed in to an app, or how many are subscribed to a channel.
    pub(in super::super) fn app_attended_afar(&mut self, attended: &Attended) {
        let Attended { version, channel, user, before, after, .. } = attended;
        let Some(app) = id_of_app_itself(channel) else {
            if let Some(id) = self.channels.find(channel).filter(|_| self.shared.is_first()) {
                self.recount(id);
            }
            return;
        };
        let watching = self.apps.watching.get_mut(app);
        let Some(watching) = watching.filter(|known| !user.is_empty() && *version > known.afar) else {
            return;
        };
        if after > before {
            watching.enter_several(user, after - before);
        } else {
            watching.leave_several(user, Departure::Said, before - after);
        }
        if watching.is_empty() {
            self.apps.watching.remove(app);
        }
    }

    /// Such a connection has gone.
    pub(in super::super) fn went_offline(&mut self, app: &str, user: &str, departure: Departure) {
        if PUSHER_SPOKEN && let Some(watching) = self.apps.watching.get_mut(app) {
            watching.leave(user, departure);
            if watching.is_empty() {
                self.apps.watching.remove(app);
            }
        }
    }

    /// Takes those to have gone who have not come back, and tells watchers, as far as the turn goes.
    pub(in super::super) fn meet_watchers(&mut self) {
        let (now_ms, grace_ms) = (self.now.mono_ms(), self.config.presence_grace_ms);
        while let Some(app) = self.apps.watching_due(now_ms, grace_ms) {
            if self.work.is_part_used() {
                self.work.cut(WorkKind::Deadlines);
                return;
            }
            self.work.charge(WorkKind::Deadlines, DEADLINE);
            let Some(watching) = self.apps.watching.get_mut(&app) else { return };
            if watching.untold.is_empty() {
                if let Some(gone) = watching.online.pop_due(now_ms, grace_ms) {
                    watching.changed(&gone);
                }
            } else if let Some((slot, serial, user, is_online)) = watching.pop_untold() {
                self.tell_watcher((slot, serial), &user, is_online);
            }
            if self.apps.watching.get(&app).is_some_and(Watching::is_empty) {
                self.apps.watching.remove(&app);
            }
        }
    }

    fn tell_watcher(&mut self, (slot, serial): (u32, u32), user: &str, is_online: bool) {
        let index = slot as usize;
        if self.connections.get(index, serial).is_none() {
            return;
        }
        self.work.charge(WorkKind::Send, CALL);
        let (one, nobody): ([&str; 1], [&str; 0]) = ([user], []);
        self.aside(index, |reactor| {
            let said = &mut reactor.scratch.said;
            match is_online {
                true => event::push_watched(&one, &nobody, said),
                false => event::push_watched(&nobody, &one, said),
            }
            reactor.say_made(index);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(watching: &mut Watching) -> Vec<(u32, bool)> {
        let mut all = Vec::new();
        while !watching.untold.is_empty() {
            all.extend(watching.pop_untold().map(|(slot, _, _, is_online)| (slot, is_online)));
        }
        all
    }

    #[test]
    fn each_watcher_is_told_each_change_once() {
        let mut watching = Watching::default();
        (0..3).for_each(|slot| watching.watch("ann", (slot, 1)));
        watching.enter("bob");
        assert_eq!(told(&mut watching), [], "nobody watches him");
        watching.enter("ann");
        watching.enter("ann");
        assert_eq!(told(&mut watching), [(0, true), (1, true), (2, true)]);
        watching.leave("ann", Departure::Said);
        assert_eq!(told(&mut watching), [], "one connection is left");
        watching.leave("ann", Departure::Lost(1_000));
        assert_eq!((watching.due_ms(500), told(&mut watching)), (Some(1_500), vec![]));
        watching.enter("ann");
        assert!(watching.online.pop_due(9_000, 500).is_none(), "she is back in time");
        watching.leave("ann", Departure::Said);
        assert_eq!(watching.pop_untold().map(|told| told.0), Some(0));
        watching.enter("ann");
        assert_eq!(told(&mut watching), [(0, true)], "the others have not heard that she was away");
    }

    #[test]
    fn who_leaves_while_others_are_told_is_passed_over() {
        let mut watching = Watching::default();
        (0..4).for_each(|slot| watching.watch("ann", (slot, 1)));
        watching.enter("ann");
        assert_eq!(watching.pop_untold().map(|told| told.0), Some(0));
        watching.unwatch("ann", 0);
        watching.unwatch("ann", 2);
        assert_eq!(told(&mut watching), [(1, true), (3, true)]);
        [1, 3].into_iter().for_each(|slot| watching.unwatch("ann", slot));
        watching.leave("ann", Departure::Said);
        assert!(watching.is_empty() && watching.untold.is_empty());
    }
}
