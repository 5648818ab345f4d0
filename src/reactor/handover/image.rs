//! All that a reactor has, told and taken over.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use slab::Slab;

use super::records::{Kind, Listening, Teller, Told as Record};
use crate::endpoint::Kind as Place;
use crate::endpoint::router::RouteId;
use crate::narrow;
use crate::push::presence::Departure;
use crate::push::{Channel, Cursor};
use crate::reactor::addresses::NOWHERE;
use crate::reactor::attendance::Attendances;
use crate::reactor::pusher::watching::Watching;
use crate::reactor::reactor::{ListenerRole, Reactor};
use crate::reactor::rest::Saved;
use crate::reactor::shared::Shared;
use crate::reactor::slot::image::{SavedFrames, SlotImage, number_of};
use crate::reactor::slot::{Flags, Phase, Slot};
use crate::reactor::socket::Stream;
use crate::reactor::timers::Timers;
use crate::reactor::told::ToldPeers;
use crate::time::Time;
use crate::tls::{Renewal, RenewalImage};

/// Connections in a record; each lends its descriptor.
const BATCH: usize = 200;

/// A connection as it is told: its slot, whether it stays where it is, and the rest.
type Told = (u32, bool, SlotImage);

/// The facts beside channels and connections.
#[derive(serde::Deserialize)]
struct Facts {
    next_serial: u32,
    newest: u64,
    started: Time,
    apps: Vec<String>,
    told: ToldPeers,
    timers: Timers,
    attendances: Attendances,
    watching: HashMap<String, Watching>,
    revoked: Vec<(String, u64)>,
    /// The patterns of a host's routes.
    routes: Vec<String>,
    has_host: bool,
}

/// The records that have come, until they are put together.
#[derive(Default)]
struct Parts {
    channels: Vec<(u32, Channel)>,
    saved: SavedFrames,
    slots: Slab<Slot<Stream>>,
    /// As many as were told.
    count: usize,
    /// Those of them that stay in the other process.
    stay: Vec<usize>,
    facts: Option<Facts>,
}

