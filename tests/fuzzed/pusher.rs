//! Signatures and messages of the Pusher protocol.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;
use serde_json::value::RawValue;
use wspush::auth::pusher::{Credentials, SignedRequest};
use wspush::config::{PusherApp, app_channel, channel_name_ok};
use wspush::protocol::pusher::{ChannelData, Command, Event, SocketId, UserData, event};

use super::choice;

const KEY: &str = "278d425bdf160c739803";
const NOW_S: u64 = 1_800_000_000;

static OURS: LazyLock<Credentials> = LazyLock::new(|| Credentials::new(KEY, "7ad3773142a6692b25b8"));

/// A query, or a client's `auth`: alone it is refused, and nothing of it repeated; with a good signature behind it, the
/// same text is taken as far as it says the rest.
pub fn pusher_signature(data: &[u8]) {
    let (first, data) = choice(data);
    let text = String::from_utf8_lossy(data);
    let (before, behind) = text.split_once('\n').unwrap_or((&text, ""));
    match first % 3 {
        0 => request(before, behind),
        1 => {
            assert!(OURS.check_channel("1.1", before, Some(behind), before).is_err());
            assert!(OURS.check_user("1.1", before, behind).is_err());
        }
        _ => {
            let signed = |text: &str| format!("{KEY}:{}", OURS.sign(text.as_bytes()));
            let auth = signed(&format!("1.1:{before}:{behind}"));
            let taken = OURS.check_channel("1.1", before, Some(behind), &auth);
            assert_eq!(taken.is_ok(), !before.contains(':'));
            let auth = signed(&format!("1.1::user::{behind}"));
            assert_eq!(OURS.check_user("1.1", behind, &auth), Ok(()));
            assert!(OURS.check_user("1.2", behind, &auth).is_err());
        }
    }
}

fn request(query: &str, path: &str) {
    let check = |query: &str| OURS.check_request(&SignedRequest { method: "POST", path, query }, NOW_S);
    let error = check(query).expect_err("it is signed by nobody").to_string();
    assert!(error.len() < 250 && !error.contains(KEY), "{error}");
    // The same with parameters in front that are good, where it has none of its own.
    let plain: String = query.chars().filter(|c| c.is_ascii_alphanumeric() || "=&-.".contains(*c)).collect();
    let reserved = ["auth_", "body_md5"].iter().any(|name| plain.contains(name));
    if reserved || path.contains(['%', '\n']) {
        return;
    }
    let mut pairs: Vec<(String, &str)> = plain
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    let now = NOW_S.to_string();
    pairs.extend([("auth_key".to_owned(), KEY), ("auth_timestamp".to_owned(), &*now)]);
    pairs.push(("auth_version".to_owned(), "1.0"));
    pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let signature = OURS.sign(format!("POST\n{path}\n{}", pairs.join("&")).as_bytes());
    let query = format!("{plain}&auth_key={KEY}&auth_timestamp={now}&auth_version=1.0");
    let hash = check(&format!("{query}&auth_signature={signature}")).expect("it is signed");
    assert!(hash.check(b"").is_ok() && hash.check(b"{}").is_err());
}

/// The fields of an object. What is in them may be JSON that few take: half a surrogate pair, or a number beyond all.
fn fields(json: &str) -> BTreeMap<String, Box<RawValue>> {
    serde_json::from_str(json).expect("a JSON object")
}

fn string(json: &RawValue) -> String {
    serde_json::from_str(json.get()).expect("a string")
}

/// A client's message is read, or refused in one short line; a channel has one name here and one there; and clients are
/// told JSON, whatever is in it.
pub fn pusher_message(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match Command::parse(&text) {
        Ok(command) => {
            let asked = fields(&text);
            assert!(asked["event"].get().starts_with('"'));
            if let Command::Client { event, channel, data } = command {
                let mut made = Vec::new();
                Event::new(&event).on(&channel).with(data.as_bytes()).push(&mut made);
                let made = fields(std::str::from_utf8(&made).expect("UTF-8"));
                assert_eq!(
                    (string(&made["event"]), string(&made["channel"])),
                    (event.into(), channel.into())
                );
                assert_eq!(made["data"].get(), data);
                assert_eq!(data, asked.get("data").map_or("null", |data| data.get()));
            }
        }
        Err(why) => assert!(why.len() < 100 && !why.contains('\n'), "{why}"),
    }
    let app = PusherApp::new("3", KEY, "secret");
    if let Some(channel) = app.channel(&text) {
        assert!(channel_name_ok(&channel), "{channel}");
        assert_eq!(app_channel(&channel), Some(("3", text.clone().into_owned())));
    }
    if let Some(id) = SocketId::parse(&text) {
        assert_eq!(id.to_string(), text);
    }
    let mut made = Vec::new();
    event::push_event(&text, &text, &text, &mut made);
    let made: Value = serde_json::from_slice(&made).expect("an event of a backend is JSON");
    assert_eq!((made["event"].as_str(), made["data"].as_str()), (Some(&*text), Some(&*text)));
    if let Some(ChannelData { user_id, user_info }) = ChannelData::parse(&text) {
        let mut made = Vec::new();
        event::push_subscribed_with("presence-a", &[(&user_id, user_info.as_deref())], &mut made);
        let made: Value = serde_json::from_slice(&made).expect("a message is JSON");
        let held = fields(made["data"].as_str().expect("a string"));
        let presence = fields(held["presence"].get());
        let ids: Vec<String> = serde_json::from_str(presence["ids"].get()).expect("a list");
        assert_eq!(ids, [&*user_id]);
        assert_eq!(fields(presence["hash"].get())[&user_id].get(), user_info.as_deref().unwrap_or("{}"));
    }
    if let Some(user) = UserData::parse(&text) {
        assert!(!user.id.is_empty() && user.watchlist.len() <= 100);
    }
}
