//! The public listeners' paths.

use crate::config::{Config, DEMO_SHOWN, Transport};
use crate::protocol::head::Head;
use crate::protocol::response::{Refusal, Response};

use super::fallback::{self, Fallback};
use super::kind::Kind;
use super::query::{Others, Query};
use super::requests::{self, Request};
use super::router::Routes;
use super::{admin, demo};

/// The destination of a request.
pub enum Destination {
    /// A WebSocket.
    Socket(Kind),
    /// Pushes over plain HTTP.
    Stream(Transport),
    /// The fallback of a client of an app.
    Fallback(Fallback),
    /// Whether newcomers are let in.
    Readiness,
    /// The server's state for the demo's page.
    DemoInfo,
    /// The demo's form: a push.
    DemoPush,
    /// This.
    Respond(Response),
    /// Nothing that there is.
    Refuse(Refusal),
}

impl Destination {
    /// Whether somebody is pushed to there, and a host hears of it.
    pub fn is_push(&self) -> bool {
        match self {
            Destination::Socket(kind) => kind.is_push(),
            Destination::Stream(_) => true,
            _ => false,
        }
    }
}

/// Finds what a request asks for. A host's routes are looked for where the server has nothing of its own.
pub fn destination(head: &Head<'_>, config: &Config, routes: &Routes) -> Destination {
    let path = requests::path(head);
    if path == requests::WS.path && config.endpoints {
        return Destination::Socket(Kind::PUSH);
    }
    let behind = |before| config.pusher_path(path, before);
    if let Some(rest) = behind(fallback::BEFORE).or_else(|| behind("/app/")) {
        return fallback::asked(rest).map_or(Destination::Socket(Kind::APP), Destination::Fallback);
    }
    own(head, path, config).unwrap_or_else(|| of_host(path, config, routes))
}

/// The server's own destinations, by their paths, beside `/ws`.
fn own(head: &Head<'_>, path: &str, config: &Config) -> Option<Destination> {
    let answered =
        |answer: Result<Response, Refusal>| answer.map_or_else(Destination::Refuse, Destination::Respond);
    let asked =
        |request, destination| get_only(head, request, || destination).unwrap_or_else(Destination::Refuse);
    Some(match path {
        _ if config.ws_only => return None,
        "/healthz" => answered(health(head)),
        "/readyz" => asked(&requests::READINESS, Destination::Readiness),
        "/sse" if config.endpoints => Destination::Stream(Transport::Sse),
        "/stream" if config.endpoints => Destination::Stream(Transport::Stream),
        "/poll" if config.endpoints => Destination::Stream(Transport::Poll),
        _ if !(DEMO_SHOWN && config.demo) => return None,
        "/echo" => Destination::Socket(Kind::ECHO),
        "/chat" => Destination::Socket(Kind::CHAT),
        "/demo/ws" => Destination::Socket(Kind::PUSH),
        "/demo/sse" => Destination::Stream(Transport::Sse),
        "/demo/poll" => Destination::Stream(Transport::Poll),
        "/" => answered(get_only(head, &requests::PAGE, demo::page)),
        "/demo/info" => asked(&requests::DEMO_INFO, Destination::DemoInfo),
        "/demo/push" if head.method == "POST" => Destination::DemoPush,
        "/demo/push" => Destination::Refuse(admin::takes(&requests::DEMO_PUSH)),
        _ => return None,
    })
}

/// The operator's paths, and the host's.
fn of_host(path: &str, config: &Config, routes: &Routes) -> Destination {
    if config.ws_paths.iter().any(|own| own == path) {
        return Destination::Socket(Kind::PUSH);
    }
    match routes.find(path) {
        Ok(Some(id)) => Destination::Socket(Kind::of_route(id)),
        Ok(None) => Destination::Refuse(Refusal::fixed(404, "not found")),
        Err(refusal) => Destination::Refuse(refusal),
    }
}

/// `GET /healthz`.
pub fn health(head: &Head<'_>) -> Result<Response, Refusal> {
    get_only(head, &requests::HEALTH, || Response::text(200, "ok\n"))
}

/// The answer to `GET /readyz` where newcomers are let in.
pub fn ready() -> Response {
    Response::text(200, "ready\n")
}

pub(super) fn get_only<T>(
    head: &Head<'_>,
    request: &'static Request,
    answer: impl FnOnce() -> T,
) -> Result<T, Refusal> {
    if !head.only_looks() {
        return Err(admin::takes(request));
    }
    Query::read(head, request.query, Others::Refused)?;
    Ok(answer())
}

