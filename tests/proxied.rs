//! Clients behind proxies: by the PROXY protocol, or by `X-Forwarded-For`. Whom the server believes is in
//! `trusted_proxies`, and everything else counts as nothing.

use std::io::Read;

use crate::daemon::{Daemon, Http, WebSocket, field, process, wait};
use crate::wire::TEXT;

pub(crate) const PROXIED: &[&str] = &["--listen", "proxy://127.0.0.1:0", "--trusted-proxies", "127.0.0.1"];

/// A header of version 1 for a client at this address.
pub(crate) fn text(client: &str) -> Vec<u8> {
    format!("PROXY TCP4 {client} 198.51.100.1 4711 443\r\n").into_bytes()
}

/// One of version 2.
pub(crate) fn binary(client: [u8; 4], more: &[u8]) -> Vec<u8> {
    let addresses = [&client[..], &[198, 51, 100, 1], &4711_u16.to_be_bytes(), &[1, 187], more].concat();
    let length = (addresses.len() as u16).to_be_bytes();
    [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11"[..], &length, &addresses].concat()
}

/// A client for whom a proxy speaks so.
fn open(daemon: &Daemon, header: &[u8], fields: &[(&str, &str)]) -> Result<WebSocket, u16> {
    let mut http = Http::tcp(daemon.public);
    http.send(header);
    WebSocket::ask_over(http, "/ws", fields).map_err(|response| response.status)
}

/// The addresses of those who are connected, sorted.
pub(crate) fn peers(daemon: &Daemon) -> Vec<String> {
    let page = daemon.ask("GET", "/connections?limit=1000", &[], b"").json();
    let all = page["connections"].as_array().expect("a list").iter();
    let mut peers: Vec<_> = all.map(|one| one["peer"].as_str().expect("an address").to_owned()).collect();
    peers.sort();
    peers
}

#[test]
fn the_client_is_the_one_that_the_header_names() {
    let daemon = Daemon::start(&[PROXIED, &["--log-level", "debug"]].concat());
    let mut one = open(&daemon, &text("192.0.2.1"), &[]).unwrap();
    let more = [&[4, 0, 200][..], &[0; 200]].concat();
    let two = open(&daemon, &binary([192, 0, 2, 2], &more), &[]).unwrap();
    let itself = open(&daemon, b"PROXY UNKNOWN\r\n", &[]).unwrap();
    let own = itself.stream().local_addr().unwrap().to_string();
    assert_eq!(peers(&daemon), [own.as_str(), "192.0.2.1:4711", "192.0.2.2:4711"]);
    assert!(daemon.wait_event("listening").contains("proxy=true"));
    daemon.wait_log(|line| {
        field(line, "event") == Some("open") && field(line, "peer") == Some("192.0.2.2:4711")
    });
    assert_eq!(daemon.push("to all")["recipients"], 3);
    assert_eq!(one.text(), "to all");
    one.send(TEXT, b"x");
    drop((one, two, itself));
    daemon.wait_connections(0);
}

#[test]
fn a_header_may_come_byte_by_byte() {
    let daemon = Daemon::start(PROXIED);
    for header in [text("192.0.2.1"), binary([192, 0, 2, 1], &[])] {
        let mut http = Http::tcp(daemon.public);
        for byte in header {
            http.send(&[byte]);
        }
        let client = WebSocket::ask_over(http, "/ws", &[]).expect("it is let in");
        assert_eq!(peers(&daemon), ["192.0.2.1:4711"]);
        drop(client);
        daemon.wait_connections(0);
    }
}

/// Sends these bytes; the connection is closed without a word, and the log says why.
fn refused(daemon: &Daemon, bytes: &[u8], why: &str) {
    let mut http = Http::tcp(daemon.public);
    http.send(bytes);
    let (mut stream, mut rest) = (http.into_parts().0, Vec::new());
    // Closed with what it has sent unread, a socket is reset.
    let _ = stream.read_to_end(&mut rest);
    assert_eq!(rest, b"");
    let says = |line: &str| field(line, "reason") == Some("proxy") && line.contains(why);
    daemon.wait_log(|line| field(line, "event") == Some("refused") && says(line));
}

#[test]
fn who_says_it_wrongly_is_closed() {
    let daemon = Daemon::start(&[PROXIED, &["--handshake-ms", "600000"]].concat());
    refused(&daemon, b"GET /ws HTTP/1.1\r\nHost: x\r\n\r\n", "does not begin with");
    refused(&daemon, b"PROXY TCP4 192.0.2.1\r\n", "malformed");
    refused(&daemon, &[b"PROXY TCP4 ", &[b'1'; 200][..]].concat(), "107 bytes");
    refused(&daemon, b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0", "another version");
    refused(&daemon, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", "4096 bytes");
    let counted = daemon.stats()["counters"]["handshakes_refused"]["proxy"].clone();
    assert_eq!(counted, 5);
    // A look whether somebody listens is no fault.
    let before = process::descriptors(daemon.pid());
    let looks: Vec<_> = (0..20).map(|_| Http::tcp(daemon.public)).collect();
    drop(looks);
    wait("the looks' end", || process::descriptors(daemon.pid()) <= before);
    assert_eq!(daemon.stats()["counters"]["handshakes_refused"]["proxy"], 5);
}

#[test]
fn who_says_nothing_is_not_waited_for() {
    let daemon = Daemon::start(&[PROXIED, &["--handshake-ms", "50"]].concat());
    refused(&daemon, b"PROXY", "handshake_ms");
}

#[test]
fn nobody_else_may_say_it() {
    let daemon = Daemon::start(&["--listen", "proxy://127.0.0.1:0", "--trusted-proxies", "10.0.0.0/8"]);
    refused(&daemon, &text("192.0.2.1"), "trusted_proxies");
    let (status, said) = Daemon::refused(&["--listen", "proxy://127.0.0.1:0"]);
    assert!(!status.success() && said.contains("trusted_proxies"), "{said}");
}

#[test]
fn clients_behind_one_proxy_are_counted_apart() {
    let daemon = Daemon::start(&[PROXIED, &["--connections-per-address-max", "2"]].concat());
    let mut clients = Vec::new();
    for client in ["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.3"] {
        clients.push(open(&daemon, &text(client), &[]).unwrap());
    }
    assert_eq!(open(&daemon, &text("192.0.2.1"), &[]).err(), Some(503));
    clients.remove(0).close(1000);
    daemon.wait_connections(4);
    clients.push(open(&daemon, &text("192.0.2.1"), &[]).unwrap());
}

#[test]
fn a_field_is_read_from_the_right_and_only_if_a_proxy_sends_it() {
    let daemon =
        Daemon::start(&["--trusted-proxies", "127.0.0.1,10.0.0.0/8", "--connections-per-address-max", "1"]);
    let ask = |fields: &[&str]| {
        let fields: Vec<_> = fields.iter().map(|field| ("X-Forwarded-For", *field)).collect();
        open(&daemon, b"", &fields)
    };
    let mut clients = vec![ask(&["203.0.113.9, 192.0.2.1"]).unwrap()];
    clients.push(ask(&["198.51.100.7", "192.0.2.2, 10.1.1.1"]).unwrap());
    clients.push(ask(&["[2001:db8::7]:99"]).unwrap());
    let expected = ["192.0.2.1:0", "192.0.2.2:0", "[2001:db8::7]:99"];
    assert_eq!(peers(&daemon), expected);
    assert_eq!(ask(&["203.0.113.10, 192.0.2.1"]).err(), Some(503));
    assert_eq!(ask(&["192.0.2.2"]).err(), Some(503));
    // Several clients may use one connection to us: the last one's stream counts.
    let mut http = Http::tcp(daemon.public);
    for client in ["192.0.2.5", "192.0.2.6"] {
        assert_eq!(http.ask("GET", "/healthz", &[("X-Forwarded-For", client)], b"").status, 200);
    }
    clients.push(WebSocket::ask_over(http, "/ws", &[("X-Forwarded-For", "192.0.2.7")]).ok().unwrap());
    assert!(peers(&daemon).contains(&"192.0.2.7:0".to_owned()));
    assert_eq!(ask(&["192.0.2.7"]).err(), Some(503));
    clients.push(ask(&["192.0.2.6"]).unwrap());
    drop(clients);
    daemon.wait_connections(0);
    drop(ask(&["192.0.2.7"]).unwrap());

    let stranger = Daemon::start(&["--trusted-proxies", "10.0.0.0/8"]);
    let client = open(&stranger, b"", &[("X-Forwarded-For", "192.0.2.1")]).unwrap();
    assert_eq!(peers(&stranger), [client.stream().local_addr().unwrap().to_string()]);
}

#[test]
fn both_together_and_for_a_stream() {
    let flags = ["--trusted-proxies", "127.0.0.1,10.0.0.0/8", "--listen", "proxy://127.0.0.1:0"];
    let daemon = Daemon::start(&flags);
    // One proxy before the other: the first one says it in a field, the second one in its header.
    let client = open(&daemon, &text("10.9.9.9"), &[("X-Forwarded-For", "192.0.2.1")]).unwrap();
    let liar = open(&daemon, &text("192.0.2.9"), &[("X-Forwarded-For", "192.0.2.1")]).unwrap();
    let mut sse = Http::tcp(daemon.public);
    sse.send(&text("10.9.9.9"));
    sse.send(b"GET /sse HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.3\r\n\r\n");
    daemon.wait_connections(3);
    assert_eq!(peers(&daemon), ["192.0.2.1:0", "192.0.2.3:0", "192.0.2.9:4711"]);
    drop((client, liar, sse));
    daemon.wait_connections(0);
}

#[test]
fn several_reactors_hear_it() {
    let daemon = Daemon::start(&[PROXIED, &["--reactors", "2"]].concat());
    let clients: Vec<_> =
        (1..=6).map(|n| open(&daemon, &text(&format!("192.0.2.{n}")), &[]).unwrap()).collect();
    let expected: Vec<_> = (1..=6).map(|n| format!("192.0.2.{n}:4711")).collect();
    assert_eq!(peers(&daemon), expected);
    drop(clients);
    daemon.wait_connections(0);
}

#[test]
fn who_is_trusted_changes_with_a_reload() {
    let file = std::env::temp_dir().join(format!("wspush-proxied-{}.toml", std::process::id()));
    std::fs::write(&file, "trusted_proxies = \"10.0.0.0/8\"\n").unwrap();
    let daemon = Daemon::start(&["--config", file.to_str().unwrap()]);
    let first = open(&daemon, b"", &[("X-Forwarded-For", "192.0.2.1")]).unwrap();
    std::fs::write(&file, "trusted_proxies = [\"127.0.0.0/8\"]\n").unwrap();
    daemon.signal("HUP");
    daemon.wait_event("reloaded");
    let second = open(&daemon, b"", &[("X-Forwarded-For", "192.0.2.1")]).unwrap();
    let own = first.stream().local_addr().unwrap().to_string();
    assert_eq!(peers(&daemon), [own.as_str(), "192.0.2.1:0"]);
    drop((first, second));
    // Where a listener takes the word of proxies only, the last one can't be taken away.
    std::fs::remove_file(&file).unwrap();
}
