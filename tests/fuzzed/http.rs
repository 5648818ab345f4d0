//! Request heads, handshakes, pushes, the admin API, configurations.

use std::path::Path;

use wspush::config::Layers;
use wspush::endpoint::admin::Answer;
use wspush::endpoint::batch::Line;
use wspush::endpoint::caller::Caller;
use wspush::endpoint::control::Wanted;
use wspush::endpoint::guard::{self, Fence};
use wspush::endpoint::users::{Target, UserOutcome, is_user_name};
use wspush::endpoint::{
    ChannelInfo, ChannelPresence, ConnId, Control, Page, Receipt, Stats, Taken, admin as admin_api,
    push_request as push_body,
};
use wspush::metrics::Format;
use wspush::protocol::multipart::{PART_HEAD_BYTES_MAX, Parts};
use wspush::protocol::{CloseCode, MediaType, Refusal, extensions, handshake as ws, head as heads, origin};
use wspush::push::{History, HistoryAsked, Publication};
use wspush::{Config, Delivery, Message, PublishTerms, Published, PushError, PushOptions};

use super::choice;

/// A head: found again at every cut, with the same end as the quick search says.
pub fn head(data: &[u8]) {
    let (first, bytes) = choice(data);
    let bytes_max = [64, 300, 8 << 10][usize::from(first % 3)];
    let mut fields = heads::Fields::new();
    let whole = heads::parse(bytes, bytes_max, &mut fields);
    for cut in (0..bytes.len().min(400)).rev() {
        match (heads::parse(&bytes[..cut], bytes_max, &mut heads::Fields::new()), &whole) {
            (Ok(None), _) => {}
            (Ok(Some((_, size))), Ok(Some((_, whole)))) => assert_eq!(size, *whole),
            // A head that is refused for its length may be refused for its shape before.
            (Err(_), Err(_)) => {}
            (early, late) => panic!("{early:?} at {cut}, and then {late:?}"),
        }
    }
    let Ok(Some((head, size))) = whole else { return };
    assert!(size <= bytes.len());
    assert!(head.path().starts_with('/') || head.path() == "*");
    for (name, value) in head.query_pairs().take(50) {
        assert!(name.len() + value.len() <= 3 * head.query().len());
    }
    let _ = (head.keep_alive(), head.expects_continue());
    let _ = (head.body(1_000), ws::is_upgrade(&head), ws::check(&head));
}

/// A handshake: whoever is answered with 101 is answered with nothing but 101.
pub fn handshake(data: &[u8]) {
    let mut request = b"GET /ws?channel=a HTTP/1.1\r\nHost: x\r\n".to_vec();
    request.extend_from_slice(data);
    request.extend(b"\r\n\r\n");
    let mut fields = heads::Fields::new();
    let Ok(Some((head, _))) = heads::parse(&request, 8 << 10, &mut fields) else { return };
    let Ok(upgrade) = ws::check(&head) else { return };
    let chosen = upgrade.choose(|offered| ["wspush.v1", "chat"].contains(&offered));
    assert!(chosen.is_none_or(|chosen| upgrade.protocols().any(|offered| offered == chosen)));
    // The protocol may also come from a handler, which picks it among those offered.
    let first = upgrade.protocols().next();
    for protocol in [chosen, first] {
        let mut out = Vec::new();
        ws::respond(upgrade.key, protocol, upgrade.deflate, |_| {}, &mut out);
        let text = std::str::from_utf8(&out).expect("an answer is text");
        assert!(text.starts_with("HTTP/1.1 101 ") && text.ends_with("\r\n\r\n"));
        let lines = text.trim_end().split("\r\n").count();
        let fields = usize::from(protocol.is_some()) + usize::from(upgrade.deflate.is_some());
        assert_eq!(lines, 4 + fields, "{text:?}");
    }
    if let Some(origin) = upgrade.origin
        && origin::names("https://example.com", origin)
    {
        assert!(origin.to_ascii_lowercase().starts_with("https://example.com"), "{origin}");
        assert!(origin.len() <= "https://example.com:443/".len(), "{origin}");
    }
}

