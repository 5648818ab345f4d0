//! Who is let in: decided on a request's head, whatever is to be spoken with the client.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::auth::{Claims, Rights};
use crate::config::{DEMO_SHOWN, LogLevel, TokenAuth, Transport as Named};
use crate::endpoint::connect::Place;
use crate::endpoint::origins::{self, Facts};
use crate::endpoint::presence::is_info;
use crate::endpoint::query::{Others, Parameter, Query};
use crate::endpoint::requests::{LAST_EVENT_ID, LAST_EVENT_ID_CAMEL};
use crate::endpoint::users::is_user_name;
use crate::endpoint::{Accept, Beginnings, Connect, Decision, Kind, answer_fields, chat};
use crate::limits::{TOKEN_INFO_BYTES_MAX, USER_BYTES_MAX};
use crate::metrics::{RefuseReason, WorkKind};
use crate::protocol::head::Head;
use crate::protocol::response::Refusal;
use crate::push::{ChannelId, DEFAULT, DEFAULT_NAME, Positions, Since};

use super::backend::Earlier;
use super::directory::NoChannel;
use super::occupancy::Wish;
use super::places::handler_of;
use super::reactor::Reactor;
use super::slot::{Awaited, Flags, Undecided};
use super::socket::Socket;
use super::subscriptions::AHEAD;
use super::work::NAME;

const GOING_AWAY: Refusal = Refusal::fixed(503, "the server is going away");

/// A client that asks to be pushed to, or for one of the demo's endpoints.
pub(super) struct Asking<'a> {
    pub head: &'a Head<'a>,
    /// The page that asks, if it is a browser's.
    pub origin: Option<&'a str>,
    pub kind: Kind,
    /// Those that its path knows.
    pub parameters: &'static [Parameter],
    pub named: Named,
}

/// A client that is let in, with its channels open for it.
pub(super) struct Admitted {
    pub accept: Accept,
    pub rights: Option<Rights>,
    /// From where on each is received. The default channel is among them.
    pub channels: Vec<(ChannelId, Since)>,
    /// The wishes that it has as to its answer.
    pub wishes: Wishes,
}

/// A client's wishes as to the answer over plain HTTP.
#[derive(Default)]
pub(super) struct Wishes {
    /// It wants envelopes.
    pub is_json: bool,
    /// It has said where it was, or where to begin.
    pub has_since: bool,
    /// How long it waits, if it says so.
    pub wait_s: Option<u64>,
}

impl Wishes {
    fn of(query: &Query<'_>) -> Wishes {
        Wishes {
            is_json: query.text("format") == Some("json"),
            has_since: query.text("since").is_some(),
            wait_s: query.number("timeout"),
        }
    }
}

/// A client on whom the host is asked, and the host's decision if it has made one already.
struct Question<'a> {
    asking: &'a Asking<'a>,
    query: &'a Query<'a>,
    claims: Option<&'a Claims>,
    decided: Option<Decision>,
}

/// A refusal and what it counts as.
pub(super) type Refused = (Refusal, RefuseReason);

