use proptest::prelude::*;

use super::*;
use crate::limits::PUSHER_CLOCKS_S;

const KEY: &str = "278d425bdf160c739803";
const SECRET: &str = "7ad3773142a6692b25b8";
const SOCKET: &str = "1234.1234";

const PRIVATE: &str = "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4";
const PRESENCE: &str = "afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c";
const MEMBER: &str = r#"{"user_id":10,"user_info":{"name":"Mr. Pusher"}}"#;
const USER: &str = "4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba";
const USER_DATA: &str = r#"{"id":"12345"}"#;

const EVENT: &str = r#"{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}"#;
const EVENT_MD5: &str = "ec365a775a4cd0599faeb73354201b6f";
const EVENT_SIGNATURE: &str = "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c";
const THEN_S: u64 = 1_353_088_179;

fn ours() -> Credentials {
    Credentials::new(KEY, SECRET)
}

fn auth(signature: &str) -> String {
    format!("{KEY}:{signature}")
}

fn event_query() -> String {
    format!("auth_key={KEY}&auth_timestamp={THEN_S}&auth_version=1.0&body_md5={EVENT_MD5}")
}

fn check(method: &str, path: &str, query: &str, unix_s: u64) -> Result<BodyHash, RequestError> {
    ours().check_request(&SignedRequest { method, path, query }, unix_s)
}

/// The query of a request that somebody signs by these lines.
fn signed(method: &str, path: &str, pairs: &str, sent: &str) -> String {
    format!("{sent}&auth_signature={}", ours().sign(format!("{method}\n{path}\n{pairs}").as_bytes()))
}

#[test]
fn the_vectors_of_the_protocol() {
    assert_eq!(ours().check_channel(SOCKET, "private-foobar", None, &auth(PRIVATE)), Ok(()));
    let presence = |data| ours().check_channel(SOCKET, "presence-foobar", Some(data), &auth(PRESENCE));
    assert_eq!(presence(MEMBER), Ok(()));
    assert_eq!(presence(&MEMBER.replace("Pusher", "Channels")), Err(AuthError::Signature));
    assert_eq!(ours().check_user(SOCKET, USER_DATA, &auth(USER)), Ok(()));

    let query = format!("{}&auth_signature={EVENT_SIGNATURE}", event_query());
    let body = check("POST", "/apps/3/events", &query, THEN_S).unwrap();
    assert_eq!(body.check(EVENT.as_bytes()), Ok(()));
    assert_eq!(body.check(b""), Err(RequestError::Body));
    assert_eq!(body.check(EVENT.replace("foo", "bar").as_bytes()), Err(RequestError::Body));
    assert_eq!(ours().sign(format!("POST\n/apps/3/events\n{}", event_query()).as_bytes()), EVENT_SIGNATURE);
}

#[test]
fn a_signature_is_for_one_connection_one_channel_and_these_data() {
    let check = |socket: &str, channel: &str, data: Option<&str>, auth: &str| {
        ours().check_channel(socket, channel, data, auth)
    };
    let good = auth(PRIVATE);
    for (socket, channel, data) in [
        ("1234.1235", "private-foobar", None),
        (SOCKET, "private-foobaz", None),
        (SOCKET, "private-foobar", Some("")),
        (SOCKET, "private-foobar", Some("{}")),
        ("1234.1234:private", "foobar", None),
    ] {
        assert_eq!(check(socket, channel, data, &good), Err(AuthError::Signature), "{socket} {channel}");
    }
    // The text under a user's signature is not that of a channel.
    let user_as_channel = check(SOCKET, &format!(":user::{USER_DATA}"), None, &auth(USER));
    assert_eq!(user_as_channel, Err(AuthError::Channel));
    let split = check(SOCKET, &format!("presence-foobar:{MEMBER}"), None, &auth(PRESENCE));
    assert_eq!(split, Err(AuthError::Channel));
    let upper = auth(&PRIVATE.to_ascii_uppercase());
    assert_eq!(check(SOCKET, "private-foobar", None, &upper), Ok(()));
    for (shown, expected) in [
        ("", AuthError::Malformed),
        (KEY, AuthError::Malformed),
        (PRIVATE, AuthError::Malformed),
        (&format!("{KEY}:"), AuthError::Malformed),
        (&auth(&PRIVATE[1..]), AuthError::Malformed),
        (&auth(&format!("{PRIVATE}0")), AuthError::Malformed),
        (&auth(&PRIVATE.replace('5', "g")), AuthError::Malformed),
        (&auth(&PRIVATE.replace('5', "é")), AuthError::Malformed),
        (&format!(":{PRIVATE}"), AuthError::Key),
        (&format!("{KEY}0:{PRIVATE}"), AuthError::Key),
        (&auth(PRESENCE), AuthError::Signature),
    ] {
        assert_eq!(check(SOCKET, "private-foobar", None, shown), Err(expected), "{shown}");
    }
}

