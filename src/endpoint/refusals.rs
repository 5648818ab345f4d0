//! Refusals that a page in a browser can read: it sees no status, but it sees a close frame. Whoever asks for a
//! WebSocket with `?refusals=close` is answered 101 and at once a close frame that says why.

use crate::protocol::close::{CloseCode, encode_close};
use crate::protocol::form;
use crate::protocol::handshake::{self, Upgrade};
use crate::protocol::head::Head;
use crate::protocol::response::Refusal;

use super::kind::Kind;
use super::public::{self, Destination};
use super::router::Routes;
use super::{answer_fields, app_client, streams};
use crate::config::Config;

/// The close code that stands for a status: 4403 for 403. Codes from 4000 on are for applications (RFC 6455 section
/// 7.4.2), and no other code says as much.
pub fn close_code(status: u16) -> CloseCode {
    CloseCode(4_000 + if (400..600).contains(&status) { status } else { 500 })
}

/// Whether the request asks for refusals by a close frame. What else is wrong with its parameters may be what it is
/// refused for.
pub fn asks_for_close(head: &Head<'_>) -> bool {
    let mut values = form::fields(head.query().as_bytes()).filter(|field| &*field.name == b"refusals");
    let only = values.next().and_then(|field| field.value);
    values.next().is_none() && only.as_deref() == Some(b"close")
}

/// Appends the answer: 101, and the close frame. `speaks` says which subprotocols there are where it has asked.
pub fn respond(upgrade: &Upgrade<'_>, refusal: &Refusal, speaks: impl Fn(&str) -> bool, out: &mut Vec<u8>) {
    // A browser that has offered subprotocols takes no 101 without one of them for an answer.
    let protocol = upgrade.choose(speaks).or_else(|| upgrade.protocols().next());
    handshake::respond(upgrade.key, protocol, None, |out| answer_fields::push(&refusal.own, out), out);
    encode_close(close_code(refusal.status), &refusal.reason, out);
}

