//! TLS from the client's side: certificates for one test, and a blocking client that lets a test send every byte.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::Sender;

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::SupportedProtocolVersion;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::{Daemon, PATIENCE};
use crate::wire::{self, Frame, HANDSHAKE, masked};

/// An authority and files that it has made, in a folder that goes with it.
pub struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

impl Authority {
    /// A new one.
    pub fn new(name: &str) -> Authority {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("wspush-tls-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).expect("a certificate");
        fs::write(folder.join("ca.pem"), certificate.pem()).expect("a file");
        let der = certificate.der().clone();
        Authority { folder, issuer: Issuer::new(params, key), certificate: der }
    }

    /// One that has made `one.pem` and `one.key` for localhost.
    pub fn with_localhost() -> Authority {
        let authority = Authority::new("test authority");
        authority.make("one", &["localhost"]);
        authority
    }

    /// A daemon with one TLS listener, these pairs and these flags.
    pub fn daemon(&self, pairs: &[&str], more: &[&str]) -> Daemon {
        let flags = self.flags(pairs);
        let flags: Vec<&str> = flags.iter().map(String::as_str).chain(more.iter().copied()).collect();
        Daemon::start(&flags)
    }

    /// The configuration of a client that shows a certificate of this authority's.
    pub fn client_with(
        &self,
        own: &str,
        versions: &'static [&'static SupportedProtocolVersion],
    ) -> ClientConfig {
        ClientOptions { own: Some(own), versions, ..self.client() }.config()
    }

    /// A file in its folder.
    pub fn file(&self, name: &str) -> String {
        self.folder.join(name).to_str().expect("UTF-8").to_owned()
    }

    /// Its own certificate's file.
    pub fn ca(&self) -> String {
        self.file("ca.pem")
    }

    /// Makes `<name>.pem` and `<name>.key` for these names, with changes.
    pub fn make_with(&self, name: &str, names: &[&str], change: impl FnOnce(&mut CertificateParams)) {
        let key = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        fs::write(self.file(&format!("{name}.pem")), certificate.pem()).expect("a file");
        fs::write(self.file(&format!("{name}.key")), key.serialize_pem()).expect("a file");
    }

    /// Makes `<name>.pem` and `<name>.key` for these names.
    pub fn make(&self, name: &str, names: &[&str]) {
        self.make_with(name, names, |_| {});
    }

    /// The flags of a daemon with one TLS listener and these pairs.
    pub fn flags(&self, pairs: &[&str]) -> Vec<String> {
        let mut flags = vec!["--listen".to_owned(), "tls://127.0.0.1:0".to_owned()];
        for name in pairs {
            let (cert, key) = (self.file(&format!("{name}.pem")), self.file(&format!("{name}.key")));
            flags.extend(["--tls-cert".to_owned(), cert, "--tls-key".to_owned(), key]);
        }
        flags
    }

    /// The options of a client that trusts it.
    pub fn client(&self) -> ClientOptions<'_> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        ClientOptions { authority: self, provider, versions: rustls::ALL_VERSIONS, own: None, resumes: false }
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// How a client is to be.
pub struct ClientOptions<'a> {
    pub authority: &'a Authority,
    pub provider: Arc<CryptoProvider>,
    pub versions: &'static [&'static SupportedProtocolVersion],
    /// The name of its own certificate.
    pub own: Option<&'a str>,
    pub resumes: bool,
}

/// Checks what the library's own verifier checks, and tells which OCSP response came.
#[derive(Debug)]
struct Listening {
    inner: Arc<WebPkiServerVerifier>,
    heard: Sender<Vec<u8>>,
}

impl ServerCertVerifier for Listening {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.heard.send(ocsp.to_vec()).expect("a listener");
        self.inner.verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

impl ClientOptions<'_> {
    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.certificate.clone()).expect("a root");
        roots
    }

    /// The verifier of servers' certificates.
    pub fn verifier(&self) -> Arc<WebPkiServerVerifier> {
        let roots = Arc::new(self.roots());
        let builder = WebPkiServerVerifier::builder_with_provider(roots, self.provider.clone());
        builder.build().expect("a verifier")
    }

    /// The same; it tells which OCSP response came with one.
    pub fn listening_verifier(&self, heard: Sender<Vec<u8>>) -> Arc<dyn ServerCertVerifier> {
        Arc::new(Listening { inner: self.verifier(), heard })
    }

    /// Its configuration.
    pub fn config(&self) -> ClientConfig {
        let roots = self.roots();
        let builder = ClientConfig::builder_with_provider(self.provider.clone());
        let builder = builder.with_protocol_versions(self.versions).expect("versions");
        let builder = builder.with_root_certificates(roots);
        let mut config = match self.own {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let cert = self.authority.file(&format!("{name}.pem"));
                let key = self.authority.file(&format!("{name}.key"));
                let chain = vec![CertificateDer::from_pem_file(cert).expect("a certificate")];
                let key = PrivateKeyDer::from_pem_file(key).expect("a key");
                builder.with_client_auth_cert(chain, key).expect("a pair")
            }
        };
        if !self.resumes {
            config.resumption = Resumption::disabled();
        }
        config
    }
}

/// A connection. Reading never waits longer than [`PATIENCE`].
pub struct TlsClient {
    pub tls: ClientConnection,
    pub stream: TcpStream,
    received: Vec<u8>,
    /// Why reading has failed, if it has.
    pub failed: Option<rustls::Error>,
    /// The end of the stream has come, and whether a close_notify came before it.
    pub end: Option<bool>,
}

