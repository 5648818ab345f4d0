//! The admin API in front of a server that remembers what was asked of it.

use super::*;
use crate::endpoint::batch::{Line, Target};
use crate::endpoint::control::{Page, Stats};
use crate::endpoint::users::UserOutcome;
use crate::endpoint::{ChannelInfo, ChannelPresence, Published, Receipt, Taken};
use crate::metrics::Format;
use crate::protocol::head;
use crate::push::{Delivery, History, HistoryAsked, Message, Publication};
use crate::push::{PublishTerms, PushError, PushOptions};

/// Remembers what was asked of it.
#[derive(Default)]
pub(in crate::endpoint) struct Fake(Vec<String>);

impl Control for Fake {
    fn publish(
        &mut self,
        channels: &[&str],
        message: Message<'_>,
        terms: PublishTerms<'_>,
    ) -> Result<Taken, PushError> {
        let PublishTerms { options, idempotency_key, if_offset, .. } = terms;
        if if_offset == Some(9) {
            return Err(PushError::OffsetDiffers { channel: channels[0].into(), epoch: 5, offset: 6 });
        }
        if idempotency_key == Some("used") {
            return Err(PushError::KeyReused);
        }
        let plain = if options.compress { "" } else { " plain" };
        let terms = idempotency_key.map_or(String::new(), |key| format!(" once {key} at {if_offset:?}"));
        self.0.push(format!("publish {} {message:?}{plain}{terms}", channels.join(" ")));
        let receipts = channels.iter().zip(7..).map(|(&channel, id)| Receipt {
            channel: channel.into(),
            epoch: 5,
            offset: 6,
            id,
        });
        let duplicate = idempotency_key == Some("again");
        let published = Published::new(receipts.collect(), duplicate);
        Ok(Taken { recipients: vec![Some(8); channels.len()], published, later: None })
    }
    fn publish_batch(&mut self, lines: Vec<Line>, key: Option<(&str, u64)>) -> Result<Taken, PushError> {
        let mut receipts = Vec::new();
        for Line { target, publication } in &lines {
            let payload = String::from_utf8_lossy(publication.payload());
            self.0.push(format!("{target:?} {payload}{}", key.map_or("", |(key, _)| key)));
            if let Target::Channel(channel) = target {
                receipts.push(Receipt { channel: channel.as_str().into(), epoch: 5, offset: 6, id: 7 });
            }
        }
        let recipients = vec![Some(8); receipts.len()];
        Ok(Taken {
            recipients,
            later: None,
            published: Published::new(receipts, key.is_some_and(|key| key.0 == "again")),
        })
    }
    fn channel(&self, name: &str) -> Option<ChannelInfo> {
        (name != "404").then(|| ChannelInfo { channel: name.into(), ..ChannelInfo::default() })
    }
    fn history(&self, name: &str, asked: HistoryAsked) -> Option<(ChannelInfo, History<'_>)> {
        assert!((1..=1_000).contains(&asked.limit));
        Some((self.channel(name)?, History { publications: Vec::new(), missed: None }))
    }
    fn presence(&self, name: &str) -> Option<Option<ChannelPresence>> {
        (name != "404").then(|| (name != "none").then(ChannelPresence::default))
    }
    fn forget_history(&mut self, name: &str) -> Option<Result<ChannelInfo, PushError>> {
        self.0.push(format!("forget {name}"));
        (name != "busy").then_some(self.channel(name)).ok_or(PushError::InboxFull).transpose()
    }
    fn check_size(&self, publication: &Publication) -> Result<(), PushError> {
        let (bytes, max) = (publication.payload().len(), 4_096);
        if bytes > max { Err(PushError::TooLarge { bytes, max, setting: "log_bytes" }) } else { Ok(()) }
    }
    fn is_open(&self, conn: ConnId) -> bool {
        conn.0 != 404
    }
    fn send(&mut self, conn: ConnId, message: Message<'_>, options: PushOptions) -> Result<(), PushError> {
        let plain = if options.compress { "" } else { " plain" };
        self.0.push(format!("send {conn} {message:?}{plain}"));
        if conn.0 == 404 { Err(PushError::NoSuchConnection) } else { Ok(()) }
    }
    fn disconnect(&mut self, conn: ConnId, code: CloseCode, reason: &str) -> Result<(), PushError> {
        self.0.push(format!("disconnect {conn} {} {reason}", code.0));
        if conn.0 == 404 { Err(PushError::NoSuchConnection) } else { Ok(()) }
    }
    fn take_pushes(&mut self, _key: &str, _per_second: u32, count: usize) -> bool {
        count < 5
    }
    fn drain(&mut self) {
        self.0.push("drain".to_owned());
    }
    fn check_ready(&self) -> Result<(), Refusal> {
        Ok(())
    }
    fn stats(&self) -> Stats {
        Stats::default()
    }
    fn prometheus(&self, _: Format) -> Vec<u8> {
        b"wspush_up 1\n".to_vec()
    }
    fn delivery(&self, receipt: u64) -> Option<Delivery> {
        (receipt == 7).then(Delivery::default)
    }
}

