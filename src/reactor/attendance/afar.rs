//! Members of a channel at other nodes of a cluster. The engine knows all of them; a channel's [`Attendance`] has those
//! of its channel from its beginning on, and hears what changes.

use std::time::Duration;

use super::{Attendance, Departure, Reactor, Socket};
use crate::config::id_of_app_itself;
use crate::endpoint::{ChannelMember, ChannelPresence};
use crate::push::{ChannelId, DEFAULT, DEFAULT_NAME};
use crate::reactor::engine::Attended;

impl<S: Socket> Reactor<S> {
    /// Those who are in a channel, from now on if nobody was until now.
    pub(in super::super) fn attendance(&mut self, id: ChannelId) -> &mut Attendance {
        if !self.attendances.channels.contains_key(&id) {
            let listed_max = self.listed_max(id);
            self.attendances.channels.insert(id, Attendance::new(listed_max));
            self.load_members_afar(id);
        }
        let listed_max = self.config.presence_members_max;
        self.attendances.channels.entry(id).or_insert_with(|| Attendance::new(listed_max))
    }

    /// A channel's members at other nodes are to be known from now on, as long as there are any.
    pub(in super::super) fn know_members_afar(&mut self, id: ChannelId) {
        let is_of_use = self.shared.engine().is_some() && self.channels.get(id).rules.presence;
        if is_of_use && !self.attendances.channels.contains_key(&id) {
            self.attendance(id);
            self.forget_attendance(id);
        }
    }

    /// Begins with those who are at other nodes, where nobody is yet.
    #[inline]
    pub(super) fn load_members_afar(&mut self, id: ChannelId) {
        if self.shared.engine().is_some() {
            self.load_from_engine(id);
        }
    }

    #[cold]
    fn load_from_engine(&mut self, id: ChannelId) {
        let channel = self.channels.get_mut(id);
        let (Some(engine), Some(attendance)) = (self.shared.engine(), self.attendances.channels.get_mut(&id))
        else {
            return;
        };
        let (version, members) = engine.members(&channel.name);
        attendance.afar = version;
        for member in &members {
            attendance.presence.enter_several(&member.user, member.info.as_deref(), member.connections);
        }
        // It stays as long as somebody is there.
        channel.expected += u32::from(!attendance.presence.is_empty());
    }

    /// A member at another node has come or gone.
    pub(in super::super) fn attended_afar(&mut self, attended: &Attended) {
        let Attended { version, channel, user, info, before, after } = attended;
        if user.is_empty() || id_of_app_itself(channel).is_some() {
            return self.app_attended_afar(attended);
        }
        let id = if **channel == *DEFAULT_NAME { Some(DEFAULT) } else { self.channels.find(channel) };
        let Some(id) = id else { return };
        let is_new = |known: &Attendance| !known.is_over && *version > known.afar;
        if !self.attendances.channels.get(&id).is_some_and(is_new) {
            return;
        }
        if after > before {
            self.enter_presence(id, user, info.as_deref(), after - before);
        } else {
            self.quit_presence(id, user, Departure::Said, before - after);
        }
    }

    /// A user's connection leaves a channel: the other nodes hear of it when the user has gone.
    pub(super) fn leave_cluster(&mut self, id: ChannelId, user: &str, departure: Departure) {
        let Some(engine) = self.shared.engine() else { return };
        engine.left(&self.channels.get(id).name, user, self.away_for(departure));
    }

    /// For how long a user who has left may be back.
    pub(in super::super) fn away_for(&self, departure: Departure) -> Duration {
        Duration::from_millis(match departure {
            Departure::Said => 0,
            Departure::Lost(at_ms) => {
                (at_ms + self.config.presence_grace_ms).saturating_sub(self.now.mono_ms())
            }
        })
    }

    /// How many members a channel has, also one of which nobody here has asked.
    pub(in super::super) fn members_in(&self, id: ChannelId) -> usize {
        match self.shared.engine() {
            Some(engine) if !self.attendances.channels.contains_key(&id) => {
                engine.members(&self.channels.get(id).name).1.len()
            }
            _ => self.attendances.members(id),
        }
    }

    /// Those in a channel that is not there at this node.
    pub(in super::super) fn presence_afar(&self, name: &str) -> Option<ChannelPresence> {
        let (_, members) = self.shared.engine()?.members(name);
        if members.is_empty() {
            return None;
        }
        let (epoch, offset) = self.shared.position_of(name);
        let count = members.len() as u64;
        let mut members: Vec<ChannelMember> = members
            .into_iter()
            .map(|member| ChannelMember {
                user: member.user.into(),
                info: member.info.map(Into::into),
                connections: member.connections,
            })
            .collect();
        members.sort_unstable_by(|one, other| one.user.cmp(&other.user));
        let members = (members.len() <= self.config.presence_members_max).then_some(members);
        Some(ChannelPresence { channel: name.into(), epoch, offset, count, members })
    }
}
