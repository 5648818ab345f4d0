//! TLS over real sockets: versions, certificates, resumption, clients' certificates, and a start that fails.
#![cfg(feature = "tls")]

use std::fs;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use crate::daemon::tls::{Authority, ClientOptions, TlsClient};
use crate::daemon::{self, Daemon, Http, WebSocket};
use crate::wire::{CLOSE, HANDSHAKE, TEXT};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, Error, HandshakeKind, SupportedProtocolVersion};
use wspush::endpoint::{Connect, Decision, Handler, Session};
use wspush::{Config, Server};

const BOTH: [&[&SupportedProtocolVersion]; 2] = [&[&TLS12], &[&TLS13]];

fn in_version<'a>(
    authority: &'a Authority,
    versions: &'static [&'static SupportedProtocolVersion],
) -> ClientOptions<'a> {
    ClientOptions { versions, ..authority.client() }
}

#[test]
fn both_versions_echo_and_broadcast() {
    let authority = Authority::with_localhost();
    let daemon = authority.daemon(&["one"], &["--demo"]);
    for versions in BOTH {
        let options = in_version(&authority, versions);
        let mut echo = TlsClient::open(daemon.public, options.config(), "/echo");
        echo.send_frame(TEXT, b"hello");
        assert_eq!(echo.text(), "hello");
        let mut subscriber = TlsClient::open(daemon.public, options.config(), "/ws");
        assert_eq!(daemon.push("to all")["recipients"], 1);
        assert_eq!(subscriber.text(), "to all");
        assert_eq!(subscriber.tls.protocol_version(), Some(versions[0].version));
        drop((echo, subscriber));
        daemon.wait_connections(0);
    }
    let handshakes = &daemon.stats()["counters"]["tls_handshakes"];
    assert_eq!((&handshakes["full_tls12"], &handshakes["full_tls13"]), (&2.into(), &2.into()));
}

#[test]
fn plain_and_tls_listeners_share_the_channels() {
    let authority = Authority::with_localhost();
    let daemon = authority.daemon(&["one"], &["--listen", "127.0.0.1:0"]);
    let mut sealed = TlsClient::open(daemon.public, authority.client().config(), "/ws");
    let refused = |response: daemon::Response| panic!("{}", response.status);
    let mut plain = WebSocket::ask(daemon.public_addresses()[1], "/ws", &[]).unwrap_or_else(refused);
    assert_eq!(daemon.push("to both")["recipients"], 2);
    assert_eq!((sealed.text(), plain.text()), ("to both".to_owned(), "to both".to_owned()));
}

#[test]
fn the_admin_listener_may_speak_tls() {
    let authority = Authority::with_localhost();
    let mut flags = authority.flags(&["one"]);
    flags[1] = "127.0.0.1:0".to_owned();
    flags.extend(["--admin".to_owned(), "tls://127.0.0.1:0".to_owned()]);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let daemon = Daemon::start(&flags);
    let mut admin = TlsClient::connect(daemon.admin(), authority.client().config()).unwrap();
    admin.ask("/stats", &[]);
    assert!(admin.head().starts_with("HTTP/1.1 200 "));
    let response = Http::tcp(daemon.admin()).ask("GET", "/stats", &[], b"");
    assert_eq!((response.status, response.text().contains("this port speaks TLS")), (400, true));
}

