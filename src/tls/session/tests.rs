//! A session against the library's own client, in memory: whole, byte by byte, in pieces, and damaged.

use std::io::{Read, Write};
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::*;
use crate::config::Config;
use crate::tls::load;

struct Sides {
    acceptor: Acceptor,
    clients: [Arc<ClientConfig>; 2],
}

static SIDES: LazyLock<Sides> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("wspush-session-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["a.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    let file = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let config = Config {
        listen: vec!["tls://127.0.0.1:0".parse().unwrap()],
        tls_cert: vec![file("cert.pem", certificate.pem())],
        tls_key: vec![file("key.pem", key.serialize_pem())],
        ..Config::default()
    };
    let acceptor = load(&config, 1_700_000_000).unwrap().acceptor.unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let clients = [&rustls::version::TLS12, &rustls::version::TLS13].map(|version| {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_protocol_versions(&[version]).unwrap();
        let mut config = builder.with_root_certificates(roots.clone()).with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        Arc::new(config)
    });
    Sides { acceptor, clients }
});

/// A session and its client, and what the session has made of everything.
struct Pair {
    session: TlsSession,
    client: ClientConnection,
    plain: Vec<u8>,
    failed: Option<String>,
}

impl Pair {
    fn new(tls13: bool) -> Pair {
        let config = SIDES.clients[usize::from(tls13)].clone();
        let client = ClientConnection::new(config, "a.example".try_into().unwrap()).unwrap();
        let session = TlsSession::new(&SIDES.acceptor).unwrap();
        Pair { session, client, plain: Vec::new(), failed: None }
    }

    fn open(tls13: bool) -> Pair {
        let mut pair = Pair::new(tls13);
        while pair.client.is_handshaking() {
            let said = pair.said();
            pair.hear(&said, usize::MAX);
        }
        let said = pair.said();
        pair.hear(&said, usize::MAX);
        assert_eq!(pair.session.established(), Some(Established { tls13, resumed: false }));
        pair
    }

    /// The client's ciphertext.
    fn said(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    /// The session gets it in pieces; the client gets the answers.
    fn hear(&mut self, bytes: &[u8], piece: usize) {
        let mut out = Records::default();
        for part in bytes.chunks(piece) {
            let mut input = [self.session.partial(), part].concat();
            let received = self.session.receive(&mut input, &mut self.plain, &mut out);
            self.failed = self.failed.take().or(received.failed);
        }
        self.tell(&out);
    }

    /// The client gets records; what they say.
    fn tell(&mut self, out: &Records) -> Vec<u8> {
        let (mut records, mut heard) = (out.bytes(), Vec::new());
        while !records.is_empty() {
            self.client.read_tls(&mut records).unwrap();
            // The client's opinion of alerts is of no interest here.
            let _ = self.client.process_new_packets();
            let _ = self.client.reader().read_to_end(&mut heard);
        }
        heard
    }

    fn heard_by_client(&mut self, plain: &[u8]) -> Vec<u8> {
        let mut out = Records::default();
        assert!(self.session.encrypt(plain, &mut out));
        self.tell(&out)
    }
}

#[test]
fn bytes_go_both_ways_in_pieces_of_any_size() {
    for tls13 in [false, true] {
        for piece in [1, 2, 5, 700, usize::MAX] {
            let mut pair = Pair::new(tls13);
            while pair.client.is_handshaking() {
                let said = pair.said();
                pair.hear(&said, piece);
            }
            pair.client.writer().write_all(b"from the client").unwrap();
            let said = pair.said();
            pair.hear(&said, piece);
            assert_eq!((&*pair.plain, &pair.failed), (&b"from the client"[..], &None));
            let large: Vec<u8> = (0..40_000).map(|n| n as u8).collect();
            assert!(pair.heard_by_client(&large) == large);
            assert_eq!(pair.session.held_bytes(), 0, "nothing is held while nothing is on its way");
        }
    }
}

#[test]
fn something_is_said_while_half_a_key_update_is_there() {
    // The library keeps a part of a handshake message in our buffer, and must find it there when it only writes.
    let mut pair = Pair::open(true);
    pair.client.refresh_traffic_keys().unwrap();
    let update = pair.said();
    for byte in &update[..update.len() - 1] {
        pair.hear(&[*byte], 1);
        assert_eq!(pair.heard_by_client(b"in between"), b"in between");
    }
    pair.hear(&update[update.len() - 1..], 1);
    pair.client.writer().write_all(b"with the new key").unwrap();
    let said = pair.said();
    pair.hear(&said, usize::MAX);
    assert_eq!((&*pair.plain, &pair.failed), (&b"with the new key"[..], &None));
}

#[test]
fn a_message_without_end_is_not_kept() {
    let mut pair = Pair::new(true);
    // A client's first message of 16 MB, in records of 16 KiB.
    let mut record = vec![22, 3, 1, 0x40, 0];
    record.extend([1, 0xff, 0xff, 0xff]);
    record.resize(5 + (16 << 10), 0);
    for _ in 0..10 {
        pair.hear(&record, usize::MAX);
        assert!(pair.session.held_bytes() <= PARTIAL_BYTES_MAX);
    }
    assert!(pair.failed.is_some());
}

#[test]
fn the_end_is_said_once_and_understood() {
    for tls13 in [false, true] {
        let mut pair = Pair::open(tls13);
        let mut out = Records::default();
        pair.session.close(&mut out);
        assert!(!out.is_empty());
        let length = out.bytes().len();
        pair.session.close(&mut out);
        assert_eq!(out.bytes().len(), length);
        pair.tell(&out);
        pair.client.send_close_notify();
        let said = pair.said();
        pair.hear(&said, usize::MAX);
        assert!(pair.session.has_ended() && pair.failed.is_none());
    }
}

#[test]
fn without_keys_nothing_is_sealed() {
    let mut session = TlsSession::new(&SIDES.acceptor).unwrap();
    let mut out = Records::default();
    session.close(&mut out);
    assert!(!session.encrypt(b"too soon", &mut out) && out.is_empty());
}

#[test]
fn unsent_records_stay_in_order() {
    let mut session = TlsSession::new(&SIDES.acceptor).unwrap();
    session.keep_unsent(&[1, 2, 3]);
    session.mark_sent(2);
    session.keep_unsent(&[4, 5]);
    assert_eq!(session.unsent(), [3, 4, 5]);
    session.mark_sent(3);
    assert_eq!((session.unsent(), session.held_bytes()), (&[][..], 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Whatever comes, the session fails at the worst, and goes on being asked.
    #[test]
    fn nothing_panics(
        tls13 in any::<bool>(),
        open in any::<bool>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        noise in prop::collection::vec(any::<u8>(), 0..40),
        piece in 1_usize..400,
    ) {
        let mut pair = if open { Pair::open(tls13) } else { Pair::new(tls13) };
        if open {
            pair.client.writer().write_all(&[b'x'; 300]).unwrap();
            if tls13 {
                pair.client.refresh_traffic_keys().unwrap();
            }
        }
        let mut said = pair.said();
        for (at, byte) in damage {
            let at = at.index(said.len());
            said[at] ^= byte;
        }
        said.extend(noise);
        let mut out = Records::default();
        for part in said.chunks(piece) {
            pair.hear(part, usize::MAX);
            let _ = pair.session.encrypt(b"answer", &mut out);
            let plain = pair.plain.len();
            prop_assert!(pair.session.held_bytes() <= PARTIAL_BYTES_MAX && plain <= 300);
        }
        pair.session.close(&mut out);
    }
}
