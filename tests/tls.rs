//! TLS over real sockets: certificates, versions, resumption, and everything that a peer may do to a handshake.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used)]

mod daemon;

use daemon::tls::{Authority, TlsClient};
use daemon::websocket::{CLOSE, TEXT, close_of};
use daemon::{Daemon, wait};
use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, ProtocolVersion, SupportedProtocolVersion};

const BOTH: [&[&SupportedProtocolVersion]; 2] = [&[&TLS12], &[&TLS13]];

fn start(authority: &Authority, pairs: &[&str], more: &[&str]) -> Daemon {
    let flags = authority.flags(pairs);
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain(more.iter().copied()).collect();
    Daemon::start(&flags)
}

fn localhost() -> Authority {
    let authority = Authority::new("test authority");
    authority.make("one", &["localhost"]);
    authority
}

#[test]
fn both_versions_echo_and_broadcast() {
    let authority = localhost();
    let daemon = start(&authority, &["one"], &["--demo"]);
    for versions in BOTH {
        let mut options = authority.client();
        options.versions = versions;
        let mut echo = TlsClient::open(daemon.public, options.config(), "/echo");
        echo.send_frame(TEXT, b"hello");
        assert_eq!(echo.text(), "hello");
        let mut subscriber = TlsClient::open(daemon.public, options.config(), "/ws");
        let receipt = daemon.push("to all");
        assert_eq!(receipt["recipients"], 1);
        assert_eq!(subscriber.text(), "to all");
        let wanted = versions[0].version;
        assert_eq!(subscriber.tls.protocol_version(), Some(wanted));
        drop((echo, subscriber));
        daemon.wait_connections(0);
    }
    let handshakes = &daemon.stats()["counters"]["tls_handshakes"];
    assert_eq!((&handshakes["full_tls12"], &handshakes["full_tls13"]), (&2.into(), &2.into()));
}
