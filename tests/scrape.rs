//! Histograms, in both formats that Prometheus scrapes: what they count, and that a Prometheus takes them.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

#[cfg(feature = "backend")]
use crate::daemon::backend::{Backend, answer};
use crate::daemon::http::Http;
use crate::daemon::{Daemon, WebSocket, wait};

const ACCEPT: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.8,\
                      text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

/// A field of a message: a number or bytes.
#[derive(Clone, Debug)]
enum Field {
    Number(u64),
    Bytes(Vec<u8>),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let (&byte, rest) = bytes.split_first().expect("a whole number");
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    number
}

fn piece<'a>(bytes: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (piece, rest) = bytes.split_at_checked(len).expect("as many bytes as it says");
    *bytes = rest;
    piece
}

/// The fields of a message, by their numbers.
fn fields(mut bytes: &[u8]) -> BTreeMap<u64, Vec<Field>> {
    let mut fields: BTreeMap<u64, Vec<Field>> = BTreeMap::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut bytes)),
            1 => Field::Number(u64::from_le_bytes(piece(&mut bytes, 8).try_into().unwrap())),
            2 => {
                let len = varint(&mut bytes) as usize;
                Field::Bytes(piece(&mut bytes, len).to_vec())
            }
            other => panic!("wire type {other}"),
        };
        fields.entry(tag >> 3).or_default().push(field);
    }
    fields
}

fn number(fields: &BTreeMap<u64, Vec<Field>>, field: u64) -> u64 {
    match fields.get(&field).map(Vec::as_slice) {
        Some([Field::Number(number)]) => *number,
        other => panic!("field {field} is {other:?}"),
    }
}

fn messages(fields: &BTreeMap<u64, Vec<Field>>, field: u64) -> Vec<Vec<u8>> {
    let of = |field: &Field| match field {
        Field::Bytes(bytes) => bytes.clone(),
        Field::Number(number) => panic!("{number} is no message"),
    };
    fields.get(&field).map_or(Vec::new(), |all| all.iter().map(of).collect())
}

/// The families of an answer by name: type, and metrics.
fn families(mut bytes: &[u8]) -> BTreeMap<String, (u64, Vec<Vec<u8>>)> {
    let mut families = BTreeMap::new();
    while !bytes.is_empty() {
        let len = varint(&mut bytes) as usize;
        let family = fields(piece(&mut bytes, len));
        let name = String::from_utf8(messages(&family, 1).concat()).unwrap();
        assert!(messages(&family, 2)[0].ends_with(b"."), "{name} has a help");
        let former = families.insert(name.clone(), (number(&family, 3), messages(&family, 4)));
        assert!(former.is_none(), "{name} is there twice");
    }
    families
}

/// Count, classic classes and native ones of a histogram: each class with how many are in it.
fn histogram(families: &BTreeMap<String, (u64, Vec<Vec<u8>>)>, name: &str) -> (u64, Vec<u64>, u64) {
    let (kind, metrics) = &families[name];
    assert_eq!((*kind, metrics.len()), (4, 1), "{name}");
    let histogram = fields(&messages(&fields(&metrics[0]), 7)[0]);
    let classic = messages(&histogram, 3).iter().map(|bucket| number(&fields(bucket), 1)).collect();
    let unzigzag = |number: u64| (number >> 1).cast_signed() ^ -((number & 1).cast_signed());
    assert_eq!(unzigzag(number(&histogram, 5)), 3, "the schema");
    let packed = messages(&histogram, 13).concat();
    let (mut deltas, mut count, mut sum, mut classes) = (&packed[..], 0, 0, 0);
    while !deltas.is_empty() {
        count += unzigzag(varint(&mut deltas));
        (sum, classes) = (sum + count.cast_unsigned(), classes + 1);
    }
    let spans = messages(&histogram, 12);
    assert!(!spans.is_empty());
    let listed: u64 = spans.iter().map(|span| number(&fields(span), 2)).sum();
    assert_eq!(listed, classes, "{name}: each class of the spans has its count");
    (number(&histogram, 1), classic, sum + number(&histogram, 7))
}

