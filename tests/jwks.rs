//! Keys that an identity provider publishes, fetched over real TLS and read from a file.
#![cfg(all(feature = "backend", feature = "tls"))]

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PublicKeyData};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};

use crate::daemon::tls::Authority;
use crate::daemon::{Daemon, WebSocket, wait};
use crate::wire;

/// A key, as a document that gives it this name.
fn document(pair: &KeyPair, name: &str) -> String {
    let (x, y) = pair.der_bytes()[1..].split_at(32);
    let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let (x, y) = (text(x), text(y));
    format!(r#"{{"keys":[{{"kty":"EC","crv":"P-256","kid":"{name}","x":"{x}","y":"{y}"}}]}}"#)
}

fn token(pair: &KeyPair, name: &str) -> String {
    let header = Header { kid: Some(name.to_owned()), ..Header::new(Algorithm::ES256) };
    let key = EncodingKey::from_ec_der(&pair.serialize_der());
    encode(&header, &serde_json::json!({ "sub": "ann" }), &key).unwrap()
}

fn status(daemon: &Daemon, token: &str) -> u16 {
    let answer = WebSocket::ask(daemon.public, &format!("/ws?token={token}"), &[]);
    answer.err().map_or(101, |response| response.status)
}

/// Serves a document by https to whoever asks for anything; the port.
fn serve(authority: &Authority, answer: Arc<Mutex<String>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let certificate = CertificateDer::from_pem_file(authority.file("one.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(authority.file("one.key")).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
    let config = Arc::new(config.unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut session = ServerConnection::new(config.clone()).unwrap();
            let mut tls = Stream::new(&mut session, &mut stream);
            // A client that does not trust the authority says nothing.
            let Ok(1..) = wire::read(&mut tls, &mut [0; 4_096]) else { continue };
            let _ = tls.write_all(answer.lock().unwrap().as_bytes());
            session.send_close_notify();
            let _ = session.complete_io(&mut stream);
        }
    });
    port
}

fn ok(body: &str) -> String {
    let len = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len}\r\n\r\n{body}")
}

fn start(authority: &Authority, source: &str) -> Daemon {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wspushd"));
    command.env("SSL_CERT_FILE", authority.ca());
    Daemon::start_by(command, &["--auth", "required", "--auth-jwks", source])
}

#[test]
fn keys_are_fetched_at_the_start_and_on_hup() {
    let authority = Authority::with_localhost();
    let (first, second) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let answer = Arc::new(Mutex::new(ok(&document(&first, "1"))));
    let port = serve(&authority, answer.clone());
    let daemon = start(&authority, &format!("https://localhost:{port}/keys"));
    daemon.wait_event("keys");
    assert_eq!((status(&daemon, &token(&first, "1")), status(&daemon, &token(&second, "1"))), (101, 401));
    *answer.lock().unwrap() = ok(&document(&second, "2"));
    daemon.signal("HUP");
    wait("the new keys", || daemon.events("keys") == 2);
    assert_eq!(status(&daemon, &token(&second, "2")), 101);
    // A provider that is down takes no keys away.
    for bad in ["HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n".to_owned(), ok("<html>"), ok("{\"keys\":[]}")]
    {
        *answer.lock().unwrap() = bad;
        let before = daemon.events("no_keys");
        daemon.signal("HUP");
        wait("the failure", || daemon.events("no_keys") > before);
        assert_eq!(status(&daemon, &token(&second, "2")), 101);
    }
}

#[test]
fn a_provider_that_nobody_vouches_for_is_not_believed() {
    let (authority, other) = (Authority::with_localhost(), Authority::with_localhost());
    let pair = KeyPair::generate().unwrap();
    let port = serve(&other, Arc::new(Mutex::new(ok(&document(&pair, "1")))));
    let daemon = start(&authority, &format!("https://localhost:{port}/keys"));
    let line = daemon.wait_event("no_keys");
    assert!(line.contains("cannot be fetched"), "{line}");
    assert_eq!(status(&daemon, &token(&pair, "1")), 401);
}

#[test]
fn a_file_is_read_again_when_a_token_names_a_new_key() {
    let authority = Authority::new("a folder");
    let file = authority.file("keys.json");
    let (first, second) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    fs::write(&file, document(&first, "1")).unwrap();
    let daemon = start(&authority, &file);
    assert_eq!(status(&daemon, &token(&first, "1")), 101);
    fs::write(&file, document(&second, "2")).unwrap();
    assert_eq!(status(&daemon, &token(&second, "2")), 503);
    daemon.wait_event("keys");
    assert_eq!((status(&daemon, &token(&second, "2")), status(&daemon, &token(&first, "1"))), (101, 401));
}
