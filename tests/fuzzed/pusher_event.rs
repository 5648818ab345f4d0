//! Bodies of the Pusher protocol's HTTP API, and its fallback: paths, messages and lines.

use std::sync::LazyLock;

use serde_json::Value;
use wspush::config::PusherApp;
use wspush::endpoint::apps::event;
use wspush::endpoint::fallback;
use wspush::protocol::close::{CloseCode, encode_close};
use wspush::protocol::frame::{Opcode, encode};
use wspush::protocol::pusher::lines::Lines;

use super::choice;

static APP: LazyLock<PusherApp> =
    LazyLock::new(|| "3 key=k secret=s event_bytes_max=200 event_channels_max=5".parse().expect("an app"));

/// A body is read whole, within the app's limits, or refused in a short line; frames become lines however they are cut.
pub fn pusher_event(data: &[u8]) {
    let (first, data) = choice(data);
    match first % 4 {
        0 => body(data, event::event),
        1 => body(data, event::batch),
        2 => lines(data),
        _ => requests(data),
    }
}

type Read = fn(&PusherApp, &[u8]) -> Result<Vec<event::Posted>, wspush::protocol::response::Refusal>;

fn body(data: &[u8], read: Read) {
    let posted = match read(&APP, data) {
        Ok(posted) => posted,
        Err(refusal) => {
            assert!(matches!(refusal.status, 400 | 413), "{}", refusal.status);
            assert!(!refusal.reason.contains('\n') && refusal.reason.len() < 600, "{}", refusal.reason);
            return;
        }
    };
    assert!((1..=10).contains(&posted.len()));
    // A reader of all JSON takes it as well.
    let whole: Result<Value, _> = serde_json::from_slice(data);
    assert!(whole.map_or(true, |whole| whole.is_object()));
    for one in posted {
        assert_eq!(APP.channel(&one.name).as_deref(), Some(&*one.channel));
        let event: Value = serde_json::from_slice(one.publication.payload()).expect("the event is JSON");
        let text =
            |name: &str| event[name].as_str().unwrap_or_else(|| panic!("{name} is no string")).to_owned();
        assert_eq!(text("channel"), one.name);
        assert!(text("data").len() <= 200 && text("event").chars().count() <= 200);
        assert!(one.publication.payload().starts_with(b"{\"event\":"));
    }
}

/// The first byte says how the frames of the lines that follow are cut.
fn lines(data: &[u8]) {
    let (step, data) = choice(data);
    let text = String::from_utf8_lossy(data);
    let (mut frames, mut expected) = (Vec::new(), String::new());
    for part in text.split('\n') {
        encode(Opcode::Text, part.as_bytes(), &mut frames);
        expected += &format!("m{}\n", Value::from(part));
    }
    encode_close(CloseCode(4_009), "over", &mut frames);
    expected += "c[4009,\"over\"]\n";
    let (mut made, mut out) = (Lines::of_polls(1), Vec::new());
    frames.chunks(usize::from(step) + 1).for_each(|part| made.take(part, &mut out));
    let strings = |lines: &str| -> Vec<Value> {
        lines.lines().map(|line| serde_json::from_str(&line[1..]).expect("JSON")).collect()
    };
    let out = String::from_utf8(out).expect("lines are text");
    assert_eq!(strings(&out), strings(&expected));
}

fn requests(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (path, said) = text.split_once('\n').unwrap_or((&text, ""));
    if let Some(asked) = fallback::asked(path) {
        assert!(asked.session.starts_with(&*format!("{}/", asked.key)) && path.starts_with(&*asked.session));
    }
    if let Some(messages) = fallback::said(said.as_bytes()) {
        let same: Vec<String> = serde_json::from_str(said).expect("a list of strings");
        assert_eq!(messages, same);
    }
}
