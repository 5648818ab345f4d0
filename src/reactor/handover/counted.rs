//! Channels whose users are counted and not listed: who they are goes over with the connections, and is counted again.

use std::sync::Arc;

use crate::push::DEFAULT;
use crate::reactor::reactor::Reactor;
use crate::reactor::socket::Stream;

impl Reactor<Stream> {
    /// Where users are only counted, no names were told: the users of this reactor's connections in such channels.
    pub(super) fn counted_attendees(&self) -> Vec<(Arc<str>, Box<str>)> {
        let mut found = Vec::new();
        let counted = self.attendances.channels.iter().filter(|(_, known)| known.presence.is_counted());
        for (&id, _) in counted {
            let (slots, channel) = (&self.connections.slots, self.channels.get(id));
            let mut enter = |index: usize| {
                if let Some(user) = slots[index].member(id) {
                    found.push((channel.name.clone(), user.into()));
                }
            };
            match id {
                DEFAULT => {
                    let all = slots.iter().filter(|(_, slot)| Self::is_subscribed(slot, DEFAULT));
                    all.for_each(|(index, _)| enter(index));
                }
                _ => channel.members.iter().for_each(|member| enter(member.slot as usize)),
            }
        }
        found
    }

    /// Counts them again, those of all reactors.
    pub(super) fn count_attendees(&mut self, all: &[(Arc<str>, Box<str>)]) {
        for (name, user) in all {
            let Some(id) = self.channels.find(name) else { continue };
            let attendance = self.attendances.channels.get_mut(&id);
            if let Some(known) = attendance.filter(|known| known.presence.is_counted()) {
                known.presence.enter(user, None);
            }
        }
    }
}