#[test]
fn the_certificate_is_chosen_by_the_name_that_is_asked_for() {
    let authority = Authority::new("names");
    authority.make("first", &["a.example", "127.0.0.1"]);
    authority.make("second", &["*.b.example", "c.example"]);
    let daemon = authority.daemon(&["first", "second"], &[]);
    for versions in BOTH {
        for (name, file) in [
            ("a.example", "first"),
            ("x.b.example", "second"),
            ("X.B.Example", "second"),
            ("c.example", "second"),
            // An address is never asked for: the first one is the default.
            ("127.0.0.1", "first"),
        ] {
            let mut client = TlsClient::new(daemon.public, in_version(&authority, versions).config(), name);
            client.shake().unwrap();
            let file = authority.file(&format!("{file}.pem"));
            let wanted = CertificateDer::from_pem_file(file).unwrap();
            assert_eq!(client.tls.peer_certificates().unwrap()[0], wanted, "{name}");
        }
        // Who asks for another name gets the default one, and may say that it isn't what it wanted.
        let mut client =
            TlsClient::new(daemon.public, in_version(&authority, versions).config(), "z.example");
        assert!(matches!(client.shake(), Err(Error::InvalidCertificate(_))));
        // The client's alert: an error of TLS, in the log with its name.
        client.flush();
        daemon.wait_log(|line| line.contains("reason=tls_handshake") && line.contains("BadCertificate"));
    }
}

#[test]
fn only_http_1_1_is_spoken_inside() {
    let authority = Authority::with_localhost();
    let daemon = authority.daemon(&["one"], &[]);
    let with = |protocols: &[&[u8]]| {
        let mut config = authority.client().config();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        TlsClient::connect(daemon.public, config)
    };
    assert_eq!(with(&[]).unwrap().tls.alpn_protocol(), None);
    assert_eq!(with(&[b"h2", b"http/1.1"]).unwrap().tls.alpn_protocol(), Some(&b"http/1.1"[..]));
    let refused = with(&[b"h2"]).err();
    assert_eq!(refused, Some(Error::AlertReceived(AlertDescription::NoApplicationProtocol)));
    assert_eq!(daemon.counter("handshakes_ok"), 0);
    assert_eq!(daemon.stats()["counters"]["handshakes_refused"]["tls_handshake"], 1);
}

#[test]
fn sessions_are_resumed_also_after_a_reload() {
    let authority = Authority::with_localhost();
    let daemon = authority.daemon(&["one"], &["--demo"]);
    for versions in BOTH {
        let config = Arc::new(ClientOptions { resumes: true, ..in_version(&authority, versions) }.config());
        let mut kinds = Vec::new();
        for round in 0..3 {
            let mut client = TlsClient::open(daemon.public, config.clone(), "/echo");
            // The ticket comes behind the handshake; an answer comes behind the ticket.
            client.send_frame(TEXT, b"x");
            client.text();
            kinds.push(client.tls.handshake_kind().unwrap());
            if round == 1 {
                let reloads = daemon.events("reloaded");
                daemon.signal("HUP");
                daemon::wait("a reload", || daemon.events("reloaded") > reloads);
            }
        }
        assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed]);
    }
    let handshakes = daemon.stats()["counters"]["tls_handshakes"].clone();
    for (kind, count) in [("full_tls12", 1), ("resumed_tls12", 2), ("full_tls13", 1), ("resumed_tls13", 2)] {
        assert_eq!(handshakes[kind], count, "{kind}");
    }
}

#[test]
fn certificates_are_exchanged_while_everybody_stays() {
    let authority = Authority::with_localhost();
    let daemon = authority.daemon(&["one"], &["--demo"]);
    let connect = || TlsClient::open(daemon.public, authority.client().config(), "/echo");
    let shown = |client: &TlsClient| client.tls.peer_certificates().unwrap()[0].to_vec();
    let mut early = connect();
    authority.make("one", &["localhost"]);
    daemon.signal("HUP");
    let line = daemon.wait_event("reloaded");
    assert!(line.ends_with("applied=tls_cert,tls_key need_restart=\"\""), "{line}");
    let mut late = connect();
    assert_ne!(shown(&early), shown(&late));
    // A bad one changes nothing.
    fs::write(authority.file("one.key"), "no key").unwrap();
    daemon.signal("HUP");
    let line = daemon.wait_event("not_reloaded");
    assert!(line.contains("one.key") && line.contains("no private key in it"), "{line}");
    let mut last = connect();
    assert_eq!(shown(&late), shown(&last));
    for client in [&mut early, &mut late, &mut last] {
        client.send_frame(TEXT, b"still there");
        assert_eq!(client.text(), "still there");
    }
}

