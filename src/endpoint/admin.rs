//! The admin API: push, look, disconnect.

use serde::Serialize;

use crate::protocol::close::CloseCode;
use crate::protocol::head::Head;
use crate::protocol::response::{Refusal, Response};
use crate::push::{Publication, PushOptions};

use super::ConnId;
use super::control::{Control, Filter, List, Page, Receipt};
use super::push_request::{self, Pushed};
use super::query::{Others, Query};
use super::requests::{self, Request};
use super::users::{self, UserAction, UserRequest};

/// The outcome of a request.
pub enum Answer {
    /// This, at once.
    Now(Response),
    /// A page of connections: see [`page`]. With many of them looking for those that are asked for takes a while.
    List(List),
    /// The result of this, in its turn among everything that is asked of the server.
    User(UserRequest),
}

impl From<Response> for Answer {
    fn from(response: Response) -> Answer {
        Answer::Now(response)
    }
}

/// Answers a whole request. `passed` is the verdict of [`guard::check`](super::guard::check).
pub fn answer(head: &Head<'_>, body: &[u8], passed: Result<(), Refusal>, server: &mut dyn Control) -> Answer {
    route(head, body, passed, server).unwrap_or_else(|refusal| refused(&refusal).into())
}

/// The answer to a request for connections.
pub fn page(page: &Page) -> Response {
    json(200, page)
}

