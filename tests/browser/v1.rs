//! `wspush.v1` in a browser: the WebSocket of the web with a subprotocol, and no library.

use serde_json::{Value, json};

use super::chromium::{Chromium, Tab};
use crate::daemon::Daemon;

const SECRET: &str = "a_secret_of_more_than_32_bytes_0123456";

/// The page has names of its own, so ours are in one object.
const CLIENT: &str = "window.v1 = {
    connect(address) {
        const said = (this.said = []);
        this.socket = new WebSocket(address, 'wspush.v1');
        this.socket.onmessage = ({ data }) => said.push(JSON.parse(data));
        this.socket.onclose = ({ code }) => said.push({ closed: code });
    }
}; 0";

/// A page's connection.
struct Client<'t>(&'t Tab);

impl<'t> Client<'t> {
    fn connect(tab: &'t Tab, daemon: &Daemon, query: &str) -> Client<'t> {
        tab.value(CLIENT);
        tab.value(&format!("v1.connect('ws://{}/ws?{query}')", daemon.public));
        let client = Client(tab);
        assert!(client.next()["connected"]["conn"].is_string());
        assert_eq!(tab.value("v1.socket.protocol"), "wspush.v1");
        client
    }

    /// The next message, or the code with which the connection was closed.
    fn next(&self) -> Value {
        self.0.until("v1.said.length > 0");
        self.0.value("v1.said.shift()")
    }

    fn ask(&self, command: &Value) -> Value {
        self.0.value(&format!("v1.socket.send(JSON.stringify({command}))"));
        self.next()
    }
}

fn position(said: &Value) -> String {
    format!("{}.{}", said["epoch"].as_str().expect("an epoch"), said["offset"])
}

fn token() -> String {
    let (program, claims) = (env!("CARGO_BIN_EXE_wspushd"), ["--user", "ann", "--publish", "public.*"]);
    let made = std::process::Command::new(program)
        .args(["token", "new"])
        .args(claims)
        .envs([("WSPUSH_AUTH", "optional"), ("WSPUSH_AUTH_SECRET", SECRET)])
        .output()
        .expect("wspushd runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).expect("text").trim().to_owned()
}

#[test]
fn a_page_speaks_wspush_v1() {
    let state = std::env::temp_dir().join(format!("wspush-{}-browser-v1", std::process::id()));
    let start = || {
        let file = state.to_str().expect("text");
        let log = ["--state-file", file, "--log-publications", "16"];
        Daemon::start(&[&["--demo", "--auth", "optional", "--auth-secret", SECRET][..], &log].concat())
    };
    let (mut daemon, chromium) = (start(), Chromium::start("v1"));
    let tab = chromium.open(&format!("http://{}/", daemon.public));
    let other = chromium.open(&format!("http://{}/", daemon.public));

    // Each command, and each kind of answer.
    let client = Client::connect(&tab, &daemon, "broadcast=no");
    let subscribe = json!({ "id": 1, "subscribe": { "channel": "public.a", "since": "head" } });
    let subscribed = client.ask(&subscribe);
    assert_eq!((&subscribed["id"], &subscribed["subscribed"]["offset"]), (&1.into(), &0.into()));
    daemon.push_to("/push?channel=public.a", "gr\u{fc}\u{df}e");
    assert_eq!((client.next()["data"]).as_str(), Some("gr\u{fc}\u{df}e"));
    let ann = Client::connect(&other, &daemon, &format!("broadcast=no&token={}", token()));
    let published = ann.ask(&json!({ "id": 7, "publish": { "channel": "public.a", "data": "from ann" } }));
    assert_eq!((&published["id"], &published["published"]["offset"]), (&7.into(), &2.into()));
    let heard = client.next();
    assert_eq!((&heard["data"], &heard["offset"]), (&"from ann".into(), &2.into()));
    let page = client.ask(&json!({ "id": 2, "history": { "channel": "public.a", "since": "last:1" } }));
    assert_eq!(page["history"]["publications"][0]["data"], "from ann");
    assert_eq!(client.ask(&json!({ "id": 3, "ping": {} })), json!({ "id": 3, "pong": {} }));
    for (command, code) in [
        (subscribe, "already_subscribed"),
        (json!({ "id": 4, "subscribe": { "channel": "secret" } }), "forbidden"),
        (json!({ "id": 5, "publish": { "channel": "public.a", "data": "x" } }), "forbidden"),
        (json!({ "id": 6, "shout": {} }), "unknown_method"),
    ] {
        let denied = client.ask(&command);
        assert_eq!((&denied["id"], &denied["error"]["code"]), (&command["id"], &code.into()));
    }

    // A restart in between: what was pushed meanwhile follows, once.
    let stood = position(&heard);
    daemon.push_to("/push?channel=public.a", "the last word");
    assert_eq!(client.next()["data"], "the last word");
    daemon.signal("TERM");
    assert_eq!(client.next(), json!({ "closed": 1001 }));
    assert!(daemon.wait_exit().success());
    let daemon = start();
    daemon.push_to("/push?channel=public.a", "after it");
    let client = Client::connect(&tab, &daemon, &format!("broadcast=no&channel=public.a&since={stood}"));
    let subscribed = client.next()["subscribed"].clone();
    assert_eq!((position(&subscribed), &subscribed["recovered"]), (stood.clone(), &true.into()));
    assert_eq!([client.next(), client.next()].map(|said| said["offset"].clone()), [3, 4]);

    // More than the log has.
    for n in 5..=30 {
        daemon.push_to("/push?channel=public.a", &n.to_string());
    }
    let client = Client::connect(&tab, &daemon, &format!("broadcast=no&channel=public.a&since={stood}"));
    let subscribed = client.next()["subscribed"].clone();
    assert_eq!((&subscribed["offset"], &subscribed["recovered"]), (&30.into(), &false.into()));
    let missed = client.next()["missed"].clone();
    assert_eq!((&missed["from"], &missed["to"]), (&3.into(), &30.into()));
    let _ = std::fs::remove_file(&state);
}
