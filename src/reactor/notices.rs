//! Notices to a channel's subscribers of who has come and gone. They lie in a log beside the channel's own
//! ([`push::notices`](crate::push::notices)), whose subscribers are those of the channel that can be told.
//!
//! A change is told at once as long as there is room in that log and not too much was told in this moment. Otherwise
//! the user's name is noted, and what counts when it is told is whether the user is there then: a crowd that comes and
//! goes costs each subscriber one notice for each user. Where even the names are too many, or nobody is listed any
//! more, everybody is told anew who is there.

use std::collections::BTreeSet;

use crate::limits::{NOTICES_TOLD_MAX, SWEEP_MS};
use crate::metrics::WorkKind;
use crate::narrow;
use crate::protocol::v1::ServerMessage;
use crate::push::notices::Notice;
use crate::push::{Channel, ChannelId, Channels, Cursor, Lens, Passage, Position, Room, Since};

use super::attendance::Attendance;
use super::outbox::Stretch;
use super::pusher::push_app_notice;
use super::reactor::Reactor;
use super::slot::Flags;
use super::socket::Socket;
use super::work::{BYTES, NAME};

/// Names that are noted in any case.
const UNTOLD_MIN: usize = 64;

/// The notices of one channel.
#[derive(Debug, Default, serde::Deserialize, serde::Serialize)]
pub(super) struct Notices {
    /// Where they lie, as long as somebody takes them.
    pub log: Option<ChannelId>,
    /// Users who have come or gone, of which nobody was told yet.
    untold: BTreeSet<Box<str>>,
    /// Who is there is to be told anew.
    is_anew: bool,
    /// In which moment something was told last, and how much in it.
    told: (u64, u64),
}

impl Notices {
    /// Nothing is told any more but who is there.
    pub(super) fn begin_anew(&mut self) {
        self.untold.clear();
        self.is_anew = true;
    }

    /// Whether there is something to tell.
    fn has_more(&self) -> bool {
        self.is_anew || !self.untold.is_empty()
    }

    /// How many notices were told in this moment.
    fn told_in(&mut self, moment: u64) -> &mut u64 {
        if self.told.0 != moment {
            self.told = (moment, 0);
        }
        &mut self.told.1
    }
}

/// A notice that was made, and for how many it stands.
struct Made {
    log: ChannelId,
    notice: Notice,
    count: u64,
}

impl<S: Socket> Reactor<S> {
    /// Lets a subscriber of a channel hear from now on who comes and goes, if its transport can say that.
    pub(super) fn take_notices(&mut self, index: usize, id: ChannelId) {
        if !self.connections.slots[index].transport.takes_notices() {
            return;
        }
        let (now_ms, unix_ms) = (self.now.mono_ms(), self.now.unix_ms());
        let log = match self.attendance(id).notices.log {
            Some(log) => log,
            None => {
                let log = self.channels.open_notices(id, now_ms);
                self.attendance(id).notices.log = Some(log);
                log
            }
        };
        let slot = &mut self.connections.slots[index];
        if Self::is_subscribed(slot, log) {
            return;
        }
        let cursor = self.channels.enter(log, slot.form, Since::Head, unix_ms).cursor;
        let place = self.channels.get_mut(log).join(narrow::to_u32(index), cursor, now_ms);
        slot.extra_mut().memberships.insert(log, place);
    }

    /// The log of notices that a channel has, if this connection takes them.
    pub(super) fn notices_for(&self, index: usize, id: ChannelId) -> Option<ChannelId> {
        let log = self.attendances.channels.get(&id)?.notices.log?;
        Self::is_subscribed(&self.connections.slots[index], log).then_some(log)
    }