#[test]
fn requests_are_signed_whole_and_now() {
    let path = "/apps/3/channels";
    let base = format!("auth_key={KEY}&auth_timestamp={THEN_S}&auth_version=1.0");
    let query = signed("GET", path, &base, &base);
    assert_eq!(check("GET", path, &query, THEN_S).unwrap().check(b""), Ok(()));
    assert_eq!(check("GET", path, &query, THEN_S).unwrap().check(b"{}"), Err(RequestError::NoBodyHash));
    for (method, path) in [("POST", path), ("GET", "/apps/3/channels/"), ("GET", "/apps/4/channels")] {
        assert_eq!(check(method, path, &query, THEN_S), Err(RequestError::Signature), "{method} {path}");
    }
    assert!(check("GET", path, &query, THEN_S + PUSHER_CLOCKS_S).is_ok());
    assert!(check("GET", path, &query, THEN_S - PUSHER_CLOCKS_S).is_ok());
    assert_eq!(check("GET", path, &query, THEN_S + 601), Err(RequestError::Old(601)));
    assert_eq!(check("GET", path, &query, THEN_S - 601), Err(RequestError::FromTheFuture(601)));
    assert_eq!(check("GET", path, &format!("{query}&info=user_count"), THEN_S), Err(RequestError::Signature));
    let stranger = query.replace(KEY, "another");
    assert_eq!(check("GET", path, &stranger, THEN_S), Err(RequestError::Key));
}

#[test]
fn a_request_of_our_own_is_taken() {
    let (method, path) = ("POST", "/apps/3/users/a b/terminate_connections");
    let parameters = [("info", "a+b c"), ("zz", "&=")];
    let query = ours().sign_request((method, path), &parameters, b"{}", THEN_S);
    let hash = check(method, "/apps/3/users/a%20b/terminate_connections", &query, THEN_S).unwrap();
    assert_eq!((hash.check(b"{}"), hash.check(b"[]")), (Ok(()), Err(RequestError::Body)));
    let query = ours().sign_request(("GET", "/apps/3/channels"), &[], b"", THEN_S);
    assert_eq!(check("GET", "/apps/3/channels", &query, THEN_S).unwrap().check(b""), Ok(()));
}

#[test]
fn a_request_says_all_of_it_once() {
    let query = format!("{}&auth_signature={EVENT_SIGNATURE}", event_query());
    let check = |query: &str| check("POST", "/apps/3/events", query, THEN_S).unwrap_err();
    for name in ["auth_key", "auth_timestamp", "auth_version", "auth_signature"] {
        let without: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with(name)).collect();
        assert_eq!(check(&without.join("&")), RequestError::Missing(name));
        assert_eq!(check(&format!("{}&{name}=", without.join("&"))), RequestError::Missing(name));
        assert_eq!(check(&format!("{query}&{name}=1")), RequestError::Twice(name));
    }
    for (from, to, name) in [
        ("version=1.0", "version=2.0", "auth_version"),
        ("timestamp=1353088179", "timestamp=soon", "auth_timestamp"),
        ("timestamp=1353088179", "timestamp=%2B1353088179", "auth_timestamp"),
        ("timestamp=1353088179", "timestamp=99999999999999999999", "auth_timestamp"),
        ("md5=ec", "md5=e", "body_md5"),
        ("signature=da", "signature=%ffa", "auth_signature"),
        ("signature=da", "signature=d", "auth_signature"),
    ] {
        assert_eq!(check(&query.replace(from, to)), RequestError::Malformed(name), "{to}");
    }
}

/// Libraries differ in how they write what they have signed.
#[test]
fn whatever_way_the_query_is_written_the_meaning_is_signed() {
    let base = format!("auth_key={KEY}&auth_timestamp={THEN_S}&auth_version=1.0");
    let path = "/apps/3/channels";
    for (pairs, sent) in [
        (format!("{base}&filter_by_prefix=a b&info=x,y"), format!("info=x%2Cy&filter_by_prefix=a+b&{base}")),
        (format!("{base}&filter_by_prefix=a b&info=x,y"), format!("info=x,y&filter_by_prefix=a%20b&{base}")),
        (format!("{base}&filter_by_prefix=a+b"), format!("{base}&filter_by_prefix=a+b")),
        (format!("{base}&filter_by_prefix=a+b"), format!("{base}&filter_by_prefix=a%2Bb")),
        (format!("{base}&empty=&info=x"), format!("{base}&Info=x&empty")),
        (format!("{base}&info[]=x&info[]=a"), format!("{base}&info%5B%5D=x&info[]=a")),
    ] {
        assert!(check("GET", path, &signed("GET", path, &pairs, &sent), THEN_S).is_ok(), "{sent}");
    }
    let plain = signed("POST", "/apps/3/users/a b/terminate_connections", &base, &base);
    assert!(check("POST", "/apps/3/users/a%20b/terminate_connections", &plain, THEN_S).is_ok());
    let escaped = signed("POST", "/apps/3/users/a%20b/terminate_connections", &base, &base);
    assert!(check("POST", "/apps/3/users/a%20b/terminate_connections", &escaped, THEN_S).is_ok());
    let lines = signed("GET", "/apps/3/users/a\nb", &base, &base);
    assert!(check("GET", "/apps/3/users/a%0Ab", &lines, THEN_S).is_err());
}

