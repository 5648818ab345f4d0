//! From a request to an open WebSocket, or the reason why not.

use crate::config::{PUSHER_SPOKEN, Transport as Named};
use crate::endpoint::public::unserved;
use crate::endpoint::{Accept, Kind, answer_fields, refusals, requests, v1};
use crate::metrics::{ConnectionTransport, RefuseReason};
use crate::protocol::extensions::Agreement;
use crate::protocol::handshake::{self, Upgrade};
use crate::protocol::head::Head;
use crate::protocol::response::Refusal;

use super::admission::{Asking, Refused};
use super::backend::Earlier;
use super::connections::Gone;
use super::reactor::Reactor;
use super::socket::Socket;
use super::transport::Transport;

/// The outcome of a request to be pushed to.
pub(super) enum Upgraded {
    /// The answer is on its way, and the connection receives publications from now on; or it is refused by a close
    /// frame.
    Open,
    /// The host, or a backend, decides later.
    Pending,
    /// To be answered so.
    Refused(Refusal),
}

impl<S: Socket> Reactor<S> {
    /// Opens a WebSocket (RFC 6455 section 4.2.2), unless the host or the backend, which may have decided already,
    /// doesn't want it.
    pub(super) fn upgrade(
        &mut self,
        index: usize,
        head: &Head<'_>,
        kind: Kind,
        earlier: Earlier,
    ) -> Result<Upgraded, Gone> {
        let upgrade = match handshake::check(head) {
            Ok(upgrade) => upgrade,
            Err(refusal) => {
                self.note_refusal(index, refusal.status, &refusal.reason);
                self.metrics.clients_refused.bump(ConnectionTransport::WebSocket);
                return Ok(Upgraded::Refused(refusal));
            }
        };
        if PUSHER_SPOKEN && kind == Kind::APP {
            return self.upgrade_app(index, &upgrade).map(|()| Upgraded::Open);
        }
        let (refusal, reason) = match self.decide(index, &upgrade, kind, earlier) {
            Ok(upgraded) => return upgraded,
            Err(refused) => refused,
        };
        let peer = self.connections.peer(index);
        self.refused(reason, &refusal.reason, peer);
        self.metrics.clients_refused.bump(ConnectionTransport::WebSocket);
        if !refusals::asks_for_close(head) {
            return Ok(Upgraded::Refused(refusal));
        }
        self.refuse_by_close(index, &upgrade, kind, &refusal)?;
        Ok(Upgraded::Open)
    }

    /// Lets a client in, or not.
    fn decide(
        &mut self,
        index: usize,
        upgrade: &Upgrade<'_>,
        kind: Kind,
        earlier: Earlier,
    ) -> Result<Result<Upgraded, Gone>, Refused> {
        let Upgrade { head, origin, .. } = *upgrade;
        // A host's routes are its own business.
        if kind == Kind::PUSH && !self.config.transports.contains(&Named::WebSocket) {
            return Err((unserved(Named::WebSocket), RefuseReason::NotFound));
        }
        let request = if requests::path(head) == requests::DEMO_WS.path {
            Some(&requests::DEMO_WS)
        } else {
            kind.request()
        };
        let parameters = request.map_or(&[][..], |request| request.query);
        let asking = Asking { head, origin, kind, parameters, named: Named::WebSocket };
        let Some(mut admitted) = self.let_in(index, &asking, earlier)? else {
            return Ok(Ok(Upgraded::Pending));
        };
        let deflate = upgrade.deflate.filter(|_| self.config.deflate);
        let chosen = self.choose(upgrade, kind, &admitted.accept);
        let transport = match chosen {
            Some(v1::PROTOCOL) if kind.is_push() => Transport::V1,
            _ => self.pieces(kind, &admitted.accept).into(),
        };
        self.connections.slots[index].speak(transport, deflate.map_or(0, Agreement::window_bits));
        self.enter_route(index, kind, head.path());
        let entries = self.open(index, kind, &mut admitted);
        self.metrics.handshakes_ok += 1;
        self.metrics.clients_admitted.bump(ConnectionTransport::WebSocket);
        let mut replies = std::mem::take(&mut self.scratch.replies);
        let fields = |out: &mut Vec<u8>| {
            if kind.is_push() {
                self.put_positions(index, out);
                answer_fields::push(admitted.accept.headers(), out);
            }
        };
        handshake::respond(upgrade.key, chosen, deflate, fields, &mut replies);
        self.scratch.replies = replies;
        let begun = self.begin_open(index, kind, &admitted, &entries);
        Ok(begun.map(|()| Upgraded::Open))
    }

    /// The subprotocol that is spoken: the host's, or the client's first one that there is here.
    fn choose<'a>(&self, upgrade: &Upgrade<'a>, kind: Kind, accept: &Accept) -> Option<&'a str> {
        upgrade.choose(|offered| match &accept.protocol {
            Some(own) => offered == &**own,
            None => self.routes.speaks(kind, &self.config, offered),
        })
    }
}
