//! Presence in the channels of apps. It is that of every channel; only the users are those that a backend has signed
//! for each subscription, and the notices are the protocol's.

use std::sync::Arc;

use crate::config::{PUSHER_SPOKEN, app_channel};
use crate::endpoint::Kind;
use crate::narrow;
use crate::protocol::pusher::event;
use crate::push::ChannelId;
use crate::push::presence::Attendee;

use super::super::reactor::Reactor;
use super::super::slot::Slot;
use super::super::socket::Socket;
use super::super::transport::Transport;
use super::apps::{App, AppSession};

/// Nodes of a cluster that a channel's list has room for, if each lets in as many users as there may be.
const NODES_AT_ONCE: usize = 64;

impl<S> Slot<S> {
    /// The rest of an app's connection, if there is any.
    pub(in super::super) fn app_session(&self) -> Option<&AppSession> {
        self.extra.as_ref().filter(|_| PUSHER_SPOKEN)?.aside.as_ref()?.app.as_deref()
    }

    pub(super) fn app_session_mut(&mut self) -> Option<&mut AppSession> {
        self.extra.as_mut().filter(|_| PUSHER_SPOKEN)?.aside.as_mut()?.app.as_deref_mut()
    }

    /// Whether it may be of a user: one that is pushed to, or an app's.
    pub(in super::super) fn has_users(&self) -> bool {
        self.kind.is_push() || PUSHER_SPOKEN && self.kind == Kind::APP
    }

    /// The user that it is in a channel with presence.
    pub(in super::super) fn member(&self, id: ChannelId) -> Option<&str> {
        if !PUSHER_SPOKEN || self.transport != Transport::Pusher {
            return self.user().filter(|_| self.kind.is_push());
        }
        self.app_session()?.members.iter().find(|(channel, _)| *channel == id).map(|(_, user)| &**user)
    }

    /// An app's connection enters a channel with presence as this user.
    pub(in super::super) fn enter_as(&mut self, id: ChannelId, user: &str) {
        self.aside_mut().app.get_or_insert_default().members.push((id, user.into()));
    }

    /// The same leaves it; as whom it was there.
    pub(in super::super) fn leave_as(&mut self, id: ChannelId) -> Option<Box<str>> {
        let session = self.app_session_mut()?;
        let at = session.members.iter().position(|(channel, _)| *channel == id)?;
        let (_, user) = session.members.swap_remove(at);
        self.tidy_app();
        Some(user)
    }

    /// Gives back what an app's connection has beside its channels, if nothing is in it.
    pub(super) fn tidy_app(&mut self) {
        if let Some(aside) = self.extra.as_mut().and_then(|extra| extra.aside.as_mut()) {
            aside.app.take_if(|session| **session == AppSession::default());
            self.tidy_aside();
        }
    }
}

impl<S: Socket> Reactor<S> {
    /// The user that a connection is in a channel.
    pub(in super::super) fn member_in(&self, index: usize, id: ChannelId) -> Option<&str> {
        self.connections.slots[index].member(id)
    }

    /// How many users are listed in a channel.
    pub(in super::super) fn listed_max(&self, id: ChannelId) -> usize {
        let app = app_channel(&self.channels.get(id).name).and_then(|(app, _)| self.apps.by_id(app));
        // Users that come to several nodes at once are let in by each, as far as it knows.
        let nodes = if self.shared.engine().is_some() { NODES_AT_ONCE } else { 1 };
        let bound = |app: &Arc<App>| narrow::to_usize(app.settings.members_max).saturating_mul(nodes);
        app.map_or(self.config.presence_members_max, bound)
    }

    /// Whether a channel has as many users as it may have, and this one is not among them.
    pub(super) fn is_full_for(&self, name: &str, user: &str, max: u64) -> bool {
        let attendance = self.channels.find(name).and_then(|id| self.attendances.channels.get(&id));
        match (attendance.map(|attendance| &attendance.presence), self.shared.engine()) {
            (Some(known), _) => known.count() as u64 >= max && known.find(user).is_none(),
            (None, Some(engine)) => {
                let members = engine.members(name).1;
                members.len() as u64 >= max && !members.iter().any(|member| *member.user == *user)
            }
            (None, None) => max == 0,
        }
    }

    /// Those who are in a channel, in the order of their names.
    pub(super) fn sorted_members(&self, id: ChannelId) -> Vec<(&str, Option<&str>)> {
        let attendance = self.attendances.channels.get(&id);
        let attendees = attendance.and_then(|attendance| attendance.presence.attendees());
        let mut members: Vec<_> = attendees.into_iter().flatten().map(|one| (one.user, one.info)).collect();
        members.sort_unstable_by_key(|&(user, _)| user);
        members
    }

    /// Appends who is in a channel of an app, for all who are told of it. False: the channel is of no app.
    pub(in super::super) fn push_app_presence(&self, id: ChannelId, out: &mut Vec<u8>) -> bool {
        let Some((_, channel)) = app_channel(&self.channels.get(id).name) else { return false };
        event::push_subscribed_with(&channel, &self.sorted_members(id), out);
        true
    }
}

/// Appends the notice that a user has come to a channel of an app, where it is known now, or has gone. False: the
/// channel is of no app.
pub(in super::super) fn push_app_notice(
    channel: &str,
    user: &str,
    known: Option<Attendee<'_>>,
    out: &mut Vec<u8>,
) -> bool {
    let Some((_, channel)) = app_channel(channel) else { return false };
    match known {
        Some(known) => event::push_member_added(&channel, user, known.info, out),
        None => event::push_member_removed(&channel, user, out),
    }
    true
}
