//! The HTTP API of the Pusher Channels protocol: what an app's backend asks for at `/apps/ID/..`. Its signature alone
//! lets it in, on whichever listener, and says which app it is for; [`admit`] checks that at the head of a request, so
//! that nobody else's body is read.

pub mod event;
mod info;
mod list;
#[cfg(test)]
mod tests;

pub use event::Posted;
pub use info::{Counts, Info};
pub use list::{AppChannels, LIST_BYTES_MAX};

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::auth::pusher::{BodyHash, Credentials, SignedRequest};
use crate::config::{Apps, PusherApp};
use crate::limits::PUSHER_NAME_BYTES_MAX;
use crate::narrow;
use crate::protocol::form;
use crate::protocol::head::Head;
use crate::protocol::pusher::event::is_of_backend;
use crate::protocol::response::{Refusal, Response};
use crate::push::PushError;

use super::control::{Published, Taken};

/// The path by which others see that such a server is there.
pub const UP: &str = "/up";
/// The close code of a connection whose user the backend has sent away.
pub const TERMINATED: u16 = 4_009;
/// The beginning of a backend's paths.
pub const BEFORE: &str = "/apps/";

/// A request that somebody with an app's secret has made.
#[derive(Debug)]
pub struct Admitted {
    app: Box<PusherApp>,
    action: Action,
    body: BodyHash,
}

/// The subject of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Events,
    Batch,
    Channels,
    Channel(String),
    Users(String),
    Terminate(String),
    Connections,
}

/// The outcome of a request.
pub enum Answer {
    /// This, at once.
    Now(Response),
    /// This, when the cluster has said that it is published: the number under which it does.
    Later(u64, Response),
    /// The occupied channels: to find them takes a while.
    List(AppChannels),
}

/// The last event of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// Its data.
    pub data: String,
    /// For how long it is still kept.
    pub ttl_s: u64,
}

/// The server as a backend sees it.
pub trait Backends {
    /// Publishes all of these, or nothing.
    fn publish_events(&mut self, events: Vec<Posted>) -> Result<Taken, PushError>;

    /// The numbers of a channel, by the server's name for it.
    fn counts(&self, app: &PusherApp, channel: &str) -> Counts;

    /// The users in a presence channel, by the server's name for it, as their app knows them.
    fn users_in(&self, app: &PusherApp, channel: &str) -> Vec<String>;

    /// The last event that a cache channel keeps.
    fn cached(&self, app: &PusherApp, channel: &str) -> Option<Cached>;

    /// Closes all connections on which a user has signed in.
    fn terminate(&mut self, app: &PusherApp, user: &str) -> Result<(), PushError>;

    /// The open connections of an app.
    fn connections_of(&self, app: &PusherApp) -> u64;
}

/// The end of a path: what it names, and the method that it takes.
fn action(rest: &str, method: &str) -> Result<Action, Refusal> {
    let name = |text: &str| match percent_encoding::percent_decode_str(text).decode_utf8() {
        Ok(name) => Ok(Cow::into_owned(name)),
        Err(_) => Err(Refusal::fixed(400, "the name in the path is not UTF-8")),
    };
    let parts: Vec<&str> = rest.strip_suffix('/').unwrap_or(rest).split('/').collect();
    let (action, takes) = match *parts {
        ["events"] => (Action::Events, "POST"),
        ["batch_events"] => (Action::Batch, "POST"),
        ["channels"] => (Action::Channels, "GET"),
        ["channels", channel] => (Action::Channel(name(channel)?), "GET"),
        ["channels", channel, "users"] => (Action::Users(name(channel)?), "GET"),
        ["users", user, "terminate_connections"] => (Action::Terminate(name(user)?), "POST"),
        ["connections"] => (Action::Connections, "GET"),
        _ => {
            let paths = "no such path; an app has events, batch_events, channels, channels/NAME, channels/NAME/users, \
                         users/ID/terminate_connections and connections";
            return Err(Refusal::fixed(404, paths));
        }
    };
    match (takes, method) {
        ("POST", "POST") | ("GET", "GET" | "HEAD") => Ok(action),
        ("POST", _) => Err(Refusal::fixed(405, "this path takes POST").with_headers(&[("Allow", "POST")])),
        _ => Err(Refusal::fixed(405, "this path takes GET, HEAD").with_headers(&[("Allow", "GET, HEAD")])),
    }
}

