//! Requests of apps' backends (Pusher Channels), on the listeners that take them.

use crate::config::{PusherApp, app_channel};
use crate::endpoint::apps::{self, Admitted, Answer, AppChannels, Backends, Cached, Counts, Posted};
use crate::endpoint::control::Wanted;
use crate::endpoint::public::Destination;
use crate::endpoint::users::{Tokens, UserAction, UserRequest};
use crate::endpoint::{ConnId, Taken};
use crate::metrics::WorkKind;
use crate::protocol::close::CloseCode;
use crate::protocol::head::Head;
use crate::protocol::pusher::SocketId;
use crate::protocol::response::Refusal;
use crate::push::{HistoryAsked, HistoryOrder, PushError, Since};

use super::engine::Except;
use super::http::{Asked, Progress, Whole};
use super::reactor::Reactor;
use super::shared::{Batch, Item};
use super::slot::{Flags, Phase};
use super::socket::Socket;
use super::work::{HEAD, NAME};

/// Publications among which the last event of a cache channel is looked for: those behind it are clients' own.
const CACHED_WITHIN: usize = 100;

impl<S: Socket> Reactor<S> {
    /// Whether backends are heard on the listener that a connection came in by.
    #[inline]
    fn takes_backends(&self, index: usize) -> bool {
        self.config.pusher_http_public || self.connections.slots[index].phase == Phase::Admin
    }

    /// Something that an app's backend asks for.
    pub(super) fn asked_by_backend(&mut self, index: usize, head: &Head<'_>) -> Option<Asked> {
        if !self.takes_backends(index) {
            return None;
        }
        if self.config.pusher_path(head.path(), apps::UP) == Some("") && head.only_looks() {
            return Some(Asked::Public(Destination::Respond(apps::up())));
        }
        self.admitted(index, head).map(Asked::Backend)
    }

    /// Who makes a request to a path of apps' backends; None: it is none of those. A client that can sign is known from
    /// here on.
    fn admitted(&mut self, index: usize, head: &Head<'_>) -> Option<Result<Admitted, Refusal>> {
        let rest = self.config.pusher_path(head.path(), apps::BEFORE)?;
        self.work.charge(WorkKind::Heads, HEAD);
        let admitted = apps::admit(head, rest, self.config.apps(), self.now.unix_ms() / 1_000);
        if admitted.is_ok() && self.connections.slots[index].phase == Phase::Admin {
            self.connections.slots[index].flags.set(Flags::KNOWN, true);
        }
        Some(admitted)
    }

    /// Answers such a request.
    pub(super) fn answer_backend(
        &mut self,
        index: usize,
        whole: Whole<'_>,
        admitted: Result<Admitted, Refusal>,
    ) -> Progress {
        let Whole { head, body, used } = whole;
        if self.connections.slots[index].phase == Phase::Admin {
            self.metrics.admin_requests += 1;
        }
        if head.method != "POST" && admitted.is_ok() {
            // Who has published and then looks must see it, though the flush has not come to it yet.
            self.carry_out_commands();
            self.settle();
        }
        let answer = match admitted {
            Ok(admitted) => admitted.answer(head, body, self),
            Err(refusal) => Answer::Now(refusal.into()),
        };
        match answer {
            Answer::Now(response) => {
                if response.status >= 400 && self.connections.slots[index].phase != Phase::Admin {
                    let text = String::from_utf8_lossy(&response.body).trim_end().to_owned();
                    self.note_refusal(index, response.status, &text);
                }
                self.respond(index, head, &response, used)
            }
            Answer::Later(ticket, response) => {
                let waiting = self.begin_waiting(index, head, used.is_some() && head.keep_alive());
                self.await_place_for_app(waiting, ticket, response);
                Progress::Listing(used.unwrap_or(0))
            }
            Answer::List(list) => {
                self.begin_listing(
                    index,
                    head,
                    Wanted::AppChannels(list),
                    used.is_some() && head.keep_alive(),
                );
                Progress::Listing(used.unwrap_or(0))
            }
        }
    }

