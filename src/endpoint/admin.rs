//! The admin API: push, look, disconnect.

use serde::Serialize;

use crate::config::channel_name_ok;
use crate::protocol::close::CloseCode;
use crate::protocol::head::Head;
use crate::protocol::response::Response;
use crate::push::{Message, PushError, PushOptions};

use super::host::{Filter, Host, Receipt};
use super::{ConnId, guard, push_request};

/// Connections on a page of `GET /connections`, unless the request says otherwise.
const PAGE_DEFAULT: usize = 100;
/// Connections on a page at the most: it bounds the answer's size and the time it takes.
const PAGE_MAX: usize = 1_000;

/// Answers a whole request.
pub fn answer(head: &Head<'_>, body: &[u8], token: Option<&str>, host: &mut dyn Host) -> Response {
    if head.path() == "/healthz" {
        return super::public::health(head);
    }
    if let Err(response) = guard::check(head, token) {
        return response;
    }
    let query = Query::of(head);
    match (head.path(), head.method) {
        ("/push", "POST") => push(head, body, &query, host),
        ("/push", _) => not_allowed("POST"),
        ("/stats", "GET" | "HEAD") => stats(&query, host),
        ("/metrics", "GET" | "HEAD") => {
            let mut response = Response::text(200, host.prometheus());
            response.content_type = "text/plain; version=0.0.4; charset=utf-8";
            response
        }
        ("/connections", "GET" | "HEAD") => connections(&query, host),
        ("/stats" | "/metrics" | "/connections", _) => not_allowed("GET, HEAD"),
        (path, method) => match path.strip_prefix("/connections/") {
            Some(id) if method == "DELETE" => disconnect(id, &query, host),
            Some(_) => not_allowed("DELETE"),
            None => error(404, "no such path; there are /push, /stats, /metrics, /connections and /healthz"),
        },
    }
}

/// An error as JSON.
pub fn error(status: u16, reason: &str) -> Response {
    json(status, &serde_json::json!({ "error": reason }))
}

fn json(status: u16, value: &impl Serialize) -> Response {
    let mut body = serde_json::to_vec(value).unwrap_or_default();
    body.push(b'\n');
    Response::json(status, body)
}

fn not_allowed(allow: &'static str) -> Response {
    let mut response = error(405, &format!("this path takes {allow}"));
    response.headers.push(("Allow", allow.to_owned()));
    response
}

/// The query's parameters; the first value of each counts, an empty one is none.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(head: &Head<'_>) -> Query {
        Query(head.query_pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        let first = self.0.iter().find(|(key, _)| key == name);
        first.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Response> {
        let wrong = |text| error(400, &format!("{name}={text:?} is not a number that fits"));
        self.get(name).map(|text| text.parse().map_err(|_| wrong(text))).transpose()
    }

    /// Whether all names are among those the path knows: a misspelt `?chanel=` must not push to everyone.
    fn only(&self, known: &[&str]) -> Result<(), Response> {
        match self.0.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            Some((key, _)) => {
                Err(error(400, &format!("unknown parameter {key:?}; this path knows {}", known.join(", "))))
            }
            None => Ok(()),
        }
    }
}

/// Makes `?`-style early returns possible in functions that answer either way.
fn either(result: Result<Response, Response>) -> Response {
    result.unwrap_or_else(|response| response)
}

fn push(head: &Head<'_>, body: &[u8], query: &Query, host: &mut dyn Host) -> Response {
    either((|| {
        query.only(&["channel", "conn", "compress"])?;
        let options = options(query)?;
        let pushed = push_request::read(head, body).map_err(|e| push_error(&e))?;
        match (query.get("channel"), query.number("conn")?) {
            (Some(_), Some(_)) => Err(error(400, "channel and conn exclude each other")),
            (None, Some(conn)) => {
                host.send(ConnId(conn), pushed.message(), options).map_err(|e| push_error(&e))?;
                Ok(json(200, &serde_json::json!({ "conn": conn.to_string(), "recipients": 1 })))
            }
            (channel, None) => Ok(publish(channel, pushed.message(), options, host)),
        }
    })())
}

fn options(query: &Query) -> Result<PushOptions, Response> {
    match query.get("compress") {
        None | Some("yes") => Ok(PushOptions::default()),
        Some("no") => Ok(PushOptions::default().compress(false)),
        Some(other) => Err(error(400, &format!("compress={other:?} is neither yes (the default) nor no"))),
    }
}

/// Publishes, and answers with the receipt.
pub fn publish(
    channel: Option<&str>,
    message: Message<'_>,
    options: PushOptions,
    host: &mut dyn Host,
) -> Response {
    match host.publish(channel, message, options) {
        Ok((receipt, recipients)) => json(200, &Published { receipt, recipients }),
        Err(problem) => push_error(&problem),
    }
}

