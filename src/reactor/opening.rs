//! A client that was let in: its connection opens, and hears what comes first.

use crate::config::LogLevel;
use crate::endpoint::{Accept, Kind, chat};
use crate::push::{ChannelId, DEFAULT, Entry, Since};

use super::admission::{Admitted, Peer};
use super::connections::Gone;
use super::reactor::Reactor;
use super::slot::{Flags, Phase};
use super::socket::Socket;
use super::transport::Transport;
use super::users::User;

impl<S: Socket> Reactor<S> {
    /// Says what comes first on a connection that has opened, when its answer is among the replies.
    pub(super) fn begin_open(
        &mut self,
        index: usize,
        kind: Kind,
        admitted: &Admitted,
        entries: &[(ChannelId, Entry)],
    ) -> Result<(), Gone> {
        let Admitted { accept, channels, .. } = admitted;
        self.tell_opened(index, entries);
        let greeted = self.greet(index, kind, accept);
        if channels.iter().any(|(_, since)| *since != Since::Head) {
            self.offer_all_missed(index, channels);
        }
        greeted?;
        self.connections.there(index)
    }

    /// Behind the 101, and what the host has said to that: publications that were there before the client came.
    fn offer_all_missed(&mut self, index: usize, channels: &[(ChannelId, Since)]) {
        let first = channels.iter().find(|(_, since)| *since != Since::Head);
        if let Some(&(id, _)) = first
            && self.connections.slots.get(index).is_some_and(|slot| slot.phase == Phase::Open)
        {
            // One that is gone now is looked for below.
            let _ = self.send_replies_and_missed(index, id);
        }
        channels.iter().for_each(|&(id, _)| self.offer_missed(index, id));
    }

    /// Opens a connection, of which is known what is spoken on it, and lets it stand in its channels. How it has come
    /// to stand in each, where it is told.
    pub(super) fn open(
        &mut self,
        index: usize,
        kind: Kind,
        admitted: &mut Admitted,
    ) -> Vec<(ChannelId, Entry)> {
        let Admitted { accept, rights, channels, .. } = admitted;
        let slot = &mut self.connections.slots[index];
        if slot.transport != Transport::Poll {
            self.scratch.let_in.push(slot.handshake_began());
        }
        slot.phase = Phase::Open;
        slot.kind = kind;
        slot.flags.set(Flags::SERVED, false);
        if let Some(user) = &accept.user {
            slot.extra_mut().user = Some(Box::new(User::new(user)));
        }
        if let Some(value) = accept.more.as_ref().and_then(|more| more.take_attribute()) {
            slot.extra_mut().hosted.get_or_insert_default().keep_attribute(Some(value));
        }
        if let Some(rights) = rights.take() {
            slot.grant(&rights);
        }
        let named = channels.iter().filter(|(id, _)| *id != DEFAULT).count();
        if named > 0 {
            slot.extra_mut().memberships.reserve(named);
        }
        // The demo's guests are called something, but are nobody.
        if kind.is_push() {
            self.connections.enter_user(index);
        }
        let mut entries = Vec::new();
        let are_told = self.connections.slots[index].transport.tells_gaps();
        for &(id, since) in &*channels {
            let entry = match id {
                DEFAULT => self.join(index, DEFAULT, since),
                id => self.join_opened(index, id, since),
            };
            entries.extend(entry.filter(|_| are_told).map(|entry| (id, entry)));
        }
        self.connections.enter_open(index);
        let id = self.connections.slots[index].id(index);
        if self.journal.is_on(LogLevel::Debug) {
            let peer = Peer(self.connections.peer(index));
            let fields: [(&str, &dyn std::fmt::Display); 2] = [("conn", &id), ("peer", &peer)];
            self.journal.event(self.now, LogLevel::Debug, "open", &fields);
        }
        entries
    }

    /// Lets the host, or the demo, say something to a connection that has opened.
    fn greet(&mut self, index: usize, kind: Kind, accept: &Accept) -> Result<(), Gone> {
        match kind {
            Kind::CHAT => {
                let line = chat::joined(accept.user.as_deref().unwrap_or("?"));
                let _ = self.say_in_chat(&line);
            }
            // Before anything that the client has said already: its session may be over by now.
            _ if self.has_host(kind) => self.call_back(index, |handler, session| handler.on_open(session))?,
            _ => {}
        }
        Ok(())
    }
}
