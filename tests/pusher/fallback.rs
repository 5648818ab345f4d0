//! The fallback of `pusher-js` over plain HTTP: streams, polls, and what the client says beside them.

use serde_json::{Value, json};

use super::backends::{ask, event};
use super::{Client, KEY, start, subscribed};
use crate::daemon::{Daemon, Http, wait};
#[cfg(feature = "handover")]
use crate::handover::Folder;

/// A client over plain HTTP.
struct Fallback {
    path: String,
    said: Http,
}

impl Fallback {
    fn new(daemon: &Daemon, session: &str) -> Fallback {
        Fallback { path: format!("/pusher/app/{KEY}/123/{session}"), said: Http::tcp(daemon.public) }
    }

    fn say(&mut self, message: &Value) -> u16 {
        self.say_text(&json!([message.to_string()]).to_string())
    }

    fn say_text(&mut self, body: &str) -> u16 {
        let path = format!("{}/xhr_send?t=1&n=2", self.path);
        let fields = [("Content-Type", "application/json"), ("Origin", "http://page.example")];
        self.said.ask("POST", &path, &fields, body.as_bytes()).status
    }
}

/// The answer of a stream, as it comes.
struct Lines {
    http: Http,
    text: String,
}

impl Lines {
    fn open(daemon: &Daemon, client: &Fallback) -> Lines {
        let mut http = Http::tcp(daemon.public);
        let head = format!(
            "POST {}/xhr_streaming?protocol=7&client=js&t=1&n=1 HTTP/1.1\r\nHost: x\r\nOrigin: http://page.example\r\n\
             Content-Length: 0\r\n\r\n",
            client.path
        );
        http.send(head.as_bytes());
        let mut lines = Lines { http, text: String::new() };
        let head = lines.until("\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("Transfer-Encoding: chunked"), "{head}");
        assert!(head.contains("Access-Control-Allow-Origin: http://page.example"), "{head}");
        lines
    }

    fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.text.find(end) {
                return self.text.drain(..at + end.len()).collect();
            }
            self.text.push_str(&String::from_utf8(self.http.more()).unwrap());
        }
    }

    /// The next line: a chunk has one.
    fn next(&mut self) -> String {
        let len = self.until("\r\n");
        let line = self.until("\n\r\n");
        assert_eq!(usize::from_str_radix(len.trim_end(), 16).unwrap(), line.len() - 2, "{line}");
        line.trim_end().to_owned()
    }

    fn message(&mut self) -> Value {
        message(&self.next())
    }
}

