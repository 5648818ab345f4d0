//! The operator's backend, as far as the reactor knows it: threads beside it ask and tell it things over HTTP, and
//! nobody here waits for one.

use std::fmt::Display;

use crate::auth::{Answer, Claims};
use crate::config::{Config, LogLevel, TokenAuth, pattern_matches};
use crate::endpoint::query::Query;
use crate::endpoint::question::Question;
use crate::endpoint::{ConnId, Decision};
use crate::metrics::{AuthWebhook, Histogram, RefuseReason, WorkKind};
use crate::protocol::response::Refusal;

use super::admission::{Asking, Refused};
use super::happenings::Happening;
use super::reactor::Reactor;
use super::slot::{Awaited, Flags, Phase};
use super::socket::Socket;
use super::work::{BYTES, HEAD, NAME};

/// The threads beside the reactor. It is dropped with it.
pub trait Backend: Send {
    /// Takes over what may have changed in the settings.
    fn renew(&mut self, config: &Config);

    /// Asks about a client; the answer comes as a [`Vouched`]. False: too many wait already.
    fn ask(&mut self, conn: ConnId, question: Vec<u8>) -> bool;

    /// How many clients wait for their question's turn.
    fn questions(&self) -> usize;

    /// Tells of an event, or gives up the oldest for it.
    fn tell(&mut self, event: Event);

    /// Tells the backend of an app of an event.
    #[cfg(feature = "pusher")]
    fn tell_app(&mut self, _app: &str, _event: AppEvent) {}

    /// The numbers of what was told.
    fn told(&self) -> Told;

    /// How long the requests with them have taken.
    fn telling_seconds(&self) -> Histogram;

    /// How many events are still to be told.
    fn untold(&self) -> usize;
}

/// Something that has happened, for the backend.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its name.
    pub event: &'static str,
    /// The channel that it has happened to.
    pub channel: Box<str>,
    /// The member whom it is about.
    pub user: Option<Box<str>>,
    /// JSON that says more about that member.
    pub info: Option<Box<str>>,
    /// When it was, in milliseconds since 1970.
    pub time_ms: u64,
}

impl Event {
    /// An event of a channel.
    pub fn new(event: &'static str, channel: &str, time_ms: u64) -> Event {
        Event { event, channel: channel.into(), user: None, info: None, time_ms }
    }
}

/// Something that has happened in an app (Pusher Channels), for its backend.
#[cfg(feature = "pusher")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppEvent {
    /// The event as it is told, in JSON.
    pub json: Box<str>,
    /// When it is told.
    pub turn: Turn,
}

/// When an event is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// With the next request.
    Now,
    /// After a while: somebody has left, and may return under this key.
    Leaves(Box<str>),
    /// With the next request; but if the event of this key still waits, neither is told.
    Returns(Box<str>),
    /// With the next request; but only once within a while under this key.
    Once(Box<str>),
}

/// How much was told so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Events that the backend has taken.
    pub events: u64,
    /// Events that were given up.
    pub dropped: u64,
    /// Attempts that have failed.
    pub failures: u64,
    /// All attempts.
    pub attempts: u64,
}

/// A request that the backend has not taken.
#[derive(Clone, Debug)]
pub struct NotTold {
    /// Why not.
    pub problem: String,
    /// Events that are given up now.
    pub lost: usize,
}

/// A backend's answer about a client.
#[derive(Clone, Debug)]
pub struct Vouched {
    /// Its connection.
    pub conn: ConnId,
    /// The answer; or why there is none.
    pub answer: Result<Answer, String>,
    /// How long it has taken to ask.
    pub took_us: u64,
}

/// The decisions on a client that its handshake has waited for.
#[derive(Debug, Default)]
pub struct Earlier {
    /// The backend's.
    pub vouched: Option<Result<Claims, Refusal>>,
    /// The host's.
    pub decided: Option<Decision>,
}

impl Vouched {
    /// The bytes that it takes in the inbox.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Vouched>()
            + match &self.answer {
                // The other fields come out of the JSON.
                Ok(Answer::Good(claims)) => 2 * claims.json.len(),
                Ok(Answer::Refused { reason, .. }) => reason.len(),
                Err(problem) => problem.len(),
            }
    }
}

impl<S: Socket> Reactor<S> {
    /// Sets who asks the backend.
    pub fn set_backend(&mut self, mut backend: Box<dyn Backend>) {
        backend.renew(&self.config);
        self.backend = Some(backend);
    }

    /// Hands new settings on.
    pub(super) fn renew_backend(&mut self) {
        if let Some(backend) = &mut self.backend {
            backend.renew(&self.config);
        }
    }

    /// Whether a backend is asked about clients that show no token.
    pub(super) fn asks_backend(&self) -> bool {
        self.config.auth_webhook.is_some()
    }

