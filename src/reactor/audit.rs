//! The invariants between two turns, checked from inside. For the simulator and the fuzzers: no part of the API.

use std::collections::HashMap;
use std::sync::Arc;

use crate::narrow;
use crate::push::{Channel, ChannelId, Cursor, DEFAULT, Form};

use super::assembling::chunks_of;
use super::connections::Census;
use super::directory::Directory;
use super::outbox::Stretch;
use super::reactor::Reactor;
use super::rest::Rest;
use super::sending::Sending;
use super::slot::{Flags, Phase, Slot};
use super::socket::Socket;

/// A reactor's holdings at the moment.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// Connections of every state.
    pub connections: usize,
    /// Open connections.
    pub open: usize,
    /// Connections that are closing.
    pub closing: usize,
    /// Connections whose socket is full.
    pub blocked: usize,
    /// Boxes for rare state.
    pub extras: usize,
    /// Chunks of the assembly pool in use.
    pub chunks: usize,
    /// Those, and free ones whose memory was not given back yet.
    pub chunks_backed: usize,
    /// Slots that were ever in use since the server was empty last.
    pub slots_used: usize,
    /// Bytes in outboxes.
    pub outbox_bytes: usize,
    /// Commands that wait for room in a log.
    pub pending: usize,
    /// Times that a log gave up its older half for others.
    pub logs_halved: u64,
    /// Channels whose publications go out at a pace.
    pub paced: usize,
    /// Name, epoch and next offset (0: nothing was ever logged) of every channel.
    pub channels: Vec<(String, u64, u64)>,
    /// Name, epoch and offset of the oldest publication of every channel.
    pub first_offsets: Vec<(String, u64, u64)>,
}

/// Counts a connection by what it does.
fn count<S>(census: &mut Census, slot: &Slot<S>) {
    let is_open = slot.phase == Phase::Open;
    match slot.phase {
        Phase::Admin => census.admin += 1,
        _ => census.public += 1,
    }
    if is_open {
        census.enter_open(slot);
    }
    census.closing += usize::from(slot.phase == Phase::Closing);
    census.kernel_tls += usize::from(slot.flags.any(Flags::KERNEL_TLS));
    census.blocked += usize::from(slot.flags.any(Flags::BLOCKED));
}

impl<S: Socket> Reactor<S> {
    /// Lets all logs begin at this logical position; only before there are connections and publications.
    #[doc(hidden)]
    pub fn start_logs_at(&mut self, position: u64) {
        assert!(self.connections.slots.is_empty());
        self.channels.start_at(position);
    }

    /// Counts what the reactor holds, and panics where that contradicts itself.
    #[doc(hidden)]
    pub fn audit(&self) -> Audit {
        let mut audit = Audit {
            connections: self.connections.slots.len(),
            chunks: self.pool.chunks_in_use(),
            chunks_backed: self.pool.chunks_backed(),
            slots_used: self.connections.used,
            pending: self.inbox.pending.len(),
            logs_halved: self.metrics.logs_halved,
            paced: self.channels.paced(),
            ..Audit::default()
        };
        self.audit_queue();
        let mut census = Census::default();
        let mut partial_input = false;
        for (index, slot) in &self.connections.slots {
            self.audit_slot(index, slot);
            count(&mut census, slot);
            audit.outbox_bytes += slot.outbox_bytes();
            if let Some(extra) = &slot.extra {
                audit.extras += 1;
                partial_input |= extra.assembly.is_some() || extra.http.is_some();
            }
        }
        for index in self.wire.tls.kernel.renewable() {
            let slot = self.connections.slots.get(index);
            assert!(
                slot.is_some_and(|slot| slot.flags.any(Flags::KERNEL_TLS)),
                "slot {index}: keys for nobody"
            );
        }
        assert_eq!(census, self.connections.census, "the census is wrong");
        self.audit_users();
        self.audit_places();
        self.audit_presence();
        self.audit_backlog();
        self.audit_chunks();
        assert!(partial_input || audit.chunks == 0, "chunks that nobody holds: {}", audit.chunks);
        (audit.open, audit.closing, audit.blocked) = (census.open(), census.closing, census.blocked);
        let logs: usize = self.channels.iter().map(|(_, channel)| channel.log_bytes()).sum();
        assert_eq!(logs, self.channels.log_bytes(), "the sum of the logs is wrong");
        assert!(logs <= self.config.logs_bytes_max, "{logs} bytes of logs are more than there may be");
        self.shared.with_directory(Directory::audit);
        for (id, channel) in self.channels.iter() {
            self.audit_channel(id, channel);
            if channel.notices_of().is_some() {
                continue;
            }
            let next_offset = if self.channels.is_unused(id) { 0 } else { channel.log().next_offset() };
            audit.channels.push((channel.name.to_string(), channel.epoch, next_offset));
            audit.first_offsets.push((channel.name.to_string(), channel.epoch, channel.log().first_offset()));
        }
        audit
    }

