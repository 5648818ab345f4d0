//! Requests for a user, which means for all its connections at once: `/users/USER` on the admin listener,
//! `POST /push?user=`, and the same through a handle. Subscriptions of a single connection go the same way.

use percent_encoding::percent_decode_str;
use serde::Serialize;

use crate::limits::USER_BYTES_MAX;
use crate::narrow;
use crate::protocol::close::CloseCode;
use crate::protocol::head::Head;
use crate::protocol::response::{Refusal, Response};
use crate::push::{Publication, PushError, Since};

use super::ConnId;
use super::admin::{close_of, conn_of, json, query, refused, takes};
use super::publishing::Sent;
use super::push_request::Notes;
use super::requests::{self, Request};

/// The connections that a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All that a user has when its turn comes.
    User(String),
    /// This one.
    Connection(ConnId),
}

/// Something to do with connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRequest {
    /// Which.
    pub target: Target,
    /// The deed.
    pub action: UserAction,
}

/// A deed for each of a user's connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserAction {
    /// Send this to each of them.
    Push {
        /// The message.
        publication: Publication,
        /// The answer's notes on it.
        notes: Notes,
    },
    /// Close each of them.
    Disconnect {
        /// With this code.
        code: CloseCode,
        /// And this reason.
        reason: String,
        /// Whether the tokens that the user has stay good.
        tokens: Tokens,
    },
    /// Let each of them receive a channel.
    Subscribe {
        /// The channel.
        channel: String,
        /// From where on.
        since: Since,
    },
    /// Let each of them receive a channel no more.
    Unsubscribe {
        /// The channel.
        channel: String,
    },
    /// Say which they are.
    List {
        /// Those behind this one.
        after: Option<ConnId>,
        /// So many at the most.
        limit: usize,
    },
}

/// The tokens that a user has got by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens {
    /// They stay good.
    Kept,
    /// They are refused from then on.
    Revoked,
}

/// One of a user's connections.
///
/// ```
/// use wspush::{ConnId, UserConnection};
///
/// fn receives(connection: &UserConnection, channel: &str) -> bool {
///     connection.channels.iter().any(|name| name == channel)
/// }
/// # assert!(!receives(&UserConnection { id: ConnId(1), channels: Vec::new() }, "news"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserConnection {
    /// Its id.
    #[serde(serialize_with = "in_quotes")]
    pub id: ConnId,
    /// The channels it receives.
    pub channels: Vec<String>,
}

/// The result of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserOutcome {
    /// With how many connections it was done.
    pub connections: u32,
    /// With how many it could not be done.
    pub refused: u32,
    /// Why not, for the last of them.
    pub problem: Option<Refusal>,
    /// Those that were asked for.
    pub page: Vec<UserConnection>,
    /// Behind which one there are more.
    pub next: Option<ConnId>,
}

impl UserOutcome {
    /// Adds what has come of it elsewhere; a page has so many entries at the most.
    pub fn add(&mut self, other: UserOutcome, limit: usize) {
        self.connections += other.connections;
        self.refused += other.refused;
        self.problem = other.problem.or(self.problem.take());
        self.page.extend(other.page);
        let order = |conn: ConnId| (conn.reactor(), conn.slot());
        self.page.sort_unstable_by_key(|connection| order(connection.id));
        self.next = [self.next, other.next].into_iter().flatten().min_by_key(|&conn| order(conn));
        // Those behind the end of a page that has been cut are on the next one.
        if let Some(next) = self.next {
            self.page.retain(|connection| order(connection.id) <= order(next));
        }
        if self.page.len() > limit && limit > 0 {
            self.page.truncate(limit);
            self.next = self.page.last().map(|connection| connection.id);
        }
    }
}

impl UserRequest {
    /// A request for a user whose name is one.
    ///
    /// # Errors
    /// [`PushError::BadUser`]
    pub fn new(user: impl Into<String>, action: UserAction) -> Result<UserRequest, PushError> {
        let user = user.into();
        if !is_user_name(&user) {
            return Err(PushError::BadUser);
        }
        Ok(UserRequest { target: Target::User(user), action })
    }

    /// Whether it concerns the user wherever it is, and not the connections of one node alone.
    pub fn is_for_all_nodes(&self) -> bool {
        matches!(self.target, Target::User(_)) && !matches!(self.action, UserAction::List { .. })
    }

    /// Its bytes in the inbox, beside itself.
    pub fn bytes(&self) -> usize {
        let rest = match &self.action {
            UserAction::Push { publication, .. } => publication.plain_frame().len(),
            UserAction::Disconnect { reason, .. } => reason.len(),
            UserAction::Subscribe { channel, .. } | UserAction::Unsubscribe { channel } => channel.len(),
            UserAction::List { .. } => 0,
        };
        let name = match &self.target {
            Target::User(user) => user.len(),
            Target::Connection(_) => 0,
        };
        name + rest
    }

