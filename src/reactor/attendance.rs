//! Who is in the channels with presence: the connections that join and leave them, and the time in which somebody who
//! was lost may come back.
//!
//! A channel has an [`Attendance`] as long as a user is there or somebody is told of those who come and go; others have
//! nothing. Members are the subscribers that have a user, whatever their transport.

mod afar;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::config::PUSHER_SPOKEN;
use crate::endpoint::{ChannelMember, ChannelPresence};
use crate::metrics::{CloseReason, WorkKind};
use crate::protocol::pusher::ChannelData;
use crate::protocol::v1::{Member, Snapshot};
use crate::push::presence::{Attendee, Change, Departure, Presence};
use crate::push::{ChannelId, DEFAULT, DEFAULT_NAME, Position};

use super::happenings::Happening;
use super::notices::Notices;
use super::peers::PeerNews;
use super::reactor::Reactor;
use super::slot::{Flags, Phase};
use super::socket::Socket;
use super::work::{DEADLINE, NAME};

/// Those in one channel, and those who hear of them.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
pub(super) struct Attendance {
    pub presence: Presence,
    pub notices: Notices,
    /// Since when it stands in the queue of channels with somebody who was lost.
    awaited_ms: Option<u64>,
    /// The channel has lost its presence, and nobody is there any more.
    pub is_over: bool,
    /// The newest change of members at other nodes of a cluster that it has begun with.
    #[serde(skip)]
    pub afar: u64,
}

impl Attendance {
    pub(super) fn new(listed_max: usize) -> Attendance {
        let presence = Presence::new(listed_max);
        Attendance { presence, notices: Notices::default(), awaited_ms: None, is_over: false, afar: 0 }
    }
}

/// The channels with presence.
#[derive(Debug, Default, serde::Deserialize, serde::Serialize)]
pub(super) struct Attendances {
    pub channels: HashMap<ChannelId, Attendance>,
    /// Since when somebody is awaited in a channel, each once: one timer for all.
    lost: BTreeSet<(u64, u32)>,
    /// Channels with changes of which nobody could be told at once.
    pub untold: BTreeSet<u32>,
}

impl Attendances {
    /// Brings the queue up to date with whom a channel awaits.
    fn await_lost(&mut self, id: ChannelId) {
        let Some(attendance) = self.channels.get_mut(&id) else { return };
        let since_ms = attendance.presence.lost_since_ms();
        if let Some(former) = std::mem::replace(&mut attendance.awaited_ms, since_ms) {
            self.lost.remove(&(former, id.0));
        }
        self.lost.extend(since_ms.map(|since_ms| (since_ms, id.0)));
    }

    /// The channel is gone.
    pub(super) fn remove(&mut self, id: ChannelId) {
        self.untold.remove(&id.0);
        if let Some(awaited_ms) = self.channels.remove(&id).and_then(|attendance| attendance.awaited_ms) {
            self.lost.remove(&(awaited_ms, id.0));
        }
    }

    /// How many members a channel has.
    pub(super) fn members(&self, id: ChannelId) -> usize {
        self.channels.get(&id).map_or(0, |attendance| attendance.presence.count())
    }

    /// When the first of those who were lost is taken to have gone.
    pub(super) fn due_ms(&self, grace_ms: u64) -> Option<u64> {
        self.lost.first().map(|(since_ms, _)| since_ms + grace_ms)
    }
}

/// Those who are in a channel, to be shown.
pub(super) struct Members<'a> {
    count: u64,
    listed: Option<Vec<Member<'a>>>,
}

impl Members<'_> {
    /// Nobody.
    pub(super) fn none() -> Members<'static> {
        Members { count: 0, listed: Some(Vec::new()) }
    }

    /// Those of a channel that is only at other nodes.
    pub(super) fn of(presence: &ChannelPresence) -> Members<'_> {
        let listed = presence.members.as_ref().map(|all| {
            let attendees = all.iter().map(|one| Attendee {
                user: &one.user,
                info: one.info.as_deref(),
                connections: one.connections,
            });
            attendees.map(shown).collect()
        });
        Members { count: presence.count, listed }
    }

    pub(super) fn snapshot(&self) -> Snapshot<'_> {
        Snapshot { count: self.count, members: self.listed.as_deref() }
    }
}