    /// Who goes on in another turn stands in the queue, and nobody else.
    fn audit_queue(&self) {
        let queued =
            self.work.queue().filter(|&(index, serial)| self.connections.has(index as usize, serial));
        let mut queued: Vec<u32> = queued.map(|(index, _)| index).collect();
        queued.sort_unstable();
        let flagged = self.connections.slots.iter().filter(|(_, slot)| slot.flags.any(Flags::QUEUED));
        assert!(flagged.map(|(index, _)| narrow::to_u32(index)).eq(queued), "who goes on in another turn");
    }

    /// Every open connection with a user is in its list, and nobody else.
    fn audit_users(&self) {
        let mut listed = Vec::new();
        for (is_whole, list) in self.connections.users.lists(&self.connections.slots) {
            assert!(is_whole && !list.is_empty(), "a user's list is broken: {list:?}");
            listed.extend(list);
        }
        listed.sort_unstable();
        let is_user = |slot: &Slot<S>| slot.phase == Phase::Open && slot.has_users() && slot.user().is_some();
        let users = self.connections.slots.iter().filter(|(_, slot)| is_user(slot));
        assert!(users.map(|(index, _)| index).eq(listed), "who has a user");
    }

    fn audit_channel(&self, id: ChannelId, channel: &Channel) {
        assert!(channel.log().tail() <= channel.log().head());
        let subscribers = match id {
            DEFAULT => {
                self.connections.slots.iter().filter(|(_, slot)| slot.flags.any(Flags::BROADCAST)).count()
            }
            _ => channel.members.len(),
        };
        assert_eq!(channel.subscribers as usize, subscribers, "subscribers of {}", channel.name);
        self.audit_need(id, channel);
        self.audit_forms(id, channel);
        self.audit_owed(id, channel);
        for (place, member) in channel.members.iter().enumerate() {
            let slot = &self.connections.slots[member.slot as usize];
            let at = slot.extra.as_ref().and_then(|extra| extra.memberships.place(id));
            assert!(
                at == Some(narrow::to_u32(place)),
                "member {place} of {} is a stranger in slot {}",
                channel.name,
                member.slot
            );
        }
    }