#[derive(Serialize)]
struct Published {
    #[serde(flatten)]
    receipt: Receipt,
    recipients: u32,
}

/// Answers a push that was not taken.
pub fn push_error(problem: &PushError) -> Response {
    let status = match problem {
        PushError::Empty | PushError::NotUtf8 | PushError::BadChannel => 400,
        PushError::NoSuchConnection => 404,
        PushError::TooLarge { .. } => 413,
        PushError::TooManyChannels { .. }
        | PushError::InboxFull
        | PushError::OutboxFull
        | PushError::Stopped => 503,
    };
    let mut response = error(status, &problem.to_string());
    if *problem == PushError::InboxFull {
        response.headers.push(("Retry-After", "1".to_owned()));
    }
    response
}

fn stats(query: &Query, host: &mut dyn Host) -> Response {
    either((|| {
        query.only(&["receipt"])?;
        let Some(receipt) = query.number("receipt")? else { return Ok(json(200, &host.stats())) };
        match host.delivery(receipt) {
            Some(delivery) => Ok(json(200, &delivery)),
            None => Err(error(404, "no such receipt, or too old to be remembered")),
        }
    })())
}

fn connections(query: &Query, host: &mut dyn Host) -> Response {
    either((|| {
        query.only(&["after", "limit", "user", "channel"])?;
        let filter = Filter {
            user: query.get("user").map(str::to_owned),
            channel: query.get("channel").map(str::to_owned),
        };
        if filter.channel.as_deref().is_some_and(|name| !channel_name_ok(name)) {
            return Err(push_error(&PushError::BadChannel));
        }
        let limit = query.number("limit")?.unwrap_or(PAGE_DEFAULT);
        if limit == 0 || limit > PAGE_MAX {
            return Err(error(400, &format!("limit={limit} is out of range; allowed are 1 to {PAGE_MAX}")));
        }
        Ok(json(200, &host.connections(&filter, query.number("after")?.map(ConnId), limit)))
    })())
}

fn disconnect(id: &str, query: &Query, host: &mut dyn Host) -> Response {
    either((|| {
        query.only(&["code", "reason"])?;
        let Ok(conn) = id.parse::<ConnId>() else {
            return Err(error(400, "a connection's id is a number, as GET /connections lists it"));
        };
        let code = CloseCode(query.number("code")?.unwrap_or(CloseCode::POLICY_VIOLATION.0));
        if !code.is_valid_on_wire() {
            return Err(error(400, &format!("code={} is not a close code that may be sent", code.0)));
        }
        let reason = query.get("reason").unwrap_or("disconnected by the operator");
        if reason.len() > 123 {
            return Err(error(
                400,
                &format!("reason has {} bytes; a close frame has room for 123", reason.len()),
            ));
        }
        host.disconnect(conn, code, reason).map_err(|e| push_error(&e))?;
        Ok(json(200, &serde_json::json!({ "conn": id, "code": code.0 })))
    })())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::host::{Page, Stats};
    use crate::protocol::head;
    use crate::push::Delivery;

    /// Remembers what was asked of it.
    #[derive(Default)]
    struct Fake(Vec<String>);

    impl Host for Fake {
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
        fn connections(&self, filter: &Filter, after: Option<ConnId>, limit: usize) -> Page {
            assert_eq!((filter.user.as_deref(), after, limit), (Some("u"), Some(ConnId(3)), 9));
            Page::default()
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
        let response = answer(&head, body, None, &mut host);
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
    fn wrong_requests_do_nothing() {
        for (line, body, status) in [
            ("POST /push", &b""[..], 400),
            ("POST /push", b"\xff", 400),
            ("POST /push?chanel=x", b"hi", 400),
            ("POST /push?channel=x&conn=1", b"hi", 400),
            ("POST /push?conn=x", b"hi", 400),
            ("POST /push?compress=0", b"hi", 400),
            ("GET /push", b"", 405),
            ("POST /stats", b"", 405),
            ("GET /nothing", b"", 404),
            ("GET /stats?receipt=8", b"", 404),
            ("GET /connections?limit=0", b"", 400),
            ("GET /connections?limit=1001", b"", 400),
            ("GET /connections?channel=a%20b", b"", 400),
            ("DELETE /connections/x", b"", 400),
            ("DELETE /connections/1?code=1005", b"", 400),
            ("GET /connections/1", b"", 405),
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
        let (status, _, asked) = ask("DELETE /connections/12?code=4000&reason=bye", b"");
        assert_eq!((status, asked), (200, vec!["disconnect 12 4000 bye".to_owned()]));
        assert_eq!(ask("DELETE /connections/404", b"").0, 404);
        assert_eq!(ask("POST /push?conn=404", b"hi").0, 404);
    }
}