impl<S: Socket> Reactor<S> {
    /// Lets a client in, or not. One that is let in has its place, which is given back unless it [opens](Self::open).
    /// None: the host, or a backend, decides later.
    pub(super) fn let_in(
        &mut self,
        index: usize,
        asking: &Asking<'_>,
        earlier: Earlier,
    ) -> Result<Option<Admitted>, Refused> {
        let Earlier { vouched, decided } = earlier;
        let Asking { head, kind, .. } = *asking;
        let is_asked_about = kind.is_push() && self.asks_backend();
        let was_asked_about = vouched.is_some();
        let has_host = self.has_host(kind);
        let query = self.query(asking, has_host)?;
        self.check_origin(index, asking, has_host)?;
        self.check_place(index, vouched.is_none() && decided.is_none())?;
        let mut beginnings =
            Beginnings::read(&query).map_err(|refusal| (refusal, RefuseReason::BadRequest))?;
        let claims = match vouched {
            Some(vouched) => Some(vouched.map_err(|refusal| (refusal, RefuseReason::Webhook))?),
            None => match self.check_token(head, &query)? {
                None => {
                    let guest = self.guest(head, &query);
                    guest.map_err(|refusal| (refusal, RefuseReason::BadRequest))?
                }
                shown => shown,
            },
        };
        if is_asked_about && claims.is_none() {
            self.ask_backend(index, asking, &query)?;
            self.scratch.undecided = Undecided { awaited: Awaited::Backend, vouched: None };
            return Ok(None);
        }
        let mut accept = match kind {
            Kind::ECHO if DEMO_SHOWN => Accept { broadcast: false, ..Accept::default() },
            Kind::CHAT if DEMO_SHOWN => {
                let user = Some(chat::guest_name(self.shared.totals.next_guest()));
                let channels = vec![chat::CHANNEL.to_owned()];
                Accept { user, broadcast: false, channels, ..Accept::default() }
            }
            _ => {
                let question = Question { asking, query: &query, claims: claims.as_ref(), decided };
                match self.ask_handler(index, question)? {
                    Some(accept) => accept,
                    None => {
                        let vouched = claims.filter(|_| was_asked_about).map(Box::new);
                        self.scratch.undecided = Undecided { awaited: Awaited::Host, vouched };
                        return Ok(None);
                    }
                }
            }
        };
        let mut rights = claims.map(|claims| self.with_claims(&mut accept, claims, kind)).transpose()?;
        if let Some(info) = accept.info.take() {
            rights.get_or_insert_default().info = Some(info.into());
        }
        accept.broadcast &= beginnings.broadcast;
        // Publications that other threads have made by now came before the join. Between that and the next step
        // nobody comes or goes.
        self.carry_out_commands();
        let mut wishes = Wishes::default();
        if asking.named != Named::WebSocket {
            wishes = Wishes::of(&query);
            if let Some(last) = where_it_was(asking, &query) {
                wishes.has_since = true;
                beginnings.go_on(Positions::read(&last).0, accept.broadcast, &accept.channels);
            }
        }
        let channels = self.open_channels(index, &accept, &beginnings)?;
        Ok(Some(Admitted { accept, rights, channels, wishes }))
    }

    /// Whether a client may ask, without asking anybody about it: for who wants to see the head of an answer.
    pub(super) fn check_asking(&mut self, index: usize, asking: &Asking<'_>) -> Result<(), Refused> {
        let has_host = self.has_host(asking.kind);
        let query = self.query(asking, has_host)?;
        self.check_origin(index, asking, has_host)?;
        self.check_room()?;
        Beginnings::read(&query).map_err(|refusal| (refusal, RefuseReason::BadRequest))?;
        self.check_token(asking.head, &query)?;
        Ok(())
    }

