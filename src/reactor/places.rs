//! Where a connection has come in, and what its host keeps there: which handler hears of it, and whose terms hold.

use std::sync::atomic::Ordering;

use crate::endpoint::hosted::{Hosted, Idle};
use crate::endpoint::router::{At, Routes, Terms};
use crate::endpoint::{Accept, Handler, Kind, Pieces, RouteError, SessionInfo};
use crate::metrics::CloseReason;
use crate::protocol::close::CloseCode;

use super::reactor::Reactor;
use super::slot::{Phase, Slot};
use super::socket::Socket;
use super::transport::Transport;

/// The handler of what is asked for or open, and the route that it is.
pub(super) fn handler_of<'a>(
    handler: &'a mut dyn Handler,
    routes: &'a mut Routes,
    kind: Kind,
) -> (Option<At<'a>>, &'a mut dyn Handler) {
    match kind.route() {
        None => (None, handler),
        Some(id) => {
            let (at, handler) = routes.at(id);
            (Some(at), handler)
        }
    }
}

impl<S: Socket> Reactor<S> {
    /// Whether a server with these settings can have the host's routes.
    ///
    /// # Errors
    /// The first one that it can't have.
    pub fn check_routes(&self) -> Result<(), RouteError> {
        self.routes.check(&self.config)
    }

    /// Whether a host decides about those who ask for this.
    pub(super) fn has_host(&self, kind: Kind) -> bool {
        match kind.route() {
            None => kind == Kind::PUSH && self.has_host,
            Some(id) => self.routes.is_host(id),
        }
    }

    /// Whether a host may hear of what such connections say.
    pub(super) fn calls_back(&self, kind: Kind) -> bool {
        kind.is_push() || kind == Kind::APP && self.has_host
    }

    /// How a client's messages are handed over: as the decision says, or else as the route does.
    pub(super) fn pieces(&self, kind: Kind, accept: &Accept) -> Pieces {
        match accept.pieces {
            Pieces::Off => self.terms(kind).map_or(Pieces::Off, |terms| terms.pieces),
            pieces => pieces,
        }
    }

    /// The terms of a route, if it is one.
    pub(super) fn terms(&self, kind: Kind) -> Option<&Terms> {
        kind.route().map(|id| self.routes.terms(id))
    }

    /// The pages that may connect.
    pub(super) fn origins(&self, kind: Kind) -> &[String] {
        let own = self.terms(kind).and_then(|terms| terms.origins.as_deref());
        own.unwrap_or(&self.config.origins)
    }

    /// The largest message that is taken from a connection.
    pub(super) fn message_bytes_max(&self, index: usize) -> usize {
        let slot = &self.connections.slots[index];
        let own = slot.extra.as_ref().and_then(|extra| extra.hosted.as_ref()?.message_bytes_max);
        let terms = || self.terms(slot.kind)?.message_bytes_max;
        own.or_else(terms).unwrap_or(self.config.message_bytes_max)
    }

    /// A connection opens at a route: what the path says is kept for its callbacks, and its idle time begins.
    pub(super) fn enter_route(&mut self, index: usize, kind: Kind, path: &str) {
        let Some(id) = kind.route() else { return };
        let parameters = self.routes.pattern(id).parameters(path);
        let timeout = self.routes.terms(id).idle_timeout;
        if parameters.is_empty() && timeout.is_none() {
            return;
        }
        let now_ms = self.now.mono_ms();
        let mut hosted = self.connections.slots[index].take_hosted();
        let own = hosted.get_or_insert_default();
        own.keep_parameters(&parameters);
        own.set_idle(timeout, now_ms);
        self.put_hosted(index, hosted);
    }

