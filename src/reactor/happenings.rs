//! Events about channels and their members, for whoever is to be told outside of the server: each comes through here
//! once, in its order.

use crate::metrics::ChannelEvent;

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
        if !self.shared.is_first() {
            return;
        }
        self.metrics.channel_events.bump(happening.event());
        self.tell_backend(channel, happening);
        #[cfg(feature = "pusher")]
        self.tell_app(channel, happening.into());
    }
}
