//! Users: all connections of one are pushed to, listed and closed together, and nobody else's.

use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;

use crate::daemon::{Daemon, Http, WebSocket};
use serde_json::{Value, json};
use wspush::{Accept, CloseCode, Config, Connect, Decision, Handle, Handler, Message, PushError, Server};

/// Lets everybody in as whom the query says.
struct Gate;

impl Handler for Gate {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        let channels = connect.channels.clone();
        Decision::Accept(Accept { user: connect.query("as"), channels, ..Accept::default() })
    }
}

pub struct Host {
    address: SocketAddr,
    admin: SocketAddr,
    pub handle: Handle,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Host {
    pub fn start() -> Host {
        let port_0 = "127.0.0.1:0";
        let config = Config {
            listen: vec![port_0.parse().unwrap()],
            admin: vec![port_0.parse().unwrap()],
            ..Config::default()
        };
        let server = Server::bind_with(config, |_| Box::new(Gate), None).unwrap();
        let (address, admin) = (server.addresses()[0], server.admin_address().unwrap());
        let handle = server.handle();
        Host { address, admin, handle, thread: Some(std::thread::spawn(move || server.run())) }
    }

    pub fn open(&self, target: &str) -> WebSocket {
        WebSocket::ask(self.address, target, &[]).unwrap_or_else(|r| panic!("{target}: {}", r.status))
    }

    pub fn ask(&self, method: &str, target: &str, body: &[u8]) -> (u16, Value) {
        let response = Http::over(TcpStream::connect(self.admin).unwrap()).ask(method, target, &[], body);
        (response.status, response.json())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.handle.drain();
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

pub fn ids(listed: &Value) -> Vec<String> {
    let connections = listed["connections"].as_array().expect("a list");
    connections.iter().map(|c| c["id"].as_str().expect("an id in quotes").to_owned()).collect()
}

#[test]
fn a_push_reaches_all_of_a_users_connections_and_nobody_else() {
    let host = Host::start();
    let mut anns = [host.open("/ws?as=ann"), host.open("/ws?as=ann&channel=news")];
    let mut others = [host.open("/ws?as=bob"), host.open("/ws")];
    let told = json!({ "user": "ann", "recipients": 2 });
    assert_eq!(host.ask("POST", "/push?user=ann", b"for ann"), (200, told));
    for ann in &mut anns {
        assert_eq!(ann.text(), "for ann");
    }
    for other in &mut others {
        assert_eq!(other.sync(), []);
    }
    let away = json!({ "user": "eve", "recipients": 0 });
    assert_eq!(host.ask("POST", "/push?user=eve", b"for eve"), (200, away));
    let mut eve = host.open("/ws?as=eve");
    assert_eq!(eve.sync(), [], "what is sent to a user is kept nowhere");
}

#[test]
fn a_line_of_a_batch_goes_to_all_of_them_in_its_turn() {
    let host = Host::start();
    let (mut ann, mut bob) = (host.open("/ws?as=ann"), host.open("/ws?as=bob"));
    let batch = concat!(
        r#"{"user":"ann","data":"1"}"#,
        "\n",
        r#"{"channel":"broadcast","data":"2"}"#,
        "\n",
        r#"{"user":"ann","base64":"Mw=="}"#
    );
    let (status, answer) = host.ask("POST", "/push/batch", batch.as_bytes());
    let publications = answer["publications"].as_array().expect("one for each line");
    assert_eq!(
        (status, &publications[0], &publications[2]),
        (200, &json!({"user": "ann"}), &json!({"user": "ann"}))
    );
    assert_eq!(publications[1]["recipients"], 2);
    assert_eq!((ann.text(), ann.text(), ann.frame().payload), ("1".into(), "2".into(), b"3".to_vec()));
    assert_eq!(bob.text(), "2");
    assert_eq!(bob.sync(), []);
    let (status, answer) = host.ask("POST", "/push/batch", b"{\"user\":\"\",\"data\":\"1\"}");
    assert!(
        status == 400 && answer["error"].as_str().is_some_and(|why| why.starts_with("line 1: ")),
        "{answer}"
    );
    assert_eq!(ann.sync(), []);
}

#[test]
fn a_user_comes_with_each_connection_and_goes_with_the_last() {
    let host = Host::start();
    let recipients = || host.ask("POST", "/push?user=ann", b"x").1["recipients"].clone();
    let mut anns: Vec<WebSocket> = (0..3).map(|_| host.open("/ws?as=ann")).collect();
    assert_eq!(recipients(), 3);
    for left in [2, 1, 0] {
        let mut leaver = anns.swap_remove(left / 2);
        leaver.sync();
        leaver.close(1000);
        assert_eq!(recipients(), left);
    }
}

#[test]
fn a_list_has_each_connection_with_its_channels() {
    let host = Host::start();
    let (_a, _b) = (host.open("/ws?as=ann&channel=news&channel=a"), host.open("/ws?as=bob"));
    let _c = host.open("/ws?as=ann");
    let (status, listed) = host.ask("GET", "/users/ann", b"");
    assert_eq!((status, &listed["user"], &listed["next"]), (200, &json!("ann"), &Value::Null));
    let mut channels: Vec<Vec<&str>> = listed["connections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let mut names: Vec<&str> =
                one["channels"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
            names.sort_unstable();
            names
        })
        .collect();
    channels.sort();
    assert_eq!(channels, [&["a", "broadcast", "news"][..], &["broadcast"]]);
    let all = host.ask("GET", "/connections?user=ann", b"").1;
    assert_eq!(ids(&listed), ids(&all), "in the order of GET /connections");
    let nobody = json!({ "user": "eve", "connections": [], "next": null });
    assert_eq!(host.ask("GET", "/users/eve", b""), (200, nobody));
}

#[test]
fn pages_cover_all_of_a_users_connections_once() {
    let host = Host::start();
    let mut clients: Vec<WebSocket> =
        (0..24).map(|n| host.open(if n % 3 == 0 { "/ws?as=bob" } else { "/ws?as=ann" })).collect();
    let all = ids(&host.ask("GET", "/users/ann", b"").1);
    assert_eq!(all.len(), 16);
    for limit in [1, 5, 15, 16, 17] {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = host.ask("GET", &format!("/users/ann?limit={limit}{after}"), b"").1;
            let listed = ids(&page);
            assert!(listed.len() <= limit);
            seen.extend(listed);
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(seen, all, "in pages of {limit}");
    }
    let next = host.ask("GET", "/users/ann?limit=3", b"").1["next"].as_str().expect("more").to_owned();
    // The third one of them goes, and the page behind it is the same.
    clients.remove(4).close(1000);
    while ids(&host.ask("GET", "/users/ann", b"").1).len() == 16 {}
    assert_eq!(ids(&host.ask("GET", &format!("/users/ann?after={next}"), b"").1), all[3..]);
}

#[test]
fn a_user_is_disconnected_as_a_whole() {
    let host = Host::start();
    let mut anns = [host.open("/ws?as=ann"), host.open("/ws?as=ann"), host.open("/ws?as=ann")];
    let mut bob = host.open("/ws?as=bob");
    let told = json!({ "user": "ann", "closed": 3, "code": 4001 });
    assert_eq!(host.ask("DELETE", "/users/ann?code=4001&reason=enough", b""), (200, told));
    for ann in &mut anns {
        assert_eq!(ann.closed(), (4001, "enough".to_owned()));
    }
    let told = json!({ "user": "ann", "closed": 0, "code": 1008 });
    assert_eq!(host.ask("DELETE", "/users/ann", b""), (200, told), "those that close are no longer counted");
    assert_eq!(bob.sync(), []);
}

#[test]
fn a_name_is_any_text_percent_encoded_in_a_path() {
    let host = Host::start();
    let mut client = host.open("/ws?as=a%2Fb%20%C3%A9%25");
    let name = "a/b \u{e9}%";
    let told = json!({ "user": name, "recipients": 1 });
    assert_eq!(host.ask("POST", "/push?user=a%2Fb+%C3%A9%25", b"x"), (200, told));
    assert_eq!(client.text(), "x");
    assert_eq!(
        host.ask("GET", "/users/a%2Fb%20%C3%A9%25", b"").1["connections"].as_array().unwrap().len(),
        1
    );
    let too_long = "a".repeat(257);
    for (method, target) in [("GET", "/users/"), ("DELETE", "/users/"), ("POST", "/push?user=")] {
        let (status, answer) = host.ask(method, &format!("{target}{too_long}"), b"x");
        assert_eq!(status, 400, "{answer}");
        assert!(answer["error"].as_str().unwrap().contains("256"), "{answer}");
    }
    let refused = WebSocket::ask(host.address, &format!("/ws?as={too_long}"), &[]);
    assert_eq!(refused.err().map(|response| response.status), Some(500), "the host's mistake");
}

#[test]
fn requests_behind_one_that_waits_are_answered_in_order() {
    let host = Host::start();
    let mut ann = host.open("/ws?as=ann");
    let mut http = Http::over(TcpStream::connect(host.admin).unwrap());
    let mut requests = Vec::new();
    for n in 0..20 {
        requests.extend(http.request("POST", "/push?user=ann", &[], format!("{n} a").as_bytes()));
        requests.extend(http.request("POST", "/push", &[], format!("{n} b").as_bytes()));
        requests.extend(http.request("GET", "/users/ann", &[], b""));
    }
    requests.extend(http.request("DELETE", "/users/ann", &[], b""));
    requests.extend(http.request("HEAD", "/users/ann", &[], b""));
    http.send(&requests);
    for n in 0..20 {
        assert_eq!(http.response().json()["recipients"], 1);
        assert_eq!(http.response().json()["offset"], n + 1);
        assert_eq!(ids(&http.response().json()).len(), 1);
        assert_eq!([ann.text(), ann.text()], [format!("{n} a"), format!("{n} b")]);
    }
    assert_eq!(http.response().json()["closed"], 1);
    let head = http.response_to("HEAD");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(ann.closed().0, 1008);
}

#[test]
fn a_handle_does_the_same() {
    let host = Host::start();
    let mut ann = host.open("/ws?as=ann");
    let mut bob = host.open("/ws?as=bob");
    for n in 0..20 {
        host.handle.publish_user("ann", Message::Text(&format!("{n} a"))).unwrap();
        host.handle.broadcast(Message::Text(&format!("{n} b"))).unwrap();
    }
    host.handle.disconnect_user("ann", CloseCode(4002), "bye").unwrap();
    host.handle.broadcast(Message::Text("too late for ann")).unwrap();
    for n in 0..20 {
        assert_eq!([ann.text(), ann.text()], [format!("{n} a"), format!("{n} b")]);
        assert_eq!(bob.text(), format!("{n} b"));
    }
    assert_eq!(ann.closed(), (4002, "bye".to_owned()));
    assert_eq!(bob.text(), "too late for ann");
    let hi = Message::Text("hi");
    assert_eq!(host.handle.publish_user("", hi), Err(PushError::BadUser));
    assert_eq!(host.handle.publish_user(&"a".repeat(257), hi), Err(PushError::BadUser));
    assert_eq!(host.handle.publish_user("ann", Message::Text("")), Err(PushError::Empty));
    assert_eq!(host.handle.disconnect_user("", CloseCode(1000), ""), Err(PushError::BadUser));
}

#[test]
fn guests_of_the_demos_chat_are_nobody() {
    let daemon = Daemon::start(&["--demo"]);
    let mut chat = WebSocket::open_at(&daemon, "/chat");
    chat.text();
    let answer = daemon.ask("POST", "/push?user=guest1", &[], b"x").json();
    assert_eq!(answer, json!({ "user": "guest1", "recipients": 0 }));
    assert!(daemon.ask("GET", "/metrics", &[], b"").text().contains("\nwspush_users 0\n"));
}

#[test]
fn subscriptions_are_changed_from_outside() {
    let host = Host::start();
    let mut anns = [host.open("/ws?as=ann"), host.open("/ws?as=ann&channel=news")];
    let mut bob = host.open("/ws?as=bob");
    for n in 1..=3 {
        host.ask("POST", "/push?channel=news", format!("{n}").as_bytes());
    }
    assert_eq!([anns[1].text(), anns[1].text(), anns[1].text()], ["1", "2", "3"]);
    let done = |who: Value, connections| {
        let mut done = json!({ "channel": "news", "connections": connections, "refused": 0 });
        done.as_object_mut().unwrap().extend(who.as_object().unwrap().clone());
        (200, done)
    };
    let subscribed = host.ask("POST", "/users/ann/subscribe?channel=news&since=last:2", b"");
    assert_eq!(subscribed, done(json!({ "user": "ann" }), 2));
    let id = ids(&host.ask("GET", "/users/bob", b"").1).remove(0);
    let subscribed = host.ask("POST", &format!("/connections/{id}/subscribe?channel=news"), b"");
    assert_eq!(subscribed, done(json!({ "conn": id }), 1));
    host.ask("POST", "/push?channel=news", b"4");
    assert_eq!([anns[0].text(), anns[0].text(), anns[0].text()], ["2", "3", "4"]);
    assert_eq!([anns[1].text(), bob.text()], ["4", "4"], "whoever had the channel has everything once");
    assert_eq!(
        host.ask("POST", "/users/ann/unsubscribe?channel=news", b""),
        done(json!({ "user": "ann" }), 2)
    );
    let ended = host.ask("POST", &format!("/connections/{id}/unsubscribe?channel=news"), b"");
    assert_eq!(ended, done(json!({ "conn": id }), 1));
    assert_eq!(host.ask("POST", "/push?channel=news", b"5").1["recipients"], 0);
    for client in anns.iter_mut().chain([&mut bob]) {
        assert_eq!(client.sync(), []);
    }
    bob.close(1000);
    while !ids(&host.ask("GET", "/users/bob", b"").1).is_empty() {}
    assert_eq!(host.ask("POST", &format!("/connections/{id}/subscribe?channel=news"), b"").0, 404);
    assert_eq!(host.ask("POST", "/users/bob/subscribe?channel=news", b""), done(json!({ "user": "bob" }), 0));
}

#[test]
fn one_channel_too_many_is_said() {
    let host = Host::start();
    let _ann = host.open("/ws?as=ann");
    for n in 0..16 {
        assert_eq!(host.ask("POST", &format!("/users/ann/subscribe?channel=c{n}"), b"").1["connections"], 1);
    }
    let (status, answer) = host.ask("POST", "/users/ann/subscribe?channel=c16", b"");
    assert_eq!((status, &answer["connections"], &answer["refused"]), (200, &json!(0), &json!(1)));
    assert!(answer["problem"].as_str().unwrap().contains("channels_per_connection_max"), "{answer}");
    let id = ids(&host.ask("GET", "/users/ann", b"").1).remove(0);
    let (status, answer) = host.ask("POST", &format!("/connections/{id}/subscribe?channel=c16"), b"");
    assert_eq!(status, 409, "{answer}");
}

#[test]
fn a_handle_changes_subscriptions_in_order() {
    let host = Host::start();
    let mut ann = host.open("/ws?as=ann");
    let publish = |text| host.handle.publish("news", Message::Text(text)).unwrap();
    publish("before");
    host.handle.subscribe_user("ann", "news").unwrap();
    publish("one");
    host.handle.unsubscribe_user("ann", "news").unwrap();
    publish("between");
    host.handle.subscribe_user_since("ann", "news", wspush::Since::Last(1)).unwrap();
    publish("two");
    assert_eq!([ann.text(), ann.text(), ann.text()], ["one", "between", "two"]);
    assert_eq!(host.handle.subscribe_user("", "news"), Err(PushError::BadUser));
    assert_eq!(host.handle.subscribe_user("ann", ""), Err(PushError::BadChannel));
    assert_eq!(host.handle.unsubscribe_user("ann", "a b"), Err(PushError::BadChannel));
}