/// Extensions: nothing is agreed on that was not offered, and no larger window than was asked for.
pub fn extensions(data: &[u8]) {
    let mut request = b"GET / HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Extensions: ".to_vec();
    request.extend_from_slice(data);
    request.extend(b"\r\n\r\n");
    let mut fields = heads::Fields::new();
    let Ok(Some((head, size))) = heads::parse(&request, 8 << 10, &mut fields) else { return };
    if size != request.len() {
        return;
    }
    let Ok(Some(agreement)) = extensions::negotiate(&head) else { return };
    let bits = agreement.window_bits();
    assert!((8..=15).contains(&bits));
    let offers: Vec<String> = head
        .headers("sec-websocket-extensions")
        .map(|line| String::from_utf8_lossy(line).replace(['"', '\\', ' ', '\t'], ""))
        .collect();
    let offered = |what: &str| offers.iter().any(|line| line.contains(what));
    assert!(offered("permessage-deflate"));
    assert!(bits == 15 || offered(&format!("server_max_window_bits={bits}")), "{bits} of {offers:?}");
    let mut out = Vec::new();
    agreement.respond(&mut out);
    // Our answer is an offer that comes to the same.
    let text = String::from_utf8(out).expect("an answer is text");
    let again = format!("GET / HTTP/1.1\r\nHost: x{text}\r\n\r\n");
    let mut fields = heads::Fields::new();
    let (head, _) =
        heads::parse(again.as_bytes(), 8 << 10, &mut fields).expect("a head").expect("a whole one");
    assert_eq!(extensions::negotiate(&head).expect("our own").map(|a| a.window_bits()), Some(bits));
}

/// The body of a push: never empty, never a text that is none.
pub fn push_request(data: &[u8]) {
    let (first, body) = choice(data);
    let kinds = [
        "text/plain",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-Urlencoded; charset=utf-8",
        "multipart/form-data; boundary=b",
    ];
    let kind = kinds[usize::from(first % 5)];
    let request = format!("POST /push HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n\r\n");
    let mut fields = heads::Fields::new();
    let (head, _) =
        heads::parse(request.as_bytes(), 8 << 10, &mut fields).expect("a head").expect("a whole one");
    match push_body::read(&head, body) {
        Ok(pushed) => {
            let message = pushed.message();
            assert!(!message.bytes().is_empty());
            assert!(first % 5 != 1 || message == Message::Binary(body));
            assert!(first % 5 != 0 || matches!(message, Message::Text(text) if text.as_bytes() == body));
            assert_eq!(first % 5 == 4, pushed.notes.taken_as.is_some() && first % 5 != 2 && first % 5 != 3);
            assert!(wspush::protocol::frame::are_whole(&message.to_frame()));
        }
        Err(refusal) => {
            assert!(matches!(refusal.status, 400 | 415), "{refusal}");
            assert_ne!((first % 5, body.is_empty()), (1, false));
        }
    }
}

/// A form in parts, its type and its body: what is read is in the body, and written again reads the same.
pub fn multipart(data: &[u8]) {
    let cut = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    let (line, body) = data.split_at(cut);
    let Ok(line) = std::str::from_utf8(line) else { return };
    let body = body.get(1..).unwrap_or_default();
    let media_type = MediaType::of(line);
    let Ok(parts) = Parts::of(&media_type, body) else { return };
    let boundary = media_type.one("boundary").expect("there are no parts without one");
    let (mut read, mut again) = (Vec::new(), Vec::new());
    for part in parts {
        let Ok(part) = part.inspect_err(|refusal| assert_eq!(refusal.status, 400)) else { return };
        let name = part.name.replace('\\', "\\\\").replace('"', "\\\"");
        let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        // Escapes, and what replaces bytes that are no text, take more room than there was.
        if name.chars().any(char::is_control) || head.len() > PART_HEAD_BYTES_MAX {
            return;
        }
        again.extend([head.as_bytes(), part.bytes, b"\r\n"].concat());
        read.push((part.name.clone(), part.bytes.to_vec()));
    }
    again.extend(format!("--{boundary}--\r\n").as_bytes());
    let quoted = format!("multipart/form-data; boundary=\"{boundary}\"");
    let parts = Parts::of(&MediaType::of(&quoted), &again).expect("our own");
    let same: Vec<(String, Vec<u8>)> = parts
        .map(|part| part.expect("our own"))
        .map(|part| (part.name.clone(), part.bytes.to_vec()))
        .collect();
    assert_eq!(same, read);
}