fn ask(line: &str, body: &[u8]) -> (u16, String, Vec<String>) {
    let request = format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut fields = head::Fields::new();
    let (head, _) = head::parse(request.as_bytes(), 8192, &mut fields).unwrap().unwrap();
    let mut host = Fake::default();
    let response = match answer(&head, body, Ok(&Caller::Operator), &mut host) {
        Answer::Now(response) => response,
        Answer::Later(_) => panic!("this host is of no cluster"),
        Answer::Sent(_) => panic!("this host has all connections"),
        Answer::List(Wanted::Channels(list)) => {
            assert!(list.limit == 100 || (list.limit, list.after, &*list.prefix) == (9, Some(0), "a."));
            page(&crate::endpoint::channels::ChannelPage::default())
        }
        Answer::List(Wanted::Connections(List { filter, after, limit })) => {
            let all = (None, None, 100);
            let some = (Some("u"), Some(ConnId(3)), 9);
            assert!([all, some].contains(&(filter.user.as_deref(), after, limit)));
            page(&Page::default())
        }
        #[cfg(feature = "pusher")]
        Answer::List(Wanted::AppChannels(list)) => list.response(),
        Answer::User(request) => {
            host.0.push(format!("{:?} {:?}", request.target, request.action));
            request.answer(&UserOutcome { connections: 2, ..UserOutcome::default() })
        }
    };
    (response.status, String::from_utf8(response.body.to_vec()).unwrap(), host.0)
}

#[test]
fn a_push_answers_with_its_receipt() {
    let (status, body, asked) = ask("POST /push?channel=news", b"hi");
    assert_eq!(asked, ["publish news Text(\"hi\")"]);
    let expected = "{\"channel\":\"news\",\"epoch\":5,\"offset\":6,\"receipt\":7,\"recipients\":8}\n";
    assert_eq!((status, body.as_str()), (200, expected));
    assert_eq!(ask("POST /push?conn=12", b"hi").2, ["send 12 Text(\"hi\")"]);
    assert_eq!(ask("POST /push?compress=yes", b"hi").2, ["publish broadcast Text(\"hi\")"]);
    assert_eq!(ask("POST /push?compress=no", b"hi").2, ["publish broadcast Text(\"hi\") plain"]);
    assert_eq!(ask("POST /push?conn=1&compress=no", b"hi").2, ["send 1 Text(\"hi\") plain"]);
}

#[test]
fn several_channels_and_terms() {
    let (status, body, asked) = ask("POST /push?channel=b&channel=a&if_offset=4&idempotency_key=k", b"hi");
    assert_eq!(asked, ["publish b a Text(\"hi\") once k at Some(4)"]);
    let expected = "{\"publications\":[\
                    {\"channel\":\"b\",\"epoch\":5,\"offset\":6,\"receipt\":7,\"recipients\":8},\
                    {\"channel\":\"a\",\"epoch\":5,\"offset\":6,\"receipt\":8,\"recipients\":8}]}\n";
    assert_eq!((status, body.as_str()), (200, expected));
    let (_, body, _) = ask("POST /push?idempotency_key=again", b"hi");
    let expected = "{\"channel\":\"broadcast\",\"epoch\":5,\"offset\":6,\"receipt\":7,\
                    \"recipients\":8,\"duplicate\":true}\n";
    assert_eq!(body, expected);
    let (status, body, _) = ask("POST /push?channel=c&if_offset=9", b"hi");
    assert!(status == 409 && body.ends_with("\"channel\":\"c\",\"epoch\":5,\"offset\":6}\n"), "{body}");
}