    /// The query's parameters. Where a host decides, all others are the host's.
    fn query<'a>(&self, asking: &Asking<'a>, has_host: bool) -> Result<Query<'a>, Refused> {
        // A backend reads what it likes, as a host does.
        let has_reader = has_host || (asking.kind.is_push() && self.asks_backend());
        let others = if has_reader { Others::Allowed } else { Others::Refused };
        let bad = |refusal| (refusal, RefuseReason::BadRequest);
        let query = Query::read(asking.head, asking.parameters, others).map_err(bad)?;
        if self.config.auth == TokenAuth::None && !has_reader && query.text("token").is_some() {
            // A client that shows a token believes to be known.
            let text = "unknown parameter \"token\": this server looks at no tokens (auth is none)";
            return Err(bad(Refusal::fixed(400, text)));
        }
        Ok(query)
    }

    fn check_origin(&self, index: usize, asking: &Asking<'_>, has_host: bool) -> Result<(), Refused> {
        let slot = &self.connections.slots[index];
        let tls = slot.extra.as_ref().and_then(|extra| extra.tls.as_ref());
        let has_certificate = || tls.is_some_and(|session| session.has_client_certificate());
        let facts = Facts { has_host, is_tls: slot.flags.any(Flags::TLS), has_certificate: &has_certificate };
        origins::check(asking.origin, asking.head, self.origins(asking.kind), &facts)
            .map_err(|refusal| (refusal, RefuseReason::Origin))
    }

    /// Whether a newcomer would be let in. Who looks before he sends clients here is told of the end as soon as it is
    /// known, also while those who come anyway are still served.
    pub(super) fn check_newcomers(&self) -> Result<(), Refused> {
        match self.exit.handover {
            Some(_) => Err((GOING_AWAY, RefuseReason::Full)),
            None => self.check_room(),
        }
    }

    /// Whether there is room for one more, and for one from its address.
    fn check_place(&mut self, index: usize, is_new: bool) -> Result<(), Refused> {
        self.check_room()?;
        if self.config.trusted_proxies.is_empty() { Ok(()) } else { self.count_forwarded(index, is_new) }
    }

    fn check_room(&self) -> Result<(), Refused> {
        if self.exit.draining.is_some() {
            return Err((GOING_AWAY, RefuseReason::Full));
        }
        if self.connections.open_of_all() >= self.connections_max() {
            return Err(self.full());
        }
        Ok(())
    }

    /// Takes the place of a client that is about to open; other reactors may have given away the last one meanwhile.
    pub(super) fn take_place(&self) -> Result<(), Refused> {
        if self.connections.take_open(|| self.connections_max()) { Ok(()) } else { Err(self.full()) }
    }

    /// None: the host decides later.
    fn ask_handler(&mut self, index: usize, question: Question<'_>) -> Result<Option<Accept>, Refused> {
        let Question { asking, query, claims, decided } = question;
        let Asking { head, kind, named, .. } = *asking;
        let channels = self.channels_asked_for(query)?;
        let own = claims.map_or(0, |claims| claims.channels.len() + claims.rights.allow.len());
        let comparisons = channels.len() * (1 + self.config.channels.len() + own);
        self.work.charge(WorkKind::Names, comparisons as u64 * NAME);
        let slot = &self.connections.slots[index];
        let peer = || self.connections.peer(index);
        let tls = slot.extra.as_ref().and_then(|extra| extra.tls.as_ref());
        let tls = || tls.map(|session| session.client_subject());
        let (at, handler) = handler_of(&mut *self.handler, &mut self.routes, kind);
        let place = at.map(|at| Place { at, parameters: at.pattern.parameters(head.path()) });
        let mut connect = Connect::new(head, &peer, &tls, channels, &self.config)
            .with_claims(claims)
            .with_id(slot.id(index))
            .at(place.as_ref());
        connect.ask_for(named);
        let decision = decided.unwrap_or_else(|| {
            self.shared.own().begin();
            let decision = handler.on_connect(&connect);
            self.shared.own().end();
            decision
        });
        match decision {
            Decision::Accept(accept) if accept.user.as_deref().is_some_and(|user| !is_user_name(user)) => {
                let text = format!(
                    "the host has let in a user whose name hasn't 1 to {USER_BYTES_MAX} bytes; whoever has none is None"
                );
                Err((Refusal::new(500, text), RefuseReason::Handler))
            }
            Decision::Accept(accept) if accept.info.as_deref().is_some_and(|info| !is_info(info)) => {
                let bytes = accept.info.as_deref().map_or(0, str::len);
                let text = format!(
                    "the host says {bytes} bytes of a user; that is JSON of at most {TOKEN_INFO_BYTES_MAX} bytes"
                );
                Err((Refusal::new(500, text), RefuseReason::Handler))
            }
            Decision::Accept(accept) if accept.more.is_some() => {
                let refused =
                    |problem| (Refusal::new(500, format!("the host: {problem}")), RefuseReason::Handler);
                answer_fields::check(accept.headers()).map(|()| Some(accept)).map_err(refused)
            }
            Decision::Accept(accept) => Ok(Some(accept)),
            Decision::Pending => Ok(None),
            Decision::Refuse { status, reason, headers } => {
                if let Err(problem) = answer_fields::check(&headers) {
                    return Err((Refusal::new(500, format!("the host: {problem}")), RefuseReason::Handler));
                }
                // A host that leaves it to the configuration is not the one who says no.
                let by_config = connect.by_config() == Decision::refuse(status, reason.as_str());
                let cause = if by_config { RefuseReason::ForbiddenChannel } else { RefuseReason::Handler };
                let status = if (400..600).contains(&status) { status } else { 403 };
                Err((Refusal { own: headers, ..Refusal::new(status, reason) }, cause))
            }
        }
    }

    /// The named channels of the query, each once, in order. The maximum comes first: no more than that are ever
    /// compared, however many there are.
    pub(super) fn channels_asked_for(&self, query: &Query<'_>) -> Result<Vec<String>, Refused> {
        if query.is_empty() {
            return Ok(Vec::new());
        }
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

    /// A channel that was opened for a client is not needed for it after all.
    pub(super) fn abandon_opened(&mut self, id: ChannelId) {
        if id != DEFAULT {
            self.abandon_channel(id);
        }
    }

    /// All of them, and the place of the client in them, or none; and from where on each is received. The default
    /// channel is among them.
    fn open_channels(
        &mut self,
        index: usize,
        accept: &Accept,
        beginnings: &Beginnings,
    ) -> Result<Vec<(ChannelId, Since)>, Refused> {
        self.take_place()?;
        let own = |name: &str| {
            let own = accept.since.iter().find(|(channel, _)| channel == name);
            own.map(|(_, since)| *since)
        };
        let mut channels = Vec::with_capacity(usize::from(accept.broadcast) + accept.channels.len());
        for name in accept.channels.iter().filter(|name| *name != DEFAULT_NAME) {
            match self.open_channel(index, name, Wish::Clients) {
                Ok(id) => channels.push((id, own(name).unwrap_or_else(|| beginnings.of(name)))),
                Err(problem) => {
                    channels.into_iter().for_each(|(id, _)| self.abandon_channel(id));
                    self.connections.give_back_open();
                    let (status, reason) = match problem {
                        NoChannel::BadName => (400, RefuseReason::ForbiddenChannel),
                        _ => (503, RefuseReason::Channels),
                    };
                    return Err((Refusal::new(status, problem.to_string()), reason));
                }
            }
        }
        if accept.broadcast {
            channels.push((DEFAULT, own(DEFAULT_NAME).unwrap_or_else(|| beginnings.of_default())));
        }
        // In their order they are joined without moving those that were joined before.
        channels.sort_unstable_by_key(|(id, _)| id.0);
        if self.shared.engine().is_some() {
            self.check_positions(&channels)?;
        }
        Ok(channels)
    }

    /// Whether this node of a cluster has read as far as the client.
    #[cold]
    fn check_positions(&mut self, channels: &[(ChannelId, Since)]) -> Result<(), Refused> {
        let mut is_ahead = false;
        for &(id, since) in channels {
            is_ahead |= self.is_ahead(id, since);
        }
        if !is_ahead {
            return Ok(());
        }
        channels.iter().for_each(|&(id, _)| self.abandon_opened(id));
        self.connections.give_back_open();
        let refusal = Refusal::fixed(503, AHEAD).with_headers(&[("Retry-After", "1")]);
        Err((refusal, RefuseReason::Behind))
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
        let peer = self.connections.peer(index);
        self.refused(reason_of(status), text, peer);
    }
}

