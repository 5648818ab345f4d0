//! The public listeners' paths.

use crate::config::{Config, Transport};
use crate::protocol::head::Head;
use crate::protocol::response::{Refusal, Response};

use super::kind::Kind;
use super::query::{Others, Query};
use super::requests::{self, Request};
use super::{admin, demo};

/// The destination of a request.
pub enum Route {
    /// A WebSocket.
    Socket(Kind),
    /// Pushes over plain HTTP.
    Stream(Transport),
    /// The server's state for the demo's page.
    DemoInfo,
    /// The demo's form: a push.
    DemoPush,
    /// This.
    Respond(Response),
    /// Nothing that there is.
    Refuse(Refusal),
}

/// Finds what a request asks for.
pub fn route(head: &Head<'_>, config: &Config) -> Route {
    let answered = |answer: Result<Response, Refusal>| answer.map_or_else(Route::Refuse, Route::Respond);
    let path = requests::path(head);
    match (path, Kind::at(path)) {
        (_, Some(Kind::Push)) => Route::Socket(Kind::Push),
        _ if config.ws_only => not_found(),
        ("/healthz", _) => answered(health(head)),
        ("/sse", _) => Route::Stream(Transport::Sse),
        ("/stream", _) => Route::Stream(Transport::Stream),
        ("/poll", _) => Route::Stream(Transport::Poll),
        _ if !config.demo => not_found(),
        (_, Some(kind)) => Route::Socket(kind),
        ("/demo/ws", _) => Route::Socket(Kind::Push),
        ("/demo/sse", _) => Route::Stream(Transport::Sse),
        ("/demo/poll", _) => Route::Stream(Transport::Poll),
        ("/", _) => answered(get_only(head, &requests::PAGE, demo::page)),
        ("/demo/info", _) => match get_only(head, &requests::DEMO_INFO, || ()) {
            Ok(()) => Route::DemoInfo,
            Err(refusal) => Route::Refuse(refusal),
        },
        ("/demo/push", _) if head.method == "POST" => Route::DemoPush,
        ("/demo/push", _) => Route::Refuse(admin::takes(&requests::DEMO_PUSH)),
        _ => not_found(),
    }
}

/// `GET /healthz`.
pub fn health(head: &Head<'_>) -> Result<Response, Refusal> {
    get_only(head, &requests::HEALTH, || Response::text(200, "ok\n"))
}

fn get_only<T>(head: &Head<'_>, request: &'static Request, answer: impl FnOnce() -> T) -> Result<T, Refusal> {
    if !matches!(head.method, "GET" | "HEAD") {
        return Err(admin::takes(request));
    }
    Query::read(head, request.query, Others::Refused)?;
    Ok(answer())
}

fn not_found() -> Route {
    Route::Refuse(Refusal::fixed(404, "not found"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head;

    fn status(line: &str, config: &Config) -> u16 {
        let request = format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let mut fields = head::Fields::new();
        let (head, _) = head::parse(request.as_bytes(), 8192, &mut fields).unwrap().unwrap();
        match route(&head, config) {
            Route::Socket(_) => 101,
            Route::Stream(_) => 200,
            Route::DemoInfo => 201,
            Route::DemoPush => 202,
            Route::Respond(response) => response.status,
            Route::Refuse(refusal) => refusal.status,
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
}