impl<S: Socket> Reactor<S> {
    /// How a connection that ends for this reason leaves its channels: one that may be back at once, or when it was
    /// told to, is only lost.
    pub(super) fn departure(&self, index: usize, cause: CloseReason) -> Departure {
        let slot = &self.connections.slots[index];
        let is_said = match cause {
            CloseReason::Client => slot.transport.says_goodbye(),
            CloseReason::Admin | CloseReason::Expired => true,
            _ => false,
        };
        // Where there is no time for coming back, there is none for that either.
        let pause_ms =
            if self.config.presence_grace_ms > 0 { slot.transport.pause_ms(cause, slot.serial) } else { 0 };
        if is_said { Departure::Said } else { Departure::Lost(self.now.mono_ms() + pause_ms) }
    }

    /// A connection has joined a channel.
    pub(super) fn attend(&mut self, index: usize, id: ChannelId) {
        if !self.channels.get(id).rules.presence {
            return;
        }
        self.work.charge(WorkKind::Names, NAME);
        self.attend_as_member(index, id);
        self.take_notices(index, id);
    }

    fn attend_as_member(&mut self, index: usize, id: ChannelId) {
        let Some((user, info)) = self.member_coming(index, id) else { return };
        if self.shared.has_others() {
            let channel = self.channels.get(id).name.clone();
            let (user, info) = (user.as_str().into(), info.as_deref().map(Into::into));
            self.shared.tell_others(self.shared.seat(), &PeerNews::Entered { channel, user, info });
        }
        if let Some(engine) = self.shared.engine() {
            engine.entered(&self.channels.get(id).name, &user, info.as_deref());
        }
        self.enter_presence(id, &user, info.as_deref(), 1);
    }

    /// The user that a connection is in a channel to which it comes, and JSON that says more about it.
    fn member_coming(&mut self, index: usize, id: ChannelId) -> Option<(String, Option<String>)> {
        if let Some(ChannelData { user_id, user_info }) = self.apps.joining.take_if(|_| PUSHER_SPOKEN) {
            self.connections.slots[index].enter_as(id, &user_id);
            return Some((user_id, user_info));
        }
        let slot = &self.connections.slots[index];
        let user = slot.member(id)?.to_owned();
        Some((user, slot.rights().and_then(|rights| rights.info()).map(str::to_owned)))
    }

    /// Connections of a user are there, at this reactor, another one or another node.
    pub(super) fn enter_presence(&mut self, id: ChannelId, user: &str, info: Option<&str>, count: u32) {
        let presence = &mut self.attendance(id).presence;
        let was_empty = presence.is_empty();
        let unlisted = if presence.is_full_for(user) { names_of(presence) } else { Vec::new() };
        let change = presence.enter_several(user, info, count);
        let channel = self.channels.get_mut(id);
        // It stays as long as somebody is there, be it one who was lost and may come back.
        channel.expected += u32::from(was_empty);
        let name = channel.name.clone();
        match change {
            Change::Join => {
                self.happened(&name, Happening::MemberAdded { user, info });
                self.tell_change(id, user);
            }
            Change::TooMany => self.unlist(id, &unlisted),
            Change::None | Change::Leave | Change::ListedAgain => {}
        }
    }

    /// From now on users are only counted.
    fn unlist(&mut self, id: ChannelId, unlisted: &[Box<str>]) {
        let name = self.channels.get(id).name.clone();
        for user in unlisted {
            self.happened(&name, Happening::MemberRemoved { user });
        }
        self.tell_anew(id);
    }

