//! The admin API's pushes, and what they are answered.

use serde::Serialize;

use crate::narrow;
use crate::protocol::head::Head;
use crate::protocol::response::{Refusal, Response};
use crate::push::{DEFAULT_NAME, Pace, Publication, PublishTerms, PushError, PushOptions, fingerprint};

use super::batch::Target;
use super::caller::Caller;
use super::control::{Control, Published, Receipt, Taken};
use super::push_request::{self, Notes, Pushed};
use super::users::{self, UserAction, UserRequest};
use super::{ConnId, admin, batch, channels, requests};

pub(super) fn push(
    caller: &Caller,
    head: &Head<'_>,
    body: &[u8],
    server: &mut dyn Control,
) -> Result<admin::Answer, Refusal> {
    let query = admin::query(head, &requests::PUSH)?;
    let pace = Pace::asked(query.number("rate"), query.number("deadline_ms"))?;
    let options = PushOptions::default().compress(query.text("compress") != Some("no")).pace(pace);
    let channels: Vec<&str> = query.all("channel").collect();
    let terms = PublishTerms {
        options,
        idempotency_key: query.text("idempotency_key"),
        if_offset: query.number("if_offset"),
        // It stands in the audit line.
        traceparent: None,
    };
    let (conn, user) = (query.number("conn").map(ConnId), query.text("user"));
    let targets = [!channels.is_empty(), conn.is_some(), user.is_some()];
    if targets.into_iter().filter(|&is_there| is_there).count() > 1 {
        return Err(Refusal::fixed(400, "channel, conn and user exclude each other"));
    }
    if (conn.is_some() || user.is_some()) && (terms.idempotency_key.is_some() || terms.if_offset.is_some()) {
        let reason = "idempotency_key and if_offset go with channels, not with conn and user";
        return Err(Refusal::fixed(400, reason));
    }
    let pushed = push_request::read(head, body)?;
    take_pushes(caller, channels.len().max(1), server)?;
    let response = match (conn, user) {
        (Some(conn), _) if server.is_elsewhere(conn) => {
            let publication = Publication::new(pushed.message(), options)?;
            let action = UserAction::Push { publication, notes: pushed.notes };
            return Ok(admin::Answer::User(UserRequest { target: users::Target::Connection(conn), action }));
        }
        (Some(conn), _) => {
            server.send(conn, pushed.message(), options)?;
            let sent = Sent { conn: conn.to_string(), recipients: Some(1), notes: pushed.notes };
            admin::json(200, &sent)
        }
        (None, Some(user)) => {
            let publication = Publication::to_one(pushed.message(), options)?;
            let action = UserAction::Push { publication, notes: pushed.notes };
            return Ok(admin::Answer::User(UserRequest::new(user, action)?));
        }
        (None, None) => {
            return Ok(match publish(&channels, &pushed, terms, server)? {
                Said::Now(response) => response.into(),
                Said::Later(later) => admin::Answer::Later(later),
            });
        }
    };
    Ok(response.into())
}

/// Publishes, to the default channel if none is named, and answers with the receipts.
pub fn publish(
    channels: &[&str],
    pushed: &Pushed<'_>,
    terms: PublishTerms<'_>,
    server: &mut dyn Control,
) -> Result<Said, Refusal> {
    let named = if channels.is_empty() { &[DEFAULT_NAME] } else { channels };
    let taken = server.publish(named, pushed.message(), terms);
    let shape = if channels.len() <= 1 { Shape::One } else { Shape::Several };
    if let Ok(Taken { later: Some(ticket), .. }) = taken {
        return Ok(Said::Later(Later { ticket, shape, notes: pushed.notes.clone() }));
    }
    say(taken, shape, pushed.notes.clone()).map(Said::Now)
}