#[test]
fn both_formats_say_the_same() {
    let daemon = Daemon::start(&["--reactors", "2"]);
    let mut clients: Vec<_> = (0..3).map(|_| WebSocket::open(&daemon)).collect();
    for n in 0..4 {
        daemon.push(&format!("hello {n}"));
        clients.iter_mut().for_each(|client| assert_eq!(client.text(), format!("hello {n}")));
    }
    let counted = |name: &str| {
        let text = daemon.ask("GET", "/metrics", &[], b"").text();
        let line = text.lines().find(|line| line.starts_with(&format!("{name}_count "))).expect(name);
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    wait("the deliveries", || counted("wspush_delivery_seconds") == 12);
    assert_eq!(counted("wspush_handshake_seconds"), 3);
    assert_eq!(counted("wspush_webhook_seconds") + counted("wspush_auth_webhook_seconds"), 0);

    let response = daemon.ask("GET", "/metrics", &[("Accept", ACCEPT)], b"");
    assert!(response.header("content-type").unwrap().starts_with("application/vnd.google.protobuf; proto="));
    let families = families(&response.body);
    let text = daemon.ask("GET", "/metrics", &[("Accept", "*/*")], b"").text();
    let of_text = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let kinds = |kind| ["counter", "gauge", "", "", "histogram"].iter().position(|k| *k == kind);
    let of_text: BTreeMap<&str, Option<usize>> =
        of_text.map(|line| line.split_once(' ').unwrap()).map(|(name, kind)| (name, kinds(kind))).collect();
    let names: BTreeMap<&str, Option<usize>> =
        families.iter().map(|(name, (kind, _))| (&**name, Some(*kind as usize))).collect();
    assert_eq!(names, of_text);
    for (name, count) in [("wspush_delivery_seconds", 12), ("wspush_handshake_seconds", 3)] {
        let (all, classic, native) = histogram(&families, name);
        assert_eq!((all, native), (count, count), "{name}");
        assert!(classic.len() == 17 && classic.is_sorted() && classic[16] == count, "{name}: {classic:?}");
    }
    let (turns, _, native) = histogram(&families, "wspush_turn_seconds");
    assert!(turns > 10 && turns == native);
    assert_eq!(histogram(&families, "wspush_webhook_seconds"), (0, vec![0; 17], 0));
}

#[cfg(feature = "backend")]
#[test]
fn requests_to_the_backend_are_counted() {
    let telling = Backend::start(|_| answer(200, ""));
    let asking = Backend::start(|_| answer(200, r#"{"sub":"ann"}"#));
    let urls = [telling.url(), asking.url()];
    let daemon =
        Daemon::start(&["--webhook-url", &urls[0], "--webhook-batch-ms", "0", "--auth-webhook", &urls[1]]);
    let client = WebSocket::open(&daemon);
    telling.wait_asked(1);
    let metrics = || daemon.ask("GET", "/metrics", &[], b"").text();
    let is_there = |line: &str| metrics().lines().any(|found| found == line);
    wait("the requests", || is_there("wspush_webhook_seconds_count 1"));
    assert!(is_there("wspush_auth_webhook_seconds_count 1") && is_there("wspush_handshake_seconds_count 1"));
    drop(client);
}

/// A Prometheus that scrapes a daemon.
struct Prometheus {
    child: Child,
    port: u16,
}

impl Prometheus {
    /// None: there is none here.
    fn start(folder: &std::path::Path, daemon: &Daemon, flags: &[&str]) -> Option<Prometheus> {
        let config = format!(
            "scrape_configs:\n- job_name: wspush\n  scrape_interval: 1s\n  static_configs:\n  - targets: ['{}']\n",
            daemon.admin()
        );
        fs::write(folder.join("prometheus.yml"), config).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("prometheus");
        command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null()).args(flags);
        command.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
        let Ok(child) = command.arg(format!("--web.listen-address=127.0.0.1:{port}")).spawn() else {
            eprintln!("skipped: no prometheus (apt-get install prometheus)");
            return None;
        };
        let prometheus = Prometheus { child, port };
        wait("Prometheus", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(prometheus)
    }

    /// The value of an expression, once there is one.
    fn value(&self, expression: &str) -> Option<f64> {
        let mut http = Http::tcp(([127, 0, 0, 1], self.port).into());
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let body = format!("query={}", expression.replace('+', "%2B"));
        let response = http.ask("POST", "/api/v1/query", &headers, body.as_bytes());
        // It listens before it answers questions.
        let answer = if response.status == 200 { response.json() } else { Value::Null };
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_prometheus_takes_native_histograms_and_classic_ones() {
    for is_native in [true, false] {
        let daemon = Daemon::start(&[]);
        let mut clients: Vec<_> = (0..5).map(|_| WebSocket::open(&daemon)).collect();
        daemon.push("hello");
        clients.iter_mut().for_each(|client| assert_eq!(client.text(), "hello"));
        let name = format!("wspush-prometheus-{is_native}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let flags: &[&str] = if is_native { &["--enable-feature=native-histograms"] } else { &[] };
        let Some(prometheus) = Prometheus::start(&folder, &daemon, flags) else { return };
        let (count, median) = if is_native {
            ("histogram_count(wspush_delivery_seconds)", "histogram_quantile(0.5,wspush_delivery_seconds)")
        } else {
            ("wspush_delivery_seconds_count", "histogram_quantile(0.5,wspush_delivery_seconds_bucket)")
        };
        wait("a scrape", || prometheus.value(count) == Some(5.0));
        assert_eq!(prometheus.value("up"), Some(1.0));
        let median = prometheus.value(median).expect("a median");
        assert!(median >= 0.0 && median.is_finite(), "{median}");
        assert_eq!(prometheus.value("wspush_connections{kind=\"ws\"}"), Some(5.0));
        drop(prometheus);
        fs::remove_dir_all(&folder).unwrap();
    }
}