    /// The admin API's answer, when it is done.
    pub fn answer(&self, outcome: &UserOutcome) -> Response {
        let connections = outcome.connections;
        let (user, conn) = match &self.target {
            Target::User(user) => (Some(&**user), None),
            Target::Connection(conn) => (None, Some(conn.to_string())),
        };
        if conn.is_some() && connections == 0 {
            return refused(outcome.problem.as_ref().unwrap_or(&PushError::NoSuchConnection.into()));
        }
        match &self.action {
            UserAction::Push { notes, .. } if conn.is_some() => {
                json(200, &Sent { conn: conn.unwrap_or_default(), recipients: Some(1), notes: notes.clone() })
            }
            UserAction::Push { notes, .. } => {
                json(200, &Pushed { user, recipients: connections, notes: notes.clone() })
            }
            UserAction::Disconnect { tokens: Tokens::Revoked, .. } if outcome.problem.is_some() => {
                refused(outcome.problem.as_ref().unwrap_or(&Refusal::fixed(503, "")))
            }
            UserAction::Disconnect { code, .. } if conn.is_some() => {
                json(200, &serde_json::json!({ "conn": conn, "code": code.0 }))
            }
            UserAction::Disconnect { code, tokens, .. } => {
                let revoked = (*tokens == Tokens::Revoked).then_some(true);
                json(200, &Closed { user, closed: connections, code: code.0, revoked })
            }
            UserAction::Subscribe { channel, .. } | UserAction::Unsubscribe { channel } => {
                let UserOutcome { refused, problem, .. } = outcome;
                let problem = problem.as_ref().map(|problem| &*problem.reason);
                json(200, &Changed { user, conn, channel, connections, refused: *refused, problem })
            }
            UserAction::List { .. } => {
                let next = outcome.next.map(|conn| conn.to_string());
                json(200, &Listed { user, connections: &outcome.page, next })
            }
        }
    }
}

/// Whether a user may be called so: whoever has no name is nobody, and an empty one must not pass for one.
pub fn is_user_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= USER_BYTES_MAX
}

/// JavaScript's numbers are too short for it.
fn in_quotes<S: serde::Serializer>(id: &ConnId, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(id)
}

#[derive(Serialize)]
struct Pushed<'a> {
    user: Option<&'a str>,
    recipients: u32,
    #[serde(flatten)]
    notes: Notes,
}

#[derive(Serialize)]
struct Closed<'a> {
    user: Option<&'a str>,
    closed: u32,
    code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<bool>,
}

#[derive(Serialize)]
struct Changed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conn: Option<String>,
    channel: &'a str,
    connections: u32,
    /// A connection may have too many channels already, or none can be made for it.
    refused: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
}

#[derive(Serialize)]
struct Listed<'a> {
    user: Option<&'a str>,
    connections: &'a [UserConnection],
    next: Option<String>,
}

/// Reads a request for `/users/` and `rest`.
///
/// # Errors
/// 400, 404 or 405: it is none.
pub(super) fn read(rest: &str, head: &Head<'_>) -> Result<UserRequest, Refusal> {
    let (name, action) = match rest.split_once('/') {
        Some((name, "subscribe")) => (name, subscription(head, &requests::SUBSCRIBE_USER)?),
        Some((name, "unsubscribe")) => (name, subscription(head, &requests::UNSUBSCRIBE_USER)?),
        Some(_) => return Err(Refusal::fixed(404, "no such path; a '/' in a user's name is written %2F")),
        None => (rest, of_user(head)?),
    };
    let name = percent_decode_str(name).decode_utf8();
    let name = name.map_err(|_| Refusal::fixed(400, "a user's name in a path is UTF-8, percent-encoded"))?;
    Ok(UserRequest::new(name, action)?)
}

fn of_user(head: &Head<'_>) -> Result<UserAction, Refusal> {
    match head.method {
        "GET" | "HEAD" => {
            let query = query(head, &requests::USER)?;
            let limit = narrow::clamped(query.number("limit").unwrap_or(requests::PAGE_DEFAULT));
            Ok(UserAction::List { after: query.number("after").map(ConnId), limit })
        }
        "DELETE" => {
            let query = query(head, &requests::DISCONNECT_USER)?;
            let (code, reason) = close_of(&query)?;
            let tokens = if query.text("revoke") == Some("yes") { Tokens::Revoked } else { Tokens::Kept };
            Ok(UserAction::Disconnect { code, reason, tokens })
        }
        _ => {
            let allow = &[("Allow", "GET, HEAD, DELETE")];
            Err(Refusal::fixed(405, "this path takes GET, HEAD, DELETE").with_headers(allow))
        }
    }
}

/// Reads a request for `/connections/`, an id and what is to be done with that one.
///
/// # Errors
/// 400, 404 or 405: it is none.
pub(super) fn read_for_connection(id: &str, verb: &str, head: &Head<'_>) -> Result<UserRequest, Refusal> {
    let request = match verb {
        "subscribe" => &requests::SUBSCRIBE,
        "unsubscribe" => &requests::UNSUBSCRIBE,
        _ => return Err(Refusal::fixed(404, "no such path; there are ID, ID/subscribe and ID/unsubscribe")),
    };
    let action = subscription(head, request)?;
    Ok(UserRequest { target: Target::Connection(conn_of(id)?), action })
}

fn subscription(head: &Head<'_>, request: &'static Request) -> Result<UserAction, Refusal> {
    if head.method != request.method {
        return Err(takes(request));
    }
    let query = query(head, request)?;
    // That it is there, and what it may be, was seen when it was read.
    let channel = query.text("channel").unwrap_or_default().to_owned();
    if request.query.iter().all(|known| known.name != "since") {
        return Ok(UserAction::Unsubscribe { channel });
    }
    let since = query.text("since").and_then(|since| since.parse().ok()).unwrap_or_default();
    Ok(UserAction::Subscribe { channel, since })
}
