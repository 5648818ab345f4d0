//! The public listeners' paths.

use crate::config::Config;
use crate::protocol::head::Head;
use crate::protocol::response::Response;

/// Which endpoint an open WebSocket connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `/ws`: receives pushes.
    Push,
    /// `/echo`: gets back what it sends.
    Echo,
    /// `/chat`: everyone hears everyone.
    Chat,
}

impl Kind {
    /// Its name in `/connections`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Push => "ws",
            Kind::Echo => "echo",
            Kind::Chat => "chat",
        }
    }
}

/// What a request asks for.
pub enum Route {
    /// A WebSocket.
    Socket(Kind),
    /// The demo page's form: a push to everyone.
    DemoPush,
    /// This.
    Respond(Response),
}

const PAGE: &str = include_str!("page.html");

/// Finds what a request asks for.
pub fn route(head: &Head<'_>, config: &Config) -> Route {
    match head.path() {
        "/ws" => Route::Socket(Kind::Push),
        _ if config.ws_only => not_found(),
        "/healthz" => Route::Respond(health(head)),
        _ if !config.demo => not_found(),
        "/echo" => Route::Socket(Kind::Echo),
        "/chat" => Route::Socket(Kind::Chat),
        "/" => Route::Respond(get_only(head, page)),
        "/demo/push" if head.method == "POST" => Route::DemoPush,
        "/demo/push" => Route::Respond(not_allowed("POST")),
        _ => not_found(),
    }
}

/// `GET /healthz`.
pub fn health(head: &Head<'_>) -> Response {
    get_only(head, || Response::text(200, "ok\n"))
}

fn page() -> Response {
    let mut response = Response::html(200, PAGE);
    // The page's own script and style only, and sockets back to where it came from.
    let policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; \
                  connect-src 'self' ws: wss:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    response.headers.push(("Content-Security-Policy", policy.to_owned()));
    response
}

fn get_only(head: &Head<'_>, answer: impl FnOnce() -> Response) -> Response {
    if matches!(head.method, "GET" | "HEAD") { answer() } else { not_allowed("GET, HEAD") }
}

fn not_allowed(allow: &'static str) -> Response {
    let mut response = Response::text(405, format!("this path takes {allow}\n"));
    response.headers.push(("Allow", allow.to_owned()));
    response
}

fn not_found() -> Route {
    Route::Respond(Response::text(404, "not found\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head;

    fn status(line: &str, config: &Config) -> u16 {
        let request = format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let (head, _) = head::parse(request.as_bytes(), 8192).unwrap().unwrap();
        match route(&head, config) {
            Route::Socket(_) => 101,
            Route::DemoPush => 202,
            Route::Respond(response) => response.status,
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
            ("POST /demo/push", 404, 202),
            ("GET /demo/push", 404, 405),
            ("GET /wsx", 404, 404),
        ] {
            assert_eq!((status(line, &plain), status(line, &demo)), (without, with), "{line}");
        }
    }

    #[test]
    fn ws_only_serves_nothing_else() {
        let config = Config { demo: true, ws_only: true, ..Config::default() };
        for line in ["GET /", "GET /healthz", "GET /echo", "POST /demo/push"] {
            assert_eq!(status(line, &config), 404, "{line}");
        }
        assert_eq!(status("GET /ws", &config), 101);
    }
}