    /// Those who are in a channel with presence are the users among its subscribers, and those of its subscribers take
    /// its notices who can.
    fn audit_presence(&self) {
        let mut found: HashMap<ChannelId, HashMap<&str, u32>> = HashMap::new();
        for (index, slot) in &self.connections.slots {
            for (id, _) in self.subscriptions(slot) {
                let channel = self.channels.get(id);
                if let Some(subject) = channel.notices_of() {
                    assert_eq!(
                        self.notices_for(index, subject),
                        Some(id),
                        "slot {index}: notices of nothing"
                    );
                    assert!(Self::is_subscribed(slot, subject), "slot {index}: notices of {}", channel.name);
                } else if channel.rules.presence {
                    let takes = slot.transport.takes_notices();
                    assert_eq!(
                        self.notices_for(index, id).is_some(),
                        takes,
                        "slot {index}: {}",
                        channel.name
                    );
                    if let Some(user) = slot.member(id) {
                        *found.entry(id).or_default().entry(user).or_default() += 1;
                    }
                }
            }
        }
        for (id, attendance) in &self.attendances.channels {
            let (presence, found) = (&attendance.presence, found.remove(id).unwrap_or_default());
            let channel = &self.channels.get(*id).name;
            let there = presence.attendees().map(|all| all.filter(|one| one.connections > 0));
            let there =
                there.map(|all| all.map(|one| (one.user, one.connections)).collect::<HashMap<_, _>>());
            // With others it knows of their connections as well.
            let is_right = |there: HashMap<&str, u32>| match self.shared.has_others() {
                false => there == found,
                true => found.iter().all(|(user, count)| there.get(user) >= Some(count)),
            };
            assert!(there.is_none_or(is_right), "who is in {channel}: {presence:?}, {found:?}");
            assert!(presence.count() >= found.len(), "{channel}: {presence:?}, {found:?}");
            let is_of_use = !presence.is_empty() || attendance.notices.log.is_some();
            assert!(is_of_use, "{channel}: nobody is there, and nobody hears of it");
        }
        assert!(found.is_empty(), "nobody knows that they are there: {found:?}");
    }

    /// The pool's chunks are counted where they are held.
    fn audit_chunks(&self) {
        let mut sum = 0;
        for (index, slot) in self.connections.slots.iter().filter(|(_, slot)| slot.phase != Phase::Admin) {
            let chunks = chunks_of(slot);
            assert_eq!(self.shares.chunks.held_by(narrow::to_u32(index)), chunks, "slot {index}: chunks");
            sum += chunks;
        }
        assert_eq!(self.shares.chunks.audit(), sum);
        self.shares.backlog.audit();
        for (index, slot) in self.connections.slots.iter().filter(|(_, slot)| slot.phase != Phase::Admin) {
            let held = self.shares.backlog.held_by(narrow::to_u32(index));
            assert_eq!(held, slot.backlog_bytes(), "slot {index}: what waits");
        }
        for (index, slot) in &self.connections.slots {
            let assembly = slot.extra.as_ref().and_then(|extra| extra.assembly.as_ref());
            assert!(assembly.is_none_or(|assembly| assembly.since_ms.is_some()), "slot {index}: no deadline");
        }
    }

    /// The backlog is the sum of what waits, a frame that several share counted once.
    fn audit_backlog(&self) {
        let mut saved = HashMap::new();
        for (_, slot) in &self.connections.slots {
            if let Some(rest) = slot.outbox().and_then(|outbox| outbox.rest.as_ref()) {
                let (_, places) = saved.entry(Arc::as_ptr(&rest.saved)).or_insert((&rest.saved, 0));
                *places += 1;
            }
        }
        for (saved, places) in saved.values() {
            assert_eq!(Arc::strong_count(saved), *places, "a saved frame that nobody is to get");
        }
        let saved: usize = saved.values().map(|(saved, _)| saved.held_bytes()).sum();
        let backlog: usize = self.connections.slots.iter().map(|(_, slot)| slot.backlog_bytes()).sum();
        assert_eq!(backlog + saved, self.wire.backlog_bytes, "the sum of what waits is wrong");
    }

