//! A client's side of TLS in the simulated world. What is random in it shows only in bytes that nobody looks at: keys
//! of Ed25519 have signatures of one length, so that a seed's run is the same each time.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::sync::{Arc, LazyLock};

use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use wspush::Config;
use wspush::tls::{self, Acceptor};

struct Sides {
    acceptor: Acceptor,
    /// TLS 1.2 and 1.3.
    clients: [Arc<ClientConfig>; 2],
}

static SIDES: LazyLock<Sides> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("wspush-sim-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let params = CertificateParams::new(vec!["sim.example".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (cert_file, key_file) = (path("cert.pem"), path("key.pem"));
    fs::write(&cert_file, certificate.pem()).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    let config = Config {
        listen: vec!["tls://127.0.0.1:0".parse().unwrap()],
        tls_cert: vec![cert_file],
        tls_key: vec![key_file],
        ..Config::default()
    };
    let acceptor = tls::load(&config, 1_700_000_000).unwrap().acceptor.unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let client = |version| {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
        let mut config = builder.with_root_certificates(roots.clone()).with_no_client_auth();
        config.resumption = Resumption::disabled();
        Arc::new(config)
    };
    Sides { acceptor, clients: [client(&rustls::version::TLS12), client(&rustls::version::TLS13)] }
});

/// The server's side of it.
pub fn acceptor() -> Acceptor {
    SIDES.acceptor.clone()
}

/// TLS over one client's wire.
#[derive(Debug)]
pub struct TlsClient {
    connection: ClientConnection,
    ended: bool,
}

impl TlsClient {
    pub fn new(tls13: bool) -> TlsClient {
        let config = SIDES.clients[usize::from(tls13)].clone();
        let name = "sim.example".try_into().unwrap();
        let mut connection = ClientConnection::new(config, name).unwrap();
        connection.set_buffer_limit(None);
        TlsClient { connection, ended: false }
    }

    /// Whether something may be said inside.
    pub fn is_open(&self) -> bool {
        !self.connection.is_handshaking()
    }

    /// The server has said that nothing more will come.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Seals what is said, and gives what has to go over the wire.
    pub fn seal(&mut self, plain: &[u8]) -> Vec<u8> {
        self.connection.writer().write_all(plain).unwrap();
        let mut bytes = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    /// Changes its keys, where that can be done.
    pub fn change_keys(&mut self) {
        // TLS 1.2 has no such thing.
        let _ = self.connection.refresh_traffic_keys();
    }

    /// The plaintext; None: an alert has come.
    pub fn unseal(&mut self, mut bytes: &[u8]) -> Option<Vec<u8>> {
        let mut plain = Vec::new();
        while !bytes.is_empty() {
            self.connection.read_tls(&mut bytes).unwrap();
            match self.connection.process_new_packets() {
                Ok(state) => self.ended |= state.peer_has_closed(),
                Err(rustls::Error::AlertReceived(_)) => return None,
                Err(e) => panic!("the server breaks TLS: {e}"),
            }
            match self.connection.reader().read_to_end(&mut plain) {
                Err(e) if e.kind() != ErrorKind::WouldBlock => panic!("{e}"),
                _ => {}
            }
        }
        Some(plain)
    }
}