#[test]
fn a_batch_is_answered_line_by_line() {
    let body = b"{\"channel\":\"a\",\"data\":\"x\"}\n{\"conn\":\"12\",\"data\":\"y\"}\n{\"conn\":404,\"data\":\"z\"}\n";
    let (status, answer, asked) = ask("POST /push/batch", body);
    assert_eq!(asked, ["Channel(\"a\") x", "Conn(ConnId(12)) y", "Conn(ConnId(404)) z"]);
    let expected = concat!(
        r#"{"publications":[{"channel":"a","epoch":5,"offset":6,"receipt":7,"recipients":8},"#,
        r#"{"conn":"12","recipients":1},{"conn":"404","recipients":0}]}"#,
        "\n"
    );
    assert_eq!((status, answer.as_str()), (200, expected));
    let (_, answer, _) = ask("POST /push/batch?idempotency_key=again", body);
    assert!(answer.contains("{\"conn\":\"12\"},") && answer.ends_with("],\"duplicate\":true}\n"), "{answer}");
    let (status, answer, asked) = ask("POST /push/batch", b"{\"channel\":\"a\",\"data\":\"x\"}\nx\n");
    assert_eq!((status, asked.len()), (400, 0), "{answer}");
    assert!(answer.starts_with("{\"error\":\"line 2: "), "{answer}");
}

#[test]
fn the_answer_says_what_was_taken_as_a_form() {
    let form = "POST /push HTTP/1.1\r\nHost: localhost\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n\r\n";
    let mut fields = head::Fields::new();
    let (head, _) = head::parse(form.as_bytes(), 8192, &mut fields).unwrap().unwrap();
    for (body, taken_as) in [(&b"message=hi"[..], Some("form field message")), (b"hi", None)] {
        let Answer::Now(response) = answer(&head, body, Ok(&Caller::Operator), &mut Fake::default()) else {
            panic!("a list")
        };
        let json: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(json.get("taken_as").and_then(|text| text.as_str()), taken_as);
    }
}

/// One rule for all: what a table's row does not say is refused, with the name of it.
#[test]
fn every_request_refuses_what_its_row_does_not_say() {
    use crate::endpoint::query::Times;
    use crate::endpoint::requests::Listeners;
    let is_built = |path| path != "/" || cfg!(feature = "dashboard");
    // One that is alone knows of no nodes.
    let is_built = |path| is_built(path) && path != requests::NODES.path;
    let admin = requests::ALL
        .iter()
        .filter(|request| request.listener != Listeners::Public && is_built(request.path));
    for request in admin {
        let line = format!("{} {}", request.method, request.path.replace("ID", "12").replace("USER", "ada"));
        let body: &[u8] = match request.path {
            "/push/batch" => b"{\"channel\":\"a\",\"data\":\"x\"}",
            _ => b"hi",
        };
        let required = request.query.iter().filter(|known| known.times == Times::Required);
        let required: Vec<String> = required.map(|known| format!("{}=a", known.name)).collect();
        let line = format!("{line}?{}", required.join("&"));
        let line = line.trim_end_matches('?');
        let plain = ask(line, body);
        assert_eq!(plain.0, 200, "{line}: {}", plain.1);
        let mut wrong = vec![("nobody", "nobody=1".to_owned())];
        for known in request.query {
            wrong.push((known.name, format!("{}=", known.name)));
            if known.times != Times::Repeatable {
                let value = match known.value {
                    crate::endpoint::query::Value::Number(min, _) => min.to_string(),
                    crate::endpoint::query::Value::Choice(names) => names[0].to_owned(),
                    crate::endpoint::query::Value::Since => "head".to_owned(),
                    _ => "a".to_owned(),
                };
                wrong.push((known.name, format!("{0}={value}&{0}={value}", known.name)));
            }
        }
        for (name, query) in wrong {
            let target = format!("{line}{}{query}", if line.contains('?') { '&' } else { '?' });
            let (status, text, asked) = ask(&target, body);
            assert_eq!((status, asked.len()), (400, 0), "{target}: {text}");
            assert!(text.starts_with("{\"error\":\"") && text.contains(name), "{target}: {text}");
        }
    }
}

