//! From a request to an open WebSocket, or the reason why not.

use std::collections::HashSet;

use crate::auth::Claims;
use crate::config::{LogLevel, TokenAuth};
use crate::endpoint::origins::{self, Facts};
use crate::endpoint::query::{Others, Query};
use crate::endpoint::users::is_user_name;
use crate::endpoint::{Accept, Beginnings, Connect, Decision, Kind, chat, refusals, v1};
use crate::limits::USER_BYTES_MAX;
use crate::metrics::{RefuseReason, WorkKind};
use crate::protocol::extensions::Agreement;
use crate::protocol::handshake::{self, Upgrade};
use crate::protocol::head::Head;
use crate::protocol::response::Refusal;
use crate::push::{ChannelId, DEFAULT, DEFAULT_NAME, Entry, Since};

use super::connections::Gone;
use super::directory::NoChannel;
use super::reactor::Reactor;
use super::slot::{Flags, Phase};
use super::socket::Socket;
use super::transport::Transport;
use super::users::User;
use super::work::NAME;

/// The outcome of a request for a WebSocket.
pub(super) enum Upgraded {
    /// The 101 is on its way, and the connection receives publications from now on; or it is refused by a close frame.
    Open,
    /// The host decides later.
    Pending,
    /// To be answered so.
    Refused(Refusal),
}

/// A client that asks for `/ws`, and the host's decision if it has made one already.
struct Question<'a> {
    upgrade: &'a Upgrade<'a>,
    query: &'a Query<'a>,
    claims: Option<&'a Claims>,
    decided: Option<Decision>,
}

/// A refusal and what it counts as.
pub(super) type Refused = (Refusal, RefuseReason);

impl<S: Socket> Reactor<S> {
    /// Opens a WebSocket (RFC 6455 section 4.2.2), unless the host, which may have decided already, doesn't want it.
    pub(super) fn upgrade(
        &mut self,
        index: usize,
        head: &Head<'_>,
        kind: Kind,
        decided: Option<Decision>,
    ) -> Result<Upgraded, Gone> {
        let upgrade = match handshake::check(head) {
            Ok(upgrade) => upgrade,
            Err(refusal) => {
                self.note_refusal(index, refusal.status, &refusal.reason);
                return Ok(Upgraded::Refused(refusal));
            }
        };
        let (refusal, reason) = match self.decide(index, &upgrade, kind, decided) {
            Ok(upgraded) => return upgraded,
            Err(refused) => refused,
        };
        let peer = self.connections.slots[index].socket.peer();
        self.refused(reason, &refusal.reason, peer);
        if !refusals::asks_for_close(head) {
            return Ok(Upgraded::Refused(refusal));
        }
        self.refuse_by_close(index, &upgrade, &refusal)?;
        Ok(Upgraded::Open)
    }