    /// Nobody takes the notices of a channel any more.
    pub(super) fn close_notices(&mut self, log: ChannelId) {
        let subject = self.channels.get(log).notices_of();
        self.channels.remove(log, self.now.mono_us, |_, _| {});
        let Some(subject) = subject else { return };
        if let Some(attendance) = self.attendances.channels.get_mut(&subject)
            && attendance.notices.log == Some(log)
        {
            attendance.notices = Notices::default();
            self.attendances.untold.remove(&subject.0);
            self.forget_attendance(subject);
        }
    }

    /// A user has come to a channel, or gone: those who take its notices are told.
    pub(super) fn tell_change(&mut self, id: ChannelId, user: &str) {
        let max = UNTOLD_MIN.max(2 * self.config.presence_members_max);
        let Some(notices) = self.notices_to_tell(id) else { return };
        if notices.is_anew {
            return;
        }
        notices.untold.insert(user.into());
        if notices.untold.len() > max {
            self.tell_anew(id);
        } else {
            self.tell_now(id);
        }
    }

    /// Everybody who takes a channel's notices is told who is there.
    pub(super) fn tell_anew(&mut self, id: ChannelId) {
        let Some(notices) = self.notices_to_tell(id) else { return };
        notices.begin_anew();
        self.tell_now(id);
    }

    fn notices_to_tell(&mut self, id: ChannelId) -> Option<&mut Notices> {
        let notices = &mut self.attendances.channels.get_mut(&id)?.notices;
        let log = notices.log?;
        (self.channels.get(log).subscribers > 0).then_some(notices)
    }

    /// Tells what there is to tell, as far as that costs nobody anything; the rest in another turn.
    fn tell_now(&mut self, id: ChannelId) {
        while let Some(made) = self.make_notice(id) {
            let lens = made.notice.encoded().lens();
            let is_ready = self.channels.get(made.log).has_ready_room(lens)
                && self.channels.room_for(made.log, lens) == Room::Ready;
            if !is_ready {
                break;
            }
            self.append_notice(id, &made);
        }
        if self.attendances.channels.get(&id).is_some_and(|attendance| attendance.notices.has_more()) {
            self.attendances.untold.insert(id.0);
        } else {
            self.attendances.untold.remove(&id.0);
        }
    }

    fn append_notice(&mut self, id: ChannelId, made: &Made) {
        let (moment, times) = (self.now.mono_ms() / SWEEP_MS, (self.now.mono_us, self.now.unix_ms()));
        self.work.charge(WorkKind::Names, NAME + made.notice.bytes() as u64 / BYTES);
        self.channels.append_notice(made.log, &made.notice.encoded(), times);
        self.metrics.notices += 1;
        let Some(Attendance { notices, .. }) = self.attendances.channels.get_mut(&id) else { return };
        *notices.told_in(moment) += made.count;
        if !std::mem::take(&mut notices.is_anew) {
            notices.untold.pop_first();
        }
    }

    /// The next notice of a channel. None: there is nothing to tell, or not in this moment.
    fn make_notice(&mut self, id: ChannelId) -> Option<Made> {
        let moment = self.now.mono_ms() / SWEEP_MS;
        let Attendance { presence, notices, .. } = self.attendances.channels.get_mut(&id)?;
        let log = notices.log.filter(|_| notices.has_more())?;
        let subscribers = self.channels.get(log).subscribers;
        let told = *notices.told_in(moment);
        if told > 0 && (told + 1) * u64::from(subscribers) > NOTICES_TOLD_MAX {
            return None;
        }
        let (mut object, mut count) = (Vec::new(), 1);
        if notices.is_anew {
            count += presence.attendees().map_or(0, |_| presence.count() as u64);
            self.push_presence(id, &mut object);
        } else {
            let (user, name) = (notices.untold.first()?, &self.channels.get(id).name);
            let known = presence.find(user);
            match known {
                _ if push_app_notice(name, user, known, &mut object) => {}
                Some(known) => {
                    let info = known.info.and_then(|info| serde_json::from_str(info).ok());
                    ServerMessage::Join { channel: name, user, info }.push(None, &mut object);
                }
                None => ServerMessage::Leave { channel: name, user }.push(None, &mut object),
            }
        }
        Some(Made { log, notice: Notice::new(object, self.channels.get(log)), count })
    }

