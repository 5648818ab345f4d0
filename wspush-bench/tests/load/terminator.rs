//! TLS in front of a server that knows none: certificate, handshake, and bytes to and fro.

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How long one side is listened to before the other one.
const TURN: Duration = Duration::from_millis(1);

/// A listener that speaks TLS with a self-made certificate.
pub struct Terminator {
    pub address: SocketAddr,
    folder: PathBuf,
}

impl Terminator {
    /// Puts TLS in front of an address. Tickets for resumption are given out when asked for.
    pub fn before(plain: SocketAddr, gives_tickets: bool) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let certificate = CertificateDer::from(made.cert.der().to_vec());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        if gives_tickets {
            config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().unwrap();
        } else {
            config.send_tls13_tickets = 0;
        }
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let folder =
            std::env::temp_dir().join(format!("wspush-tls-{}-{}", std::process::id(), address.port()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let config = Arc::clone(&config);
                thread::spawn(move || relay(stream, config, plain));
            }
        });
        Self { address, folder }
    }

    /// The WebSocket address.
    pub fn url(&self) -> String {
        format!("wss://{}/ws", self.address)
    }

    /// The file with the certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("cert.pem")
    }

    /// A file that holds no certificate.
    pub fn empty(&self) -> PathBuf {
        let path: &Path = &self.folder;
        let path = path.join("empty.pem");
        std::fs::write(&path, "").unwrap();
        path
    }
}

impl Drop for Terminator {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn relay(stream: TcpStream, config: Arc<ServerConfig>, plain: SocketAddr) {
    stream.set_read_timeout(Some(TURN)).unwrap();
    let mut secure = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let mut plain = TcpStream::connect(plain).unwrap();
    plain.set_read_timeout(Some(TURN)).unwrap();
    // Until either side has ended.
    while pass(&mut secure, &mut plain) && pass(&mut plain, &mut secure) {}
}

/// Hands on what is there; false at the end.
fn pass(from: &mut impl Read, to: &mut impl Write) -> bool {
    let mut bytes = [0; 16 * 1024];
    match from.read(&mut bytes) {
        Ok(0) => false,
        Ok(count) => to.write_all(&bytes[..count]).is_ok() && to.flush().is_ok(),
        Err(error) => {
            matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
        }
    }
}