    /// Lets a client in, or not.
    fn decide(
        &mut self,
        index: usize,
        upgrade: &Upgrade<'_>,
        kind: Kind,
        decided: Option<Decision>,
    ) -> Result<Result<Upgraded, Gone>, Refused> {
        let has_host = kind == Kind::Push && self.handler.is_host();
        let query = self.query(upgrade, kind, has_host)?;
        self.check_origin(index, upgrade, has_host)?;
        self.check_room()?;
        let beginnings = Beginnings::read(&query).map_err(|refusal| (refusal, RefuseReason::BadRequest))?;
        let claims = self.check_token(upgrade, &query)?;
        let mut accept = match kind {
            Kind::Push => {
                let question = Question { upgrade, query: &query, claims: claims.as_ref(), decided };
                match self.ask_handler(index, question)? {
                    Some(accept) => accept,
                    None => return Ok(Ok(Upgraded::Pending)),
                }
            }
            Kind::Echo | Kind::Refused => Accept { broadcast: false, ..Accept::default() },
            Kind::Chat => {
                self.connections.guests += 1;
                let user = Some(chat::guest_name(self.connections.guests));
                let channels = vec![chat::CHANNEL.to_owned()];
                Accept { user, broadcast: false, channels, ..Accept::default() }
            }
        };
        let rights = claims.map(|claims| self.with_claims(&mut accept, claims, kind)).transpose()?;
        accept.broadcast &= beginnings.broadcast;
        // Publications that other threads have made by now came before the join. Between that and the next step
        // nobody comes or goes.
        self.carry_out_commands();
        let channels = self.open_channels(index, &accept, &beginnings)?;
        let deflate = upgrade.deflate.filter(|_| self.config.deflate);
        let chosen = self.choose(upgrade, kind, &accept);
        let transport = match chosen {
            Some(v1::PROTOCOL) if kind == Kind::Push => Transport::V1,
            _ => Transport::WebSocket,
        };
        self.connections.slots[index].speak(transport, deflate.map_or(0, Agreement::window_bits));
        if let Some(rights) = rights {
            self.connections.slots[index].grant(rights);
        }
        let entries = self.open(index, kind, &accept, &channels);
        let mut replies = std::mem::take(&mut self.scratch.replies);
        let positions = |out: &mut Vec<u8>| match kind {
            Kind::Push => self.put_positions(index, out),
            Kind::Chat | Kind::Echo | Kind::Refused => {}
        };
        handshake::respond(upgrade.key, chosen, deflate, positions, &mut replies);
        self.scratch.replies = replies;
        self.tell_opened(index, &entries);
        let greeted = self.greet(index, kind, &accept);
        if channels.iter().any(|(_, since)| *since != Since::Head) {
            self.offer_all_missed(index, &channels);
        }
        Ok(greeted.and_then(|()| self.connections.there(index)).map(|()| Upgraded::Open))
    }