/// The answer to publications that have their places, or were refused.
fn say(taken: Result<Taken, PushError>, shape: Shape, notes: Notes) -> Result<Response, Refusal> {
    if let Err(problem @ &PushError::OffsetDiffers { ref channel, epoch, offset }) = taken.as_ref() {
        return Ok(admin::json(409, &Differs { error: problem.to_string(), channel, epoch, offset }));
    }
    let taken = taken?;
    let about = About { duplicate: taken.published.duplicate, notes };
    let mut places = places(taken);
    let publications = match shape {
        Shape::One => {
            let place = places.next().ok_or_else(channels::no_channel)?;
            return Ok(admin::json(200, &One { place, about }));
        }
        Shape::Several => places.map(Answer::Place).collect(),
        Shape::Batch(targets) => batch_answers(targets, places, |_| None),
        Shape::Forgotten => {
            let Place { receipt: Receipt { channel, epoch, .. }, .. } =
                places.next().ok_or_else(channels::no_channel)?;
            return Ok(admin::json(200, &Forgotten { channel: &channel, epoch, offset: 0 }));
        }
    };
    Ok(admin::json(200, &Several { publications, about }))
}

/// The answer to a push.
pub enum Said {
    /// This, at once.
    Now(Response),
    /// This, when the cluster has said where it stands.
    Later(Later),
}

/// An answer that waits for a cluster.
#[derive(Debug)]
pub struct Later {
    /// The number under which the cluster answers.
    pub ticket: u64,
    shape: Shape,
    notes: Notes,
}

/// How an answer looks.
#[derive(Debug)]
enum Shape {
    One,
    Several,
    Batch(Vec<Target>),
    Forgotten,
}

impl Later {
    /// Another life of a channel.
    pub(super) fn forgotten(ticket: u64) -> Later {
        Later { ticket, shape: Shape::Forgotten, notes: Notes::default() }
    }

    /// The answer, as the cluster has said what has come of it.
    pub fn answer(self, outcome: Result<Published, PushError>) -> Response {
        let taken = outcome.map(|published| Taken {
            recipients: vec![None; published.receipts.len()],
            published,
            later: None,
        });
        say(taken, self.shape, self.notes).unwrap_or_else(|refusal| admin::refused(&refusal))
    }
}

/// As [`push`], many publications at once: all of them, or none.
pub(super) fn push_batch(
    caller: &Caller,
    head: &Head<'_>,
    body: &[u8],
    server: &mut dyn Control,
) -> Result<admin::Answer, Refusal> {
    let query = admin::query(head, &requests::BATCH)?;
    let lines = batch::read(head, body, server)?;
    caller.check_batch(&lines)?;
    take_pushes(caller, lines.len(), server)?;
    let targets: Vec<Target> = lines.iter().map(|line| line.target.clone()).collect();
    let key = query.text("idempotency_key");
    let taken = server.publish_batch(lines, key.map(|key| (key, fingerprint(&body))))?;
    if let Some(ticket) = taken.later {
        let notes = Notes::of_batch(head);
        return Ok(admin::Answer::Later(Later { ticket, shape: Shape::Batch(targets), notes }));
    }
    let about = About { duplicate: taken.published.duplicate, notes: Notes::of_batch(head) };
    // Of a repetition nothing is sent.
    let is_of_others = |target: &Target| target.conn().is_some_and(|conn| server.is_elsewhere(conn));
    if !about.duplicate && targets.iter().any(is_of_others) {
        let mut batch = BatchSent { about, targets, places: places(taken).collect(), recipients: Vec::new() };
        batch.begin(server);
        return Ok(admin::Answer::Sent(batch));
    }
    let recipients = |conn| (!about.duplicate).then(|| u32::from(server.is_open(conn)));
    let publications = batch_answers(targets, places(taken), recipients);
    Ok(admin::json(200, &Several { publications, about }).into())
}

/// The answer to a batch, until all reactors have said which of its connections they have.
#[derive(Debug)]
pub struct BatchSent {
    about: About,
    targets: Vec<Target>,
    places: Vec<Place>,
    /// For each message to a connection, whether it was there; None: its reactor has not said yet.
    recipients: Vec<Option<u32>>,
}

impl BatchSent {
    fn conns(&self) -> impl Iterator<Item = ConnId> {
        self.targets.iter().filter_map(Target::conn)
    }

    /// Notes those of the connections that are not elsewhere.
    fn begin(&mut self, server: &dyn Control) {
        let here = |conn| (!server.is_elsewhere(conn)).then(|| u32::from(server.is_open(conn)));
        self.recipients = self.conns().map(here).collect();
    }

