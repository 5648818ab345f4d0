//! The admin API: push, look, disconnect.

use serde::Serialize;

use crate::narrow;
use crate::protocol::close::CloseCode;
use crate::protocol::form;
use crate::protocol::head::Head;
use crate::protocol::response::{Refusal, Response};

use super::ConnId;
use super::caller::Caller;
use super::channels;
use super::control::{Control, Filter, List, Wanted};
use super::publishing::{self, BatchSent, Later};
use super::query::{Others, Query};
use super::requests::{self, Request};
use super::scrape;
use super::users::{self, Target, Tokens, UserAction, UserRequest};

/// Channels and the like that an audit line has room for.
const TARGETS_TOLD_MAX: usize = 16;

/// The outcome of a request.
pub enum Answer {
    /// This, at once.
    Now(Response),
    /// A page of connections or channels: see [`page`]. Among many of them looking for those that are asked for takes a
    /// while.
    List(Wanted),
    /// The outcome of this, in its turn among everything that is asked of the server.
    User(UserRequest),
    /// The outcome of this, when the cluster has said it.
    Later(Later),
    /// The outcome of this batch, when the reactors have said which of its connections are there.
    Sent(BatchSent),
}

impl From<Response> for Answer {
    fn from(response: Response) -> Answer {
        Answer::Now(response)
    }
}

/// Answers a whole request. `passed` is the verdict of [`guard::check`](super::guard::check).
pub fn answer(
    head: &Head<'_>,
    body: &[u8],
    passed: Result<&Caller, Refusal>,
    server: &mut dyn Control,
) -> Answer {
    route(head, body, passed, server).unwrap_or_else(|refusal| refused(&refusal).into())
}

/// The answer to a request for a page.
pub fn page(page: &impl Serialize) -> Response {
    json(200, page)
}

fn route(
    head: &Head<'_>,
    body: &[u8],
    passed: Result<&Caller, Refusal>,
    server: &mut dyn Control,
) -> Result<Answer, Refusal> {
    let path = requests::path(head);
    if path == requests::HEALTH.path {
        return super::public::health(head).map(Answer::Now);
    }
    if path == requests::READINESS.path {
        let newcomers = super::public::get_only(head, &requests::READINESS, || server.check_ready())?;
        return newcomers.map(|()| Answer::Now(super::public::ready()));
    }
    #[cfg(feature = "dashboard")]
    if path == requests::DASHBOARD.path {
        return super::public::get_only(head, &requests::DASHBOARD, super::dashboard::page).map(Answer::Now);
    }
    let caller = passed?;
    caller.check(path, head)?;
    if let Some(rest) = path.strip_prefix("/users/") {
        return users::read(rest, head).map(Answer::User);
    }
    let of_connection = path.strip_prefix("/connections/").and_then(|rest| rest.split_once('/'));
    if let Some((id, verb)) = of_connection {
        return users::read_for_connection(id, verb, head).map(Answer::User);
    }
    let response = match (path, head.method) {
        ("/push", "POST") => return publishing::push(caller, head, body, server),
        ("/push/batch", "POST") => return publishing::push_batch(caller, head, body, server),
        ("/push" | "/push/batch", _) => Err(takes(&requests::PUSH)),
        ("/stats", "GET" | "HEAD") => stats(head, server),
        ("/metrics", "GET" | "HEAD") => metrics(head, server),
        ("/connections", "GET" | "HEAD") => return connections(head).map(Answer::List),
        ("/channels", "GET" | "HEAD") => return channels::list(head),
        ("/channels", _) => Err(takes(&requests::CHANNELS)),
        // Without an id it ends nobody's, and everybody's even less.
        ("/connections", "DELETE") => disconnect("", head, server),
        ("/nodes", _) => Err(super::nodes::alone()),
        ("/drain", "POST") => drain(head, server),
        ("/drain", _) => Err(takes(&requests::DRAIN)),
        ("/users", _) => Err(Refusal::fixed(404, "no such path; a user is at /users/NAME")),
        ("/stats" | "/metrics" | "/connections", _) => Err(takes(&requests::STATS)),
        (path, _) if path.starts_with("/channels/") => return channels::answer(&path[10..], head, server),
        (path, method) => match path.strip_prefix("/connections/") {
            Some(id) if method == "DELETE" && conn_of(id).is_ok_and(|conn| server.is_elsewhere(conn)) => {
                return disconnect_elsewhere(id, head).map(Answer::User);
            }
            Some(id) if method == "DELETE" => disconnect(id, head, server),
            Some(_) => Err(takes(&requests::DISCONNECT)),
            None => {
                let paths = "no such path; there are /push, /push/batch, /stats, /metrics, /connections, /channels, \
                             /users, /nodes, /drain, /healthz and /readyz";
                Err(Refusal::fixed(404, paths))
            }
        },
    };
    response.map(Answer::Now)
}