/// Checks whose request it is. `rest` is the path behind `/apps/`.
///
/// # Errors
/// 401 for who can't sign; 404 for an app that is not there, and 403 for one that is not enabled.
pub fn admit(head: &Head<'_>, rest: &str, apps: Apps<'_>, unix_s: u64) -> Result<Admitted, Refusal> {
    let (id, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let app = apps.by_id(id).ok_or(Refusal::fixed(404, "there is no app with the id in the path"))?;
    // A prefix of ours is not what a backend signs.
    let behind = BEFORE.len() + id.len() + 1 + rest.len();
    let path = head.path().get(head.path().len().saturating_sub(behind)..).unwrap_or_default();
    let signed = SignedRequest { method: head.method, path, query: head.query() };
    let body = Credentials::new(&app.key, &app.secret).check_request(&signed, unix_s);
    let body = body.map_err(|error| Refusal::new(401, error.to_string()))?;
    if !app.enabled {
        return Err(Refusal::fixed(403, "this app is not enabled"));
    }
    Ok(Admitted { app: Box::new(app.clone()), action: action(rest, head.method)?, body })
}

impl Admitted {
    /// The app.
    pub fn app(&self) -> &PusherApp {
        &self.app
    }

    /// As much of a body as its app's limits leave room for, with every byte escaped.
    pub fn body_bytes_max(&self) -> usize {
        let PusherApp { event_bytes_max, event_channels_max, event_name_max, batch_events_max, .. } =
            *self.app;
        let beside = 6 * event_name_max + PUSHER_NAME_BYTES_MAX as u64 + 1_024;
        let event = 6 * event_bytes_max + beside;
        let max = match self.action {
            Action::Batch => batch_events_max.saturating_mul(event),
            Action::Events => event + event_channels_max * (PUSHER_NAME_BYTES_MAX as u64 + 8),
            _ => 1_024,
        };
        narrow::clamped(max)
    }

    /// Does what is asked for.
    pub fn answer(self, head: &Head<'_>, body: &[u8], server: &mut dyn Backends) -> Answer {
        self.done(head, body, server).unwrap_or_else(|refusal| Answer::Now(refusal.into()))
    }

    fn done(self, head: &Head<'_>, body: &[u8], server: &mut dyn Backends) -> Result<Answer, Refusal> {
        let Admitted { app, action, body: hash } = self;
        hash.check(body).map_err(|error| Refusal::new(401, error.to_string()))?;
        let asked = Query::read(head);
        Ok(Answer::Now(match action {
            Action::Events => return publish(&app, event::event(&app, body)?, Shape::Channels, server),
            Action::Batch => return publish(&app, event::batch(&app, body)?, Shape::Batch, server),
            Action::Channels => {
                return list::asked(&app, asked.prefix.as_deref(), asked.info).map(Answer::List);
            }
            Action::Channel(name) => channel(&app, &name, asked.info, server)?,
            Action::Users(name) => users(&app, &name, server)?,
            Action::Terminate(user) => {
                server.terminate(&app, &user)?;
                answer(&json!({}))
            }
            Action::Connections => answer(&json!({ "connections": server.connections_of(&app) })),
        }))
    }
}

/// The parameters that mean something; whatever else is signed is passed over.
#[derive(Default)]
struct Query {
    prefix: Option<String>,
    info: Info,
}

impl Query {
    fn read(head: &Head<'_>) -> Query {
        let mut query = Query::default();
        for field in form::fields(head.query().as_bytes()) {
            let value = String::from_utf8_lossy(field.value.as_deref().unwrap_or_default());
            match &*field.name {
                b"filter_by_prefix" => query.prefix = Some(value.into_owned()),
                b"info" => query.info = Info::read(&value),
                _ => {}
            }
        }
        query
    }
}

/// The event that a cache channel keeps, if this is it: the payload of a publication as old as that. Only those of
/// backends are kept.
pub fn cached(app: &PusherApp, payload: &[u8], age_ms: u64) -> Option<Cached> {
    let ttl_s = app.cache_ttl_s.saturating_sub(age_ms / 1_000);
    let Cacheable { data } = serde_json::from_slice(payload).ok().filter(|_| ttl_s > 0)?;
    is_of_backend(payload).then_some(Cached { data, ttl_s })
}

#[derive(Deserialize)]
struct Cacheable {
    data: String,
}

/// The form of the numbers of channels.
#[derive(Clone, Copy)]
enum Shape {
    /// An object with the channels' names.
    Channels,
    /// A list, in the order of the events.
    Batch,
}

fn publish(
    app: &PusherApp,
    events: Vec<Posted>,
    shape: Shape,
    server: &mut dyn Backends,
) -> Result<Answer, Refusal> {
    let asked: Vec<(String, String, Info)> =
        events.iter().map(|event| (event.name.clone(), event.channel.clone(), event.info)).collect();
    let taken = server.publish_events(events)?;
    let shown = |channel: &str, info: Info| {
        let mut object = Map::new();
        info.show(server.counts(app, channel), &mut object);
        Value::Object(object)
    };
    let body = match shape {
        _ if asked.iter().all(|(_, _, info)| info.is_empty()) => json!({}),
        Shape::Channels => {
            let channels: Map<String, Value> =
                asked.iter().map(|(name, channel, info)| (name.clone(), shown(channel, *info))).collect();
            json!({ "channels": channels })
        }
        Shape::Batch => {
            let events: Vec<Value> = asked.iter().map(|(_, channel, info)| shown(channel, *info)).collect();
            json!({ "batch": events })
        }
    };
    Ok(match taken.later {
        Some(ticket) => Answer::Later(ticket, answer(&body)),
        None => Answer::Now(with_receipts(answer(&body), &taken.published)),
    })
}

/// The answer to what was published.
pub fn with_receipts(response: Response, published: &Published) -> Response {
    let receipts: Vec<String> = published.receipts.iter().map(|receipt| receipt.id.to_string()).collect();
    response.with("Wspush-Receipt", receipts.join(", "))
}

fn channel(app: &PusherApp, name: &str, info: Info, server: &dyn Backends) -> Result<Response, Refusal> {
    let channel = app.channel(name).ok_or_else(|| event::no_channel(name))?;
    if info.user_count && !is_presence(name) {
        return Err(Refusal::fixed(400, "user_count is asked of presence channels alone"));
    }
    let counts = server.counts(app, &channel);
    let mut object = Map::new();
    object.insert("occupied".to_owned(), (counts.subscriptions > 0).into());
    info.show(counts, &mut object);
    if info.cache {
        let cached = server.cached(app, &channel);
        let shown =
            cached.map_or(Value::Null, |Cached { data, ttl_s }| json!({ "data": data, "ttl": ttl_s }));
        object.insert("cache".to_owned(), shown);
    }
    Ok(answer(&Value::Object(object)))
}

fn users(app: &PusherApp, name: &str, server: &dyn Backends) -> Result<Response, Refusal> {
    let channel = app.channel(name).ok_or_else(|| event::no_channel(name))?;
    if !is_presence(name) {
        return Err(Refusal::fixed(400, "only presence channels know their users"));
    }
    let users: Vec<Value> =
        server.users_in(app, &channel).into_iter().map(|id| json!({ "id": id })).collect();
    Ok(answer(&json!({ "users": users })))
}

/// Whether a channel of this name has presence.
pub fn is_presence(name: &str) -> bool {
    name.starts_with("presence-")
}

/// An answer to the letter: libraries compare it with `{}`.
fn answer(body: &Value) -> Response {
    Response::json(200, body.to_string())
}

/// `GET /up`, by which others see that such a server is there.
pub fn up() -> Response {
    answer(&json!({ "health": "OK" }))
}