    /// Asks the backend about a client.
    pub(super) fn ask_backend(
        &mut self,
        index: usize,
        asking: &Asking<'_>,
        query: &Query<'_>,
    ) -> Result<(), Refused> {
        let channels = self.channels_asked_for(query)?;
        // With keys of one's own, a token would have been looked at here.
        let is_foreign = self.config.auth == TokenAuth::None;
        let token = if is_foreign { self.find_token(asking.head, query)? } else { None };
        let slot = &self.connections.slots[index];
        let tls = slot.extra.as_ref().and_then(|extra| extra.tls.as_ref());
        let conn = slot.id(index);
        let question = Question {
            conn: conn.to_string(),
            origin: asking.origin,
            peer: self.connections.peer(index).map(|peer| peer.to_string()),
            client_subject: tls.and_then(|session| session.client_subject()),
            token,
            ..Question::of(asking.head, &channels, &self.config.auth_webhook_headers)
        };
        let json = question.json();
        self.work.charge(WorkKind::Heads, HEAD + json.len() as u64 / BYTES);
        if self.backend.as_mut().is_some_and(|backend| backend.ask(conn, json)) {
            return Ok(());
        }
        self.metrics.auth_webhook.bump(AuthWebhook::Busy);
        Err((unasked(), RefuseReason::Webhook))
    }

    /// Tells the backend what has happened to a channel, if it wants to hear of that.
    pub(super) fn tell_backend(&mut self, channel: &str, happening: Happening<'_>) {
        if self.config.webhook_url.is_none() {
            return;
        }
        let Config { webhook_events, webhook_channels, .. } = &self.config;
        self.work.charge(WorkKind::Names, webhook_channels.len() as u64 * NAME);
        let event = happening.event().name();
        let is_wanted = webhook_events.iter().any(|wanted| wanted == event)
            && webhook_channels.iter().any(|pattern| pattern_matches(pattern, channel));
        if is_wanted && let Some(backend) = &mut self.backend {
            let (user, info) = happening.member();
            let (user, info) = (user.map(Into::into), info.map(Into::into));
            backend.tell(Event { user, info, ..Event::new(event, channel, self.now.unix_ms()) });
        }
    }

    /// Says that the backend has not taken what it was told.
    pub(super) fn not_told(&mut self, not_told: &NotTold) {
        let NotTold { problem, lost } = not_told;
        let event = if *lost > 0 { "webhook_lost" } else { "webhook_failed" };
        let level = if *lost > 0 { LogLevel::Error } else { LogLevel::Warn };
        let fields: [(&str, &dyn Display); 2] = [("problem", problem), ("events", lost)];
        self.journal.event(self.now, level, event, &fields[..if *lost > 0 { 2 } else { 1 }]);
    }

    /// Brings the counters of what was told up to date.
    pub(super) fn count_told(&mut self) {
        if let Some(backend) = &self.backend {
            let Told { events, dropped, failures, attempts } = backend.told();
            if attempts != self.metrics.webhook_seconds.count() {
                self.metrics.webhook_seconds = backend.telling_seconds();
            }
            self.metrics.webhook_events = events;
            self.metrics.webhook_events_dropped = dropped;
            self.metrics.webhook_failures = failures;
        }
    }

    /// Notes a backend's answer; the handshake goes on when nobody else's is at hand.
    pub(super) fn vouched(&mut self, vouched: Vouched) {
        let Vouched { conn, answer, took_us } = vouched;
        self.metrics.auth_webhook_seconds.note(took_us);
        let (count, answer) = match answer {
            Ok(Answer::Good(claims)) => (AuthWebhook::Allowed, Ok(claims)),
            Ok(Answer::Refused { status, reason }) => {
                (AuthWebhook::Refused, Err(Refusal::new(status, reason)))
            }
            Err(problem) => {
                let fields: [(&str, &dyn Display); 1] = [("problem", &problem)];
                self.journal.event(self.now, LogLevel::Warn, "auth_webhook_failed", &fields);
                (AuthWebhook::Failed, Err(unasked()))
            }
        };
        self.metrics.auth_webhook.bump(count);
        let index = conn.slot();
        let Some(slot) = self.connections.get(index, conn.serial()) else { return };
        if slot.phase != Phase::Http || !slot.flags.any(Flags::UNDECIDED) {
            return;
        }
        let request = slot.extra.as_mut().and_then(|extra| extra.http.as_mut());
        if let Some(request) = request.filter(|request| request.undecided.awaited == Awaited::Backend)
            && request.decided.is_none()
        {
            request.decided = Some(Box::new(Earlier { vouched: Some(answer), decided: None }));
            self.go_on_later(index);
        }
    }
}

/// Nobody comes in whom the backend has not let in.
fn unasked() -> Refusal {
    let text = "the server could not ask whom to let in (auth_webhook); try again in a second";
    Refusal::fixed(503, text).with_headers(&[("Retry-After", "1")])
}
