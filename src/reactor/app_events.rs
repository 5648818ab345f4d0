//! The events that an app's backend is told of (Pusher Channels), in the words of that protocol.

use crate::config::{PusherEvent, app_channel};
use crate::endpoint::ConnId;
use crate::metrics::WorkKind;
use crate::protocol::json;
use crate::protocol::pusher::Event;
use crate::push::ChannelId;

use super::backend::{AppEvent, Turn};
use super::happenings::Happening;
use super::peers::PeerNews;
use super::reactor::Reactor;
use super::socket::Socket;
use super::work::NAME;

/// Something that has happened in a channel of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppHappening<'a> {
    /// It has a subscriber, and had none before.
    Occupied,
    /// Its last subscriber has left.
    Vacated,
    /// This user has come to it, a presence channel.
    MemberAdded(&'a str),
    /// This user has left it.
    MemberRemoved(&'a str),
    /// A client has sent an event.
    ClientEvent(ClientEvent<'a>),
    /// Somebody has come to a cache channel that keeps nothing.
    CacheMiss,
    /// It has so many subscribers now.
    SubscriptionCount(u64),
}

/// An event of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientEvent<'a> {
    /// Its name.
    pub event: &'a str,
    /// Its data, as text.
    pub data: &'a str,
    /// The client's connection.
    pub socket_id: &'a str,
    /// Who it is, in a presence channel.
    pub user: Option<&'a str>,
}

impl<'a> From<Happening<'a>> for AppHappening<'a> {
    fn from(happening: Happening<'a>) -> AppHappening<'a> {
        match happening {
            Happening::Occupied => AppHappening::Occupied,
            Happening::Vacated => AppHappening::Vacated,
            Happening::MemberAdded { user, .. } => AppHappening::MemberAdded(user),
            Happening::MemberRemoved { user } => AppHappening::MemberRemoved(user),
        }
    }
}

impl AppHappening<'_> {
    fn event(self) -> PusherEvent {
        match self {
            AppHappening::Occupied => PusherEvent::ChannelOccupied,
            AppHappening::Vacated => PusherEvent::ChannelVacated,
            AppHappening::MemberAdded(_) => PusherEvent::MemberAdded,
            AppHappening::MemberRemoved(_) => PusherEvent::MemberRemoved,
            AppHappening::ClientEvent(_) => PusherEvent::ClientEvent,
            AppHappening::CacheMiss => PusherEvent::CacheMiss,
            AppHappening::SubscriptionCount(_) => PusherEvent::SubscriptionCount,
        }
    }

    /// As it is told of the channel of this name.
    fn told(self, channel: &str) -> AppEvent {
        let mut json = Vec::new();
        let mut text = |name: &str, value: &str| {
            json.extend_from_slice(if json.is_empty() { b"{" } else { b"," });
            json::push_string(name.as_bytes(), &mut json);
            json.push(b':');
            json::push_string(value.as_bytes(), &mut json);
        };
        text("name", self.event().name());
        text("channel", channel);
        let mut turn = Turn::Now;
        match self {
            AppHappening::Occupied => turn = Turn::Returns(channel.into()),
            AppHappening::Vacated => turn = Turn::Leaves(channel.into()),
            AppHappening::MemberAdded(user) => {
                text("user_id", user);
                turn = Turn::Returns(format!("{channel} {user}").into());
            }
            AppHappening::MemberRemoved(user) => {
                text("user_id", user);
                turn = Turn::Leaves(format!("{channel} {user}").into());
            }
            AppHappening::ClientEvent(ClientEvent { event, data, socket_id, user }) => {
                text("event", event);
                text("data", data);
                text("socket_id", socket_id);
                user.into_iter().for_each(|user| text("user_id", user));
            }
            // No channel's name begins so.
            AppHappening::CacheMiss => turn = Turn::Once(format!("?{channel}").into()),
            AppHappening::SubscriptionCount(count) => {
                json.extend_from_slice(b",\"subscription_count\":");
                json::push_number(count, &mut json);
            }
        }
        json.push(b'}');
        AppEvent { json: String::from_utf8_lossy(&json).into(), turn }
    }
}