    /// A connection is about to leave a channel.
    pub(super) fn leave_presence(&mut self, index: usize, id: ChannelId, departure: Departure) {
        if !self.attendances.channels.contains_key(&id) {
            return;
        }
        let slot = &mut self.connections.slots[index];
        let Some(user) = slot.leave_as(id).or_else(|| slot.member(id).map(Into::into)) else { return };
        if self.shared.has_others() {
            let (channel, user) = (self.channels.get(id).name.clone(), user.clone());
            self.shared.rosters.leave(&channel, &user);
            self.shared.tell_others(self.shared.seat(), &PeerNews::Left { channel, user, departure });
        }
        self.leave_cluster(id, &user, departure);
        self.quit_presence(id, &user, departure, 1);
    }

    /// Connections of a user have left, at this reactor, another one or another node.
    pub(super) fn quit_presence(&mut self, id: ChannelId, user: &str, departure: Departure, count: u32) {
        let Some(attendance) = self.attendances.channels.get_mut(&id) else { return };
        let was_empty = attendance.presence.is_empty();
        let change = attendance.presence.leave_several(user, departure, count);
        self.attendances.await_lost(id);
        self.follow(id, change, user);
        if !was_empty {
            self.release_if_empty(id);
        }
    }

    /// A connection at another reactor has joined a channel with presence.
    pub(super) fn entered_elsewhere(&mut self, channel: &Arc<str>, user: &str, info: Option<&str>) {
        let Some(id) = self.find_same(channel) else { return };
        let is_known = self.attendances.channels.get(&id).is_some_and(|known| !known.presence.is_empty());
        if self.channels.get(id).rules.presence && (is_known || self.shared.hold(channel)) {
            self.enter_presence(id, user, info, 1);
        }
    }

    /// Such a connection has left.
    pub(super) fn left_elsewhere(&mut self, channel: &Arc<str>, user: &str, departure: Departure) {
        if let Some(id) = self.find_same(channel) {
            self.quit_presence(id, user, departure, 1);
        }
    }

    /// A channel in that life of it in which it has this name.
    fn find_same(&self, channel: &Arc<str>) -> Option<ChannelId> {
        if &**channel == DEFAULT_NAME {
            return Some(DEFAULT);
        }
        self.channels.find(channel).filter(|&id| Arc::ptr_eq(&self.channels.get(id).name, channel))
    }

    /// Lets everybody know that somebody has gone.
    fn follow(&mut self, id: ChannelId, change: Change, user: &str) {
        match change {
            Change::Leave => {
                let name = self.channels.get(id).name.clone();
                if self.shared.has_others() {
                    self.shared.rosters.forget(&name, user);
                }
                self.happened(&name, Happening::MemberRemoved { user });
                self.tell_change(id, user);
            }
            Change::ListedAgain => self.tell_anew(id),
            Change::None | Change::Join | Change::TooMany => {}
        }
    }

    /// A channel in which somebody was is kept for that no longer, if nobody is.
    fn release_if_empty(&mut self, id: ChannelId) {
        if !self.attendances.channels.get(&id).is_some_and(|attendance| attendance.presence.is_empty()) {
            return;
        }
        self.forget_attendance(id);
        self.abandon_channel(id);
    }

    /// Gives the memory back if nobody is there and nobody wants to hear of it.
    pub(super) fn forget_attendance(&mut self, id: ChannelId) {
        let is_of_use =
            |attendance: &Attendance| !attendance.presence.is_empty() || attendance.notices.log.is_some();
        if !self.attendances.channels.get(&id).is_some_and(is_of_use) {
            self.attendances.remove(id);
        }
    }

    /// Takes those to have gone who were lost and have not come back in time, as far as the turn goes.
    pub(super) fn give_up_lost(&mut self) {
        let (now_ms, grace_ms) = (self.now.mono_ms(), self.config.presence_grace_ms);
        while let Some(&(since_ms, id)) = self.attendances.lost.first()
            && since_ms + grace_ms <= now_ms
        {
            if self.work.is_part_used() {
                self.work.cut(WorkKind::Deadlines);
                return;
            }
            self.work.charge(WorkKind::Deadlines, DEADLINE);
            let id = ChannelId(id);
            let Some(attendance) = self.attendances.channels.get_mut(&id) else { return };
            let gone = attendance.presence.pop_due(now_ms, grace_ms);
            self.attendances.await_lost(id);
            if let Some(user) = gone {
                self.follow(id, Change::Leave, &user);
                self.release_if_empty(id);
            }
        }
    }