    /// Who stands in mid-frame is listed, and who is owed something is counted.
    fn audit_owed(&self, id: ChannelId, channel: &Channel) {
        let (mut midway, mut owed) = ([const { Vec::new() }; Form::COUNT], [0; Form::COUNT]);
        for (index, slot) in &self.connections.slots {
            if slot.mid_channel() == Some(id) {
                let log = channel.log_in(slot.form);
                let position = log.zip(self.cursor(index, id)).and_then(|(log, cursor)| log.position(cursor));
                let position = position.expect("in the middle of a frame that is gone");
                midway[slot.form.index()].push((position, narrow::to_u32(index)));
            }
            if let Some(behind) = slot.sending().and_then(Sending::behind) {
                for stretch in
                    behind.stretches().filter(|owed| (owed.channel, owed.epoch) == (id, channel.epoch))
                {
                    audit_stretch(index, stretch, channel);
                    assert!(!stretch.midway, "slot {index}: begun behind a message");
                    owed[stretch.form.index()] += 1;
                }
            }
            let Some(outbox) = slot.outbox() else { continue };
            // Of a former life of the channel nothing is counted any more.
            let epoch = channel.epoch;
            for form in Form::ALL {
                let is_it = |rest: &Rest| rest.saved.is_of((id, epoch), form);
                owed[form.index()] += u32::from(outbox.rest.as_ref().is_some_and(is_it));
            }
            for stretch in outbox.stretches().filter(|owed| (owed.channel, owed.epoch) == (id, epoch)) {
                audit_stretch(index, stretch, channel);
                owed[stretch.form.index()] += 1;
                if stretch.midway {
                    midway[stretch.form.index()].push((stretch.from, narrow::to_u32(index)));
                }
            }
        }
        for form in Form::ALL {
            let (mut expected, owed) = (std::mem::take(&mut midway[form.index()]), owed[form.index()]);
            expected.sort_unstable();
            let ring = channel.ring(form);
            let listed: Vec<_> = ring.iter().flat_map(|ring| ring.midway.iter()).collect();
            assert_eq!(listed, expected, "who stands in mid-frame of {}", channel.name);
            assert_eq!(ring.map_or(0, |ring| ring.owed), owed, "what is owed of {}", channel.name);
        }
    }

    /// A channel that somebody needs is known as such, so that no publisher takes its place.
    fn audit_need(&self, id: ChannelId, channel: &Channel) {
        if id == DEFAULT || channel.notices_of().is_some() {
            return;
        }
        let needed =
            self.shared.with_directory(|directory| directory.is_needed(&channel.name, channel.epoch));
        let is_behind = self.has_pending() || self.shared.waiting_here() > 0;
        match needed {
            // At another reactor somebody may.
            Some(true) if self.shared.has_others() => {}
            Some(true) => assert!(!channel.is_deserted() || is_behind, "nobody needs {}", channel.name),
            Some(false) => assert!(channel.is_deserted(), "{} may be forgotten", channel.name),
            None => assert!(channel.is_deserted() && is_behind, "{} is not known", channel.name),
        }
    }

    /// All forms of a log hold the same, and those who take each are counted.
    fn audit_forms(&self, id: ChannelId, channel: &Channel) {
        for form in Form::ALL {
            let takers = match id {
                DEFAULT => {
                    let takes = |slot: &Slot<S>| slot.flags.any(Flags::BROADCAST) && slot.form == form;
                    self.connections.slots.iter().filter(|(_, slot)| takes(slot)).count()
                }
                _ => {
                    let takes = |slot: u32| self.connections.slots[slot as usize].form == form;
                    channel.members.iter().filter(|member| takes(member.slot)).count()
                }
            };
            let counted = channel.ring(form).map_or(0, |ring| ring.subscribers());
            assert_eq!(counted as usize, takers, "who takes {} as {form:?}", channel.name);
        }
        let plain = channel.log();
        for (form, other) in channel.rings().skip(1).map(|ring| (ring.form(), &ring.log)) {
            assert_eq!(plain.next_offset(), other.next_offset(), "{}: forms of two lengths", channel.name);
            assert!(plain.first_offset() <= other.first_offset(), "{}: evicted too late", channel.name);
            let bytes = other.head() - other.tail();
            assert!(bytes <= self.config.log_bytes as u64, "{}: {form:?} is too long", channel.name);
            let larger = form == Form::Deflated && bytes > plain.head() - plain.tail();
            assert!(!larger, "{}: larger when deflated", channel.name);
        }
    }

