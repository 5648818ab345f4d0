//! Commands as clients write them, the wrong ones among them.

use super::*;
use proptest::prelude::*;

fn why(text: &str) -> (Option<&str>, &'static str, String) {
    match Command::parse(text) {
        Err(Fault::Refused { id, code, why }) => (id.map(|id| id.0), code.name(), why),
        other => panic!("{text}: {other:?}"),
    }
}

fn call(text: &str) -> Call<'_> {
    Command::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}")).call
}

#[test]
fn every_method_of_the_protocol() {
    let text = r#" {"id":1 , "subscribe":{"channel":"C","since":"1.2","token":"t","presence":true}} "#;
    let Command { id, call: subscribe } = Command::parse(text).unwrap();
    let (channel, since) = ("C".into(), Some("1.2".into()));
    assert_eq!(id, Id("1"));
    assert_eq!(subscribe, Call::Subscribe { channel, since, token: Some("t".into()), presence: true });
    let channel = || Cow::from("C");
    let subscribe = Call::Subscribe { channel: channel(), since: None, token: None, presence: false };
    assert_eq!(call(r#"{"subscribe":{"channel":"C","presence":false},"id":-0}"#), subscribe);
    assert_eq!(
        call(r#"{"id":2,"unsubscribe":{"channel":"\u0043"}}"#),
        Call::Unsubscribe { channel: channel() }
    );
    let payload = Payload::Text("a\"\u{1f600}".into());
    assert_eq!(
        call(r#"{"id":3,"publish":{"channel":"C","data":"a\"\ud83d\ude00"}}"#),
        Call::Publish { channel: channel(), payload }
    );
    let payload = Payload::Binary(vec![0, 255]);
    let publish = Call::Publish { channel: channel(), payload };
    assert_eq!(call(r#"{"id":3,"publish":{"channel":"C","base64":"AP8="}}"#), publish);
    let history = Call::History { channel: channel(), since: Some("last:10".into()), limit: Some(100) };
    assert_eq!(call(r#"{"id":4,"history":{"channel":"C","since":"last:10","limit":100}}"#), history);
    assert_eq!(call(r#"{"id":5,"presence":{"channel":"C"}}"#), Call::Presence { channel: channel() });
    assert_eq!(call(r#"{"id":6,"refresh":{"token":"t"}}"#), Call::Refresh { token: "t".into() });
    assert_eq!((call(r#"{"id":7,"ping":{}}"#), Call::Ping.name()), (Call::Ping, "ping"));
}

#[test]
fn what_is_wrong_is_named() {
    let bad = |text, id, problem: &str| assert_eq!(why(text), (id, "bad_request", problem.to_owned()));
    bad(r#"{"ping":{}}"#, None, "id is missing");
    bad(r#"{"id":1,"id":2,"ping":{}}"#, None, "id is there twice");
    for id in ["1.0", "\"1\"", "1e3", "null", "[]", &"1".repeat(41)] {
        let text = format!(r#"{{"id":{id},"ping":{{}}}}"#);
        assert_eq!(why(&text).2, "id is not an integer of at most 40 characters", "{id}");
    }
    assert!(why(r#"{"id":1}"#).2.starts_with("no method: one of subscribe, "));
    bad(r#"{"id":1,"ping":{},"ping":{}}"#, Some("1"), "more than one method in a message");
    bad(r#"{"id":1,"ping":{},"pong":{}}"#, Some("1"), "more than one method in a message");
    bad(r#"{"id":1,"ping":[]}"#, Some("1"), "ping is not an object");
    bad(r#"{"id":1,"ping":{"a":1}}"#, Some("1"), "ping has no fields, and \"a\" is none");
    bad(r#"{"id":1,"subscribe":{}}"#, Some("1"), "channel is missing");
    bad(r#"{"id":1,"subscribe":{"channel":""}}"#, Some("1"), "channel is empty");
    for channel in ["5", "null", r#""\ud800""#] {
        let text = format!(r#"{{"id":1,"subscribe":{{"channel":{channel}}}}}"#);
        assert_eq!(why(&text).2, "channel is not a string of Unicode characters");
    }
    bad(r#"{"id":1,"unsubscribe":{"channel":"a","channel":"b"}}"#, Some("1"), "channel is there twice");
    bad(
        r#"{"id":1,"subscribe":{"channel":"a","Since":"head"}}"#,
        Some("1"),
        "subscribe has no field \"Since\": channel, since, token, presence",
    );
    bad(r#"{"id":1,"subscribe":{"channel":"a","presence":1}}"#, Some("1"), "presence is not true or false");
    bad(r#"{"id":1,"publish":{"channel":"a"}}"#, Some("1"), "data is missing (or base64)");
    bad(r#"{"id":1,"publish":{"channel":"a","data":""}}"#, Some("1"), "data is empty");
    let both = r#"{"id":1,"publish":{"channel":"a","data":"b","base64":"AA=="}}"#;
    bad(both, Some("1"), "data and base64 are there both");
    bad(r#"{"id":1,"publish":{"channel":"a","base64":"A"}}"#, Some("1"), "base64 is not base64, padded");
    for limit in ["0", "-1", "1.5", "\"1\"", "99999999999999999999"] {
        let text = format!(r#"{{"id":1,"history":{{"channel":"a","limit":{limit}}}}}"#);
        assert_eq!(why(&text).2, "limit is not an integer from 1 on", "{limit}");
    }
    let word = "b".repeat(33);
    for (name, repeated) in
        [("bye", "\"bye\""), (&word, "of 33 bytes"), ("\u{e9}", "of 2 bytes"), ("\u{7f}", "of 1 bytes")]
    {
        let unknown = format!(r#"{{"id":9,"{name}":{{}}}}"#);
        let (id, code, problem) = why(&unknown);
        assert_eq!((id, code), (Some("9"), "unknown_method"));
        assert!(problem.starts_with(&format!("there is no method {repeated}; there are ")), "{problem}");
    }
}

#[test]
fn no_error_repeats_a_value() {
    for text in [
        r#"{"id":1,"refresh":"SECRET"}"#,
        r#"{"id":1,"refresh":{"token":["SECRET"]}}"#,
        r#"{"id":1,"refresh":{"token":"\udfffSECRET"}}"#,
        r#"{"id":1,"subscribe":{"token":"SECRET"}}"#,
        r#"{"id":"SECRET","ping":{}}"#,
    ] {
        let (_, _, problem) = why(text);
        assert!(!problem.contains("SECRET"), "{problem}");
    }
    let command = Command::parse(r#"{"id":1,"refresh":{"token":"SECRET"}}"#).unwrap();
    assert_eq!(format!("{:?}", command.call), "refresh { .. }");
}

#[test]
fn what_is_no_message_ends_the_connection() {
    let deep = "[".repeat(100_000);
    let closed = format!("{{\"a\":{deep}{}}}", "]".repeat(100_000));
    let cases = [
        ("", 1007),
        ("{", 1007),
        (r#"{"id":1,"ping":{}"#, 1007),
        (r#"{"id":1,"ping":{}} x"#, 1007),
        (r#"{"id":01,"ping":{}}"#, 1007),
        (r#"{'id':1}"#, 1007),
        (&deep, 1008),
        ("[]", 1008),
        ("5", 1008),
        ("null", 1008),
        (r#""ping""#, 1008),
    ];
    for (text, code) in cases {
        let Err(Fault::Unreadable(violation)) = Command::parse(text) else { panic!("{text:.99}") };
        assert_eq!(violation.code.0, code, "{text:.99}");
    }
    assert!(matches!(Command::parse(&closed), Err(Fault::Refused { id: None, .. })), "however deep it is");
}

proptest! {
    #[test]
    fn whatever_serde_json_reads_is_read(id: i64, channel in ".{1,30}", data in ".{1,200}") {
        let text = serde_json::json!({ "id": id, "publish": { "channel": channel, "data": data } }).to_string();
        let command = Command::parse(&text);
        let (id, payload) = (id.to_string(), Payload::Text(data.into()));
        let call = Call::Publish { channel: channel.into(), payload };
        prop_assert_eq!(command, Ok(Command { id: Id(&id), call }));
    }

    #[test]
    fn nothing_panics(text in any::<String>(), pieces in proptest::collection::vec(
        prop_oneof![Just("{"), Just("}"), Just("\"id\":"), Just("\"subscribe\":"), Just("1"), Just(","),
            Just("\"channel\":\"c\""), Just("\"\\u"), Just("["), Just("]")], 0..12)) {
        let _ = Command::parse(&text);
        let _ = Command::parse(&pieces.concat());
    }
}
