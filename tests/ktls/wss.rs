//! The daemon with kernel TLS: what clients see is what they see without.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedCipherSuite, SupportedProtocolVersion};
use wspush::reactor::ktls::KernelSupport;
use wspush::tls::{Cipher, Suite, Version};

use super::offer;
use crate::daemon::tls::{Authority, TlsClient};
use crate::daemon::{Daemon, process, wait};
use crate::wire::{BINARY, CLOSE, TEXT, close_of};

const ONLY_12: &[&SupportedProtocolVersion] = &[&TLS12];
const ONLY_13: &[&SupportedProtocolVersion] = &[&TLS13];

/// A daemon that speaks TLS, and who vouches for it.
pub struct Rig {
    authority: Authority,
    pub daemon: Daemon,
    /// The clients' suite: one that the kernel supports, if it supports any.
    suite: Suite,
}

impl Rig {
    fn start(more: &[&str]) -> Rig {
        let authority = Authority::new("test authority");
        authority.make("one", &["localhost"]);
        let flags = authority.flags(&["one"]);
        let flags: Vec<&str> = flags.iter().map(String::as_str).chain(more.iter().copied()).collect();
        let offer = KernelSupport::probe().unwrap_or(KernelSupport::NONE);
        let best = [Cipher::Aes128Gcm, Cipher::Chacha20Poly1305]
            .map(|cipher| Suite { version: Version::Tls13, cipher });
        let suite = best.into_iter().find(|suite| offer.has(*suite)).unwrap_or(best[0]);
        Rig { daemon: Daemon::start(&flags), authority, suite }
    }

    /// None, said aloud, where the kernel offers nothing.
    pub fn start_if_offered(more: &[&str]) -> Option<Rig> {
        offer().map(|_| Rig::start(more))
    }

    /// A client's configuration that allows just this suite.
    pub fn config(&self, suite: Suite) -> ClientConfig {
        let mut options = self.authority.client();
        let mut provider = CryptoProvider { ..aws_lc_rs::default_provider() };
        provider.cipher_suites.retain(|library| is_suite(*library, suite));
        options.provider = Arc::new(provider);
        options.versions = match suite.version {
            Version::Tls12 => ONLY_12,
            Version::Tls13 => ONLY_13,
        };
        options.config()
    }

    /// A client that has asked for nothing yet.
    pub fn connect(&self) -> TlsClient {
        TlsClient::connect(self.daemon.public, self.config(self.suite)).expect("a connection")
    }

    /// Another daemon with the same flags, and this one as it was.
    pub fn succeed(&mut self, more: &[&str]) -> Daemon {
        let flags = self.authority.flags(&["one"]);
        let flags: Vec<&str> = flags.iter().map(String::as_str).chain(more.iter().copied()).collect();
        std::mem::replace(&mut self.daemon, Daemon::start(&flags))
    }

    pub fn open(&self, target: &str) -> TlsClient {
        TlsClient::open(self.daemon.public, self.config(self.suite), target)
    }

    pub fn counter(&self, name: &str, of: &str) -> u64 {
        self.daemon.stats()["counters"][name][of].as_u64().expect("a number")
    }

    pub fn handed_over(&self) -> u64 {
        self.counter("kernel_tls", "handed_over")
    }

    pub fn metric(&self, name: &str) -> u64 {
        let text = self.daemon.ask("GET", "/metrics", &[], b"").text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("the metric");
        line.trim().parse().expect("a number")
    }
}

fn is_suite(library: SupportedCipherSuite, suite: Suite) -> bool {
    let name = format!("{:?}", library.suite());
    let cipher = match suite.cipher {
        Cipher::Aes128Gcm => "AES_128_GCM",
        Cipher::Aes256Gcm => "AES_256_GCM",
        Cipher::Chacha20Poly1305 => "CHACHA20_POLY1305",
    };
    name.contains(cipher) && name.starts_with("TLS13") == (suite.version == Version::Tls13)
}