    /// Those who are in a channel.
    pub(super) fn members_of(&self, id: ChannelId) -> Members<'_> {
        let Some(attendance) = self.attendances.channels.get(&id) else { return Members::none() };
        let presence = &attendance.presence;
        let listed = presence.attendees().map(|attendees| {
            let mut members: Vec<Member<'_>> = attendees.map(shown).collect();
            members.sort_unstable_by_key(|member| member.user);
            members
        });
        Members { count: presence.count() as u64, listed }
    }

    /// The same for the host and the admin API. None: the channel has no presence.
    pub(super) fn presence_in(&self, id: ChannelId) -> Option<ChannelPresence> {
        let channel = self.channels.get(id);
        let members = channel.rules.presence.then(|| self.members_of(id))?;
        let Position { epoch, offset } = channel.head_position();
        Some(ChannelPresence {
            channel: channel.name.clone(),
            epoch,
            offset,
            count: members.count,
            members: members.listed.map(|listed| listed.into_iter().map(owned).collect()),
        })
    }

    /// The rules may be others than before: channels that have got presence begin with those who are there, and those
    /// that have lost it end with nobody.
    pub(super) fn review_presence(&mut self) {
        let ids: Vec<(ChannelId, bool)> =
            self.channels.iter().map(|(id, channel)| (id, channel.rules.presence)).collect();
        for (id, has_presence) in ids {
            if has_presence {
                self.begin_presence(id);
            } else {
                self.end_presence(id);
            }
        }
    }

    fn begin_presence(&mut self, id: ChannelId) {
        let max = self.listed_max(id);
        let attendance = self.attendances.channels.get_mut(&id);
        if let Some(attendance) = attendance.filter(|attendance| !attendance.is_over) {
            let names = names_of(&attendance.presence);
            if attendance.presence.set_listed_max(max) == Change::TooMany {
                self.attendances.await_lost(id);
                self.unlist(id, &names);
                self.release_if_empty(id);
            }
            return;
        }
        if let Some(attendance) = self.attendances.channels.get_mut(&id) {
            (attendance.is_over, attendance.presence) = (false, Presence::new(max));
            attendance.notices.begin_anew();
            self.load_members_afar(id);
        }
        let subscribers = self.subscribers_of(id);
        subscribers.iter().for_each(|&index| self.attend_as_member(index, id));
        subscribers.iter().for_each(|&index| self.take_notices(index, id));
        self.tell_anew(id);
    }

    fn end_presence(&mut self, id: ChannelId) {
        let attendance = self.attendances.channels.get_mut(&id);
        let Some(attendance) = attendance.filter(|attendance| !attendance.is_over) else { return };
        attendance.is_over = true;
        let former = std::mem::replace(&mut attendance.presence, Presence::new(0));
        self.attendances.await_lost(id);
        self.unlist(id, &names_of(&former));
        self.forget_attendance(id);
        if !former.is_empty() {
            self.abandon_channel(id);
        }
    }

    fn subscribers_of(&self, id: ChannelId) -> Vec<usize> {
        if id != DEFAULT {
            return self.channels.get(id).members.iter().map(|member| member.slot as usize).collect();
        }
        let slots = self.connections.slots.iter();
        slots
            .filter(|(_, slot)| slot.phase == Phase::Open && slot.flags.any(Flags::BROADCAST))
            .map(|(index, _)| index)
            .collect()
    }
}

fn shown(Attendee { user, info, connections }: Attendee<'_>) -> Member<'_> {
    let info = info.and_then(|info| serde_json::from_str::<&RawValue>(info).ok());
    Member { user, info, connections }
}

fn owned(Member { user, info, connections }: Member<'_>) -> ChannelMember {
    ChannelMember { user: user.to_owned(), info: info.map(|info| info.get().to_owned()), connections }
}

fn names_of(presence: &Presence) -> Vec<Box<str>> {
    presence.attendees().map(|all| all.map(|one| one.user.into()).collect()).unwrap_or_default()
}
