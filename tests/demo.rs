//! The demo: page, echo, chat, and the push form.

use crate::daemon::{Daemon, Frame, Http, WebSocket};
use crate::wire::{BINARY, TEXT, masked};
use serde_json::{Value, json};

#[test]
fn the_page_is_whole_and_brings_its_own_rules() {
    let daemon = Daemon::start(&["--demo"]);
    let mut http = Http::tcp(daemon.public);
    let page = http.ask("GET", "/", &[], b"");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    let text = page.text();
    assert!(text.starts_with("<!doctype html>") && text.trim_end().ends_with("</html>"));
    assert!(!text.contains("https://") && !text.contains("src=\"http"), "it needs nothing from elsewhere");
    let head = http.ask("HEAD", "/", &[], b"");
    assert_eq!(head.header("content-length"), Some(page.body.len().to_string().as_str()));
    let wrong = http.ask("POST", "/", &[], b"");
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn without_the_flag_there_is_no_demo() {
    let daemon = Daemon::start(&[]);
    for target in ["/", "/echo", "/chat", "/demo/push"] {
        assert_eq!(Http::tcp(daemon.public).ask("GET", target, &[], b"").status, 404, "{target}");
        assert_eq!(WebSocket::ask(daemon.public, target, &[]).err().map(|r| r.status), Some(404), "{target}");
    }
    assert_eq!(Http::tcp(daemon.public).ask("POST", "/demo/push", &[], b"").status, 404);
}

#[test]
fn ws_only_is_what_it_says() {
    let daemon = Daemon::start(&["--ws-only"]);
    for target in ["/", "/healthz", "/echo", "/demo/push"] {
        assert_eq!(Http::tcp(daemon.public).ask("GET", target, &[], b"").status, 404, "{target}");
    }
    assert!(WebSocket::ask(daemon.public, "/ws", &[]).is_ok());
    assert_eq!(daemon.admin_http().ask("GET", "/healthz", &[], b"").status, 200);
}

#[test]
fn echo_gives_back_what_it_gets() {
    let daemon = Daemon::start(&["--demo"]);
    let mut client = WebSocket::open_at(&daemon, "/echo");
    let mut other = WebSocket::open_at(&daemon, "/echo");
    for len in [0, 1, 125, 126, 127, 1000, 65_535, 65_536] {
        let text = "\u{e9}".repeat(len / 2) + if len % 2 == 1 { "x" } else { "" };
        client.send_text(&text);
        assert_eq!(client.text(), text);
        let bytes: Vec<u8> = (0..len).map(|n| n as u8).collect();
        client.send(BINARY, &bytes);
        assert_eq!(client.frame(), Frame { opcode: BINARY, payload: bytes, rsv1: false });
    }
    for n in 0..200 {
        client.send_text(&n.to_string());
    }
    for n in 0..200 {
        assert_eq!(client.text(), n.to_string());
    }
    daemon.push("not for the echo");
    assert_eq!((client.sync(), other.sync()), (vec![], vec![]));
}

#[test]
fn an_echo_that_is_not_listened_to_stops_listening() {
    let daemon = Daemon::start(&["--demo"]);
    let mut client = WebSocket::open_at(&daemon, "/echo");
    let message = masked(true, BINARY, &[7; 60_000]);
    let mut writer = client.stream().try_clone().expect("a second handle");
    const COUNT: usize = 400;
    let writing = std::thread::spawn(move || {
        for _ in 0..COUNT {
            std::io::Write::write_all(&mut writer, &message).expect("it is taken in the end");
        }
    });
    daemon.wait_stats("a full socket", |s| s["blocked"] == 1);
    let page = daemon.ask("GET", "/connections", &[], b"").json();
    let waiting = page["connections"][0]["outbox_bytes"].as_u64().expect("bytes");
    assert!(waiting <= 256 << 10, "{waiting} bytes wait for one that does not listen");
    for _ in 0..COUNT {
        assert_eq!(client.frame().payload.len(), 60_000);
    }
    writing.join().expect("no panic");
    assert_eq!(client.sync(), []);
}

#[test]
fn everyone_in_the_chat_hears_everyone() {
    let daemon = Daemon::start(&["--demo"]);
    let mut first = WebSocket::open_at(&daemon, "/chat");
    assert_eq!(first.text(), "* guest1 has joined.");
    let mut second = WebSocket::open_at(&daemon, "/chat");
    assert_eq!([first.text(), second.text()], ["* guest2 has joined.", "* guest2 has joined."]);
    let mut outside = WebSocket::open(&daemon);
    first.send_text("hello");
    second.send_text("<script>alert(\"&'\")</script>");
    // Two senders: the order between them is the server's, and the same for both.
    let mut said = [first.text(), first.text()];
    assert_eq!([second.text(), second.text()], said);
    said.sort();
    assert_eq!(said[0], "guest1: hello");
    assert_eq!(said[1], "guest2: &lt;script&gt;alert(&quot;&amp;&#39;&quot;)&lt;/script&gt;");
    second.close(1000);
    assert_eq!(first.text(), "* guest2 has left.");
    WebSocket::open_at(&daemon, "/chat").reset();
    assert_eq!([first.text(), first.text()], ["* guest3 has joined.", "* guest3 has left."]);
    daemon.push("not for the chat");
    assert_eq!(outside.text(), "not for the chat");
    assert_eq!((first.sync(), outside.sync()), (vec![], vec![]));
    // An operator may speak in it.
    daemon.push_to("/push?channel=demo.chat", "* maintenance");
    assert_eq!(first.text(), "* maintenance");
}

fn facts(connections: u64, needs_token: bool, admin: Value) -> Value {
    json!({ "connections": connections, "admin": admin, "needs_token": needs_token, "guests": true })
}

#[test]
fn the_page_is_told_what_to_show() {
    let info = |daemon: &Daemon| Http::tcp(daemon.public).ask("GET", "/demo/info", &[], b"").json();
    let daemon = Daemon::start(&["--demo"]);
    let admin = format!("http://{}", daemon.admin());
    assert_eq!(info(&daemon), facts(0, false, admin.clone().into()));
    let clients = [WebSocket::open(&daemon), WebSocket::open_at(&daemon, "/echo")];
    assert_eq!(info(&daemon), facts(2, false, admin.into()));
    drop(clients);
    let ready = daemon.wait_event("ready");
    assert!(ready.contains(&format!("url=http://{}/ ", daemon.public)), "{ready}");
    assert!(ready.ends_with(&format!("push=http://{}/push", daemon.admin())), "{ready}");
    let daemon = Daemon::start(&["--demo", "--admin", "off"]);
    assert_eq!(info(&daemon), facts(0, false, Value::Null));
    let path = std::env::temp_dir().join(format!("wspush-demo-{}.sock", std::process::id()));
    let unix = format!("unix:{}", path.display());
    let daemon = Daemon::start(&["--demo", "--admin", &unix, "--admin-token", "t0ken"]);
    assert_eq!(info(&daemon), facts(0, true, unix.into()));
}

/// A client of `wspush.v1`.
fn guest(daemon: &Daemon, target: &str) -> WebSocket {
    let fields = [("Sec-WebSocket-Protocol", "wspush.v1")];
    WebSocket::ask(daemon.public, target, &fields).unwrap_or_else(|r| panic!("{target}: {}", r.text()))
}

/// The next message of that name.
fn next(client: &mut WebSocket, name: &str) -> Value {
    loop {
        let said: Value = serde_json::from_str(&client.text()).unwrap();
        if said.get(name).is_some() {
            return said;
        }
    }
}

#[test]
fn a_guest_is_a_user_with_an_inbox() {
    let daemon = Daemon::start(&["--demo"]);
    let ask = |method: &str, target: &str| daemon.ask(method, target, &[], b"for ada").json();
    assert_eq!(ask("POST", "/push?channel=demo.inbox.ada")["recipients"], 0, "she is away");
    let ws = "/demo/ws?as=ada&channel=demo.here&channel=demo.inbox.ada&since=";
    let mut ada = guest(&daemon, &format!("{ws}earliest"));
    assert_eq!(next(&mut ada, "connected")["connected"]["user"], "ada");
    let kept = next(&mut ada, "offset");
    assert_eq!((&kept["channel"], &kept["data"]), (&"demo.inbox.ada".into(), &"for ada".into()));
    let mut bob = guest(&daemon, "/demo/ws?as=bob&channel=demo.here&channel=demo.inbox.bob");
    assert_eq!(next(&mut ada, "join")["join"]["user"], "bob");
    bob.send_text(r#"{"id":1,"presence":{"channel":"demo.here"}}"#);
    assert_eq!(next(&mut bob, "presence")["presence"]["count"], 2);
    // A second tab is the same user, and comes back to where it was.
    let position = format!("{}.{}", kept["epoch"].as_str().unwrap(), kept["offset"]);
    let mut tab = guest(&daemon, &format!("{ws}{position}"));
    assert_eq!(ask("GET", "/users/ada")["connections"].as_array().unwrap().len(), 2);
    let form =
        |target: &str| Http::tcp(daemon.public).ask("POST", target, &[], b"message=from+the+page").status;
    assert_eq!(form("/demo/push?channel=demo.inbox.ada"), 200);
    for client in [&mut ada, &mut tab] {
        assert_eq!(next(client, "offset")["offset"], 2, "and no other one");
    }
    assert_eq!([form("/demo/push?channel=demo.inbox."), form("/demo/push?channel=demo.here")], [403, 403]);
    for (target, status) in [
        ("/demo/ws?as=", 400),
        ("/demo/ws?as=a.b", 400),
        ("/demo/ws?as=ada&as=bob", 400),
        ("/demo/ws?as=123456789012345678901234567890123", 400),
        ("/demo/ws?as=bob&channel=demo.inbox.ada", 403),
        ("/demo/ws?channel=demo.inbox.ada", 403),
        ("/ws?as=ada", 400),
        ("/ws?channel=demo.inbox.ada", 403),
    ] {
        assert_eq!(
            WebSocket::ask(daemon.public, target, &[]).err().map(|r| r.status),
            Some(status),
            "{target}"
        );
    }
}

/// Where tokens say who somebody is nobody else does.
#[test]
#[cfg(feature = "auth")]
fn with_tokens_there_are_no_guests() {
    let secret = "a_secret_of_more_than_32_bytes_0123456";
    let daemon = Daemon::start(&["--demo", "--auth", "optional", "--auth-secret", secret]);
    let info = Http::tcp(daemon.public).ask("GET", "/demo/info", &[], b"").json();
    assert_eq!(info["guests"], false);
    let _nobody = WebSocket::open_at(&daemon, "/demo/ws?as=ada");
    assert_eq!(daemon.ask("GET", "/users/ada", &[], b"").json()["connections"], json!([]));
    let refused = WebSocket::ask(daemon.public, "/demo/ws?as=ada&channel=demo.inbox.ada", &[]).err();
    assert_eq!(refused.map(|response| response.status), Some(403));
    let form = Http::tcp(daemon.public).ask("POST", "/demo/push?channel=demo.inbox.ada", &[], b"message=x");
    assert_eq!(form.status, 403);
}

#[test]
fn the_form_pushes_to_a_channel_that_is_open_to_clients() {
    let daemon = Daemon::start(&["--demo"]);
    let mut member = WebSocket::open_at(&daemon, "/ws?channel=public.a");
    let mut other = WebSocket::open(&daemon);
    let mut http = Http::tcp(daemon.public);
    let mut push = |target: &str| http.ask("POST", target, &[("Content-Type", "text/plain")], b"to some");
    assert_eq!(push("/demo/push?channel=public.a").json()["recipients"], 1);
    assert_eq!(member.text(), "to some");
    for (target, status) in [
        ("/demo/push?channel=private", 403),
        ("/demo/push?channel=", 400),
        ("/demo/push?channel=public.a&channel=public.b", 400),
        ("/demo/push?chanel=public.a", 400),
    ] {
        assert_eq!(push(target).status, status, "{target}");
    }
    assert_eq!((member.sync(), other.sync()), (vec![], vec![]));
    let refused = daemon.stats()["counters"]["handshakes_refused"].clone();
    assert_eq!((&refused["forbidden_channel"], &refused["bad_request"]), (&1.into(), &3.into()));
}

#[test]
fn the_form_pushes_to_everyone() {
    let daemon = Daemon::start(&["--demo", "--message-bytes-max", "1000"]);
    let mut client = WebSocket::open(&daemon);
    let mut http = Http::tcp(daemon.public);
    let own = format!("http://{}", daemon.public);
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let response = http.ask("POST", "/demo/push", &[form, ("Origin", &own)], b"message=from+the+form");
    assert_eq!((response.status, response.json()["recipients"].as_u64()), (200, Some(1)));
    assert_eq!(http.ask("POST", "/demo/push", &[("Content-Type", "text/plain")], b"plain").status, 200);
    assert_eq!([client.text(), client.text()], ["from the form", "plain"]);
    for origin in ["http://evil.example", "null"] {
        assert_eq!(http.ask("POST", "/demo/push", &[("Origin", origin)], b"x").status, 403, "{origin}");
    }
    assert_eq!(http.ask("POST", "/demo/push", &[], b"").status, 400);
    assert_eq!(http.ask("POST", "/demo/push", &[], b"\xff").status, 400);
    assert_eq!(http.ask("GET", "/demo/push", &[], b"").header("allow"), Some("POST"));
    assert_eq!(http.ask("POST", "/demo/push", &[], &[b'x'; 1001]).status, 413);
    assert_eq!(client.sync(), []);
    let mut echo = WebSocket::open_at(&daemon, "/echo");
    echo.send(TEXT, &[b'x'; 1001]);
    assert_eq!(echo.closed().0, 1009);
}
