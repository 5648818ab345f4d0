//! Users who sign in.

use serde_json::{Value, json};

use super::{Client, held, publish, start, subscribed};
use crate::daemon::wait;

#[test]
fn a_user_signs_in_and_has_a_channel_of_its_own() {
    let daemon = start("", &[]);
    let mut client = Client::open(&daemon);
    assert_eq!(client.subscribe("#server-to-user-7")["data"]["status"], 401, "nobody has signed in");
    let user_data = "{\"id\":\"7\",\"user_info\":{\"name\":\"Ann\"}}";
    let answer = client.sign_in(user_data);
    assert_eq!(answer["event"], "pusher:signin_success");
    assert_eq!(super::held(&answer), json!({"user_data": user_data}), "the same string");
    assert_eq!(client.subscribe("#server-to-user-8")["data"]["status"], 401, "that is somebody else's");
    assert_eq!(client.subscribe("#server-to-user-7"), subscribed("#server-to-user-7"));
    let event = publish(&daemon, "#server-to-user-7", "e", "1");
    assert_eq!(client.next(), event);
    assert_eq!(client.sign_in(user_data)["event"], "pusher:signin_success", "again");
    let other = client.sign_in("{\"id\":\"8\"}");
    assert_eq!((&other["event"], &other["data"]["code"]), (&json!("pusher:error"), &json!(4009)));
    // In a presence channel it is who it has signed in as.
    let joined = client.subscribe_signed("presence-a", None);
    assert_eq!(super::held(&joined)["presence"]["hash"], json!({"7": {"name": "Ann"}}));
    let shown = daemon.ask("GET", "/users/pusher%2F3%2F7", &[], b"").json();
    assert_eq!(shown["connections"].as_array().map(Vec::len), Some(1));
    client.reset();
    wait("it has gone", || daemon.stats()["connections"] == 0);
}

#[test]
fn who_signs_in_wrongly_is_closed() {
    let daemon = start("", &[]);
    let mut client = Client::open(&daemon);
    let wrong = json!({"event": "pusher:signin", "data": {"auth": "a:b", "user_data": "{\"id\":\"7\"}"}});
    let error = client.ask(&wrong);
    assert_eq!((&error["event"], &error["data"]["code"]), (&json!("pusher:error"), &json!(4009)));
    assert_eq!(client.closed(), 4_009);
    let mut client = Client::open(&daemon);
    assert_eq!(client.sign_in("{\"name\":\"nobody\"}")["data"]["code"], 4009);
    assert_eq!(client.closed(), 4_009);
}

#[test]
fn who_does_not_show_who_it_is_has_a_second_for_it() {
    let daemon = start("authorization_s=1", &[]);
    let [mut nobody, mut user, mut private] = [0; 3].map(|_| Client::open(&daemon));
    assert_eq!(nobody.subscribe("news"), subscribed("news"));
    user.sign_in("{\"id\":\"7\"}");
    private.subscribe_signed("private-a", None);
    assert_eq!(nobody.closed(), 4_009);
    assert!(user.rest().is_empty() && private.rest().is_empty());
}

/// A watchlist of these users.
fn watching(id: &str, watched: &[&str]) -> String {
    json!({ "id": id, "watchlist": watched }).to_string()
}

fn events(message: &Value) -> Value {
    assert_eq!(message["event"], "pusher_internal:watchlist_events", "{message}");
    held(message)["events"].clone()
}

fn online(user: &str) -> Value {
    json!([{ "name": "online", "user_ids": [user] }])
}

fn offline(user: &str) -> Value {
    json!([{ "name": "offline", "user_ids": [user] }])
}

#[test]
fn users_are_told_of_those_they_watch() {
    for more in [&[][..], &["--reactors", "4"]] {
        let daemon = start("watchlists=true", &[more, &["--presence-grace-ms", "0"]].concat());
        let mut clients: Vec<Client> = (0..5).map(|_| Client::open(&daemon)).collect();
        clients[1].sign_in(&watching("bob", &[]));
        clients[0].sign_in(&watching("ann", &["bob", "cid", "bob", "nobody"]));
        let both = json!([
            { "name": "online", "user_ids": ["bob"] },
            { "name": "offline", "user_ids": ["cid", "nobody"] }
        ]);
        assert_eq!(events(&clients[0].next()), both);
        clients[2].sign_in(&watching("cid", &["ann"]));
        assert_eq!(events(&clients[2].next()), online("ann"));
        assert_eq!(events(&clients[0].next()), online("cid"));
        clients[3].sign_in(&watching("cid", &[]));
        wait("both are there", || {
            daemon.ask("GET", "/users/pusher%2F3%2Fcid", &[], b"").json()["connections"]
                .as_array()
                .map(Vec::len)
                == Some(2)
        });
        clients.remove(2).reset();
        wait("one is left", || daemon.stats()["connections"] == 4);
        clients.remove(2).reset();
        assert_eq!(events(&clients[0].next()), offline("cid"), "with the last connection, and once");
        // A list is replaced by signing in again.
        clients[0].sign_in(&watching("ann", &["dan"]));
        assert_eq!(events(&clients[0].next()), offline("dan"));
        clients[2].sign_in(&watching("dan", &[]));
        assert_eq!(events(&clients[0].next()), online("dan"));
        clients.remove(1).reset();
        wait("bob has gone", || daemon.stats()["connections"] == 2);
        assert!(clients[0].rest().is_empty(), "she watches him no more");
    }
}

#[test]
fn a_watchlist_has_its_bound_and_its_switch() {
    let daemon = start("watchlists=true", &[]);
    let mut client = Client::open(&daemon);
    let many: Vec<String> = (0..101).map(|n| format!("u{n:03}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(client.sign_in(&watching("ann", &many))["event"], "pusher:signin_success");
    assert_eq!(events(&client.next())[0]["user_ids"].as_array().map(Vec::len), Some(100));
    assert_eq!(client.next()["data"]["code"], 4302);
    let daemon = start("", &[]);
    let mut client = Client::open(&daemon);
    client.sign_in(&watching("ann", &many));
    assert!(client.rest().is_empty(), "the app has none");
}
