//! Events about channels and their members, for whoever is to be told outside of the server: each comes through here
//! once, in its order.

use std::time::Duration;

use crate::config::{app_channel, id_of_app_itself};
use crate::metrics::ChannelEvent;

use super::engine::HappenedAfar;
use super::reactor::Reactor;
use super::socket::Socket;

/// Something that has happened to a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening<'a> {
    /// It has a subscriber, and had none before.
    Occupied,
    /// Its last subscriber has left.
    Vacated,
    /// A user has come who is a member now.
    MemberAdded {
        /// Who.
        user: &'a str,
        /// JSON that says more about it.
        info: Option<&'a str>,
    },
    /// A member has gone, or there are too many to be listed.
    MemberRemoved {
        /// Who.
        user: &'a str,
    },
}

impl<'a> Happening<'a> {
    /// The member whom it is about, and JSON that says more about it.
    pub(super) fn member(self) -> (Option<&'a str>, Option<&'a str>) {
        match self {
            Happening::Occupied | Happening::Vacated => (None, None),
            Happening::MemberAdded { user, info } => (Some(user), info),
            Happening::MemberRemoved { user } => (Some(user), None),
        }
    }

    pub(super) fn event(self) -> ChannelEvent {
        match self {
            Happening::Occupied => ChannelEvent::Occupied,
            Happening::Vacated => ChannelEvent::Vacated,
            Happening::MemberAdded { .. } => ChannelEvent::MemberAdded,
            Happening::MemberRemoved { .. } => ChannelEvent::MemberRemoved,
        }
    }
}

impl<S: Socket> Reactor<S> {
    /// Notes what has happened to the channel of this name.
    pub(super) fn happened(&mut self, channel: &str, happening: Happening<'_>) {
        debug_assert!(!channel.is_empty());
        // All reactors know of it, and one of them tells.
        if !self.shared.is_first() || self.is_told_by_cluster(channel, happening) {
            return;
        }
        self.tell_of(channel, happening);
    }

    /// Of a cluster one node tells: the one at which somebody is that was nowhere before, or is nowhere any more.
    fn is_told_by_cluster(&self, channel: &str, happening: Happening<'_>) -> bool {
        let Some(engine) = self.shared.engine() else { return false };
        match happening {
            // The nodes tell each other how many there are anyway.
            Happening::Occupied | Happening::Vacated if app_channel(channel).is_some() => {}
            Happening::Occupied if self.has_hearers() => engine.entered(channel, "", None),
            Happening::Vacated if self.has_hearers() => engine.left(channel, "", Duration::ZERO),
            // Redis need not know of what nobody hears of.
            Happening::Occupied | Happening::Vacated => return false,
            Happening::MemberAdded { .. } | Happening::MemberRemoved { .. } => {}
        }
        true
    }

    /// Whether somebody outside may be told of channels.
    fn has_hearers(&self) -> bool {
        #[cfg(feature = "pusher")]
        let of_apps = self.config.pusher_app.iter().any(|app| app.webhook_url.is_some());
        #[cfg(not(feature = "pusher"))]
        let of_apps = false;
        of_apps || self.config.webhook_url.is_some()
    }

    /// This node is the one that tells.
    pub(super) fn happened_afar(&mut self, happened: &HappenedAfar) {
        let HappenedAfar { channel, user, info, has_come } = happened;
        if id_of_app_itself(channel).is_some() {
            return;
        }
        let happening = match (user.as_deref(), has_come) {
            (None, true) => Happening::Occupied,
            (None, false) => Happening::Vacated,
            (Some(user), true) => Happening::MemberAdded { user, info: info.as_deref() },
            (Some(user), false) => Happening::MemberRemoved { user },
        };
        self.tell_of(channel, happening);
    }

    fn tell_of(&mut self, channel: &str, happening: Happening<'_>) {
        self.metrics.channel_events.bump(happening.event());
        self.tell_backend(channel, happening);
        #[cfg(feature = "pusher")]
        self.tell_app(channel, happening.into());
    }
}