    fn audit_slot(&self, index: usize, slot: &Slot<S>) {
        let has = |flag| slot.flags.any(flag);
        let extra = slot.extra.as_deref();
        let subscribed = extra.is_some_and(|extra| !extra.memberships.is_empty());
        assert_eq!(
            has(Flags::OUTBOX),
            extra.is_some_and(|e| e.outbox.is_some()),
            "slot {index}: outbox flag"
        );
        assert!(
            slot.outbox().is_none_or(|outbox| !outbox.is_empty()),
            "slot {index}: an empty outbox is kept"
        );
        let in_frame = slot.outbox().and_then(|outbox| outbox.stretches().position(|stretch| stretch.midway));
        assert!(in_frame.is_none_or(|at| at == 0 && !has(Flags::MID_FRAME)), "slot {index}: mid-frame twice");
        assert!(!has(Flags::OUTBOX) || has(Flags::BLOCKED), "slot {index}: an outbox waits for nothing");
        let tls = extra.and_then(|extra| extra.tls.as_ref());
        assert!(has(Flags::TLS) || tls.is_none(), "slot {index}: a session without TLS");
        assert!(!has(Flags::TLS) || !has(Flags::KERNEL_TLS), "slot {index}: TLS twice");
        assert!(slot.sending().is_none() || has(Flags::BLOCKED), "slot {index}: others may come in between");
        assert!(slot.sending().is_none() || !has(Flags::MID_FRAME), "slot {index}: begun in mid-frame");
        let unsent = tls.is_some_and(|session| !session.unsent().is_empty())
            || slot.lines().is_some_and(|lines| !lines.unsent().is_empty());
        assert!(
            !has(Flags::TLS) || has(Flags::BLOCKED) == unsent || slot.sending().is_some(),
            "slot {index}: blocked, or unsent records"
        );
        let is_paused = has(Flags::BLOCKED) || slot.is_paused_by_host();
        assert!(!has(Flags::PAUSED) || is_paused, "slot {index}: paused for nothing");
        assert!(!slot.is_paused_by_host() || has(Flags::PAUSED), "slot {index}: not paused");
        assert!(!has(Flags::MID_FRAME) || has(Flags::BLOCKED), "slot {index}: mid-frame for nothing");
        assert!(extra.is_none_or(|extra| !extra.is_empty()), "slot {index}: an empty box is kept");
        if slot.phase != Phase::Open {
            assert!(!subscribed && !has(Flags::BROADCAST), "slot {index}: not open, but subscribed");
            assert!(!has(Flags::MID_FRAME), "slot {index}: not open, but in mid-frame");
            return;
        }
        if has(Flags::BROADCAST) {
            self.audit_cursor(index, slot, DEFAULT, slot.cursor);
        }
        for m in extra.iter().flat_map(|extra| extra.memberships.iter()) {
            let member = self.channels.get(m.channel).members[m.place as usize];
            assert_eq!(member.slot as usize, index, "a member's place is someone else's");
            self.audit_cursor(index, slot, m.channel, member.cursor);
        }
    }

    fn audit_cursor(&self, index: usize, slot: &Slot<S>, id: ChannelId, cursor: Cursor) {
        let log = self.channels.get(id).log_in(slot.form);
        let log = log.unwrap_or_else(|| panic!("slot {index}: not in the form that it takes: {id:?}"));
        let Some(position) = log.position(cursor) else {
            // A connection that can be written to is written to before the log moves on over it.
            assert!(slot.flags.any(Flags::BLOCKED), "slot {index} fell off though its socket had room");
            return;
        };
        let (_, boundary) = log.offset_at(position);
        let mid = slot.mid_channel() == Some(id);
        assert_eq!(mid, !boundary, "slot {index}: in mid-frame of {id:?} or not");
    }
}

/// A stretch that a connection is owed begins and ends in its log as it says.
fn audit_stretch(index: usize, stretch: &Stretch, channel: &Channel) {
    let Stretch { form, midway, from, to, .. } = *stretch;
    let log = channel.log_in(form).expect("a log that is owed");
    assert!(from < to && to <= log.head(), "slot {index}: a stretch of nothing");
    assert!(log.offset_at(to).1 || to < log.tail(), "slot {index}: a stretch ends in mid-frame");
    if from >= log.tail() {
        assert_eq!(midway, !log.offset_at(from).1, "slot {index}: a stretch begins in mid-frame");
    }
}