/// Where a client says that it was, beside `since`.
fn where_it_was<'q>(asking: &Asking<'q>, query: &'q Query<'_>) -> Option<Cow<'q, str>> {
    match asking.named {
        Named::Poll if query.text("since").is_some() => None,
        Named::Poll => tag(asking.head),
        Named::Sse | Named::Stream => last_event_id(asking.head, query),
        Named::WebSocket => None,
    }
}

/// The id of the event that a client has received last. A browser sends the header only when it comes back by itself.
fn last_event_id<'q>(head: &Head<'q>, query: &'q Query<'_>) -> Option<Cow<'q, str>> {
    let header = head.header("last-event-id").map(String::from_utf8_lossy);
    let parameter = || [LAST_EVENT_ID, LAST_EVENT_ID_CAMEL].into_iter().find_map(|name| query.text(name));
    header.or_else(|| parameter().map(Cow::Borrowed))
}

/// The tag of the answer that a client has received last, without its quotes (RFC 9110 section 13.1.2).
fn tag<'q>(head: &Head<'q>) -> Option<Cow<'q, str>> {
    let field = head.header_str("if-none-match")?.trim();
    let tag = field.strip_prefix("W/").unwrap_or(field);
    Some(Cow::Borrowed(tag.strip_prefix('"')?.strip_suffix('"')?))
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
pub(super) struct Peer(pub Option<std::net::SocketAddr>);

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("-"),
        }
    }
}