#[test]
fn wrong_requests_do_nothing() {
    for (line, body, status) in [
        ("POST /push", &b""[..], 400),
        ("POST /push", b"\xff", 400),
        ("POST /push?chanel=x", b"hi", 400),
        ("POST /push?channel=x&conn=1", b"hi", 400),
        ("POST /push?user=u&conn=1", b"hi", 400),
        ("POST /push?user=u&channel=c", b"hi", 400),
        ("POST /push?user=u&idempotency_key=k", b"hi", 400),
        ("POST /push?user=u", b"", 400),
        ("POST /push?conn=x", b"hi", 400),
        ("POST /push?conn=0", b"hi", 400),
        ("POST /push?channel=", b"hi", 400),
        ("POST /push?channel", b"hi", 400),
        ("POST /push?conn=", b"hi", 400),
        ("POST /push?compress=", b"hi", 400),
        ("POST /push?channel=a&channel=", b"hi", 400),
        ("POST /push?conn=1&idempotency_key=k", b"hi", 400),
        ("POST /push?conn=1&if_offset=0", b"hi", 400),
        ("POST /push?idempotency_key=", b"hi", 400),
        ("POST /push?if_offset=", b"hi", 400),
        ("POST /push?if_offset=9", b"hi", 409),
        ("POST /push?idempotency_key=used", b"hi", 422),
        ("POST /push?conn=1&conn=2", b"hi", 400),
        ("POST /push?compress=no&compress=yes", b"hi", 400),
        ("POST /push?channel=%ff", b"hi", 400),
        ("POST /push?compress=0", b"hi", 400),
        ("GET /push", b"", 405),
        ("POST /stats", b"", 405),
        ("GET /nothing", b"", 404),
        ("GET /stats?receipt=8", b"", 404),
        ("GET /stats?receipt=", b"", 400),
        ("GET /metrics?x=1", b"", 400),
        ("GET /healthz?x=1", b"", 400),
        ("GET /readyz?x=1", b"", 400),
        ("POST /readyz", b"", 405),
        ("GET /connections?user=", b"", 400),
        ("GET /connections?channel=", b"", 400),
        ("GET /connections?user=a&user=b", b"", 400),
        ("GET /connections?after=0", b"", 400),
        ("GET /connections?limit=0", b"", 400),
        ("GET /connections?limit=1001", b"", 400),
        ("GET /connections?channel=a%20b", b"", 400),
        ("DELETE /connections/x", b"", 400),
        ("DELETE /connections/0", b"", 400),
        ("DELETE /connections/", b"", 400),
        ("DELETE /connections", b"", 400),
        ("DELETE /connections/1?code=", b"", 400),
        ("DELETE /connections/1?reason=", b"", 400),
        ("DELETE /connections/1?code=4000&code=4001", b"", 400),
        ("DELETE /connections/1?code=1005", b"", 400),
        ("GET /connections/1", b"", 405),
    ] {
        does_nothing(line, body, status);
    }
}

#[test]
fn wrong_requests_about_users_do_nothing() {
    for (line, body, status) in [
        ("POST /connections/1/subscribe", &b""[..], 400),
        ("POST /connections/0/subscribe?channel=a", b"", 400),
        ("POST /connections/1/unsubscribe?channel=a&since=head", b"", 400),
        ("POST /connections/1/subscribe?channel=a&since=then", b"", 400),
        ("POST /connections/1/close?channel=a", b"", 404),
        ("GET /connections/1/subscribe?channel=a", b"", 405),
        ("POST /users/a/unsubscribe", b"", 400),
        ("DELETE /users/a/subscribe?channel=a", b"", 405),
        ("POST /users//subscribe?channel=a", b"", 400),
        ("GET /users", b"", 404),
        ("GET /users/", b"", 404),
        ("DELETE /users", b"", 404),
        ("DELETE /users/", b"", 404),
        ("DELETE /users//", b"", 404),
        ("GET /users/a/b", b"", 404),
        ("POST /users/a", b"", 405),
        ("GET /users/%ff", b"", 400),
        ("DELETE /users/a?code=1005", b"", 400),
    ] {
        does_nothing(line, body, status);
    }
}