#[test]
fn nobody_is_told_a_secret_or_a_signature() {
    assert_eq!(format!("{:?}", ours()), format!("Credentials {{ key: {KEY:?}, .. }}"));
    let all = [
        AuthError::Malformed.to_string(),
        AuthError::Key.to_string(),
        AuthError::Channel.to_string(),
        AuthError::Signature.to_string(),
        RequestError::Missing("auth_key").to_string(),
        RequestError::Twice("auth_key").to_string(),
        RequestError::Malformed("auth_version").to_string(),
        RequestError::Malformed("body_md5").to_string(),
        RequestError::Malformed("auth_timestamp").to_string(),
        RequestError::Malformed("auth_signature").to_string(),
        RequestError::Key.to_string(),
        RequestError::Old(7).to_string(),
        RequestError::FromTheFuture(7).to_string(),
        RequestError::Signature.to_string(),
        RequestError::NoBodyHash.to_string(),
        RequestError::Body.to_string(),
    ];
    for said in &all {
        assert!(said.len() < 250 && !said.contains(SECRET) && !said.contains(KEY), "{said}");
        assert!(!said.bytes().any(|byte| byte.is_ascii_control()), "{said}");
    }
    let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
}

proptest! {
    /// A signature is good for its text alone: not with one bit of it changed, and not for another connection.
    #[test]
    fn one_bit_is_enough(channel in "[a-z-]{1,20}", data in proptest::option::of(".{0,40}"), bit in 0..256usize) {
        let text = match &data {
            None => format!("{SOCKET}:{channel}"),
            Some(data) => format!("{SOCKET}:{channel}:{data}"),
        };
        let signature = ours().sign(text.as_bytes());
        let check = |socket: &str, signature: &str| {
            ours().check_channel(socket, &channel, data.as_deref(), &auth(signature))
        };
        prop_assert_eq!(check(SOCKET, &signature), Ok(()));
        prop_assert_eq!(check("1234.12345", &signature), Err(AuthError::Signature));
        let mut changed: [u8; SIGNATURE_BYTES] = bytes_of(&signature).unwrap();
        changed[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(check(SOCKET, &hexadecimal(&changed)), Err(AuthError::Signature));
    }

    /// Parameters come in any order and in any way of writing, and every character of them counts.
    #[test]
    fn requests_in_any_order(
        mut pairs in proptest::collection::btree_map("[b-z_]{1,8}", "[ -~]{0,12}", 0..6),
        seed: u64,
    ) {
        pairs.insert("auth_key".to_owned(), KEY.to_owned());
        pairs.insert("auth_timestamp".to_owned(), THEN_S.to_string());
        pairs.insert("auth_version".to_owned(), "1.0".to_owned());
        pairs.remove("body_md5");
        let text: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut sent: Vec<String> = pairs
            .iter()
            .map(|(name, value)| form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish())
            .collect();
        let turns = usize::try_from(seed % sent.len() as u64).unwrap();
        sent.rotate_left(turns);
        let query = signed("GET", "/apps/3/channels", &text.join("&"), &sent.join("&"));
        prop_assert!(check("GET", "/apps/3/channels", &query, THEN_S).is_ok(), "{}", query);
        let more = format!("z={seed}&{query}");
        prop_assert_eq!(check("GET", "/apps/3/channels", &more, THEN_S), Err(RequestError::Signature));
    }

    /// Nothing that comes makes it panic, and nothing of it is taken.
    #[test]
    fn noise_is_refused(path in "/[ -~]{0,30}", query in "[ -~é]{0,200}", auth in "[ -~é]{0,100}") {
        prop_assert!(check("POST", &path, &query, THEN_S).is_err());
        prop_assert!(ours().check_channel(SOCKET, "private-a", None, &auth).is_err());
        prop_assert!(ours().check_user(SOCKET, &query, &auth).is_err());
    }
}