    /// The facts that a host is told about a connection that is open to it.
    pub(super) fn session_info(&self, index: usize) -> Option<SessionInfo> {
        let is_session = |slot: &&Slot<S>| {
            slot.phase == Phase::Open && slot.kind.is_push() && slot.transport != Transport::Poll
        };
        let slot = self.connections.slots.get(index).filter(is_session)?;
        let hosted = slot.extra.as_ref().and_then(|extra| extra.hosted.as_ref());
        let names = slot.kind.route().map(|id| self.routes.pattern(id).names()).into_iter().flatten();
        let parameter =
            |(at, name): (usize, &str)| Some((name.to_owned(), hosted?.parameter(at)?.to_owned()));
        Some(SessionInfo {
            id: slot.id(index),
            user: slot.user().map(str::to_owned),
            route: slot.kind.route(),
            parameters: names.enumerate().filter_map(parameter).collect(),
            peer: self.connections.peer(index),
            is_secure: slot.is_secure(),
            outbox_bytes: slot.outbox_bytes(),
        })
    }

    /// A callback is over: what the host keeps at the connection is back in its place, and if that has an idle time-out
    /// it is swept often enough.
    pub(super) fn put_hosted(&mut self, index: usize, hosted: Option<Box<Hosted>>) {
        if let Some(idle) = hosted.as_ref().and_then(|hosted| hosted.idle) {
            self.connections.timers.idle.note(idle.ms_max);
            self.connections.timers.no_later_than(idle.since_ms.saturating_add(idle.ms_max));
        }
        self.connections.slots[index].put_hosted(hosted);
    }

    /// Closes a session whose idle time is over.
    pub(super) fn close_idle(&mut self, index: usize) {
        let now_ms = self.now.mono_ms();
        let hosted = self.connections.slots[index].extra.as_ref().and_then(|extra| extra.hosted.as_ref());
        let Some(Idle { ms_max, since_ms }) = hosted.and_then(|hosted| hosted.idle) else { return };
        self.connections.timers.idle.note(ms_max);
        self.connections.timers.due(since_ms.saturating_add(ms_max));
        if now_ms.saturating_sub(since_ms) >= ms_max {
            let reason = format!("nothing was said for {ms_max} ms");
            self.close_in_order(index, CloseCode::GOING_AWAY, &reason, CloseReason::Idle);
        }
    }

    /// For the audit: routes are counted, and their connections have what their paths say.
    pub(super) fn audit_places(&self) {
        let mut online = vec![0; self.routes.len()];
        for (index, slot) in &self.connections.slots {
            let hosted = slot.extra.as_ref().and_then(|extra| extra.hosted.as_ref());
            assert!(
                hosted.is_none_or(|hosted| !hosted.is_empty()),
                "slot {index}: an empty box of the host's"
            );
            let is_open = matches!(slot.phase, Phase::Open | Phase::Closing);
            assert!(hosted.is_none() || is_open && slot.kind.is_push(), "slot {index}: a box of no host");
            let Some(id) = slot.kind.route().filter(|_| is_open) else { continue };
            online[id.number()] += u64::from(slot.phase == Phase::Open);
            let names = self.routes.pattern(id).names().count();
            let known = (0..=names).filter(|&at| hosted.is_some_and(|hosted| hosted.parameter(at).is_some()));
            assert_eq!(known.count(), names, "slot {index}: what its path says");
        }
        let counted: Vec<u64> =
            self.connections.online.iter().map(|online| online.load(Ordering::Relaxed)).collect();
        // Those of other reactors are counted there as well.
        let is_right = match self.shared.has_others() {
            false => counted == online,
            true => counted.iter().zip(&online).all(|(all, here)| all >= here),
        };
        assert!(is_right, "who is at a route: {counted:?}, {online:?}");
    }

    /// Something was said by a connection, or to it alone: its idle time begins anew.
    #[inline]
    pub(super) fn note_heard(&mut self, index: usize) {
        let now_ms = self.now.mono_ms();
        if let Some(extra) = &mut self.connections.slots[index].extra
            && let Some(hosted) = &mut extra.hosted
        {
            hosted.heard(now_ms);
        }
    }
}