fn does_nothing(line: &str, body: &[u8], status: u16) {
    let (got, body, asked) = ask(line, body);
    assert_eq!((got, asked.len()), (status, 0), "{line}: {body}");
    assert!(body.starts_with("{\"error\":\""), "{line}: {body}");
}

#[test]
fn channels_are_named_in_the_path() {
    for (line, expected) in [
        ("GET /channels/a", "{\"channel\":\"a\",\"epoch\":0,"),
        ("GET /channels/a/b", "{\"channel\":\"a/b\","),
        ("GET /channels/a/", "{\"channel\":\"a\","),
        ("GET /channels/a%2Fhistory", "{\"channel\":\"a/history\","),
        ("GET /channels/a+b", "{\"channel\":\"a+b\","),
        ("GET /channels/a/history?since=last:3&limit=1000&reverse=yes", "{\"channel\":\"a\","),
        ("GET /channels/a/b/history/", "{\"channel\":\"a/b\","),
        ("GET /channels/a/b/presence", "{\"channel\":\"\",\"epoch\":0,\"offset\":0,\"count\":0}"),
        ("GET /channels?prefix=a.&after=0&limit=9", "{\"channels\":[],\"next\":null}"),
    ] {
        let (status, answer, _) = ask(line, b"");
        assert!(status == 200 && answer.starts_with(expected), "{line}: {answer}");
    }
    assert_eq!([404, 404], ["404", "none"].map(|name| ask(&format!("GET /channels/{name}/presence"), b"").0));
    assert_eq!(
        (ask("POST /channels/a/presence", b"").0, ask("GET /channels/a/presence?limit=1", b"").0),
        (405, 400)
    );
    assert_eq!((ask("GET /channels/404", b"").0, ask("GET /channels/404/history", b"").0), (404, 404));
    for line in ["GET /channels/a%20b", "GET /channels/%ff", "GET /channels/a*", "GET /channels/a//history/"]
    {
        assert_eq!(ask(line, b"").0 / 100, if line.contains("//") { 2 } else { 4 }, "{line}");
    }
    for line in
        ["GET /channels/a/history?since=", "GET /channels/a/history?since=5", "GET /channels/a?limit=1"]
    {
        assert_eq!(ask(line, b"").0, 400, "{line}");
    }
    assert_eq!(ask("DELETE /channels/a/history", b"").2, ["forget a"]);
    assert_eq!(ask("DELETE /channels/404/history", b"").0, 404);
    assert_eq!(ask("DELETE /channels/busy/history", b"").0, 503);
    for line in ["DELETE /channels/a/history?since=head", "DELETE /channels/%20/history"] {
        let (status, _, asked) = ask(line, b"");
        assert_eq!((status, asked.len()), (400, 0), "{line}");
    }
    for line in [
        "DELETE /channels",
        "DELETE /channels/a",
        "POST /channels",
        "POST /channels/a",
        "POST /channels/a/history",
    ] {
        assert_eq!(ask(line, b"").0, 405, "{line}");
    }
}

#[test]
fn looking_and_disconnecting() {
    assert_eq!(ask("GET /stats?receipt=7", b"").0, 200);
    assert_eq!(ask("GET /connections?user=u&after=3&limit=9", b"").0, 200);
    assert_eq!(ask("GET /healthz", b"").1, "ok\n");
    assert_eq!(ask("GET /readyz", b"").1, "ready\n");
    for line in ["GET /stats/?receipt=7", "GET /metrics/", "GET /healthz/", "POST /push/"] {
        assert_eq!(ask(line, b"x").0, 200, "{line}");
    }
    assert_eq!(ask("DELETE /connections/12/", b"").0, 200);
    assert_eq!(ask("GET /stats//", b"").0, 404);
    let (status, _, asked) = ask("DELETE /connections/12?code=4000&reason=bye", b"");
    assert_eq!((status, asked), (200, vec!["disconnect 12 4000 bye".to_owned()]));
    assert_eq!(ask("DELETE /connections/404", b"").0, 404);
    assert_eq!(ask("POST /push?conn=404", b"hi").0, 404);
}