impl<S: Socket> Reactor<S> {
    /// Tells an app's backend of the event of a client, whose data is JSON; a backend gets strings.
    pub(super) fn tell_client_event(&mut self, conn: ConnId, channel: &str, event: &Event<'_>) {
        let json = event.data.map(String::from_utf8_lossy).unwrap_or_default();
        let text = serde_json::from_str(&json).unwrap_or_else(|_| json.into_owned());
        let socket_id = self.socket_id(conn).to_string();
        let sent =
            ClientEvent { event: event.event, data: &text, socket_id: &socket_id, user: event.user_id };
        self.tell_app(channel, AppHappening::ClientEvent(sent));
    }

    /// Tells an app's backend that somebody has come to a channel that keeps nothing.
    pub(super) fn tell_cache_miss(&mut self, id: ChannelId) {
        let name = self.channels.get(id).name.clone();
        self.tell_app(&name, AppHappening::CacheMiss);
    }

    /// Tells an app's backend what has happened in a channel, by the server's name for it, if it wants to hear of that.
    pub(super) fn tell_app(&mut self, channel: &str, happening: AppHappening<'_>) {
        let Some((id, name)) = app_channel(channel) else { return };
        let Some(app) = self.config.apps().by_id(id) else { return };
        // Those of users are none of the app's own.
        if app.webhook_url.is_none()
            || !app.webhook_events.contains(&happening.event())
            || name.starts_with('#')
        {
            return;
        }
        self.work.charge(WorkKind::Names, NAME);
        let mut event = happening.told(&name);
        if self.shared.engine().is_some() && matches!(event.turn, Turn::Leaves(_) | Turn::Returns(_)) {
            // Who leaves may be back at another node, which tells of it. So nobody waits for a return.
            event.turn = Turn::Now;
        }
        if self.shared.is_first() {
            self.tell_backend_of_app(id, event);
        } else {
            self.shared.tell_one(0, PeerNews::AppHappened { app: id.into(), event });
        }
    }

    /// Tells an app's backend something. One reactor does it for all.
    pub(super) fn tell_backend_of_app(&mut self, app: &str, event: AppEvent) {
        if let Some(backend) = &mut self.backend {
            backend.tell_app(app, event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_to_the_letter() {
        let told = |happening: AppHappening<'_>| {
            let AppEvent { json, turn } = happening.told("presence-\"a");
            (json.into_string(), turn)
        };
        let plain = |name: &str, rest: &str| format!(r#"{{"name":"{name}","channel":"presence-\"a"{rest}}}"#);
        let channel = || "presence-\"a".into();
        let member = || "presence-\"a 10".into();
        let sent = ClientEvent { event: "client-x", data: "{\"a\":1}", socket_id: "1.2", user: None };
        let ours = r#","event":"client-x","data":"{\"a\":1}","socket_id":"1.2""#;
        let named = ClientEvent { user: Some("10"), ..sent };
        for (happening, expected, turn) in [
            (AppHappening::Occupied, plain("channel_occupied", ""), Turn::Returns(channel())),
            (AppHappening::Vacated, plain("channel_vacated", ""), Turn::Leaves(channel())),
            (
                AppHappening::MemberAdded("10"),
                plain("member_added", r#","user_id":"10""#),
                Turn::Returns(member()),
            ),
            (
                AppHappening::MemberRemoved("10"),
                plain("member_removed", r#","user_id":"10""#),
                Turn::Leaves(member()),
            ),
            (AppHappening::ClientEvent(sent), plain("client_event", ours), Turn::Now),
            (
                AppHappening::ClientEvent(named),
                plain("client_event", &format!(r#"{ours},"user_id":"10""#)),
                Turn::Now,
            ),
            (AppHappening::CacheMiss, plain("cache_miss", ""), Turn::Once("?presence-\"a".into())),
            (
                AppHappening::SubscriptionCount(7),
                plain("subscription_count", r#","subscription_count":7"#),
                Turn::Now,
            ),
        ] {
            assert_eq!(told(happening), (expected, turn));
        }
    }
}