/// A server that takes everything and remembers whether it was asked to change anything.
#[derive(Default)]
struct Fake {
    /// Asked by a program that may reach the channels of a name with an `a` in front alone.
    is_bounded: bool,
    changes: usize,
}

impl Control for Fake {
    fn take_pushes(&mut self, _key: &str, per_second: u32, count: usize) -> bool {
        assert!(per_second > 0 && count > 0);
        count.is_multiple_of(2)
    }
    fn drain(&mut self) {
        assert!(!self.is_bounded);
        self.changes += 1;
    }
    fn check_ready(&self) -> Result<(), Refusal> {
        Ok(())
    }
    fn publish(
        &mut self,
        channels: &[&str],
        message: Message<'_>,
        terms: PublishTerms<'_>,
    ) -> Result<Taken, PushError> {
        assert!(!message.bytes().is_empty() && !channels.is_empty());
        assert!(!self.is_bounded || channels.iter().all(|channel| channel.starts_with('a')));
        assert!(terms.idempotency_key.is_none_or(|key| (1..=128).contains(&key.len())));
        if terms.if_offset == Some(1) {
            return Err(PushError::OffsetDiffers { channel: channels[0].into(), epoch: 1, offset: 2 });
        }
        self.changes += 1;
        let receipt = |name: &&str| Receipt { channel: (*name).into(), epoch: 1, offset: 2, id: 3 };
        let receipts: Vec<Receipt> = channels.iter().map(receipt).collect();
        let recipients = vec![None; receipts.len()];
        Ok(Taken { published: Published::new(receipts, false), recipients, later: None })
    }
    fn publish_batch(&mut self, lines: Vec<Line>, key: Option<(&str, u64)>) -> Result<Taken, PushError> {
        let is_own = |line: &Line| line.target.channel().is_some_and(|channel| channel.starts_with('a'));
        assert!(!self.is_bounded || lines.iter().all(is_own));
        assert!((1..=1_000).contains(&lines.len()) && key.is_none_or(|(key, _)| !key.is_empty()));
        self.changes += 1;
        let names = lines.iter().filter_map(|line| line.target.channel());
        let receipts: Vec<Receipt> =
            names.map(|name| Receipt { channel: name.into(), epoch: 1, offset: 2, id: 3 }).collect();
        let recipients = vec![Some(1); receipts.len()];
        Ok(Taken { published: Published::new(receipts, false), recipients, later: None })
    }
    fn channel(&self, name: &str) -> Option<ChannelInfo> {
        (name.len() > 1).then(|| ChannelInfo { channel: name.into(), ..ChannelInfo::default() })
    }
    fn history(&self, name: &str, asked: HistoryAsked) -> Option<(ChannelInfo, History<'_>)> {
        assert!((1..=1_000).contains(&asked.limit));
        Some((self.channel(name)?, History { publications: Vec::new(), missed: None }))
    }
    fn presence(&self, name: &str) -> Option<Option<ChannelPresence>> {
        self.channel(name).map(|_| Some(ChannelPresence::default()))
    }
    fn forget_history(&mut self, name: &str) -> Option<Result<ChannelInfo, PushError>> {
        self.changes += 1;
        (name != "busy").then_some(self.channel(name)).ok_or(PushError::InboxFull).transpose()
    }
    fn check_size(&self, publication: &Publication) -> Result<(), PushError> {
        assert!(!publication.payload().is_empty());
        Ok(())
    }
    fn is_open(&self, conn: ConnId) -> bool {
        conn.0.is_multiple_of(2)
    }
    fn send(&mut self, conn: ConnId, _message: Message<'_>, _options: PushOptions) -> Result<(), PushError> {
        self.changes += 1;
        if conn.0.is_multiple_of(2) { Ok(()) } else { Err(PushError::OutboxFull) }
    }
    fn disconnect(&mut self, conn: ConnId, code: CloseCode, reason: &str) -> Result<(), PushError> {
        self.changes += 1;
        assert!(!self.is_bounded);
        assert!(code.is_valid_on_wire() && reason.len() <= 123);
        if conn.0.is_multiple_of(2) { Ok(()) } else { Err(PushError::NoSuchConnection) }
    }
    fn stats(&self) -> Stats {
        Stats::default()
    }
    fn prometheus(&self, _: Format) -> Vec<u8> {
        Vec::new()
    }
    fn delivery(&self, _receipt: u64) -> Option<Delivery> {
        None
    }
}