#[test]
fn every_suite_is_handed_over_that_the_kernel_offers() {
    let Some(offer) = offer() else { return };
    let rig = Rig::start(&["--demo"]);
    for suite in Suite::all() {
        let (before, config) = (rig.handed_over(), rig.config(suite));
        let mut echo = TlsClient::open(rig.daemon.public, config.clone(), "/echo");
        let mut subscriber = TlsClient::open(rig.daemon.public, config, "/ws");
        for size in [0, 1, 125, 126, 16_384, 50_000] {
            let text = "x".repeat(size);
            echo.send_frame(TEXT, text.as_bytes());
            assert_eq!(echo.text(), text);
        }
        for text in ["one", "two", "three"] {
            assert_eq!(rig.daemon.push(text)["recipients"], 1);
            assert_eq!(subscriber.text(), text);
        }
        assert_eq!(rig.handed_over() - before, if offer.has(suite) { 2 } else { 0 }, "{suite}");
        drop((echo, subscriber));
        rig.daemon.wait_connections(0);
    }
    assert_eq!(rig.metric("wspush_connections_kernel_tls"), 0);
    assert_eq!(rig.counter("kernel_tls", "failed"), 0);
}

#[test]
fn off_means_off() {
    let rig = Rig::start(&["--demo", "--kernel-tls", "off"]);
    let mut echo = rig.open("/echo");
    echo.send_frame(TEXT, b"hello");
    assert_eq!(echo.text(), "hello");
    assert_eq!(rig.handed_over(), 0);
}

#[test]
fn a_broadcast_is_one_plain_send_for_each() {
    const CLIENTS: u64 = 200;
    // The least that a record adds: a header, a tag, and in TLS 1.3 a content type.
    const OVERHEAD: u64 = 22;
    let Some(rig) = Rig::start_if_offered(&[]) else { return };
    let mut clients: Vec<TlsClient> = (0..CLIENTS).map(|_| rig.open("/ws")).collect();
    rig.daemon.wait_connections(CLIENTS);
    assert_eq!((rig.handed_over(), rig.metric("wspush_connections_kernel_tls")), (CLIENTS, CLIENTS));
    let counters = || {
        let counters = &rig.daemon.stats()["counters"];
        ["sends", "send_bytes"].map(|name| counters[name].as_u64().expect("a number"))
    };
    let [first, second] = [counters(), counters()];
    rig.daemon.push(&"x".repeat(1_000));
    for client in &mut clients {
        assert_eq!(client.text().len(), 1_000);
    }
    let third = counters();
    // Without what it takes to answer the question for them.
    let [sends, bytes] = [0, 1].map(|n| third[n] - second[n] - (second[n] - first[n]));
    assert!((CLIENTS..=CLIENTS + 2).contains(&sends), "{sends} sends, one or two of them the push's answer");
    let more = bytes.checked_sub(CLIENTS * 1_004).expect("a frame for each");
    assert!(more < CLIENTS * OVERHEAD / 2, "{more} bytes beside the frames, as if they were sealed by us");
}

#[test]
fn the_end_is_said_both_ways() {
    let Some(rig) = Rig::start_if_offered(&["--demo"]) else { return };
    // The client closes.
    let mut client = rig.open("/echo");
    client.send_frame(CLOSE, &1000u16.to_be_bytes());
    assert_eq!(close_of(&client.next().expect("an answer")).0, 1000);
    assert!(client.wait_end(), "close_notify comes before the end");
    drop(client);
    // It ends TLS without a word, and its stream stays open.
    let mut client = rig.open("/echo");
    client.tls.send_close_notify();
    client.flush();
    assert!(client.wait_end());
    rig.daemon.wait_connections(0);
    // It vanishes.
    drop(rig.open("/echo"));
    rig.daemon.wait_connections(0);
    // It gives up with a fatal alert: whatever it says is sealed by the library only after an error of ours, so here it
    // is a record that is none.
    let mut client = rig.open("/echo");
    client.send_raw(&[23, 3, 3, 0, 32]);
    client.send_raw(&[7; 32]);
    assert!(!client.wait_end());
    assert_eq!(client.failed, Some(rustls::Error::AlertReceived(rustls::AlertDescription::BadRecordMac)));
    rig.daemon.wait_connections(0);
    assert_eq!(rig.counter("closed", "protocol_error"), 1);
    // We do.
    let mut client = rig.open("/ws");
    let mut more = rig.open("/echo");
    rig.daemon.signal("TERM");
    for client in [&mut client, &mut more] {
        let code = 1001u16.to_be_bytes();
        assert_eq!(close_of(&client.next().expect("a close frame")).0, 1001);
        client.send_frame(CLOSE, &code);
        assert!(client.wait_end());
    }
}

