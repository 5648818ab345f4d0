//! A backend is asked who a client is: what it is told, what its answer does, that nobody comes in without a good one,
//! and that nobody else waits for it.
#![cfg(feature = "backend")]

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use serde_json::{Value, json};

use crate::daemon::backend::{Asked, Backend, Gate, answer};
use crate::daemon::{Daemon, Http, WebSocket, wait};
use crate::wire::{HANDSHAKE, Response, TEXT, masked};
use wspush::auth::{Claims, Rules, issue};
use wspush::{Accept, Config, ConnId, Connect, Decision, Handler, Message, Server, Session};

const SECRET: &str = "a_secret_of_more_than_32_bytes_0123456";

fn start(backend: &Backend, more: &[&str]) -> Daemon {
    Daemon::start(&[&["--auth-webhook", &backend.url()], &PATIENT[..], more].concat())
}

/// However slow the machine is.
const PATIENT: [&str; 4] = ["--auth-webhook-timeout-ms", "60000", "--handshake-ms", "600000"];

fn good(body: &Value) -> Vec<u8> {
    answer(200, &body.to_string())
}

fn refusal(daemon: &Daemon, target: &str, fields: &[(&str, &str)]) -> Response {
    WebSocket::ask(daemon.public, target, fields).err().expect("it was let in")
}

fn outcomes(daemon: &Daemon) -> Value {
    daemon.stats()["counters"]["auth_webhook"].clone()
}

#[test]
fn a_backend_is_told_who_asks_and_says_who_that_is() {
    let backend = Backend::start(|_| {
        good(&json!({
            "user": "ann", "info": {"name": "Ann"}, "channels": ["inbox:ann"], "allow": ["news.*"],
            "publish": ["news.x"], "expires_in_s": 600,
        }))
    });
    let daemon = start(&backend, &["--channels", "public.*", "--channel-rule", "inbox:* presence=true"]);
    // The request is made to this host, and a cookie is only taken from a page of the same.
    let origin = &*format!("http://{}", daemon.public);
    let fields = [
        ("Cookie", "sid=1"),
        ("Authorization", "Bearer 0paque"),
        ("Origin", origin),
        ("X-Other", "not handed on"),
    ];
    let stream = std::net::TcpStream::connect(daemon.public).unwrap();
    let address = stream.local_addr().unwrap().to_string();
    let target = "/ws?channel=public.y&channel=news.x&room=5&token=7oken";
    let mut ann =
        WebSocket::ask_over(Http::over(stream), target, &fields).unwrap_or_else(|r| panic!("{}", r.text()));
    let asked = backend.asked();
    let [question] = &asked[..] else { panic!("asked {} times", asked.len()) };
    let told = question.json();
    let conn = daemon.id_of(&ann);
    assert_eq!(
        told,
        json!({
            "conn": conn, "path": "/ws", "channels": ["public.y", "news.x"],
            "query": {"channel": ["public.y", "news.x"], "room": ["5"]},
            "origin": origin, "peer": address, "token": "0paque",
            "headers": {"authorization": "Bearer 0paque", "cookie": "sid=1"},
        })
    );
    assert_eq!(
        (question.path(), question.header("content-type")),
        ("/hook?key=s3cret", Some("application/json"))
    );
    for channel in ["inbox:ann", "news.x", "public.y"] {
        daemon.push_to(&format!("/push?channel={channel}"), channel);
        assert_eq!(ann.text(), channel);
    }
    daemon.push_to("/push?user=ann", "for ann");
    assert_eq!(ann.text(), "for ann");
    let present = daemon.ask("GET", "/channels/inbox:ann/presence", &[], b"").json();
    assert_eq!(present["members"], json!([{"user": "ann", "info": {"name": "Ann"}, "connections": 1}]));
    assert_eq!(outcomes(&daemon)["allowed"], 1);
    for secret in ["s3cret", "0paque", "7oken", "sid=1"] {
        assert!(!daemon.log().contains(secret), "{}", daemon.log());
    }
}