fn route(
    head: &Head<'_>,
    body: &[u8],
    passed: Result<(), Refusal>,
    server: &mut dyn Control,
) -> Result<Answer, Refusal> {
    let path = requests::path(head);
    if path == requests::HEALTH.path {
        return super::public::health(head).map(Answer::Now);
    }
    passed?;
    if let Some(rest) = path.strip_prefix("/users/") {
        return users::read(rest, head).map(Answer::User);
    }
    let of_connection = path.strip_prefix("/connections/").and_then(|rest| rest.split_once('/'));
    if let Some((id, verb)) = of_connection {
        return users::read_for_connection(id, verb, head).map(Answer::User);
    }
    let response = match (path, head.method) {
        ("/push", "POST") => return push(head, body, server),
        ("/push", _) => Err(takes(&requests::PUSH)),
        ("/stats", "GET" | "HEAD") => stats(head, server),
        ("/metrics", "GET" | "HEAD") => metrics(head, server),
        ("/connections", "GET" | "HEAD") => return connections(head).map(Answer::List),
        // Without an id it ends nobody's, and everybody's even less.
        ("/connections", "DELETE") => disconnect("", head, server),
        ("/users", _) => Err(Refusal::fixed(404, "no such path; a user is at /users/NAME")),
        ("/stats" | "/metrics" | "/connections", _) => Err(takes(&requests::STATS)),
        (path, method) => match path.strip_prefix("/connections/") {
            Some(id) if method == "DELETE" => disconnect(id, head, server),
            Some(_) => Err(takes(&requests::DISCONNECT)),
            None => {
                let paths =
                    "no such path; there are /push, /stats, /metrics, /connections, /users and /healthz";
                Err(Refusal::fixed(404, paths))
            }
        },
    };
    response.map(Answer::Now)
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

fn push(head: &Head<'_>, body: &[u8], server: &mut dyn Control) -> Result<Answer, Refusal> {
    let query = query(head, &requests::PUSH)?;
    let options = PushOptions::default().compress(query.text("compress") != Some("no"));
    let pushed = push_request::read(head, body)?;
    let response = match (query.text("channel"), query.number("conn").map(ConnId), query.text("user")) {
        (channel, None, None) => publish(channel, &pushed, options, server)?,
        (None, Some(conn), None) => {
            server.send(conn, pushed.message(), options)?;
            json(200, &Sent { conn: conn.to_string(), recipients: 1, taken_as: pushed.taken_as })
        }
        (None, None, Some(user)) => {
            let publication = Publication::new(pushed.message(), options)?;
            let action = UserAction::Push { publication, taken_as: pushed.taken_as };
            return Ok(Answer::User(UserRequest::new(user, action)?));
        }
        _ => return Err(Refusal::fixed(400, "channel, conn and user exclude each other")),
    };
    Ok(response.into())
}

/// Publishes, and answers with the receipt.
pub fn publish(
    channel: Option<&str>,
    pushed: &Pushed<'_>,
    options: PushOptions,
    server: &mut dyn Control,
) -> Result<Response, Refusal> {
    let (receipt, recipients) = server.publish(channel, pushed.message(), options)?;
    Ok(json(200, &Published { receipt, recipients, taken_as: pushed.taken_as }))
}

#[derive(Serialize)]
struct Published {
    #[serde(flatten)]
    receipt: Receipt,
    recipients: u32,
    /// The part of the body that was pushed, where that is not all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_as: Option<&'static str>,
}

#[derive(Serialize)]
struct Sent {
    conn: String,
    recipients: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_as: Option<&'static str>,
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
    let mut response = Response::text(200, server.prometheus());
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    Ok(response)
}

fn connections(head: &Head<'_>) -> Result<List, Refusal> {
    let query = query(head, &requests::CONNECTIONS)?;
    let text = |name| query.text(name).map(str::to_owned);
    let filter = Filter { user: text("user"), channel: text("channel") };
    let limit = query.number("limit").unwrap_or(requests::PAGE_DEFAULT) as usize;
    Ok(List { filter, after: query.number("after").map(ConnId), limit })
}

fn disconnect(id: &str, head: &Head<'_>, server: &mut dyn Control) -> Result<Response, Refusal> {
    let query = query(head, &requests::DISCONNECT)?;
    let conn = conn_of(id)?;
    let (code, reason) = close_of(&query)?;
    server.disconnect(conn, code, &reason)?;
    Ok(json(200, &serde_json::json!({ "conn": id, "code": code.0 })))
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
mod tests {
    use super::*;
    use crate::endpoint::control::Stats;
    use crate::endpoint::users::UserOutcome;
    use crate::protocol::head;
    use crate::push::PushError;
    use crate::push::{Delivery, Message};

    /// Remembers what was asked of it.
    #[derive(Default)]
    struct Fake(Vec<String>);

    impl Control for Fake {
        fn publish(
            &mut self,
            channel: Option<&str>,
            message: Message<'_>,
            options: PushOptions,
        ) -> Result<(Receipt, u32), PushError> {
            let plain = if options.compress { "" } else { " plain" };
            self.0.push(format!("publish {channel:?} {message:?}{plain}"));
            Ok((Receipt { channel: channel.unwrap_or("broadcast").into(), epoch: 5, offset: 6, id: 7 }, 8))
        }
        fn send(
            &mut self,
            conn: ConnId,
            message: Message<'_>,
            options: PushOptions,
        ) -> Result<(), PushError> {
            let plain = if options.compress { "" } else { " plain" };
            self.0.push(format!("send {conn} {message:?}{plain}"));
            if conn.0 == 404 { Err(PushError::NoSuchConnection) } else { Ok(()) }
        }
        fn disconnect(&mut self, conn: ConnId, code: CloseCode, reason: &str) -> Result<(), PushError> {
            self.0.push(format!("disconnect {conn} {} {reason}", code.0));
            if conn.0 == 404 { Err(PushError::NoSuchConnection) } else { Ok(()) }
        }
        fn stats(&self) -> Stats {
            Stats::default()
        }
        fn prometheus(&self) -> String {
            "wspush_up 1\n".to_owned()
        }
        fn delivery(&self, receipt: u64) -> Option<Delivery> {
            (receipt == 7).then(Delivery::default)
        }
    }

    fn ask(line: &str, body: &[u8]) -> (u16, String, Vec<String>) {
        let request = format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let (head, _) = head::parse(request.as_bytes(), 8192).unwrap().unwrap();
        let mut host = Fake::default();
        let response = match answer(&head, body, Ok(()), &mut host) {
            Answer::Now(response) => response,
            Answer::List(List { filter, after, limit }) => {
                let all = (None, None, 100);
                let some = (Some("u"), Some(ConnId(3)), 9);
                assert!([all, some].contains(&(filter.user.as_deref(), after, limit)));
                page(&Page::default())
            }
            Answer::User(request) => {
                host.0.push(format!("{:?} {:?}", request.target, request.action));
                request.answer(&UserOutcome { connections: 2, ..UserOutcome::default() })
            }
        };
        (response.status, String::from_utf8(response.body.to_vec()).unwrap(), host.0)
    }

    #[test]
    fn a_push_answers_with_its_receipt() {
        let (status, body, asked) = ask("POST /push?channel=news", b"hi");
        assert_eq!(asked, ["publish Some(\"news\") Text(\"hi\")"]);
        let expected = "{\"channel\":\"news\",\"epoch\":5,\"offset\":6,\"receipt\":7,\"recipients\":8}\n";
        assert_eq!((status, body.as_str()), (200, expected));
        assert_eq!(ask("POST /push?conn=12", b"hi").2, ["send 12 Text(\"hi\")"]);
        assert_eq!(ask("POST /push?compress=yes", b"hi").2, ["publish None Text(\"hi\")"]);
        assert_eq!(ask("POST /push?compress=no", b"hi").2, ["publish None Text(\"hi\") plain"]);
        assert_eq!(ask("POST /push?conn=1&compress=no", b"hi").2, ["send 1 Text(\"hi\") plain"]);
    }

    #[test]
    fn the_answer_says_what_was_taken_as_a_form() {
        let form = "POST /push HTTP/1.1\r\nHost: localhost\r\n\
                    Content-Type: application/x-www-form-urlencoded\r\n\r\n";
        let (head, _) = head::parse(form.as_bytes(), 8192).unwrap().unwrap();
        for (body, taken_as) in [(&b"message=hi"[..], Some("form field message")), (b"hi", None)] {
            let Answer::Now(response) = answer(&head, body, Ok(()), &mut Fake::default()) else {
                panic!("a list")
            };
            let json: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
            assert_eq!(json.get("taken_as").and_then(|text| text.as_str()), taken_as);
        }
    }

    /// One rule for all: what a table's row does not say is refused, with the name of it.
    #[test]
    fn every_request_refuses_what_its_row_does_not_say() {
        use crate::endpoint::query::Times;
        use crate::endpoint::requests::Listeners;
        let admin = requests::ALL.iter().filter(|request| request.listener != Listeners::Public);
        for request in admin {
            let line =
                format!("{} {}", request.method, request.path.replace("ID", "12").replace("USER", "ada"));
            let required = request.query.iter().filter(|known| known.times == Times::Required);
            let line =
                format!("{line}?{}", required.map(|known| format!("{}=a&", known.name)).collect::<String>());
            let line = line.trim_end_matches(['&', '?']);
            let plain = ask(line, b"hi");
            assert_eq!(plain.0, 200, "{line}: {}", plain.1);
            let mut wrong = vec![("nobody", "nobody=1".to_owned())];
            for known in request.query {
                wrong.push((known.name, format!("{}=", known.name)));
                if known.times != Times::Repeatable {
                    let value = match known.value {
                        crate::endpoint::query::Value::Since => "head".to_owned(),
                        crate::endpoint::query::Value::Number(min, _) => min.to_string(),
                        crate::endpoint::query::Value::Choice(names) => names[0].to_owned(),
                        _ => "a".to_owned(),
                    };
                    wrong.push((known.name, format!("{0}={value}&{0}={value}", known.name)));
                }
            }
            for (name, query) in wrong {
                let target = format!("{line}{}{query}", if line.contains('?') { '&' } else { '?' });
                let (status, text, asked) = ask(&target, b"hi");
                assert_eq!((status, asked.len()), (400, 0), "{target}: {text}");
                assert!(text.starts_with("{\"error\":\"") && text.contains(name), "{target}: {text}");
            }
        }
    }

    #[test]
    fn wrong_requests_do_nothing() {
        for (line, body, status) in [
            ("POST /push", &b""[..], 400),
            ("POST /push", b"\xff", 400),
            ("POST /push?chanel=x", b"hi", 400),
            ("POST /push?channel=x&conn=1", b"hi", 400),
            ("POST /push?user=u&conn=1", b"hi", 400),
            ("POST /push?user=u&channel=c", b"hi", 400),
            ("POST /push?user=u", b"", 400),
            ("POST /push?conn=x", b"hi", 400),
            ("POST /push?conn=0", b"hi", 400),
            ("POST /push?channel=", b"hi", 400),
            ("POST /push?channel", b"hi", 400),
            ("POST /push?conn=", b"hi", 400),
            ("POST /push?compress=", b"hi", 400),
            ("POST /push?channel=a&channel=b", b"hi", 400),
            ("POST /push?channel=a&channel=a", b"hi", 400),
            ("POST /push?conn=1&conn=2", b"hi", 400),
            ("POST /push?compress=no&compress=yes", b"hi", 400),
            ("POST /push?channel=%ff", b"hi", 400),
            ("POST /push?compress=0", b"hi", 400),
            ("GET /push", b"", 405),
            ("POST /stats", b"", 405),
            ("GET /nothing", b"", 404),
            ("GET /stats?receipt=8", b"", 404),
            ("GET /stats?receipt=", b"", 400),
            ("GET /metrics?x=1", b"", 400),
            ("GET /healthz?x=1", b"", 400),
            ("GET /connections?user=", b"", 400),
            ("GET /connections?channel=", b"", 400),
            ("GET /connections?user=a&user=b", b"", 400),
            ("GET /connections?after=0", b"", 400),
            ("GET /connections?limit=0", b"", 400),
            ("GET /connections?limit=1001", b"", 400),
            ("GET /connections?channel=a%20b", b"", 400),
            ("DELETE /connections/x", b"", 400),
            ("DELETE /connections/0", b"", 400),
            ("DELETE /connections/", b"", 400),
            ("DELETE /connections", b"", 400),
            ("DELETE /connections/1?code=", b"", 400),
            ("DELETE /connections/1?reason=", b"", 400),
            ("DELETE /connections/1?code=4000&code=4001", b"", 400),
            ("DELETE /connections/1?code=1005", b"", 400),
            ("GET /connections/1", b"", 405),
            ("POST /connections/1/subscribe", b"", 400),
            ("POST /connections/0/subscribe?channel=a", b"", 400),
            ("POST /connections/1/unsubscribe?channel=a&since=head", b"", 400),
            ("POST /connections/1/subscribe?channel=a&since=then", b"", 400),
            ("POST /connections/1/close?channel=a", b"", 404),
            ("GET /connections/1/subscribe?channel=a", b"", 405),
            ("POST /users/a/unsubscribe", b"", 400),
            ("DELETE /users/a/subscribe?channel=a", b"", 405),
            ("POST /users//subscribe?channel=a", b"", 400),
            ("GET /users", b"", 404),
            ("GET /users/", b"", 404),
            ("DELETE /users", b"", 404),
            ("DELETE /users/", b"", 404),
            ("DELETE /users//", b"", 404),
            ("GET /users/a/b", b"", 404),
            ("POST /users/a", b"", 405),
            ("GET /users/%ff", b"", 400),
            ("DELETE /users/a?code=1005", b"", 400),
        ] {
            let (got, body, asked) = ask(line, body);
            assert_eq!((got, asked.len()), (status, 0), "{line}: {body}");
            assert!(body.starts_with("{\"error\":\""), "{line}: {body}");
        }
    }

    #[test]
    fn looking_and_disconnecting() {
        assert_eq!(ask("GET /stats?receipt=7", b"").0, 200);
        assert_eq!(ask("GET /connections?user=u&after=3&limit=9", b"").0, 200);
        assert_eq!(ask("GET /healthz", b"").1, "ok\n");
        for line in ["GET /stats/?receipt=7", "GET /metrics/", "GET /healthz/", "POST /push/"] {
            assert_eq!(ask(line, b"x").0, 200, "{line}");
        }
        assert_eq!(ask("DELETE /connections/12/", b"").0, 200);
        assert_eq!(ask("GET /stats//", b"").0, 404);
        let (status, _, asked) = ask("DELETE /connections/12?code=4000&reason=bye", b"");
        assert_eq!((status, asked), (200, vec!["disconnect 12 4000 bye".to_owned()]));
        assert_eq!(ask("DELETE /connections/404", b"").0, 404);
        assert_eq!(ask("POST /push?conn=404", b"hi").0, 404);
    }
}