#[test]
fn new_keys_of_the_client() {
    let Some(offer) = offer() else { return };
    let rig = Rig::start(&["--demo"]);
    let mut client = rig.open("/echo");
    client.send_frame(TEXT, b"before");
    assert_eq!(client.text(), "before");
    assert_eq!(rig.handed_over(), 1);
    client.tls.refresh_traffic_keys().expect("TLS 1.3");
    client.flush();
    if offer.new_keys {
        for text in ["after", "and again"] {
            client.send_frame(TEXT, text.as_bytes());
            assert_eq!(client.text(), text);
        }
        assert_eq!(rig.counter("kernel_tls", "new_keys"), 1);
        return;
    }
    // It may have said more already: that is under keys that the kernel can't be given.
    client.send_frame(TEXT, b"lost");
    assert_eq!(close_of(&client.next().expect("a close frame")).0, 1012);
    assert!(client.wait_end());
    drop(client);
    rig.daemon.wait_connections(0);
    assert_eq!(rig.counter("closed", "tls_keys"), 1);
}

#[test]
fn a_blocked_reader_gets_everything_and_holds_up_nobody() {
    let Some(rig) = Rig::start_if_offered(&["--log-bytes", "16777216"]) else { return };
    let (mut slow, mut quick) = (rig.open("/ws"), rig.open("/ws"));
    rig.daemon.wait_connections(2);
    let texts: Vec<String> = (0..120).map(|n| format!("{n:05}").repeat(13_000)).collect();
    for text in &texts {
        rig.daemon.push(text);
        assert_eq!(&quick.text(), text);
    }
    assert!(rig.daemon.stats()["blocked"].as_u64() == Some(1), "7.8 MB don't fit into a socket");
    for text in &texts {
        assert_eq!(&slow.text(), text);
    }
    rig.daemon.wait_stats("nobody is blocked", |stats| stats["blocked"] == 0);
    assert_eq!(rig.handed_over(), 2);
}

#[test]
fn a_slow_consumer_is_told_so() {
    let Some(rig) = Rig::start_if_offered(&["--log-bytes", "1048576", "--admin-body-bytes-max", "65536"])
    else {
        return;
    };
    let (mut slow, mut quick) = (rig.open("/ws"), rig.open("/ws"));
    rig.daemon.wait_connections(2);
    let text = "0123456789".repeat(6_000);
    while rig.counter("closed", "slow_consumer") + rig.daemon.stats()["closing"].as_u64().expect("a number")
        == 0
    {
        rig.daemon.push(&text);
        assert_eq!(quick.text(), text);
    }
    // Whole publications, and then why: though the kernel has stopped in the middle of one.
    let told = loop {
        let frame = slow.next().expect("a close frame before the end");
        if frame.opcode == CLOSE {
            break close_of(&frame);
        }
        assert_eq!(frame.payload, text.as_bytes());
    };
    assert_eq!(told, (1013, "slow consumer".to_owned()));
    drop(slow);
    rig.daemon.wait_connections(1);
    assert_eq!(rig.counter("closed", "slow_consumer"), 1);
}