    /// Lists the channel of this name, if it is one of those that are asked for. True: the list is too long.
    pub(super) fn look_at_app_channel(&self, channel: &str, here: u32, list: &mut AppChannels) -> bool {
        channel.starts_with(&list.prefix) && list.add(channel, self.counts_of(channel, here))
    }

    fn counts_of(&self, channel: &str, here: u32) -> Counts {
        let is_presence = app_channel(channel).is_some_and(|(_, name)| apps::is_presence(&name));
        let members = || match self.channels.find(channel) {
            Some(id) => self.members_in(id) as u64,
            None => self.presence_afar(channel).map_or(0, |presence| presence.count),
        };
        Counts { subscriptions: self.subscribers_of_all(channel, here), users: is_presence.then(members) }
    }

    /// Adds the channels that have subscribers at other nodes alone.
    pub(super) fn add_app_channels_afar(&mut self, list: &mut AppChannels) {
        let occupied = self.shared.engine().map(|engine| engine.occupied(&list.prefix)).unwrap_or_default();
        self.work.charge(WorkKind::Listing, occupied.len() as u64 * NAME);
        for channel in occupied {
            let here = self.channels.find(&channel).map_or(0, |id| self.channels.get(id).subscribers);
            if self.subscribers(&channel, here) == 0 && list.add(&channel, self.counts_of(&channel, here)) {
                return;
            }
        }
    }
}

/// The connection with this `socket_id`, wherever it is.
fn connection_of(socket_id: &str) -> Option<Except> {
    let SocketId { epoch, conn } = SocketId::parse(socket_id)?;
    Some(Except { conn: ConnId(conn), server: Some(epoch) })
}

impl<S: Socket> Backends for Reactor<S> {
    fn publish_events(&mut self, events: Vec<Posted>) -> Result<Taken, PushError> {
        let names: Vec<&str> = events.iter().map(|event| event.channel.as_str()).collect();
        let items = events.iter().zip(&names);
        let items = items
            .map(|(event, name)| Item::Publish(std::slice::from_ref(name), event.publication.clone()))
            .collect();
        let except = events.iter().map(|event| connection_of(event.except.as_deref()?)).collect();
        self.take_batch(Batch { items, key: None, if_offset: None, except })
    }

    fn counts(&self, _app: &PusherApp, channel: &str) -> Counts {
        let here = self.channels.find(channel).map_or(0, |id| self.channels.get(id).subscribers);
        self.counts_of(channel, here)
    }

    fn users_in(&self, _app: &PusherApp, channel: &str) -> Vec<String> {
        let presence = match self.channels.find(channel) {
            Some(id) if self.attendances.channels.contains_key(&id) => self.presence_in(id),
            _ => self.presence_afar(channel),
        };
        let members = presence.and_then(|presence| presence.members).unwrap_or_default();
        members.into_iter().map(|member| member.user).collect()
    }

    fn cached(&self, app: &PusherApp, channel: &str) -> Option<Cached> {
        let channel = self.channels.get(self.channels.find(channel)?);
        let asked = HistoryAsked {
            since: Since::Earliest,
            limit: CACHED_WITHIN,
            bytes_max: apps::LIST_BYTES_MAX,
            order: HistoryOrder::NewestFirst,
        };
        let unix_ms = self.now.unix_ms();
        let history = channel.history(asked, unix_ms);
        let mut events = history.publications.iter();
        events.find_map(|past| apps::cached(app, &past.payload, unix_ms.saturating_sub(past.unix_ms)))
    }

    fn terminate(&mut self, app: &PusherApp, user: &str) -> Result<(), PushError> {
        let action = UserAction::Disconnect {
            code: CloseCode(apps::TERMINATED),
            reason: "the app's backend has closed the connections of this user".to_owned(),
            tokens: Tokens::Kept,
        };
        let request = UserRequest::new(app.user(user), action)?;
        self.shared.for_user(request)
    }

    fn connections_of(&self, app: &PusherApp) -> u64 {
        let here = self.apps.by_key(&app.key).map_or(0, |(number, _)| self.apps.open(number));
        here + self.app_connections_afar(&app.id)
    }
}