/// Tells what it sees, and lets everybody in.
struct Doorman(Sender<Option<String>>);

impl Handler for Doorman {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        assert!(connect.is_secure());
        self.0.send(connect.client_subject()).unwrap();
        connect.by_config()
    }

    fn on_open(&mut self, session: &mut Session<'_>) {
        assert!(session.is_secure());
    }
}

#[test]
fn clients_show_certificates_as_they_are_asked_to() {
    let authority = Authority::with_localhost();
    let stranger = Authority::new("another authority");
    for owner in [&authority, &stranger] {
        owner.make_with("alice", &["alice.example"], |params| {
            params.distinguished_name.push(rcgen::DnType::OrganizationName, "Wonder, Land");
        });
    }
    let subject = Some("O=Wonder\\, Land,CN=alice".to_owned());
    for (auth, anonymous_may) in [("off", true), ("optional", true), ("required", false)] {
        let config = Config {
            listen: vec!["tls://127.0.0.1:0".parse().unwrap()],
            tls_cert: vec![authority.file("one.pem")],
            tls_key: vec![authority.file("one.key")],
            tls_client_ca: Some(authority.ca()),
            tls_client_auth: auth.parse().unwrap(),
            ..Config::default()
        };
        let (sender, seen) = channel();
        let server = Server::bind_with(config, |_| Box::new(Doorman(sender)), None).unwrap();
        let (address, handle) = (server.addresses()[0], server.handle());
        let thread = std::thread::spawn(move || server.run());
        for versions in BOTH {
            let options = in_version(&authority, versions);
            let known = ClientOptions { own: Some("alice"), ..in_version(&authority, versions) };
            TlsClient::open(address, known.config(), "/ws");
            assert_eq!(seen.recv().unwrap(), subject.clone().filter(|_| auth != "off"));
            // In TLS 1.3 the client learns of a refusal only when it listens.
            let outcome = |config| {
                TlsClient::connect(address, config).and_then(|mut client| {
                    client.ask("/ws", &HANDSHAKE);
                    client.try_head()
                })
            };
            let anonymous = outcome(options.config());
            assert_eq!(anonymous.is_ok(), anonymous_may, "{auth}: {anonymous:?}");
            if anonymous_may {
                assert_eq!(seen.recv().unwrap(), None);
            }
            let mut foreign = stranger.client_with("alice", versions);
            foreign.dangerous().set_certificate_verifier(authority.client().verifier());
            let foreign = outcome(foreign);
            assert_eq!(foreign.is_ok(), auth == "off", "{auth}: {foreign:?}");
            if auth == "off" {
                assert_eq!(seen.recv().unwrap(), None);
            }
        }
        handle.drain();
        thread.join().unwrap().unwrap();
    }
}

#[test]
fn a_refusal_by_a_close_frame_comes_sealed() {
    let authority = Authority::with_localhost();
    let daemon = authority.daemon(&["one"], &[]);
    for versions in BOTH {
        let options = in_version(&authority, versions);
        let mut refused = TlsClient::open(daemon.public, options.config(), "/ws?refusals=close&chan=a");
        let frame = refused.next().unwrap();
        assert_eq!((frame.opcode, &frame.payload[..2]), (CLOSE, &4400_u16.to_be_bytes()[..]));
        refused.send_frame(CLOSE, &4400_u16.to_be_bytes());
        drop(refused);
        daemon.wait_stats("its end", |s| s["closing"] == 0 && s["handshaking"] == 0);
    }
    assert_eq!(daemon.counter("handshakes_ok"), 0);
}

