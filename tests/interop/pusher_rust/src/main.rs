//! The crate `pusher` (a backend's) against the HTTP API of an app. Each check is a line of JSON; `pusher_http.py`
//! counts.
//!
//!     interop-pusher HOST:PORT
//!     interop-pusher webhook KEY SIGNATURE BODY     its check of a webhook
//!     interop-pusher sign SOCKET_ID                 its signatures for a private and a presence channel

use std::collections::HashMap;

use pusher::{Member, PusherBuilder};
use serde_json::{Value, json};

const ID: &str = "3";
const KEY: &str = "278d425bdf160c739803";
const SECRET: &str = "7ad3773142a6692b25b8";

fn check(what: &str, got: impl Into<Value>, wanted: impl Into<Value>) {
    println!(
        "{}",
        json!({ "what": format!("crate pusher: {what}"), "got": got.into(), "wanted": wanted.into() })
    );
}

async fn publishes(host: &str) {
    let pusher = PusherBuilder::new(ID, KEY, SECRET).host(host).finalize();
    let data = json!({ "some": "data", "é": ["\"", "\u{2028}"] });
    check("trigger", pusher.trigger("rust-a", "greet", &data).await.is_ok(), true);
    let names: Vec<String> = (0..10).map(|n| format!("rust-many-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    check("trigger_multi", pusher.trigger_multi(&names, "greet", &data).await.is_ok(), true);
    let excluded = pusher.trigger_exclusive("rust-a", "but", "text", "1.2").await;
    check("trigger_exclusive", excluded.is_ok(), true);
    let long = pusher.trigger("rust-b", "x".repeat(200).as_str(), "y").await.is_ok();
    check("the longest name of an event", long, true);

    let asked = vec![("filter_by_prefix".to_owned(), "rust-".to_owned())];
    let list = pusher.channels_with_options(asked).await.map(|list| {
        let mut names: Vec<String> = list.channels.into_keys().collect();
        names.sort_unstable();
        names
    });
    check("channels", json!(list), json!({ "Ok": ["rust-a", "rust-many-9"] }));
    let asked = vec![("info".to_owned(), "subscription_count".to_owned())];
    let channel = pusher.channel_with_options("rust-a", asked).await;
    let channel = channel.map(|channel| (channel.occupied, channel.subscription_count));
    check("channel", json!(channel), json!({ "Ok": [true, 1] }));
    let users = pusher.channel_users("presence-x").await.map(|list| list.users.len());
    check("channel_users", json!(users), json!({ "Ok": 0 }));

    let stranger = PusherBuilder::new(ID, KEY, "wrong").host(host).finalize();
    let refused = stranger.trigger("rust-a", "x", "y").await.err().unwrap_or_default();
    check("another secret", refused.contains("auth_signature") && !refused.contains(SECRET), true);
}

fn is_told(key: &str, signature: &str, body: &str) {
    let pusher = PusherBuilder::new(ID, KEY, SECRET).finalize();
    let webhook = pusher.webhook(key, signature, body);
    let first = webhook.map(|webhook| webhook.events[0]["name"].clone());
    check("webhook", json!(first), json!({ "Ok": "channel_occupied" }));
    check("of another body", pusher.webhook(key, signature, &format!("{body} ")).is_err(), true);
}

fn signs(socket_id: &str) {
    let pusher = PusherBuilder::new(ID, KEY, SECRET).finalize();
    let private = pusher.authenticate_private_channel("private-rust", socket_id);
    let member = Member { user_id: "ann", user_info: Some(HashMap::from([("name", "Ann")])) };
    let presence = pusher.authenticate_presence_channel("presence-rust", socket_id, &member);
    println!("{}", json!([private.unwrap_or_default(), presence.unwrap_or_default()]));
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["webhook", key, signature, body] => is_told(key, signature, body),
        ["sign", socket_id] => signs(socket_id),
        [host] => publishes(host).await,
        _ => panic!("arguments: HOST:PORT, webhook KEY SIGNATURE BODY, or sign SOCKET_ID"),
    }
}
