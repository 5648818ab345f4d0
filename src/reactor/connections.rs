//! The connections: their slots, and what is kept about all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use slab::Slab;

use crate::config::Config;
use crate::endpoint::Kind;
use crate::endpoint::conn_id::SERIAL_BITS;
use crate::metrics::{ConnectionTransport, Counts};
use crate::narrow;

use super::addresses::Addresses;
use super::budgets::Budgets;
use super::connects::Connects;
use super::flush::set_blocked;
use super::reactor::{ListenerRole, REFUSALS_MAX};
use super::slot::{Phase, Slot};
use super::strangers::Strangers;
use super::timers::Timers;
use super::told::ToldPeers;
use super::totals::Totals;
use super::users::Users;
use super::v1::CommandCounts;

/// Numbers of connections by what they do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    pub public: usize,
    pub admin: usize,
    /// Open connections, by [`Kind`].
    pub open_by_kind: [usize; Kind::COUNT],
    /// Those of the open ones that are no WebSockets, by [`ConnectionTransport`].
    pub streaming: [usize; ConnectionTransport::COUNT],
    pub closing: usize,
    /// Connections whose TLS is the kernel's.
    pub kernel_tls: usize,
    /// Those of the open ones with permessage-deflate.
    pub deflating: usize,
    pub blocked: usize,
}

impl Census {
    /// A connection opens.
    pub(super) fn enter_open<S>(&mut self, slot: &Slot<S>) {
        self.open_by_kind[slot.kind.index()] += 1;
        self.deflating += usize::from(slot.flags.window_bits() > 0);
        if let Some(transport) = streamed(slot) {
            self.streaming[transport as usize] += 1;
        }
    }

    /// An open connection closes.
    pub(super) fn leave_open<S>(&mut self, slot: &Slot<S>) {
        self.open_by_kind[slot.kind.index()] -= 1;
        self.deflating -= usize::from(slot.flags.window_bits() > 0);
        if let Some(transport) = streamed(slot) {
            self.streaming[transport as usize] -= 1;
        }
    }

    /// Open connections by transport.
    pub(super) fn by_transport(&self) -> Counts<ConnectionTransport, { ConnectionTransport::COUNT }> {
        let mut counts = Counts::default();
        let sockets = self.open() - self.streaming.iter().sum::<usize>();
        for &transport in ConnectionTransport::ALL {
            let streaming = self.streaming[transport as usize];
            let is_socket = transport == ConnectionTransport::WebSocket;
            counts.set(transport, if is_socket { sockets } else { streaming } as u64);
        }
        counts
    }

    /// Open connections.
    pub(super) fn open(&self) -> usize {
        self.open_by_kind.iter().sum()
    }
}

/// The transport of an open connection that is no WebSocket. An app's client may have its frames as lines.
fn streamed<S>(slot: &Slot<S>) -> Option<ConnectionTransport> {
    match slot.lines() {
        Some(_) if slot.is_polled() => Some(ConnectionTransport::Poll),
        Some(_) => Some(ConnectionTransport::Stream),
        None => slot.form.is_streamed().then(|| slot.transport.label()),
    }
}

/// The connection at hand is gone, its slot free: nothing more can be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

/// All connections.
pub(super) struct Connections<S> {
    pub slots: Slab<Slot<S>>,
    /// Slots that were ever in use: where a walk over all of them ends.
    pub used: usize,
    pub next_serial: u32,
    /// Serial numbers are of this reactor from here on,
    pub first_serial: u32,
    /// and up to here.
    pub last_serial: u32,
    pub census: Census,
    pub timers: Timers,
    pub addresses: Addresses,
    /// The same for the admin listener: a proxy's address must not use up its operator's share.
    pub admin_addresses: Addresses,
    pub strangers: Strangers,
    /// Addresses that proxies have told.
    pub told: ToldPeers,
    /// Those of each user.
    pub users: Users,
    /// Connections that the descriptor limit leaves room for.
    pub descriptors: usize,
    pub command_counts: CommandCounts,
    /// The same of messages, where `messages_per_second_max` is set.
    pub message_counts: CommandCounts,
    /// How often clients of each address come.
    pub connects: Connects,
    /// The pushes that programs have left, by their keys.
    pub budgets: Budgets,
    /// How many were ever removed.
    pub removed: u64,
    /// Open ones of each route of the host's, for all threads to see.
    pub online: Arc<[AtomicU64]>,
    /// Those of all reactors, where there are several.
    totals: Option<Arc<Totals>>,
}