    fn push_presence(&self, id: ChannelId, out: &mut Vec<u8>) {
        if self.push_app_presence(id, out) {
            return;
        }
        let channel = self.channels.get(id);
        let (name, Position { epoch, offset }) = (&channel.name, channel.head_position());
        let members = self.members_of(id);
        let snapshot = members.snapshot();
        ServerMessage::Presence { channel: name, epoch, offset, snapshot }.push(None, out);
    }

    /// Goes on with what could not be told at once, before the flush.
    pub(super) fn tell_untold(&mut self) {
        let mut next = 0;
        while let Some(&id) = self.attendances.untold.range(next..).next() {
            next = id + 1;
            if self.work.is_part_used() {
                self.work.cut(WorkKind::Names);
                return;
            }
            let id = ChannelId(id);
            if let Some(made) = self.make_notice(id) {
                // Somebody may be gone for the room, and what is told is made anew.
                self.make_room_for_notice(made.log, made.notice.encoded().lens());
            }
            self.tell_now(id);
        }
    }

    /// As for a publication; but its log goes with the last one who takes notices.
    fn make_room_for_notice(&mut self, log: ChannelId, lens: Lens) {
        let room = |channels: &Channels| match channels.try_get(log) {
            Some(_) => channels.room_for(log, lens),
            None => Room::Later,
        };
        if self.make_room_among_logs(room) {
            self.save_rests(log, |channel| channel.first_after(lens));
        }
    }

    /// A subscriber has not taken the notices as long as they were there: it is told who is there instead. False: it is
    /// closed, or gone.
    pub(super) fn tell_instead(&mut self, index: usize, log: ChannelId) -> bool {
        let slot = &self.connections.slots[index];
        let (serial, form) = (slot.serial, slot.form);
        let channel = self.channels.get(log);
        let Some(id) = channel.notices_of() else { return true };
        if let Some(head) = channel.log_in(form).map(|log| Cursor::at(log.head())) {
            self.set_cursor(index, log, head);
        }
        self.metrics.slow_skipped += 1;
        let mut object = Vec::new();
        self.push_presence(id, &mut object);
        if !self.outbox_has_room(index, object.len()) {
            self.close_slow(index);
            return false;
        }
        self.aside(index, |reactor| {
            reactor.scratch.said.extend_from_slice(&object);
            reactor.say_made(index);
        });
        self.connections.is_open(index, serial)
    }

    /// The same for notices that come first in a connection's outbox. Those behind them are still to come.
    pub(super) fn tell_in_place(&mut self, index: usize, stretch: Stretch) -> bool {
        let subject = self.channels.try_get(stretch.channel).and_then(Channel::notices_of);
        let is_received = |id: &ChannelId| Self::is_subscribed(&self.connections.slots[index], *id);
        let mut frame = Vec::new();
        // One that has left the channel is told nothing more.
        if let Some(id) = subject.filter(is_received) {
            let mut object = Vec::new();
            self.push_presence(id, &mut object);
            let transport = self.connections.slots[index].transport;
            transport.framing(&mut self.encoder.deflater, 0).object(&object, &mut frame);
        }
        self.metrics.slow_skipped += 1;
        let has_room = self.has_backlog_room(index, frame.len());
        self.in_outbox(index, |outbox| {
            outbox.drop_first();
            if has_room && !frame.is_empty() {
                outbox.put_frames_first(frame);
            }
        });
        self.end_stretch(index, stretch, Passage::Skipped);
        if !has_room {
            self.close_slow(index);
            return self.connections.slots.get(index).is_some_and(|slot| !slot.flags.any(Flags::BLOCKED));
        }
        true
    }
}
