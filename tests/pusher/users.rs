//! Users who sign in.

use serde_json::json;

use super::{Client, publish, start, subscribed};
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