/// The answer to who asks for a transport that the operator has left out. It is final to an `EventSource`, and a client
/// that knows several tries another one.
pub fn unserved(transport: Transport) -> Refusal {
    Refusal::new(404, format!("{} is not served here (transports)", transport.request().path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head;

    fn status(line: &str, config: &Config) -> u16 {
        let request = format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let mut fields = head::Fields::new();
        let (head, _) = head::parse(request.as_bytes(), 8192, &mut fields).unwrap().unwrap();
        match destination(&head, config, &Routes::default()) {
            Destination::Socket(_) => 101,
            Destination::Stream(_) => 200,
            Destination::Fallback(_) => 206,
            Destination::Readiness => 204,
            Destination::DemoInfo => 201,
            Destination::DemoPush => 202,
            Destination::Respond(response) => response.status,
            Destination::Refuse(refusal) => refusal.status,
        }
    }

    #[test]
    fn the_demo_is_only_there_when_asked_for() {
        let plain = Config::default();
        let demo = Config { demo: true, ..Config::default() };
        for (line, without, with) in [
            ("GET /ws?channel=public.a", 101, 101),
            ("GET /healthz", 200, 200),
            ("HEAD /healthz", 200, 200),
            ("POST /healthz", 405, 405),
            ("GET /readyz", 204, 204),
            ("POST /readyz", 405, 405),
            ("GET /readyz?x=1", 400, 400),
            ("GET /", 404, 200),
            ("GET /echo", 404, 101),
            ("GET /chat", 404, 101),
            ("GET /demo/ws?as=ada", 404, 101),
            ("GET /demo/sse?as=ada", 404, 200),
            ("GET /demo/poll?as=ada", 404, 200),
            ("GET /demo/stream?as=ada", 404, 404),
            ("POST /demo/push", 404, 202),
            ("GET /demo/push", 404, 405),
            ("GET /demo/info", 404, 201),
            ("POST /demo/info", 404, 405),
            ("GET /demo/info?x=1", 404, 400),
            ("GET /sse?channel=public.a", 200, 200),
            ("OPTIONS /sse/", 200, 200),
            ("GET /stream", 200, 200),
            ("GET /poll?since=7.1", 200, 200),
            ("GET /wsx", 404, 404),
            ("GET /ws/", 101, 101),
            ("GET /ws/?channel=a", 101, 101),
            ("GET /ws//", 404, 404),
            ("GET //", 404, 404),
            ("GET /healthz/", 200, 200),
            ("GET /healthz?x=1", 400, 400),
            ("GET /?x=1", 404, 400),
            ("GET /echo/", 404, 101),
            ("POST /demo/push/", 404, 202),
        ] {
            assert_eq!((status(line, &plain), status(line, &demo)), (without, with), "{line}");
        }
    }

    #[test]
    fn ws_only_serves_nothing_else() {
        let config = Config { demo: true, ws_only: true, ..Config::default() };
        for line in ["GET /", "GET /healthz", "GET /sse", "GET /stream", "GET /echo", "POST /demo/push"] {
            assert_eq!(status(line, &config), 404, "{line}");
        }
        assert_eq!(status("GET /ws", &config), 101);
    }

    /// A path for `ws_paths`, or for a route, is held against what the server has: both know the same.
    #[test]
    fn the_settings_know_what_the_server_has() {
        let all = requests::ALL.iter().filter(|request| request.listener != requests::Listeners::Admin);
        let paths: Vec<&str> = all.map(|request| request.path).collect();
        assert!(paths.len() > 9, "{paths:?}");
        for bits in 0..8 {
            let (demo, ws_only, endpoints) = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0);
            let config = Config { demo, ws_only, endpoints, ..Config::default() };
            for path in &paths {
                let is_there = status(&format!("GET {path}"), &config) != 404;
                assert_eq!(config.serves(path), is_there, "{path}: {demo} {ws_only} {endpoints}");
            }
        }
    }

    #[test]
    fn other_paths_are_ws_too() {
        let ws_paths = vec!["/socket".to_owned(), "/".to_owned()];
        let config = Config { ws_paths, endpoints: false, ..Config::default() };
        for (line, expected) in [
            ("GET /socket?channel=a", 101),
            ("GET /socket/", 101),
            ("GET /", 101),
            ("GET /ws", 404),
            ("GET /sse", 404),
            ("GET /healthz", 200),
            ("GET /socket/a", 404),
        ] {
            assert_eq!(status(line, &config), expected, "{line}");
        }
    }
}
