//! The answers of a host to those who ask at its routes: headers of its own, refusals, decisions that come later.

use super::*;

#[test]
fn the_host_answers_with_headers_of_its_own() {
    let (rig, _hears) = chat();
    let mut http = Http::tcp(rig.address);
    let response = http.ask("GET", "/chat/lobby", &HANDSHAKE, b"");
    assert_eq!((response.status, response.header("set-cookie")), (101, Some("room=5")));
    let banned = [&HANDSHAKE[..], &[("Cookie", "a=1; banned=yes")]].concat();
    let response = Http::tcp(rig.address).ask("GET", "/chat/lobby", &banned, b"");
    assert_eq!((response.status, &response.body[..]), (403, &b"you are not welcome\n"[..]));
    let told = WebSocket::ask(rig.address, "/chat/lobby?refusals=close", &[("Cookie", "banned=1")]);
    let mut told = told.unwrap_or_else(|response| panic!("{}", response.status));
    assert_eq!(close_of(&told.frame()), (4403, "you are not welcome".to_owned()));
}

/// Adds these fields to whatever it lets in.
struct Adds(&'static str, &'static str);

impl Handler for Adds {
    fn on_connect(&mut self, _connect: &Connect<'_>) -> Decision {
        Decision::Accept(Accept::default().with_header(self.0, self.1))
    }
}

#[test]
fn a_header_can_not_be_broken_out_of() {
    let rig = Rig::start(config(), |_| {
        let mut router = Router::new(Adds("X-Stream", "yes"));
        router.add("/value", Adds("X-A", "b\r\nSet-Cookie: s3cret")).unwrap();
        router.add("/name", Adds("X-A: b\r\nC", "d")).unwrap();
        router.add("/own", Adds("Sec-WebSocket-Accept", "forged")).unwrap();
        router
    });
    for path in ["/value", "/name", "/own"] {
        let response = Http::tcp(rig.address).ask("GET", path, &HANDSHAKE, b"");
        let text = String::from_utf8_lossy(&response.body).into_owned();
        assert!(response.status == 500 && text.starts_with("the host: "), "{path}: {text}");
        assert!(!text.contains("s3cret") && response.header("set-cookie").is_none(), "{text}");
    }
    let mut http = Http::tcp(rig.address);
    let request = http.request("GET", "/sse", &[], b"");
    http.send(&request);
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        head.extend(http.more());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.contains("\r\nX-Stream: yes") && head.contains("text/event-stream"), "{head}");
}

/// Refuses everybody, and says more about it.
struct Refuses(Vec<(&'static str, &'static str)>);

impl Handler for Refuses {
    fn on_connect(&mut self, _connect: &Connect<'_>) -> Decision {
        let fields = self.0.iter();
        fields.fold(Decision::refuse(401, "log in"), |decision, field| decision.with_header(field.0, field.1))
    }
}

#[test]
fn a_refusal_has_headers_as_well() {
    let fields = vec![("WWW-Authenticate", "Bearer realm=\"chat\""), ("Set-Cookie", "seen=1")];
    let rig = Rig::start(config(), |_| {
        let mut router = Router::new(Refuses(fields.clone()));
        router.add(Route::new("/chat").subprotocols(["b"]), Refuses(fields)).unwrap();
        router.add("/own", Refuses(vec![("X-A", "b"), ("Content-Length", "0")])).unwrap();
        router.add("/value", Refuses(vec![("X-A", "b\r\nSet-Cookie: s3cret")])).unwrap();
        router
    });
    for target in ["/chat", "/ws", "/sse", "/stream", "/poll"] {
        let response = Http::tcp(rig.address).ask("GET", target, &HANDSHAKE, b"");
        let fields = (response.header("www-authenticate"), response.header("set-cookie"));
        assert_eq!(fields, (Some("Bearer realm=\"chat\""), Some("seen=1")), "{target}");
        assert_eq!((response.status, &response.body[..]), (401, &b"log in\n"[..]), "{target}");
    }
    let offers = [&HANDSHAKE[..], &[("Sec-WebSocket-Protocol", "a, b")]].concat();
    let mut http = Http::tcp(rig.address);
    let response = http.ask("GET", "/chat?refusals=close", &offers, b"");
    let fields = (response.header("sec-websocket-protocol"), response.header("set-cookie"));
    assert_eq!((response.status, fields), (101, (Some("b"), Some("seen=1"))));
    let mut told = WebSocket::from_upgrade(http, &response);
    assert_eq!(close_of(&told.frame()), (4401, "log in".to_owned()));
    for (target, says) in [("/own", "content-length"), ("/value", "x-a")] {
        let response = Http::tcp(rig.address).ask("GET", target, &HANDSHAKE, b"");
        let text = String::from_utf8_lossy(&response.body).into_owned();
        assert!(response.status == 500 && text.starts_with("the host: ") && text.contains(says), "{text}");
        assert!(!text.contains("s3cret") && response.header("set-cookie").is_none(), "{text}");
    }
}

/// Decides later, and tells whom it was asked about.
struct Later(Sender<ConnId>);

impl Handler for Later {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        self.0.send(connect.id()).unwrap();
        Decision::Pending
    }

    fn on_open(&mut self, session: &mut Session<'_>) {
        let text = format!("{:?} {:?}", session.param("room"), session.attribute::<u64>());
        session.reply(Message::Text(&text));
    }
}

#[test]
fn who_waits_for_its_decision_keeps_its_route() {
    let (asked, asks) = channel();
    let rig = Rig::start(config(), |_| {
        let mut router = Router::new(());
        router.add("/later/{room}", Later(asked)).unwrap();
        router
    });
    let mut http = Http::tcp(rig.address);
    let request = http.request("GET", "/later/lobby", &HANDSHAKE, b"");
    http.send(&request);
    let accept = Accept::default().with_header("X-Late", "yes").with_attribute(7_u64);
    rig.handle.decide(asks.recv().unwrap(), Decision::Accept(accept)).unwrap();
    let response = http.response();
    assert_eq!((response.status, response.header("x-late")), (101, Some("yes")));
    let mut client = WebSocket::from_upgrade(http, &response);
    assert_eq!(client.text(), r#"Some("lobby") Some(7)"#);
    let mut http = Http::tcp(rig.address);
    let request = http.request("GET", "/later/lobby", &HANDSHAKE, b"");
    http.send(&request);
    let refusal = Decision::refuse(429, "later still").with_header("Retry-After", "7");
    rig.handle.decide(asks.recv().unwrap(), refusal).unwrap();
    let response = http.response();
    assert_eq!((response.status, response.header("retry-after")), (429, Some("7")));
}