#[test]
fn rights_of_an_answer_last_as_a_tokens_do() {
    let backend = Backend::start(|asked| match asked.json()["query"]["as"][0].as_str() {
        Some("short") => good(&json!({"user": "ann", "expires_in_s": 0})),
        _ => good(&json!({"user": "ann", "allow": ["news.*"]})),
    });
    let daemon = start(&backend, &[]);
    let fields = [("Sec-WebSocket-Protocol", "wspush.v1")];
    let Ok(mut ann) = WebSocket::ask(daemon.public, "/ws?as=x", &fields) else { panic!("refused") };
    assert!(ann.text().contains(r#""user":"ann""#) && ann.text().contains("subscribed"));
    let mut ask = |channel: &str| {
        ann.send_text(&json!({"id": 1, "subscribe": {"channel": channel}}).to_string());
        ann.text()
    };
    assert!(ask("news.x").contains("subscribed") && ask("private").contains("forbidden"));
    let Ok(mut short) = WebSocket::ask(daemon.public, "/ws?as=short", &[]) else { panic!("refused") };
    // 5 s later, as clocks differ.
    assert_eq!(short.closed().0, 1008);
}

#[test]
fn a_refusal_is_handed_on() {
    let backend = Backend::start(|asked| match asked.json()["query"]["as"][0].as_str() {
        Some("eve") => good(&json!({"refuse": {"status": 402, "reason": "pay first"}})),
        Some("bob") => good(&json!({"refuse": {}})),
        Some("401") => answer(401, "<html>"),
        _ => answer(403, ""),
    });
    let daemon = start(&backend, &[]);
    let said = |target: &str| {
        let response = refusal(&daemon, target, &[]);
        (response.status, response.text())
    };
    assert_eq!(said("/ws?as=eve"), (402, "pay first\n".to_owned()));
    let no = "the backend that this server asks (auth_webhook) has said no\n";
    assert_eq!(said("/ws?as=bob"), (403, no.to_owned()));
    assert_eq!((said("/ws?as=401"), said("/ws")), ((401, no.to_owned()), (403, no.to_owned())));
    let Ok(mut told) = WebSocket::ask(daemon.public, "/ws?as=eve&refusals=close", &[]) else {
        panic!("a status")
    };
    assert_eq!(told.closed(), (4402, "pay first".to_owned()));
    assert_eq!(outcomes(&daemon)["refused"], 5);
    assert_eq!(daemon.stats()["counters"]["handshakes_refused"]["webhook"], 5);
    // The connection is there for another request.
    let mut http = Http::tcp(daemon.public);
    assert_eq!(http.ask("GET", "/ws", &HANDSHAKE, b"").status, 403);
    assert_eq!(http.ask("GET", "/ws?as=eve", &HANDSHAKE, b"").status, 402);
    // A request that is wrong itself is refused without asking.
    let before = backend.asked().len();
    assert_eq!(said("/ws?channel=").0, 400);
    assert_eq!(backend.asked().len(), before);
}

#[test]
fn nobody_comes_in_while_there_is_no_good_answer() {
    let huge = format!("{{\"user\":\"s3cret\",\"a\":\"{}\"}}", "x".repeat(1 << 20));
    let backend = Backend::start(move |asked| match asked.json()["query"]["as"][0].as_str().unwrap() {
        "garbage" => answer(200, "s3cret <html>"),
        "list" => answer(200, "[]"),
        "empty" => answer(200, ""),
        "204" => answer(204, ""),
        "500" => answer(500, r#"{"user":"s3cret"}"#),
        "302" => b"HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".to_vec(),
        "huge" => answer(200, &huge),
        "no length" => b"HTTP/1.1 200 X\r\nContent-Length: x\r\n\r\n".to_vec(),
        "short" => b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n{}".to_vec(),
        "not http" => b"s3cret\r\n\r\n".to_vec(),
        "hangs up" => Vec::new(),
        _ => {
            // Longer than the daemon waits.
            std::thread::sleep(std::time::Duration::from_secs(60));
            Vec::new()
        }
    });
    let daemon = Daemon::start(&["--auth-webhook", &backend.url(), "--auth-webhook-timeout-ms", "300"]);
    let all = [
        "garbage",
        "list",
        "empty",
        "204",
        "500",
        "302",
        "huge",
        "no%20length",
        "short",
        "not%20http",
        "hangs%20up",
        "slow",
    ];
    for name in all {
        let response = refusal(&daemon, &format!("/ws?as={name}"), &[]);
        assert_eq!((response.status, response.header("Retry-After")), (503, Some("1")), "{name}");
        assert!(response.text().contains("could not ask"), "{name}: {}", response.text());
    }
    assert_eq!(outcomes(&daemon)["failed"], all.len());
    // Nobody is there.
    let unreachable = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = Daemon::start(&["--auth-webhook", &format!("http://{unreachable}/?key=s3cret")]);
    assert_eq!(refusal(&nobody, "/ws?token=7oken", &[]).status, 503);
    for daemon in [&daemon, &nobody] {
        daemon.wait_event("auth_webhook_failed");
        assert!(!daemon.log().contains("s3cret") && !daemon.log().contains("7oken"), "{}", daemon.log());
    }
}

#[test]
fn who_shows_a_token_is_not_asked_about() {
    let backend = Backend::start(|_| good(&json!({"user": "stranger"})));
    let daemon = start(&backend, &["--auth", "optional", "--auth-secret", SECRET]);
    let claims = Claims { user: Some("ann".to_owned()), ..Claims::default() };
    let token = issue(SECRET, &claims, &Rules::default(), 1_000).unwrap();
    let user = |target: &str| {
        let Ok(_client) = WebSocket::ask(daemon.public, target, &[]) else { panic!("refused") };
        let page = daemon.ask("GET", "/connections", &[], b"").json();
        page["connections"].as_array().unwrap().last().unwrap()["user"].clone()
    };
    assert_eq!(user(&format!("/ws?token={token}")), "ann");
    assert_eq!(refusal(&daemon, "/ws?token=bad", &[]).status, 401);
    assert_eq!(backend.asked().len(), 0);
    assert_eq!(user("/ws"), "stranger");
    assert_eq!(backend.asked()[0].json()["token"], Value::Null);
    let flags = ["--auth-webhook", "http://127.0.0.1:1", "--auth", "required", "--auth-secret", SECRET];
    let (status, said) = Daemon::refused(&flags);
    assert!(!status.success() && said.contains("nobody to ask about"), "{said}");
}

/// A host asks nobody, sees what the backend has said, and may take its time.
struct Host(Sender<(ConnId, Option<String>)>);

impl Handler for Host {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        let user = connect.claims().and_then(|claims| claims.user.clone());
        self.0.send((connect.id(), user)).unwrap();
        match connect.query("at") {
            Some(_) => connect.by_config(),
            None => Decision::Pending,
        }
    }

    fn on_message(&mut self, session: &mut Session<'_>, _: Message<'_>) {
        session.reply(Message::Text(session.user().unwrap_or("nobody").to_owned().as_str()));
    }
}

#[test]
fn a_host_decides_behind_the_backend() {
    let gate = Arc::new(Gate::default());
    let waiting = gate.clone();
    let backend = Backend::start(move |_| {
        waiting.wait();
        good(&json!({"user": "ann", "channels": ["inbox"]}))
    });
    let config = Config {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        auth_webhook: Some(backend.url()),
        auth_webhook_timeout_ms: 60_000,
        handshake_ms: 600_000,
        ..Config::default()
    };
    let (sender, told) = channel();
    let server = Server::bind_with(config, |_| Box::new(Host(sender)), None).unwrap();
    let (handle, address) = (server.handle(), server.addresses()[0]);
    let thread = std::thread::spawn(move || server.run());
    let mut http = Http::tcp(address);
    let request = http.request("GET", "/ws", &HANDSHAKE, b"");
    http.send(&[request, masked(true, TEXT, b"who am I?")].concat());
    let question = &backend.wait_asked(1)[0];
    let conn = ConnId(question.json()["conn"].as_str().unwrap().parse().unwrap());
    // The host has not been asked yet, and can't let anybody in past the backend.
    handle
        .decide(conn, Decision::Accept(Accept { user: Some("eve".to_owned()), ..Accept::default() }))
        .unwrap();
    handle.broadcast(Message::Text("nobody is there yet")).unwrap();
    gate.open();
    assert_eq!(told.recv().unwrap(), (conn, Some("ann".to_owned())));
    handle.decide(conn, Decision::Accept(Accept::default())).unwrap();
    let response = http.response();
    let mut ann = WebSocket::from_upgrade(http, &response);
    assert_eq!(ann.text(), "ann", "what it has said meanwhile is read then");
    handle.publish("inbox", Message::Text("for ann")).unwrap();
    assert_eq!(ann.text(), "for ann");
    let Ok(mut at_once) = WebSocket::ask(address, "/ws?at=once", &[]) else { panic!("refused") };
    at_once.send_text("who am I?");
    assert_eq!(at_once.text(), "ann");
    assert_eq!(told.recv().unwrap().1.as_deref(), Some("ann"));
    handle.drain();
    thread.join().unwrap().unwrap();
}

/// A backend that says nothing until the gate is open.
fn behind(gate: &Arc<Gate>) -> Backend {
    let gate = gate.clone();
    Backend::start(move |_: &Asked| {
        gate.wait();
        good(&json!({}))
    })
}

#[test]
fn a_thousand_clients_of_a_slow_backend_keep_nobody_waiting() {
    const CLIENTS: usize = 1_000;
    let gate = Arc::new(Gate::default());
    let backend = behind(&gate);
    let more = ["--auth", "optional", "--auth-secret", SECRET];
    let daemon = start(&backend, &more);
    let token = issue(SECRET, &Claims::default(), &Rules::default(), 1_000).unwrap();
    let Ok(mut bystander) = WebSocket::ask(daemon.public, &format!("/ws?token={token}"), &[]) else {
        panic!()
    };
    let mut clients: Vec<Http> = (0..CLIENTS)
        .map(|_| {
            let mut http = Http::tcp(daemon.public);
            let request = http.request("GET", "/ws", &HANDSHAKE, b"");
            http.send(&request);
            http
        })
        .collect();
    let gauge = || daemon.ask("GET", "/metrics", &[], b"").text();
    wait("the questions", || gauge().contains(&format!("\nwspush_auth_webhook_waiting {}\n", CLIENTS - 16)));
    // All of them wait, and the bystander has everything at once; the newcomer with a token comes in.
    for n in 0..100 {
        daemon.push(&n.to_string());
        assert_eq!(bystander.text(), n.to_string());
    }
    assert!(WebSocket::ask(daemon.public, &format!("/ws?token={token}"), &[]).is_ok());
    assert_eq!(Http::tcp(daemon.public).ask("GET", "/healthz", &[], b"").status, 200);
    assert_eq!((backend.asked().len(), outcomes(&daemon)["allowed"].clone()), (16, json!(0)));
    gate.open();
    for client in &mut clients {
        assert_eq!(client.response().status, 101);
    }
    assert_eq!(outcomes(&daemon)["allowed"], CLIENTS);
}

#[test]
fn beyond_those_that_may_wait_nobody_is_asked_about() {
    let gate = Arc::new(Gate::default());
    let backend = behind(&gate);
    let bounds = ["--auth-webhook-in-flight-max", "1", "--auth-webhook-waiting-max", "2"];
    let daemon = start(&backend, &bounds);
    let mut clients: Vec<Http> = (0..3).map(|_| Http::tcp(daemon.public)).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        let request = client.request("GET", "/ws", &HANDSHAKE, b"");
        client.send(&request);
        let gauge = format!("\nwspush_auth_webhook_waiting {n}\n");
        wait("the question", || daemon.ask("GET", "/metrics", &[], b"").text().contains(&gauge));
        backend.wait_asked(1);
    }
    let response = refusal(&daemon, "/ws", &[]);
    assert_eq!((response.status, response.header("Retry-After")), (503, Some("1")));
    assert_eq!(outcomes(&daemon)["busy"], 1);
    // One that has gone makes no difference, and a client in time is let in by its own answer.
    drop(clients.remove(1));
    gate.open();
    for client in &mut clients {
        assert_eq!(client.response().status, 101);
    }
    assert!(WebSocket::ask(daemon.public, "/ws", &[]).is_ok());
}

#[test]
fn another_backend_is_asked_after_a_reload() {
    let folder = std::env::temp_dir().join(format!("wspush-auth-webhook-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("wspushd.toml");
    let backends = ["one", "two"].map(|user| Backend::start(move |_| good(&json!({ "user": user }))));
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    let patient = "auth_webhook_timeout_ms = 60000\nhandshake_ms = 60000\n";
    let url = |n: usize| format!("{patient}auth_webhook = {:?}\n", backends[n].url());
    write(&url(0));
    let daemon = Daemon::start(&["--config", file.to_str().unwrap()]);
    let user = || {
        let Ok(_client) = WebSocket::ask(daemon.public, "/ws", &[]) else { panic!("refused") };
        let page = daemon.ask("GET", "/connections", &[], b"").json();
        page["connections"].as_array().unwrap().last().unwrap()["user"].clone()
    };
    let reload = |text: &str| {
        write(text);
        let before = daemon.events("reloaded");
        daemon.signal("HUP");
        wait("the reload", || daemon.events("reloaded") > before);
    };
    assert_eq!(user(), "one");
    daemon.wait_connections(0);
    reload(&url(1));
    assert_eq!(user(), "two");
    daemon.wait_connections(0);
    reload("");
    assert_eq!(user(), Value::Null);
    std::fs::remove_dir_all(&folder).unwrap();
}