/// The message that a line holds.
fn message(line: &str) -> Value {
    let text: String =
        serde_json::from_str(line.strip_prefix('m').unwrap_or_else(|| panic!("{line}"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn subscribe(channel: &str) -> Value {
    json!({ "event": "pusher:subscribe", "data": { "channel": channel, "auth": "" } })
}

#[test]
fn a_stream_has_what_a_websocket_has() {
    for more in [&[][..], &["--reactors", "4"]] {
        let daemon = start("client_events=true", more);
        let mut socket = Client::open(&daemon);
        let mut client = Fallback::new(&daemon, "abcdefgh");
        assert_eq!(client.say(&subscribe("news")), 404, "nobody is there yet");
        let mut lines = Lines::open(&daemon, &client);
        assert_eq!(lines.next(), "o{}");
        let first = lines.message();
        assert_eq!(first["event"], "pusher:connection_established");
        let id = super::held(&first)["socket_id"].as_str().unwrap().to_owned();
        assert_eq!(client.say(&subscribe("news")), 204);
        assert_eq!(lines.message(), subscribed("news"));
        assert_eq!(socket.subscribe("news"), subscribed("news"));
        let publish = |name: &str, except: Option<&str>| {
            let mut event = json!({ "name": name, "channel": "news", "data": "{}" });
            if let Some(id) = except {
                event["socket_id"] = id.into();
            }
            ask(&daemon, "POST /apps/3/events", &event);
        };
        publish("one", None);
        publish("two", Some(&id));
        publish("three", None);
        assert_eq!((lines.message(), lines.message()), (event("news", "one"), event("news", "three")));
        let names: Vec<Value> = (0..3).map(|_| socket.next()["event"].clone()).collect();
        assert_eq!(names, ["one", "two", "three"]);
        assert_eq!(client.say(&json!({ "event": "pusher:ping", "data": {} })), 204);
        assert_eq!(lines.message()["event"], "pusher:pong");
        assert_eq!((client.say_text("[]"), client.say_text("{}"), client.say_text("[1]")), (204, 400, 400));
        assert_eq!(client.say_text(&json!(vec![""; 65]).to_string()), 400, "a request has 64 messages");
        let open = json!({ "ws": 1, "sse": 0, "stream": 1, "poll": 0 });
        assert_eq!(daemon.stats()["transports"], open, "each is counted as what it is");
        let wrong =
            json!({ "event": "pusher:signin", "data": { "auth": "a:b", "user_data": "{\"id\":\"7\"}" } });
        client.say(&wrong);
        assert_eq!(lines.message()["data"]["code"], 4009);
        assert!(lines.next().starts_with("c[4009,\""));
        assert_eq!(lines.until("0\r\n\r\n"), "0\r\n\r\n");
        wait("its session is over", || client.say_text("[]") == 404);
    }
}

#[test]
fn polls_have_what_a_websocket_has() {
    for more in [&[][..], &["--reactors", "4"]] {
        let daemon = start("", &[more, &["--presence-grace-ms", "0"]].concat());
        let mut client = Fallback::new(&daemon, "abcdefgh");
        let poll = |client: &Fallback| {
            let mut http = Http::tcp(daemon.public);
            let path = format!("{}/xhr?protocol=7&t=1&n=1", client.path);
            let answer = http.ask("POST", &path, &[("Origin", "http://page.example")], b"");
            assert_eq!(answer.header("access-control-allow-origin"), Some("http://page.example"));
            assert_eq!(answer.status, 200);
            answer.text().lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let first = poll(&client);
        assert_eq!(first[0], "o{}");
        let id = super::held(&message(&first[1]))["socket_id"].as_str().unwrap().to_owned();
        let data = r#"{"user_id":"ann"}"#;
        let auth = super::signature(&format!("{id}:presence-a:{data}"));
        let joins = json!({ "channel": "presence-a", "auth": auth, "channel_data": data });
        // Lines that come between two polls wait for the next one.
        assert_eq!(client.say(&json!({ "event": "pusher:subscribe", "data": joins })), 204);
        let shown = poll(&client);
        assert_eq!(super::held(&message(&shown[0]))["presence"]["ids"], json!(["ann"]));
        let mut bob = Client::open(&daemon);
        bob.subscribe_signed("presence-a", Some(r#"{"user_id":"bob"}"#));
        let names = |lines: &[String]| -> Vec<Value> {
            lines.iter().map(|line| message(line)["event"].clone()).collect()
        };
        assert_eq!(names(&poll(&client)), ["pusher_internal:member_added"]);
        let open = json!({ "ws": 1, "sse": 0, "stream": 0, "poll": 1 });
        assert_eq!(daemon.stats()["transports"], open, "between two polls as well");
        for name in ["one", "two"] {
            ask(
                &daemon,
                "POST /apps/3/events",
                &json!({ "name": name, "channel": "presence-a", "data": "" }),
            );
        }
        assert_eq!(bob.next()["event"], "one", "a client that polls has not gone between two polls");
        let mut got = Vec::new();
        while got.len() < 2 {
            got.extend(names(&poll(&client)));
        }
        assert_eq!(got, ["one", "two"]);
        // A poll that waits is answered by the first thing that comes.
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| poll(&client));
            bob.send(&json!({ "event": "pusher:unsubscribe", "data": { "channel": "presence-a" } }));
            assert_eq!(names(&waits.join().unwrap()), ["pusher_internal:member_removed"]);
        });
    }
}

#[test]
fn who_is_not_let_in_is_told_by_a_line() {
    let daemon = start("", &["--pusher-path", "/socket"]);
    let ask = |method: &str, path: &str| {
        Http::tcp(daemon.public).ask(method, path, &[("Origin", "http://page.example")], b"")
    };
    for way in ["xhr_streaming", "xhr"] {
        let path = |key: &str| format!("/socket/pusher/app/{key}/1/a/{way}?protocol=7");
        let answer = ask("POST", &path("unknown"));
        assert_eq!(answer.text(), "o{}\nc[4001,\"there is no app with this key\"]\n");
        assert_eq!(answer.header("access-control-allow-origin"), Some("http://page.example"));
        assert_eq!(ask("GET", &path(KEY)).status, 405);
        let preflight = ask("OPTIONS", &path(KEY));
        assert_eq!(preflight.status, 204);
        assert_eq!(preflight.header("access-control-allow-headers"), Some("content-type"));
        assert_eq!(preflight.header("access-control-allow-methods"), Some("POST"));
    }
    let daemon = start("", &["--transports", "ws"]);
    let path = format!("/pusher/app/{KEY}/1/a/xhr?protocol=7");
    assert_eq!(Http::tcp(daemon.public).ask("POST", &path, &[], b"").status, 404);
}

#[cfg(feature = "handover")]
#[test]
fn a_stream_comes_over_and_a_client_that_polls_comes_back() {
    for reactors in ["1", "2"] {
        let folder = Folder::new(&format!("fallback-{reactors}"));
        let app = format!("3 key={KEY} secret={} client_events=true", super::SECRET);
        let flags = ["--pusher-app", app.as_str(), "--reactors", reactors, "--drain-ms", "0"];
        let daemon = folder.start(&flags);
        let mut client = Fallback::new(&daemon, "abcdefgh");
        let mut lines = Lines::open(&daemon, &client);
        assert_eq!(lines.next(), "o{}");
        assert_eq!(lines.message()["event"], "pusher:connection_established");
        assert_eq!(client.say(&subscribe("news")), 204);
        assert_eq!(lines.message(), subscribed("news"));
        let poll = format!("/pusher/app/{KEY}/1/polling0/xhr?protocol=7");
        let mut polling = Http::tcp(daemon.public);
        let first = polling.ask("POST", &poll, &[], b"").text();
        assert!(first.starts_with("o{}\n"), "{first}");
        let daemon = folder.succeed(daemon, &flags);
        ask(&daemon, "POST /apps/3/events", &json!({ "name": "one", "channel": "news", "data": "{}" }));
        assert_eq!(lines.message(), event("news", "one"));
        // Its messages find it, by the connection that it has always said it on.
        assert_eq!(client.say(&json!({ "event": "pusher:ping", "data": {} })), 204);
        assert_eq!(lines.message()["event"], "pusher:pong");
        assert_eq!(client.say(&subscribe("more")), 204);
        assert_eq!(lines.message(), subscribed("more"));
        // One that polls begins anew.
        let again = polling.ask("POST", &poll, &[], b"").text();
        assert!(again.starts_with("o{}\n") && again != first, "{again}");
    }
}