/// The answer to what a connection has sent that gets no slot; `None`: it wants nothing that is refused in a way of its
/// own. Who is to come back later does so after this time.
pub fn unread(
    input: &[u8],
    refusal: &Refusal,
    later_ms: u64,
    config: &Config,
    routes: &Routes,
) -> Option<Vec<u8>> {
    let bytes_max = config.handshake_bytes_max;
    let mut fields = crate::protocol::head::Fields::new();
    let (head, _) = crate::protocol::head::parse(input, bytes_max, &mut fields).ok()??;
    let mut out = Vec::new();
    match public::destination(&head, config, routes) {
        Destination::Socket(Kind::APP) => {
            let upgrade = handshake::check(&head).ok()?;
            app_client::put_refusal(&upgrade, app_client::OVER_CAPACITY, &refusal.reason, &mut out);
        }
        Destination::Socket(kind) if asks_for_close(&head) => {
            let upgrade = handshake::check(&head).ok()?;
            respond(&upgrade, refusal, |name| routes.speaks(kind, config, name), &mut out);
        }
        Destination::Stream(_) => {
            let response = streams::refused(&head, refusal.clone(), later_ms, &config.origins);
            response.write(&mut out, false, head.method == "HEAD");
        }
        _ => return None,
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{Route, Router};
    use crate::protocol::close::parse_close;

    fn request(target: &str, more: &str) -> String {
        format!(
            "GET {target} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
        )
    }

    fn told(request: &str) -> Option<(String, u16, String)> {
        told_at(request, &Routes::default())
    }

    fn told_at(request: &str, routes: &Routes) -> Option<(String, u16, String)> {
        let refusal = Refusal::fixed(503, "the server is full");
        let config = Config { subprotocols: vec!["b".to_owned()], ..Config::default() };
        let answer = unread(request.as_bytes(), &refusal, 4_200, &config, routes)?;
        let end = answer.windows(4).position(|at| at == b"\r\n\r\n").unwrap() + 4;
        let (head, frame) = answer.split_at(end);
        assert_eq!(frame[0], 0x88);
        let (code, reason) = parse_close(&frame[2..]).unwrap();
        Some((String::from_utf8(head.to_vec()).unwrap(), code.unwrap().0, reason.to_owned()))
    }

    #[test]
    fn every_status_has_its_code() {
        for (status, code) in [(400, 4400), (403, 4403), (429, 4429), (503, 4503), (599, 4599), (200, 4500)] {
            assert_eq!(close_code(status).0, code);
            assert!(close_code(status).is_valid_on_wire());
        }
    }

    #[test]
    fn whoever_asks_for_it_is_told_by_a_close_frame() {
        let (head, code, reason) = told(&request("/ws?refusals=close", "")).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 ") && !head.contains("Sec-WebSocket-Protocol"));
        assert_eq!((code, reason.as_str()), (4503, "the server is full"));
        for (offered, chosen) in [("a, b", "b"), ("a, c", "a"), ("a, wspush.v1, b", "wspush.v1")] {
            let offer = format!("Sec-WebSocket-Protocol: {offered}\r\n");
            let (head, ..) = told(&request("/ws?refusals=close&channel=a", &offer)).unwrap();
            assert!(head.contains(&format!("\r\nSec-WebSocket-Protocol: {chosen}\r\n")), "{head}");
        }
    }

    #[test]
    fn at_a_route_its_own_subprotocol_is_chosen() {
        let mut router = Router::new(());
        router.add(Route::new("/own").subprotocols(["c"]), ()).unwrap();
        router.add("/plain", ()).unwrap();
        let (_, routes) = router.into_parts();
        for (target, chosen) in [("/own?refusals=close", "c"), ("/plain?refusals=close", "b")] {
            let request = request(target, "Sec-WebSocket-Protocol: wspush.v1, b, c\r\n");
            let (head, ..) = told_at(&request, &routes).unwrap();
            assert!(head.contains(&format!("\r\nSec-WebSocket-Protocol: {chosen}\r\n")), "{head}");
        }
    }

    #[test]
    fn everybody_else_by_a_status() {
        for target in ["/ws", "/ws?refusals=status", "/ws?refusals=", "/ws?refusals=close&refusals=close"] {
            assert_eq!(told(&request(target, "")), None, "{target}");
        }
        assert_eq!(told(&request("/nowhere?refusals=close", "")), None);
        assert_eq!(told(&request("/ws?refusals=close", "").replace("Version: 13", "Version: 8")), None);
        let whole = request("/ws?refusals=close", "");
        assert_eq!(told(&whole[..whole.len() - 1]), None);
    }

    #[test]
    fn an_event_source_is_told_when_to_come_back() {
        let (refusal, config) = (Refusal::fixed(503, "the server is full"), Config::default());
        let told = |request: &str| {
            let answer = unread(request.as_bytes(), &refusal, 4_200, &config, &Routes::default());
            answer.map(|answer| String::from_utf8(answer).unwrap())
        };
        let accept = "Accept: text/event-stream\r\nOrigin: https://a.example\r\n";
        let answer = told(&format!("GET /sse HTTP/1.1\r\nHost: x\r\n{accept}\r\n")).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains("\r\nAccess-Control-Allow-Origin: https://a.example\r\n"), "{answer}");
        assert!(answer.ends_with(": 503 the server is full\nretry: 4200\n\n"), "{answer}");
        let answer = told("GET /poll HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert_eq!(told("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"), None);
    }

    #[test]
    fn a_long_reason_is_cut() {
        let text = request("/ws", "");
        let mut fields = crate::protocol::head::Fields::new();
        let (head, _) = crate::protocol::head::parse(text.as_bytes(), 8192, &mut fields).unwrap().unwrap();
        let upgrade = handshake::check(&head).unwrap();
        let mut out = Vec::new();
        respond(&upgrade, &Refusal::new(403, "x".repeat(1_000)), |_| false, &mut out);
        assert_eq!(out[out.len() - 125..][..2], 4403_u16.to_be_bytes());
    }
}