/// Whom a request concerns, as its parameters say it, for an audit line.
pub fn targets(head: &Head<'_>) -> String {
    let fields = form::fields(head.query().as_bytes());
    let told = fields.filter(|field| matches!(&*field.name, b"channel" | b"user" | b"conn" | b"revoke"));
    let pairs = told.map(|field| {
        let value = field.value.unwrap_or_default();
        format!("{}={}", String::from_utf8_lossy(&field.name), String::from_utf8_lossy(&value))
    });
    pairs.take(TARGETS_TOLD_MAX).collect::<Vec<_>>().join(" ")
}

/// A refusal as this listener says it: JSON.
pub fn refused(refusal: &Refusal) -> Response {
    let mut response = json(refusal.status, &serde_json::json!({ "error": refusal.reason }));
    response.headers.extend(refusal.headers.iter().map(|&(name, value)| (name, value.to_owned())));
    response
}

pub(super) fn json(status: u16, value: &impl Serialize) -> Response {
    let mut body = serde_json::to_vec(value).unwrap_or_default();
    body.push(b'\n');
    Response::json(status, body)
}

/// Another method than the path takes.
pub(super) fn takes(request: &Request) -> Refusal {
    let (reason, headers): (_, &'static [_]) = match request.method {
        "GET" => ("this path takes GET, HEAD", &[("Allow", "GET, HEAD")]),
        "DELETE" => ("this path takes DELETE", &[("Allow", "DELETE")]),
        _ => ("this path takes POST", &[("Allow", "POST")]),
    };
    Refusal::fixed(405, reason).with_headers(headers)
}

pub(super) fn query<'a>(head: &Head<'a>, request: &'static Request) -> Result<Query<'a>, Refusal> {
    Query::read(head, request.query, Others::Refused)
}

fn stats(head: &Head<'_>, server: &mut dyn Control) -> Result<Response, Refusal> {
    let Some(receipt) = query(head, &requests::STATS)?.number("receipt") else {
        return Ok(json(200, &server.stats()));
    };
    match server.delivery(receipt) {
        Some(delivery) => Ok(json(200, &delivery)),
        None => Err(Refusal::fixed(404, "no such receipt, or too old to be remembered")),
    }
}

fn metrics(head: &Head<'_>, server: &mut dyn Control) -> Result<Response, Refusal> {
    query(head, &requests::METRICS)?;
    let format = scrape::format(head);
    Ok(Response::new(200, format.content_type(), server.prometheus(format)))
}

fn connections(head: &Head<'_>) -> Result<Wanted, Refusal> {
    let query = query(head, &requests::CONNECTIONS)?;
    let text = |name| query.text(name).map(str::to_owned);
    let filter = Filter { user: text("user"), channel: text("channel") };
    let limit = narrow::clamped(query.number("limit").unwrap_or(requests::PAGE_DEFAULT));
    Ok(Wanted::Connections(List { filter, after: query.number("after").map(ConnId), limit }))
}

fn drain(head: &Head<'_>, server: &mut dyn Control) -> Result<Response, Refusal> {
    query(head, &requests::DRAIN)?;
    server.drain();
    Ok(json(200, &serde_json::json!({ "draining": true })))
}

fn disconnect(id: &str, head: &Head<'_>, server: &mut dyn Control) -> Result<Response, Refusal> {
    let query = query(head, &requests::DISCONNECT)?;
    let conn = conn_of(id)?;
    let (code, reason) = close_of(&query)?;
    server.disconnect(conn, code, &reason)?;
    Ok(json(200, &serde_json::json!({ "conn": id, "code": code.0 })))
}

/// The same for a connection of another reactor.
fn disconnect_elsewhere(id: &str, head: &Head<'_>) -> Result<UserRequest, Refusal> {
    let (code, reason) = close_of(&query(head, &requests::DISCONNECT)?)?;
    let action = UserAction::Disconnect { code, reason, tokens: Tokens::Kept };
    Ok(UserRequest { target: Target::Connection(conn_of(id)?), action })
}

/// The connection that a path names.
pub(super) fn conn_of(id: &str) -> Result<ConnId, Refusal> {
    let conn = id.parse::<ConnId>().ok().filter(|conn| conn.0 != 0);
    conn.ok_or(Refusal::fixed(400, "a connection's id is a number, as GET /connections lists it"))
}

/// The close that a request asks for.
pub(super) fn close_of(query: &Query<'_>) -> Result<(CloseCode, String), Refusal> {
    let code = query.number("code").and_then(|code| u16::try_from(code).ok());
    let code = code.map_or(CloseCode::POLICY_VIOLATION, CloseCode);
    if !code.is_valid_on_wire() {
        return Err(Refusal::new(400, format!("code={code} is not a close code that may be sent")));
    }
    Ok((code, query.text("reason").unwrap_or("disconnected by the operator").to_owned()))
}

#[cfg(test)]
pub(super) mod tests;