    /// A reactor whose connections are to be looked at; None: all have been.
    pub fn next_reactor(&self) -> Option<usize> {
        let unknown = self.conns().zip(&self.recipients).find(|(_, recipients)| recipients.is_none());
        unknown.map(|(conn, _)| conn.reactor())
    }

    /// Notes which connections of a reactor are there.
    pub fn look(&mut self, reactor: usize, is_open: impl Fn(ConnId) -> bool) {
        let conns = self.targets.iter().filter_map(Target::conn);
        for (conn, recipients) in
            conns.zip(&mut self.recipients).filter(|(conn, _)| conn.reactor() == reactor)
        {
            recipients.get_or_insert_with(|| u32::from(is_open(conn)));
        }
    }

    /// The answer, when all have.
    pub fn answer(self) -> Response {
        let BatchSent { about, targets, places, recipients } = self;
        let mut recipients = recipients.into_iter();
        let publications = batch_answers(targets, places.into_iter(), |_| recipients.next().flatten());
        admin::json(200, &Several { publications, about })
    }
}

/// The answers to a batch, in the order of its lines: `recipients` says of how many connections a message to one is.
fn batch_answers(
    targets: Vec<Target>,
    mut places: impl Iterator<Item = Place>,
    mut recipients: impl FnMut(ConnId) -> Option<u32>,
) -> Vec<Answer> {
    let answer = |target| match target {
        Target::Channel(_) => places.next().map(Answer::Place),
        Target::Conn(conn) => Some(Answer::Sent(Sent {
            conn: conn.to_string(),
            recipients: recipients(conn),
            notes: Notes::default(),
        })),
        Target::User(user) => Some(Answer::Asked { user }),
    };
    targets.into_iter().filter_map(answer).collect()
}

/// A program makes no more pushes within a second than its key says.
fn take_pushes(caller: &Caller, count: usize, server: &mut dyn Control) -> Result<(), Refusal> {
    let Some((key, max)) = caller.pushes_per_second() else { return Ok(()) };
    if count > narrow::to_usize(max.into()) {
        let text =
            format!("{count} pushes at once are more than the {max} a second of the key {key}; send fewer");
        return Err(Refusal::new(413, text));
    }
    if server.take_pushes(key, max, count) {
        return Ok(());
    }
    let text =
        format!("the key {key} has made its {max} pushes a second (pushes_per_second); try again in one");
    Err(Refusal::new(429, text).with_headers(&[("Retry-After", "1")]))
}

fn places(taken: Taken) -> impl Iterator<Item = Place> {
    let Taken { published, recipients, .. } = taken;
    std::iter::zip(published.receipts, recipients).map(|(receipt, recipients)| Place { receipt, recipients })
}

/// Where one publication stands.
#[derive(Debug, Serialize)]
struct Place {
    #[serde(flatten)]
    receipt: Receipt,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipients: Option<u32>,
}

/// The answer to one of several.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Place(Place),
    Sent(Sent),
    /// A message to a user, in its turn.
    Asked {
        user: String,
    },
}

#[derive(Serialize)]
struct One {
    #[serde(flatten)]
    place: Place,
    #[serde(flatten)]
    about: About,
}

#[derive(Serialize)]
struct Several {
    publications: Vec<Answer>,
    #[serde(flatten)]
    about: About,
}

#[derive(Debug, Serialize)]
struct About {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
    #[serde(flatten)]
    notes: Notes,
}

/// The life of a channel that begins.
#[derive(Serialize)]
struct Forgotten<'a> {
    channel: &'a str,
    epoch: u64,
    offset: u64,
}

/// The position of a channel, for whoever expected another.
#[derive(Serialize)]
struct Differs<'a> {
    error: String,
    channel: &'a str,
    epoch: u64,
    offset: u64,
}

/// The answer to a message for one connection.
#[derive(Serialize)]
pub(super) struct Sent {
    pub conn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipients: Option<u32>,
    #[serde(flatten)]
    pub notes: Notes,
}