fn refused(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

impl Reactor<Stream> {
    /// The slots, and the descriptors of those in them.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = (usize, RawFd)> {
        self.connections.slots.iter().map(|(index, slot)| (index, slot.socket.0.as_raw_fd()))
    }

    /// The state that all reactors share.
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Connections of every state, at all reactors.
    pub(super) fn connections_of_all(&self) -> usize {
        self.connections.public_of_all() + self.connections.census.admin
    }

    /// Has the other reactors look after a hand-over.
    pub(super) fn wake_others(&self) {
        self.shared.wake_all();
    }

    /// Whether nothing is under way but what is told: no request, and no answer to one.
    pub(super) fn is_quiet(&self) -> bool {
        let inbox = &self.inbox;
        inbox.pending.is_empty()
            && inbox.steps.is_empty()
            && inbox.answers.is_empty()
            && self.listings.is_empty()
            && self.lists_away == 0
            && self.walk.failures.is_empty()
            && self.walk.apart.is_empty()
            && self.shared.waiting_here() == 0
    }

    /// Tells all that is this reactor's; the slots of those whose descriptors are lent.
    pub(super) fn tell_all(&self, out: &mut Teller) -> io::Result<Vec<usize>> {
        for (id, channel) in self.channels.iter() {
            out.tell(Kind::Channel, &(id.0, channel), &[])?;
        }
        let mut saved: HashMap<u64, &Arc<Saved>> = HashMap::new();
        for (_, slot) in &self.connections.slots {
            saved.extend(slot.saved().map(|saved| (number_of(saved), saved)));
        }
        for (number, saved) in saved {
            out.tell(Kind::Saved, &(number, &**saved), &[])?;
        }
        let moved = self.tell_connections(out)?;
        for &index in &moved {
            if let Some(renewal) = self.wire.tls.kernel.known_renewal(index) {
                out.tell(Kind::Keys, &(narrow::to_u32(index), renewal.image()), &[])?;
            }
        }
        let revoked: Vec<(&str, u64)> = self.revoked.iter().collect();
        let connections = &self.connections;
        let facts = (
            connections.next_serial,
            self.channels.newest(),
            self.started,
            self.apps.ids(),
            &connections.told,
            &connections.timers,
            &self.attendances,
            &self.apps.watching,
            revoked,
            self.route_patterns(),
            self.has_host,
        );
        out.tell(Kind::Facts, &facts, &[])?;
        Ok(moved)
    }

    fn tell_connections(&self, out: &mut Teller) -> io::Result<Vec<usize>> {
        let (mut moved, mut batch, mut fds) = (Vec::new(), Vec::<Told>::new(), Vec::new());
        for (index, slot) in &self.connections.slots {
            let stays = slot.stays();
            if stays && !matches!(slot.phase, Phase::Open | Phase::Closing) {
                continue;
            }
            batch.push((narrow::to_u32(index), stays, slot.image(&self.pool)));
            if !stays {
                moved.push(index);
                fds.push(slot.socket.0.as_raw_fd());
            }
            if batch.len() == BATCH {
                out.tell(Kind::Connections, &batch, &fds)?;
                batch.clear();
                fds.clear();
            }
        }
        out.tell(Kind::Connections, &batch, &fds)?;
        Ok(moved)
    }

    /// A channel's name is one allocation at all reactors, for as long as it lives.
    fn known_by_all(&self, (place, mut channel): (u32, Channel)) -> (u32, Channel) {
        if let Some(name) = self.shared.name_of(&channel.name) {
            channel.name = name;
        }
        (place, channel)
    }

    /// Takes over all that the other process tells of this reactor; the slots of those who stay there. Nothing is read
    /// from a connection, or written to it.
    pub(super) fn take_all(&mut self, from: &mut Listening) -> io::Result<Vec<usize>> {
        let (mut parts, mut last) = (Parts::default(), None);
        loop {
            let told = match last.take() {
                Some(told) => told,
                None => from.next()?,
            };
            if told.is(Kind::Facts) {
                parts.facts = Some(told.value()?);
                break;
            } else if told.is(Kind::Channel) {
                parts.channels.push(self.known_by_all(told.value()?));
            } else if told.is(Kind::Saved) {
                let (number, saved): (u64, Saved) = told.value()?;
                parts.saved.insert(number, Arc::new(saved));
            } else if told.is(Kind::Keys) {
                let (index, image): (u32, RenewalImage) = told.value()?;
                let renewal = Renewal::of_image(&image)
                    .ok_or(refused("this build can't go on with the kernel's TLS of a connection"))?;
                self.wire.tls.kernel.keep(index as usize, Box::new(renewal));
            } else if told.is(Kind::Connections) {
                last = Some(self.take_connections(told, from, &mut parts)?);
            } else {
                return Err(refused("a record of no kind that there is"));
            }
        }
        self.put_together(parts)
    }

    /// Takes all connections in, and returns the record behind them. Each goes into its place as it comes: very many
    /// that waited for the others would be there twice, beside those of the other process.
    fn take_connections(
        &mut self,
        first: Record,
        from: &mut Listening,
        parts: &mut Parts,
    ) -> io::Result<Record> {
        let (mut record, mut problem, mut batch) = (Some(first), None, Vec::new().into_iter());
        let slots = std::iter::from_fn(|| {
            loop {
                if let Some(slot) = batch.next() {
                    return Some(slot);
                }
                let told = record.take_if(|told| told.is(Kind::Connections))?;
                match self.slots_of(told, parts).and_then(|slots| Ok((slots, from.next()?))) {
                    Ok((slots, next)) => (batch, record) = (slots.into_iter(), Some(next)),
                    Err(error) => {
                        problem = Some(error);
                        return None;
                    }
                }
            }
        });
        let slots = slots.collect();
        parts.slots = slots;
        match problem {
            Some(problem) => Err(problem),
            None => record.ok_or(refused("not all was told")),
        }
    }

    fn slots_of(&mut self, told: Record, parts: &mut Parts) -> io::Result<Vec<(usize, Slot<Stream>)>> {
        let images: Vec<Told> = told.value()?;
        parts.count += images.len();
        let (mut slots, mut fds) = (Vec::with_capacity(images.len()), told.fds.into_iter());
        for (index, stays, image) in images {
            let fd = match stays {
                // There is a slot for it until it is left out.
                true => File::open("/dev/null")?.into(),
                false => fds.next().ok_or(refused("a connection without a descriptor"))?,
            };
            let slot =
                Slot::of_image(Stream(fd.into()), image, &mut self.pool, &parts.saved).map_err(|_| {
                    refused("there is less room for unfinished messages here (assembly_bytes_max)")
                })?;
            slots.push((index as usize, slot));
            if stays {
                parts.stay.push(index as usize);
            }
        }
        Ok(slots)
    }

    fn put_together(&mut self, parts: Parts) -> io::Result<Vec<usize>> {
        let Parts { channels, saved, slots, count, stay, facts } = parts;
        let facts = facts.ok_or(refused("not all was told"))?;
        if facts.has_host != self.has_host {
            return Err(refused(
                "a program with handlers of its own and one without take nothing over from each other",
            ));
        }
        self.channels.resume(channels, facts.newest).map_err(refused)?;
        self.tell_channels_the_policy();
        self.wire.backlog_bytes += saved.values().map(|saved| saved.held_bytes()).sum::<usize>();
        drop(saved);
        for (user, until_s) in &facts.revoked {
            // As many as there may be.
            let _ = self.revoked.add(user, *until_s);
        }
        self.connections.next_serial = facts.next_serial;
        self.connections.timers = facts.timers;
        self.connections.told = facts.told;
        // Ids of clients of apps begin with that.
        self.started = facts.started;
        self.attendances = facts.attendances;
        self.apps.watching = facts.watching;
        let room = self.connections.slots.capacity();
        self.connections.slots = slots;
        if self.connections.slots.len() != count {
            return Err(refused("two connections in one place"));
        }
        self.connections.slots.reserve_exact(room.saturating_sub(count));
        self.wire.tls.kernel.rounds.begin();
        let all: Vec<usize> = self.connections.slots.iter().map(|(index, _)| index).collect();
        for &index in &all {
            self.find_app(index, &facts.apps)?;
            self.find_route(index, &facts.routes)?;
            self.count_in(index);
        }
        Ok(stay)
    }

    /// All reactors have taken in what is theirs: lets go of the connections that stay in the other process.
    pub(super) fn leave_out(&mut self, stay: &[usize]) -> io::Result<()> {
        let lost = Departure::Lost(self.now.mono_ms());
        stay.iter().for_each(|&index| self.let_go(index, lost));
        if cfg!(debug_assertions) {
            self.audit();
        }
        self.check_capacity()
    }

    /// A configuration that allows fewer is no successor's.
    fn check_capacity(&self) -> io::Result<()> {
        let (public, admin) = (self.connections.public_of_all(), self.connections.census.admin);
        if public > self.connections_max() + crate::reactor::REFUSALS_MAX {
            return Err(refused("there is room for fewer connections here (max_connections, ulimit -n)"));
        }
        if admin > self.config.admin_connections_max {
            return Err(refused("there is room for fewer admin connections here (admin_connections_max)"));
        }
        Ok(())
    }

    /// An app's connection finds its app's seat here.
    fn find_app(&mut self, index: usize, apps: &[String]) -> io::Result<()> {
        let slot = &mut self.connections.slots[index];
        let Some(seat) = Self::app_seat(slot) else { return Ok(()) };
        let here = apps.get(seat as usize).and_then(|id| self.apps.ids().iter().position(|own| own == id));
        let here = here.ok_or(refused("an app that has connections is not configured here (pusher_app)"))?;
        slot.cursor = Cursor(narrow::to_u32(here));
        if slot.phase == Phase::Open {
            self.apps.count(narrow::to_u32(here));
        }
        Ok(())
    }

    fn route_patterns(&self) -> Vec<&str> {
        let ids = (0..self.routes.len()).filter_map(RouteId::from_number);
        ids.map(|id| self.routes.pattern(id).text()).collect()
    }

    /// A connection at a route of the host's is at the one of the same pattern here.
    fn find_route(&mut self, index: usize, routes: &[String]) -> io::Result<()> {
        let slot = &self.connections.slots[index];
        let Some(there) = slot.kind.route().filter(|_| slot.phase != Phase::Admin) else { return Ok(()) };
        let pattern = routes.get(there.number());
        let here = self.route_patterns().iter().position(|own| pattern.is_some_and(|pattern| pattern == own));
        let here = here.and_then(RouteId::from_number);
        let here = here.ok_or(refused("a route that has connections is not there here"))?;
        self.connections.slots[index].kind = Place::of_route(here);
        Ok(())
    }

    /// Counts a connection that has come over in all that others know of it.
    fn count_in(&mut self, index: usize) {
        self.connections.used = self.connections.used.max(index + 1);
        let slot = &mut self.connections.slots[index];
        let (phase, serial) = (slot.phase, slot.serial);
        let (is_blocked, is_queued) = (slot.flags.any(Flags::BLOCKED), slot.flags.any(Flags::QUEUED));
        let (is_known, kind) = (slot.flags.any(Flags::KNOWN), slot.kind);
        let has_users = slot.has_users();
        let is_kernel_tls = slot.flags.any(Flags::KERNEL_TLS);
        slot.flags.set(Flags::QUEUED, false);
        let held = slot.backlog_bytes();
        let role = if phase == Phase::Admin { ListenerRole::Admin } else { ListenerRole::Public };
        let peer = self.connections.peer(index);
        let counted = if self.connections.told.has(index) { peer } else { self.counted(role, peer) };
        self.connections.addresses_of(role).keep(narrow::to_u32(index), counted);
        self.wire.backlog_bytes += held;
        self.connections.census.blocked += usize::from(is_blocked);
        self.connections.census.kernel_tls += usize::from(is_kernel_tls);
        match phase {
            Phase::Admin => {
                self.connections.census.admin += 1;
                if !is_known {
                    self.note_arrival(index, serial, peer);
                }
            }
            Phase::Http | Phase::Open | Phase::Closing => {
                // Whether there is room for so many is seen in the end.
                self.connections.enter_public(usize::MAX);
            }
        }
        match phase {
            Phase::Open => {
                self.connections.take_open(|| usize::MAX);
                self.connections.enter_open(index);
                if has_users {
                    self.connections.enter_user(index);
                }
                self.resume_session(index);
                if self.has_host(kind) || self.connections.slots[index].has_questions() {
                    self.taken_over.push((index, serial));
                }
            }
            Phase::Closing => self.connections.census.closing += 1,
            Phase::Http | Phase::Admin => {}
        }
        self.count_chunks(index);
        self.count_backlog(index);
        if is_queued {
            self.go_on_later(index);
        }
    }

    /// Forgets a connection that is another process's, without a word to its peer or to anybody else.
    pub(super) fn let_go(&mut self, index: usize, departure: Departure) {
        self.leave_app(index, departure);
        self.give_up_sending(index);
        self.give_up_owed(index);
        self.leave_channels(index, departure);
        self.connections.leave_user(index);
        self.drop_input(index);
        let mut slot = self.connections.slots.remove(index);
        if slot.flags.any(Flags::KERNEL_TLS) {
            self.wire.tls.kernel.forget(index);
            self.connections.census.kernel_tls -= 1;
        }
        self.wire.backlog_bytes -= slot.backlog_bytes();
        self.shares.backlog.set(narrow::to_u32(index), 0, || NOWHERE);
        self.connections.leave(index, &mut slot);
    }

    /// The successor has taken over: these connections are its, and of the others the end begins.
    pub(super) fn succeeded(&mut self, moved: &[usize]) {
        // Who is there, and what happens to channels, is the successor's to say.
        self.exit.former_backend = self.backend.take();
        self.attendances = Attendances::default();
        self.apps.watching.clear();
        self.channels.end_paces();
        moved.iter().for_each(|&index| self.let_go(index, Departure::Said));
        self.end_snapshot();
        self.drain_the_rest();
    }

    /// Whether a successor can be asked in now; why not.
    pub(super) fn refuses_successor(&self) -> Option<&'static str> {
        let ends = self.exit.draining.is_some() || self.exit.handover.is_some();
        ends.then_some("it is ending already")
    }
}