/// A browser shows a visitor's certificate to whichever page asks.
#[test]
fn a_certificate_comes_from_the_servers_own_pages() {
    let authority = Authority::with_localhost();
    authority.make("alice", &["alice.example"]);
    let ca = authority.ca();
    let daemon = authority.daemon(&["one"], &["--tls-client-ca", &ca, "--tls-client-auth", "optional"]);
    for (own, origin, expected) in [
        (None, "https://evil.example", 101),
        (Some("alice"), "https://evil.example", 403),
        (Some("alice"), "https://localhost", 101),
        (Some("alice"), "http://localhost", 403),
    ] {
        let options = ClientOptions { own, ..in_version(&authority, BOTH[1]) };
        let mut client = TlsClient::connect(daemon.public, options.config()).unwrap();
        let more = [("Origin", origin)];
        client.ask("/ws", &[&HANDSHAKE[..], &more].concat());
        let head = client.try_head().unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {expected} ")), "{own:?} {origin}: {head}");
    }
}

#[test]
fn what_is_wrong_with_a_file_is_one_clear_line() {
    let authority = Authority::with_localhost();
    authority.make("two", &["two.example"]);
    let file = |name: &str| authority.file(name);
    let read = |name: &str| fs::read_to_string(file(name)).unwrap();
    fs::write(file("empty.pem"), "").unwrap();
    fs::write(file("text.pem"), "hello\n").unwrap();
    fs::write(file("damaged.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    fs::write(file("broken.pem"), "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n").unwrap();
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    fs::write(file("locked.key"), encrypted).unwrap();
    let encrypted = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0\n\nAAAA\n\
                     -----END RSA PRIVATE KEY-----\n";
    fs::write(file("old.key"), encrypted).unwrap();
    let (pem, second_key) = (read("one.pem"), read("one.key"));
    fs::write(file("glued.pem"), format!("{}{pem}", pem.trim_end())).unwrap();
    fs::write(file("both.key"), second_key.repeat(2)).unwrap();
    for (cert, key, why) in [
        ("none.pem", "one.key", "tls_cert = \"FOLDER/none.pem\": cannot be read: No such file"),
        ("one.pem", "none.key", "tls_key = \"FOLDER/none.key\": cannot be read: No such file"),
        ("empty.pem", "one.key", "tls_cert = \"FOLDER/empty.pem\": the file is empty"),
        ("text.pem", "one.key", "tls_cert = \"FOLDER/text.pem\": no certificate in it"),
        ("damaged.pem", "one.key", "tls_cert = \"FOLDER/damaged.pem\": line 1: the certificate is damaged"),
        ("broken.pem", "one.key", "tls_cert = \"FOLDER/broken.pem\": line 2: not base64"),
        ("glued.pem", "one.key", "tls_cert = \"FOLDER/glued.pem\": line LINE: more than one BEGIN or END"),
        ("one.pem", "one.pem", "tls_key = \"FOLDER/one.pem\": no private key in it"),
        ("one.pem", "locked.key", "tls_key = \"FOLDER/locked.key\": line 1: the key is encrypted; take"),
        ("one.pem", "old.key", "tls_key = \"FOLDER/old.key\": line 1: the key is encrypted; take"),
        ("one.pem", "both.key", "tls_key = \"FOLDER/both.key\": line KEY: a second private key"),
        (
            "one.pem",
            "two.key",
            "tls_key = \"FOLDER/two.key\": not the key of the certificate in \"FOLDER/one.pem\"",
        ),
    ] {
        let (cert, key) = (file(cert), file(key));
        let flags = ["--listen", "tls://127.0.0.1:0", "--tls-cert", &cert, "--tls-key", &key];
        let why = why.replace("FOLDER", file("").trim_end_matches('/'));
        let why = why.replace("LINE", &pem.trim_end().lines().count().to_string());
        let why = why.replace("line KEY", &format!("line {}", second_key.lines().count() + 1));
        for more in [&[][..], &["--check"]] {
            let (status, said) = Daemon::refused(&[&flags[..], more].concat());
            assert_eq!(status.code(), Some(2), "{said}");
            assert!(
                said.starts_with("wspushd: ") && said.contains(&why) && said.lines().count() == 1,
                "{said}"
            );
        }
    }
}

/// Marks of an encoding, ends of lines of other systems, a key beside the certificates, parameters, comments: all of
/// the chain is shown. What is passed over is told.
#[test]
fn the_whole_chain_is_shown_whatever_stands_between() {
    let authority = Authority::with_localhost();
    let read = |name: &str| fs::read_to_string(authority.file(name)).unwrap();
    let (leaf, issuer, key) = (read("one.pem"), read("ca.pem"), read("one.key"));
    let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    let request = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n";
    for (chain, passed_over) in [
        (format!("{leaf}{issuer}"), &[][..]),
        (format!("\u{feff}{leaf}\u{feff}{issuer}"), &[]),
        (format!("{leaf}{issuer}").replace('\n', "\r\n"), &[]),
        (format!("{leaf}{issuer}").replace("CERTIFICATE", "X509 CERTIFICATE"), &[]),
        (format!("{parameters}{key}{leaf}# the issuer\n\n{issuer}"), &[]),
        (
            format!("subject=one\n{leaf}issuer=two\n{request}{issuer}"),
            &["line 1: text", "(2 lines)", "CERTIFICATE REQUEST"],
        ),
    ] {
        fs::write(authority.file("chain.pem"), &chain).unwrap();
        fs::write(authority.file("chain.key"), format!("\u{feff}{parameters}{key}")).unwrap();
        let daemon = authority.daemon(&["chain"], &[]);
        let client = TlsClient::connect(daemon.public, authority.client().config()).unwrap();
        assert_eq!(client.tls.peer_certificates().unwrap().len(), 2, "{chain}");
        daemon.wait_connections(0);
        let expected = if passed_over.is_empty() { 0 } else { 2 };
        daemon::wait("the warnings", || daemon.events("certificate") >= expected);
        let warnings = daemon.log();
        assert!(passed_over.iter().all(|part| warnings.contains(part)), "{warnings}");
        assert_eq!(daemon.events("certificate"), expected, "{warnings}");
    }
}

#[test]
fn an_expired_certificate_is_a_warning() {
    let authority = Authority::new("old");
    authority.make_with("old", &["localhost"], |params| {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    });
    let daemon = authority.daemon(&["old"], &[]);
    let line = daemon.wait_event("certificate");
    assert!(line.contains("level=warn") && line.contains("old.pem") && line.contains("expired"), "{line}");
    let refused = TlsClient::connect(daemon.public, authority.client().config()).err().unwrap();
    assert!(matches!(refused, Error::InvalidCertificate(_)), "{refused}");
}

/// It is for the clients to judge; here nothing needs its dates.
#[test]
fn a_certificate_with_unreadable_dates_is_a_warning() {
    let authority = Authority::new("old");
    authority.make_with("old", &["localhost"], |params| params.not_before = rcgen::date_time_ymd(1960, 1, 1));
    let daemon = authority.daemon(&["old"], &[]);
    let line = daemon.wait_event("certificate");
    assert!(
        line.contains("level=warn") && line.contains("old.pem") && line.contains("can't be read"),
        "{line}"
    );
}

#[test]
fn ocsp_responses_are_stapled() {
    let authority = Authority::with_localhost();
    fs::write(authority.file("one.ocsp"), b"\x30\x03\x0a\x01\x06").unwrap();
    let daemon = authority.daemon(&["one"], &["--tls-ocsp", &authority.file("one.ocsp")]);
    // rustls asks for one, and hands it to whoever checks the certificate.
    let (sender, seen) = channel();
    let mut config = authority.client().config();
    config.dangerous().set_certificate_verifier(authority.client().listening_verifier(sender));
    TlsClient::connect(daemon.public, config).unwrap();
    assert_eq!(seen.recv().unwrap(), b"\x30\x03\x0a\x01\x06");
}