/// An open connection closes, or is gone.
fn leave_open<S>(census: &mut Census, online: &[AtomicU64], totals: Option<&Totals>, slot: &Slot<S>) {
    census.leave_open(slot);
    if let Some(totals) = totals {
        totals.open.give_back();
    }
    if let Some(route) = slot.kind.route() {
        let online = &online[route.number()];
        online.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<S> Connections<S> {
    /// None yet.
    pub fn new(config: &Config, descriptors: usize, now_ms: u64) -> Connections<S> {
        let slots = config.max_connections + config.admin_connections_max + REFUSALS_MAX;
        Connections {
            // Reserved at once and never moved; a page costs nothing before its first connection.
            slots: Slab::with_capacity(slots),
            used: 0,
            next_serial: 1,
            first_serial: 1,
            last_serial: u32::MAX,
            census: Census::default(),
            timers: Timers::new(now_ms),
            addresses: Addresses::new(config.connections_per_address_max),
            admin_addresses: Addresses::new(config.connections_per_address_max),
            strangers: Strangers::default(),
            told: ToldPeers::default(),
            users: Users::default(),
            descriptors,
            command_counts: CommandCounts::default(),
            message_counts: CommandCounts::default(),
            connects: Connects::default(),
            budgets: Budgets::default(),
            removed: 0,
            online: Arc::default(),
            totals: None,
        }
    }

    /// The same where a host has so many routes.
    pub fn with_routes(self, routes: usize) -> Connections<S> {
        Connections { online: (0..routes).map(|_| AtomicU64::new(0)).collect(), ..self }
    }

    /// The same for one of several reactors, which is told the others' ones from by its connections' serial numbers.
    pub fn of_reactor(self, number: u32, totals: Arc<Totals>) -> Connections<S> {
        let first_serial = number << SERIAL_BITS | 1;
        let last_serial = first_serial | ((1 << SERIAL_BITS) - 1);
        let addresses = self.addresses.among(totals.by_address.clone());
        Connections {
            next_serial: first_serial,
            first_serial,
            last_serial,
            addresses,
            connects: totals.connects.clone(),
            totals: Some(totals),
            ..self
        }
    }

    /// Takes the place of one more open connection, where several reactors take them: there may be so many in all. A
    /// single reactor has looked, and nobody has come since.
    pub fn take_open(&self, max: impl FnOnce() -> usize) -> bool {
        self.totals.as_ref().is_none_or(|totals| totals.open.take(max()))
    }

    /// Gives it back, as the connection doesn't open after all.
    pub fn give_back_open(&self) {
        if let Some(totals) = &self.totals {
            totals.open.give_back();
        }
    }

    /// A connection opens, whose place is taken.
    pub fn enter_open(&mut self, index: usize) {
        let slot = &self.slots[index];
        self.census.enter_open(slot);
        if let Some(route) = slot.kind.route() {
            let online = &self.online[route.number()];
            online.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// An open connection closes.
    pub fn leave_open(&mut self, index: usize) {
        leave_open(&mut self.census, &self.online, self.totals.as_deref(), &self.slots[index]);
    }

    /// A connection has come in by a public listener, of which there may be so many. False: there are.
    pub fn enter_public(&mut self, max: usize) -> bool {
        let is_in = match &self.totals {
            Some(totals) => totals.public.take(max),
            None => self.census.public < max,
        };
        self.census.public += usize::from(is_in);
        is_in
    }

    /// It has not stayed for an answer.
    pub fn leave_public(&mut self) {
        self.census.public -= 1;
        if let Some(totals) = &self.totals {
            totals.public.give_back();
        }
    }

    /// Those on the public listeners, at all reactors.
    pub fn public_of_all(&self) -> usize {
        self.totals.as_ref().map_or(self.census.public, |totals| totals.public.taken())
    }

    /// The open ones, at all reactors.
    pub fn open_of_all(&self) -> usize {
        self.totals.as_ref().map_or_else(|| self.census.open(), |totals| totals.open.taken())
    }

    /// A serial that tells this connection from the slot's earlier ones. 0 is none, so that 0 is no connection's id.
    pub fn take_serial(&mut self) -> u32 {
        let serial = self.next_serial;
        self.next_serial = if serial == self.last_serial { self.first_serial } else { serial + 1 };
        serial
    }

    /// A connection, unless it is gone and the slot another's.
    pub fn get(&mut self, index: usize, serial: u32) -> Option<&mut Slot<S>> {
        self.slots.get_mut(index).filter(|slot| slot.serial == serial)
    }

    /// Whether a connection is still there.
    pub fn has(&self, index: usize, serial: u32) -> bool {
        self.slots.get(index).is_some_and(|slot| slot.serial == serial)
    }

    /// Whether it is, and nobody has begun to close it.
    pub fn is_open(&self, index: usize, serial: u32) -> bool {
        self.has(index, serial) && self.slots[index].phase == Phase::Open
    }

    /// Whether the connection at hand has outlived what was done for others, or for itself by way of its id.
    pub fn there(&self, index: usize) -> Result<(), Gone> {
        if self.slots.contains(index) { Ok(()) } else { Err(Gone) }
    }

    /// Counts a connection whose socket is full, or no longer.
    pub fn set_blocked(&mut self, index: usize, blocked: bool) {
        set_blocked(&mut self.census, &mut self.slots[index].flags, blocked);
    }

    /// Counts a connection that is gone and whose slot is free.
    pub fn leave(&mut self, index: usize, slot: &mut Slot<S>) {
        self.removed += 1;
        set_blocked(&mut self.census, &mut slot.flags, false);
        match slot.phase {
            Phase::Admin => self.census.admin -= 1,
            Phase::Http => self.census.public -= 1,
            Phase::Open => {
                self.census.public -= 1;
                leave_open(&mut self.census, &self.online, self.totals.as_deref(), slot);
            }
            Phase::Closing => {
                self.census.public -= 1;
                self.census.closing -= 1;
            }
        }
        let role = if slot.phase == Phase::Admin { ListenerRole::Admin } else { ListenerRole::Public };
        if let Some(totals) = self.totals.as_ref().filter(|_| role == ListenerRole::Public) {
            totals.public.give_back();
        }
        self.told.leave(index);
        self.addresses_of(role).leave(narrow::to_u32(index));
    }

    /// An open connection is one of its user's, if it has one.
    pub fn enter_user(&mut self, index: usize) {
        self.users.enter(&mut self.slots, index);
    }

    /// It is no longer open.
    pub fn leave_user(&mut self, index: usize) {
        self.users.leave(&mut self.slots, index);
    }

    /// The counts by address at a listener.
    pub fn addresses_of(&mut self, role: ListenerRole) -> &mut Addresses {
        match role {
            ListenerRole::Public => &mut self.addresses,
            ListenerRole::Admin => &mut self.admin_addresses,
        }
    }
}