impl TlsClient {
    /// Connects, and has said nothing yet.
    pub fn new(address: SocketAddr, config: impl Into<Arc<ClientConfig>>, name: &str) -> TlsClient {
        let stream = TcpStream::connect(address).expect("the listener is there");
        TlsClient::over(stream, config, name)
    }

    /// The same over a connection that is there.
    pub fn over(stream: TcpStream, config: impl Into<Arc<ClientConfig>>, name: &str) -> TlsClient {
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_nodelay(true).expect("an option");
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let tls = ClientConnection::new(config.into(), name).expect("a client");
        TlsClient { tls, stream, received: Vec::new(), failed: None, end: None }
    }

    /// Connects and shakes hands.
    pub fn connect(
        address: SocketAddr,
        config: impl Into<Arc<ClientConfig>>,
    ) -> Result<TlsClient, rustls::Error> {
        let mut client = TlsClient::new(address, config, "localhost");
        client.shake().map(|()| client)
    }

    /// Connects, shakes hands, and asks for a WebSocket.
    pub fn open(address: SocketAddr, config: impl Into<Arc<ClientConfig>>, target: &str) -> TlsClient {
        let mut client = TlsClient::connect(address, config).expect("a handshake");
        client.upgrade(target);
        client
    }

    /// Asks for a WebSocket.
    pub fn upgrade(&mut self, target: &str) {
        self.ask(target, &HANDSHAKE);
        let head = self.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    }

    /// Sends a request.
    pub fn ask(&mut self, target: &str, fields: &[(&str, &str)]) {
        self.send(&wire::request("GET", target, "localhost", fields, b""));
    }

    /// The head of an answer.
    pub fn head(&mut self) -> String {
        self.try_head().expect("an answer")
    }

    /// The head of an answer, or why there is none.
    pub fn try_head(&mut self) -> Result<String, rustls::Error> {
        loop {
            if let Some(at) = self.received.windows(4).position(|part| part == b"\r\n\r\n") {
                return Ok(String::from_utf8(self.received.drain(..at + 4).collect()).expect("ASCII"));
            }
            if self.receive()? == 0 && self.end.is_some() {
                return Err(rustls::Error::General("the stream has ended".to_owned()));
            }
        }
    }

    /// Goes on until the handshake is over.
    pub fn shake(&mut self) -> Result<(), rustls::Error> {
        while self.tls.is_handshaking() {
            self.flush();
            if self.tls.is_handshaking() && self.receive()? == 0 && self.end.is_some() {
                return Err(rustls::Error::General("the stream has ended".to_owned()));
            }
        }
        self.flush();
        Ok(())
    }

    /// The library's ciphertext, as it is.
    pub fn outgoing(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut bytes).expect("memory takes everything");
        }
        bytes
    }

    /// Sends what the library has to say.
    pub fn flush(&mut self) {
        let bytes = self.outgoing();
        self.send_raw(&bytes);
    }

    /// Sends bytes as they are. Whether the server still listens shows in what it says.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        if let Err(e) = self.stream.write_all(bytes) {
            assert!(matches!(e.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{e}");
        }
    }

    /// Seals and sends.
    pub fn send(&mut self, plain: &[u8]) {
        for part in plain.chunks(16 << 10) {
            self.tls.writer().write_all(part).expect("room");
            self.flush();
        }
    }

    /// Sends a frame.
    pub fn send_frame(&mut self, opcode: u8, payload: &[u8]) {
        self.send(&masked(true, opcode, payload));
    }

    /// Reads once; how many bytes it said. 0: the end, or only what concerns TLS.
    pub fn receive(&mut self) -> Result<usize, rustls::Error> {
        let before = self.received.len();
        if self.end.is_none() {
            match self.tls.read_tls(&mut self.stream) {
                Ok(0) => self.end = Some(false),
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::ConnectionReset => self.end = Some(false),
                Err(e) => panic!("nothing came within {PATIENCE:?}: {e}"),
            }
            if self.tls.process_new_packets()?.peer_has_closed() {
                self.end = Some(true);
            }
            match self.tls.reader().read_to_end(&mut self.received) {
                Err(e) if e.kind() != ErrorKind::WouldBlock && e.kind() != ErrorKind::UnexpectedEof => {
                    panic!("{e}")
                }
                _ => {}
            }
            // Answers of the library's own: to a key update, say.
            self.flush();
        }
        Ok(self.received.len() - before)
    }

    /// The bytes that have come and were not taken yet.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.received)
    }

    /// The next frame; None: the stream has ended.
    pub fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, size)) = wire::frame(&self.received, false) {
                self.received.drain(..size);
                return Some(frame);
            }
            if self.receive().expect("TLS") == 0 && self.end.is_some() {
                assert!(self.received.is_empty(), "the stream ends inside a frame");
                return None;
            }
        }
    }

    /// The next frame's text.
    pub fn text(&mut self) -> String {
        String::from_utf8(self.next().expect("a frame, not the end").payload).expect("UTF-8")
    }

    /// Waits for the end; whether it came with a close_notify.
    pub fn wait_end(&mut self) -> bool {
        while self.end.is_none() {
            // The server's last words are of no interest; an alert is an end as well.
            if let Err(e) = self.receive() {
                (self.failed, self.end) = (Some(e), Some(false));
            }
        }
        self.end == Some(true)
    }
}