/// A request to the admin API, target and query and body: what is refused has changed nothing.
pub fn admin(data: &[u8]) {
    let cut = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    let (line, body) = data.split_at(cut);
    let mut request = line.to_vec();
    request.extend(b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n\r\n");
    let mut fields = heads::Fields::new();
    let Ok(Some((head, _))) = heads::parse(&request, 8 << 10, &mut fields) else { return };
    for token in [None, Some("secret")] {
        let mut host = Fake::default();
        let passed = guard::check(&head, &Fence { token, keys: &[], is_unix: false });
        let passed = passed.as_ref().map_err(Refusal::clone);
        let response = match admin_api::answer(&head, body, passed, &mut host) {
            Answer::Now(response) => response,
            Answer::List(wanted) => {
                let limit = match wanted {
                    Wanted::Connections(list) => list.limit,
                    Wanted::Channels(list) => list.limit,
                    #[cfg(feature = "pusher")]
                    Wanted::AppChannels(_) => 1,
                };
                assert!((1..=1_000).contains(&limit) && token.is_none());
                admin_api::page(&Page::default())
            }
            Answer::Later(_) => panic!("this host is of no cluster"),
            Answer::Sent(_) => panic!("this host has all connections"),
            Answer::User(request) => {
                assert!(token.is_none());
                match &request.target {
                    Target::User(user) => assert!(is_user_name(user)),
                    Target::Connection(conn) => assert_ne!(conn.0, 0),
                }
                request.answer(&UserOutcome::default())
            }
        };
        assert!((200..600).contains(&response.status), "{}", response.status);
        assert!(host.changes <= 1);
        assert!(response.status < 400 || host.changes == 0 || matches!(response.status, 404 | 409 | 503));
        assert!(token.is_none() || host.changes == 0, "without a token");
        let mut out = Vec::new();
        response.write(&mut out, true, head.method == "HEAD");
        let end = out.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
        assert!(head.method != "HEAD" || end == out.len());
    }
    let mut host = Fake { is_bounded: true, ..Fake::default() };
    let hash = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    let key = format!("shop sha256={hash} allow=push+read channels=a* pushes_per_second=4").parse().unwrap();
    let key = Caller::Program(Box::new(key));
    if let Answer::User(_) = admin_api::answer(&head, body, Ok(&key), &mut host) {
        panic!("a key for channels reaches users");
    }
}

/// A configuration: what is taken is valid, and printed means the same.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let path = Path::new("fuzz.toml");
    let mut layers = Layers::default();
    if let Err(error) = layers.add_toml(path, text) {
        assert!(!error.to_string().is_empty());
        return;
    }
    let Ok(config) = layers.finish() else { return };
    assert!(config.validate().is_ok());
    let mut again = Layers::default();
    let printed = layers.to_toml();
    again.add_toml(path, &printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
    let mut again = again.finish().unwrap_or_else(|_| config.clone());
    // A secret is not printed.
    again.admin_token.clone_from(&config.admin_token);
    again.auth_secret.clone_from(&config.auth_secret);
    assert_eq!(again, config, "{printed}");
    let _: Config = config.reloaded(&again).expect("the same again");
}