    /// The subprotocol that is spoken: the host's, or the client's first one that there is here.
    fn choose<'a>(&self, upgrade: &Upgrade<'a>, kind: Kind, accept: &Accept) -> Option<&'a str> {
        let is_ours = |offered: &&str| match &accept.protocol {
            Some(own) => offered == own,
            None => {
                kind == Kind::Push && *offered == v1::PROTOCOL
                    || self.config.subprotocols.iter().any(|own| own == offered)
            }
        };
        upgrade.protocols().find(is_ours)
    }

    /// Behind the 101, and what the host has said to that: publications that were there before the client came.
    fn offer_all_missed(&mut self, index: usize, channels: &[(ChannelId, Since)]) {
        if self.connections.slots.get(index).is_some_and(|slot| slot.phase == Phase::Open) {
            // One that is gone now is looked for below.
            let _ = self.send_replies(index);
        }
        channels.iter().for_each(|&(id, _)| self.offer_missed(index, id));
    }

    /// The query's parameters. Where a host decides, all others are the host's.
    fn query<'a>(&self, upgrade: &Upgrade<'a>, kind: Kind, has_host: bool) -> Result<Query<'a>, Refused> {
        let others = if has_host { Others::Allowed } else { Others::Refused };
        let parameters = kind.request().map_or(&[][..], |request| request.query);
        let bad = |refusal| (refusal, RefuseReason::BadRequest);
        let query = Query::read(upgrade.head, parameters, others).map_err(bad)?;
        if self.config.auth == TokenAuth::None && !has_host && query.text("token").is_some() {
            // A client that shows a token believes to be known.
            let text = "unknown parameter \"token\": this server looks at no tokens (auth is none)";
            return Err(bad(Refusal::fixed(400, text)));
        }
        Ok(query)
    }

    fn check_origin(&self, index: usize, upgrade: &Upgrade<'_>, has_host: bool) -> Result<(), Refused> {
        let slot = &self.connections.slots[index];
        let tls = slot.extra.as_ref().and_then(|extra| extra.tls.as_ref());
        let has_certificate = || tls.is_some_and(|session| session.has_client_certificate());
        let facts = Facts { has_host, is_tls: slot.flags.any(Flags::TLS), has_certificate: &has_certificate };
        origins::check(upgrade, &self.config.origins, &facts)
            .map_err(|refusal| (refusal, RefuseReason::Origin))
    }

    fn check_room(&self) -> Result<(), Refused> {
        let max = self.connections_max();
        if self.exit.draining.is_some() {
            return Err((Refusal::fixed(503, "the server is going away"), RefuseReason::Full));
        }
        if self.connections.census.open() >= max {
            let text = format!("the server is full: {max} connections (max_connections)");
            return Err((Refusal::new(503, text), RefuseReason::Full));
        }
        Ok(())
    }

    /// None: the host decides later.
    fn ask_handler(&mut self, index: usize, question: Question<'_>) -> Result<Option<Accept>, Refused> {
        let Question { upgrade, query, claims, decided } = question;
        let channels = self.channels_asked_for(query)?;
        let own = claims.map_or(0, |claims| claims.channels.len() + claims.rights.allow.len());
        let comparisons = channels.len() * (1 + self.config.channels.len() + own);
        self.work.charge(WorkKind::Names, comparisons as u64 * NAME);
        let slot = &self.connections.slots[index];
        let peer = || slot.socket.peer();
        let tls = slot.extra.as_ref().and_then(|extra| extra.tls.as_ref());
        let subject = || tls.and_then(|session| session.client_subject());
        let connect = Connect::new(upgrade, &peer, &subject, channels, &self.config)
            .with_claims(claims)
            .with_id(slot.id(index));
        let decision = decided.unwrap_or_else(|| {
            self.shared.own.begin();
            let decision = self.handler.on_connect(&connect);
            self.shared.own.end();
            decision
        });
        match decision {
            Decision::Accept(accept) if accept.user.as_deref().is_some_and(|user| !is_user_name(user)) => {
                let text = format!(
                    "the host has let in a user whose name hasn't 1 to {USER_BYTES_MAX} bytes; whoever has none is None"
                );
                Err((Refusal::new(500, text), RefuseReason::Handler))
            }
            Decision::Accept(accept) => Ok(Some(accept)),
            Decision::Pending => Ok(None),
            Decision::Refuse { status, reason } => {
                // A host that leaves it to the configuration is not the one who says no.
                let by_config = connect.by_config() == Decision::refuse(status, reason.as_str());
                let cause = if by_config { RefuseReason::ForbiddenChannel } else { RefuseReason::Handler };
                let status = if (400..600).contains(&status) { status } else { 403 };
                Err((Refusal::new(status, reason), cause))
            }
        }
    }

    /// The named channels of the query, each once, in order. The maximum comes first: no more than that are ever
    /// compared, however many there are.
    fn channels_asked_for(&self, query: &Query<'_>) -> Result<Vec<String>, Refused> {
        let max = self.config.channels_per_connection_max;
        let (mut seen, mut channels) = (HashSet::new(), Vec::new());
        for name in query.all("channel").filter(|&name| name != DEFAULT_NAME) {
            if !seen.insert(name) {
                continue;
            }
            if channels.len() == max {
                let text = format!(
                    "more channels than a connection may join, which is {max} (channels_per_connection_max)"
                );
                return Err((Refusal::new(400, text), RefuseReason::ForbiddenChannel));
            }
            channels.push(name.to_owned());
        }
        Ok(channels)
    }

    /// All of them, or none; and from where on each is received. The default channel is among them.
    fn open_channels(
        &mut self,
        index: usize,
        accept: &Accept,
        beginnings: &Beginnings,
    ) -> Result<Vec<(ChannelId, Since)>, Refused> {
        let since = |name: &str| {
            let own = accept.since.iter().find(|(channel, _)| channel == name);
            own.map_or_else(|| beginnings.of(name), |(_, since)| *since)
        };
        let mut channels = Vec::with_capacity(usize::from(accept.broadcast) + accept.channels.len());
        for name in accept.channels.iter().filter(|name| *name != DEFAULT_NAME) {
            match self.open_channel(index, name) {
                Ok(id) => channels.push((id, since(name))),
                Err(problem) => {
                    channels.into_iter().for_each(|(id, _)| self.abandon_channel(id));
                    let (status, reason) = match problem {
                        NoChannel::BadName => (400, RefuseReason::ForbiddenChannel),
                        _ => (503, RefuseReason::Channels),
                    };
                    return Err((Refusal::new(status, problem.to_string()), reason));
                }
            }
        }
        if accept.broadcast {
            channels.push((DEFAULT, since(DEFAULT_NAME)));
        }
        // In their order they are joined without moving those that were joined before.
        channels.sort_unstable_by_key(|(id, _)| id.0);
        Ok(channels)
    }

    fn open(
        &mut self,
        index: usize,
        kind: Kind,
        accept: &Accept,
        channels: &[(ChannelId, Since)],
    ) -> Vec<(ChannelId, Entry)> {
        let slot = &mut self.connections.slots[index];
        slot.phase = Phase::Open;
        slot.kind = kind;
        slot.flags.set(Flags::SERVED, false);
        self.connections.census.deflating += usize::from(slot.flags.window_bits() > 0);
        if let Some(user) = &accept.user {
            slot.extra_mut().user = Some(Box::new(User::new(user)));
        }
        let named = channels.iter().filter(|(id, _)| *id != DEFAULT).count();
        if named > 0 {
            slot.extra_mut().memberships.reserve(named);
        }
        // The demo's guests are called something, but are nobody.
        if kind == Kind::Push {
            self.connections.enter_user(index);
        }
        let mut entries = Vec::with_capacity(channels.len());
        for &(id, since) in channels {
            let entry = match id {
                DEFAULT => self.join(index, DEFAULT, since),
                id => self.join_opened(index, id, since),
            };
            entries.extend(entry.map(|entry| (id, entry)));
        }
        self.connections.census.open_by_kind[kind as usize] += 1;
        self.metrics.handshakes_ok += 1;
        let id = self.connections.slots[index].id(index);
        if self.journal.is_on(LogLevel::Debug) {
            let peer = Peer(self.connections.slots[index].socket.peer());
            let fields: [(&str, &dyn std::fmt::Display); 2] = [("conn", &id), ("peer", &peer)];
            self.journal.event(self.now, LogLevel::Debug, "open", &fields);
        }
        entries
    }

    /// Lets the host, or the demo, say something to a connection that has opened.
    fn greet(&mut self, index: usize, kind: Kind, accept: &Accept) -> Result<(), Gone> {
        match kind {
            // Before anything that the client has said already: its session may be over by now.
            Kind::Push => self.call_back(index, |handler, session| handler.on_open(session))?,
            Kind::Chat => {
                let line = chat::joined(accept.user.as_deref().unwrap_or("?"));
                let _ = self.say_in_chat(&line);
            }
            Kind::Echo | Kind::Refused => {}
        }
        Ok(())
    }

    /// Counts and logs a client that was refused.
    pub(super) fn refused(&mut self, reason: RefuseReason, text: &str, peer: Option<std::net::SocketAddr>) {
        self.metrics.refused(reason);
        let name = reason.name();
        let peer = Peer(peer);
        let fields: [(&str, &dyn std::fmt::Display); 3] =
            [("reason", &name), ("detail", &text), ("peer", &peer)];
        self.journal.event(self.now, LogLevel::Info, "refused", &fields);
    }

    /// As [`refused`](Self::refused), for a request that was none.
    pub(super) fn note_refusal(&mut self, index: usize, status: u16, text: &str) {
        let peer = self.connections.slots[index].socket.peer();
        self.refused(reason_of(status), text, peer);
    }
}

/// The reason that a refusal with this status counts as.
fn reason_of(status: u16) -> RefuseReason {
    match status {
        404 => RefuseReason::NotFound,
        405 => RefuseReason::Method,
        413 | 431 => RefuseReason::TooLarge,
        426 => RefuseReason::Version,
        503 => RefuseReason::Full,
        _ => RefuseReason::BadRequest,
    }
}

/// An address for the log; `-` where there is none.
struct Peer(Option<std::net::SocketAddr>);

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("-"),
        }
    }
}