#[test]
fn a_flood_of_echoes_comes_back_whole() {
    let Some(rig) = Rig::start_if_offered(&["--demo"]) else { return };
    let mut client = rig.open("/echo");
    let payloads: Vec<Vec<u8>> = (0..300u32).map(|n| n.to_le_bytes().repeat(1 + n as usize * 40)).collect();
    for batch in payloads.chunks(10) {
        for payload in batch {
            client.send_frame(BINARY, payload);
        }
        for payload in batch {
            assert!(&client.next().expect("an echo").payload == payload);
        }
    }
    assert_eq!(rig.handed_over(), 1);
}

#[test]
fn heartbeats_go_through() {
    let Some(rig) = Rig::start_if_offered(&["--heartbeat-ms", "1000", "--pong-wait-ms", "1000"]) else {
        return;
    };
    let mut client = rig.open("/ws");
    let ping = client.next().expect("a ping");
    assert_eq!(ping.opcode, 9);
    client.send_frame(10, &ping.payload);
    assert_eq!(client.next().expect("another ping").opcode, 9);
    // And then it falls silent.
    assert!(client.wait_end());
    rig.daemon.wait_connections(0);
    assert_eq!(rig.counter("closed", "heartbeat"), 1);
}

/// Bytes of the kernel's own objects, whoever they are for.
fn slab_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("Slab:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

/// Bytes for each idle connection: of the server's memory, and of the kernel's for both ends.
fn idle_bytes(setting: &str, suite: Suite, count: usize) -> (u64, u64) {
    let rig = Rig::start(&["--kernel-tls", setting, "--heartbeat-ms", "0"]);
    let config = Arc::new(rig.config(suite));
    let open = || TlsClient::open(rig.daemon.public, config.clone(), "/ws");
    // The first few make what all have in common.
    let mut clients: Vec<TlsClient> = (0..100).map(|_| open()).collect();
    let rss = || process::rss_bytes(rig.daemon.pid());
    let before = (rss(), slab_bytes());
    clients.extend((0..count).map(|_| open()));
    rig.daemon.wait_connections(clients.len() as u64);
    let more = (rss() - before.0, slab_bytes().saturating_sub(before.1));
    (more.0 / count as u64, more.1 / count as u64)
}

#[test]
fn an_idle_connection_is_back_to_a_slot() {
    let Some(offer) = offer() else { return };
    let count =
        std::env::var("WSPUSH_KTLS_CONNECTIONS").map_or(2_000, |count| count.parse().expect("a number"));
    process::raise_own_limit();
    let of = |cipher| Suite { version: Version::Tls13, cipher };
    let (without, base) = idle_bytes("off", of(Cipher::Aes128Gcm), count);
    println!("{count} idle wss connections: {without} bytes each");
    for suite in [of(Cipher::Aes128Gcm), of(Cipher::Chacha20Poly1305)] {
        if !offer.has(suite) {
            continue;
        }
        let (with, kernel) = idle_bytes("auto", suite, count);
        println!(
            "{suite} in the kernel: {with} bytes each, and {} more in the kernel",
            kernel.saturating_sub(base)
        );
        assert!(with <= 256, "{with} bytes");
        assert!(without > 4 * with, "the comparison measures nothing: {without} bytes");
    }
}

#[test]
fn many_come_and_go() {
    const ROUNDS: usize = 4;
    const CLIENTS: usize = 100;
    let Some(rig) = Rig::start_if_offered(&[]) else { return };
    let config = Arc::new(rig.config(rig.suite));
    wait("the daemon's own descriptors", || process::descriptors(rig.daemon.pid()) > 0);
    let before = process::descriptors(rig.daemon.pid());
    for _ in 0..ROUNDS {
        let mut clients: Vec<TlsClient> =
            (0..CLIENTS).map(|_| TlsClient::open(rig.daemon.public, config.clone(), "/ws")).collect();
        assert_eq!(rig.daemon.push("hello")["recipients"], CLIENTS);
        for client in &mut clients {
            assert_eq!(client.text(), "hello");
        }
        drop(clients);
        rig.daemon.wait_connections(0);
    }
    assert_eq!(rig.handed_over(), (ROUNDS * CLIENTS) as u64);
    wait("all descriptors are back", || process::descriptors(rig.daemon.pid()) <= before);
}
