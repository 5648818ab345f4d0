//! TLS for the load (RFC 8446, RFC 5246): one configuration per worker, one session per connection. A session
//! keeps keys and no bytes: records are opened in the worker's buffer and sealed into its scratch.

use crate::redact;
use crate::tickets::Tickets;
use clap::ValueEnum;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, UnbufferedClientConnection};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, HandshakeKind, RootCertStore,
    SignatureScheme, StreamOwned,
};
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where distributions keep the certificates of the authorities that everybody trusts.
const SYSTEM_CA: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Many times the bytes of that file.
const CA_BYTES_MAX: u64 = 16 << 20;
/// Begin a certificate; the reader passes over the last two, and over what does not begin its line.
const BEGINNINGS: [&str; 3] = ["BEGIN CERTIFICATE-", "BEGIN X509 CERTIFICATE-", "BEGIN TRUSTED CERTIFICATE-"];
/// Bytes of a record beside its plaintext, at most: header, explicit nonce or type byte, tag, padding.
const RECORD_OVERHEAD_MAX: usize = 64;
const RECORD_PLAINTEXT_MAX: usize = 16 * 1024;

/// The client's conditions for TLS.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Terms {
    pub(crate) ca: Option<PathBuf>,
    pub(crate) is_insecure: bool,
    pub(crate) version: Option<Version>,
    pub(crate) resumes: bool,
}

impl Terms {
    /// Offer and trust; nothing is resumed.
    fn config(&self) -> Result<ClientConfig, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let versions = match self.version {
            None => &[&TLS13, &TLS12][..],
            Some(Version::Tls12) => &[&TLS12],
            Some(Version::Tls13) => &[&TLS13],
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(|error| format!("TLS versions: {error}"))?;
        let mut config = if self.is_insecure {
            let schemes = provider.signature_verification_algorithms.supported_schemes();
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Credulous { schemes }))
        } else {
            builder.with_root_certificates(roots(self.ca.as_deref())?)
        }
        .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

/// The only version that is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
pub(crate) enum Version {
    #[value(name = "1.2")]
    Tls12,
    #[value(name = "1.3")]
    Tls13,
}

/// Makes the sessions of one worker.
pub(crate) struct Client {
    config: Arc<ClientConfig>,
    /// Where sessions are resumed.
    pub(crate) tickets: Option<Arc<Tickets>>,
    name: ServerName<'static>,
}

/// One connection's keys.
pub(crate) struct TlsSession(UnbufferedClientConnection);

/// How far a session got with the bytes that it was given.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Bytes of whole records; what follows them has to be given again, with more.
    pub(crate) used: usize,
    /// The handshake is over: application data may be sealed.
    pub(crate) is_established: bool,
}

impl Client {
    /// Reads the trusted certificates. `host` is the address's, with its port or without.
    pub(crate) fn new(terms: &Terms, host: &str, connections: u32) -> Result<Self, String> {
        let mut config = terms.config()?;
        let tickets = terms.resumes.then(|| Arc::new(Tickets::new(connections)));
        if let Some(tickets) = &tickets {
            config.resumption = Resumption::store(Arc::<Tickets>::clone(tickets));
        }
        Ok(Self { config: Arc::new(config), tickets, name: server_name(host)? })
    }

    pub(crate) fn session(&self) -> Result<Box<TlsSession>, Error> {
        let session = UnbufferedClientConnection::new(Arc::clone(&self.config), self.name.clone())?;
        Ok(Box::new(TlsSession(session)))
    }
}

/// The name in an address, with its port or without, that the certificate has to be for.
fn server_name(host: &str) -> Result<ServerName<'static>, String> {
    let bare = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
    let bare = bare.map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    ServerName::try_from(bare.to_owned())
        .map_err(|_| format!("{bare}: not a name that a certificate can be issued for"))
}

/// Speaks TLS on a connected, blocking stream. The handshake is over when this returns.
pub(crate) fn secure<S: Read + Write>(
    terms: &Terms,
    host: &str,
    mut stream: S,
) -> Result<StreamOwned<ClientConnection, S>, String> {
    let failed = |error: &dyn Display| format!("TLS: {error}");
    let mut session = ClientConnection::new(Arc::new(terms.config()?), server_name(host)?)
        .map_err(|error| failed(&error))?;
    while session.is_handshaking() {
        session.complete_io(&mut stream).map_err(|error| failed(&error))?;
    }
    Ok(StreamOwned::new(session, stream))
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, String> {
    let file = ca.unwrap_or(Path::new(SYSTEM_CA));
    let way_out = "name the certificate of the server's issuer with --ca FILE, or check none with --insecure";
    let failed = |error: &dyn Display| {
        let name = file.to_string_lossy();
        // A certificate itself, or even a key, in the place of its file's name.
        let name = if name.contains("-----") { "--ca" } else { &name };
        format!("{name}: {error}; {way_out}")
    };
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|open| open.take(CA_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| failed(&error))?;
    if bytes.len() as u64 > CA_BYTES_MAX {
        return Err(failed(&format!("longer than the {CA_BYTES_MAX} bytes of certificates")));
    }
    let text = without_marks(&bytes);
    let mut roots = RootCertStore::empty();
    let mut found = 0;
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| failed(&redact::pem(&error)))?;
        found += 1;
        match roots.add(certificate) {
            Err(error) if ca.is_some() => return Err(failed(&error)),
            // One odd certificate among the system's hundred is the system's affair.
            _ => {}
        }
    }
    let count = |begin: &str| text.windows(begin.len()).filter(|part| *part == begin.as_bytes()).count();
    let meant: usize = BEGINNINGS.into_iter().map(count).sum();
    if ca.is_some() && meant != found {
        return Err(failed(&format!(
            "only {found} of {meant} certificates can be read; every BEGIN and END needs a line of its own"
        )));
    }
    if roots.is_empty() { Err(failed(&"holds no certificate")) } else { Ok(roots) }
}

/// Without the marks of an encoding that editors put in front of a text, and `cat` between two.
fn without_marks(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(3).position(|part| part == "\u{feff}".as_bytes()) {
        text.extend_from_slice(&rest[..at]);
        rest = &rest[at + 3..];
    }
    text.extend_from_slice(rest);
    text
}

impl TlsSession {
    /// Opens the records in `incoming`, in place: their plaintext goes to `plain`, what the protocol has to
    /// say to `out`.
    pub(crate) fn advance(
        &mut self,
        incoming: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<Progress, Error> {
        let mut used = 0;
        loop {
            let UnbufferedStatus { mut discard, state } = self.0.process_tls_records(&mut incoming[used..]);
            match state? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        plain.extend_from_slice(record.payload);
                        discard += record.discard;
                    }
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    grow(out, RECORD_PLAINTEXT_MAX + RECORD_OVERHEAD_MAX, |space| {
                        data.encode(space).map_err(|error| match error {
                            EncodeError::InsufficientSize(_) => Error::General("record too long".into()),
                            EncodeError::AlreadyEncoded => Error::General("record encoded twice".into()),
                        })
                    })?;
                }
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::PeerClosed => {}
                ConnectionState::BlockedHandshake => {
                    return Ok(Progress { used: used + discard, is_established: false });
                }
                // Established, or closed: then the end of the stream follows and is told by the socket.
                _ => return Ok(Progress { used: used + discard, is_established: true }),
            }
            used += discard;
        }
    }

    /// Appends the records of `plain`; only after the handshake.
    pub(crate) fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let UnbufferedStatus { state, .. } = self.0.process_tls_records(&mut []);
        let ConnectionState::WriteTraffic(mut traffic) = state? else {
            return Err(Error::HandshakeNotComplete);
        };
        let records = plain.len() / RECORD_PLAINTEXT_MAX + 1;
        grow(out, plain.len() + records * RECORD_OVERHEAD_MAX, |space| {
            traffic.encrypt(plain, space).map_err(|error| match error {
                EncryptError::InsufficientSize(_) => Error::General("record too long".into()),
                EncryptError::EncryptExhausted => Error::EncryptError,
            })
        })
    }

    pub(crate) fn is_resumed(&self) -> bool {
        self.0.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Version and suite that were negotiated: `TLSv1_3 TLS13_AES_256_GCM_SHA384`.
    pub(crate) fn suite(&self) -> String {
        let version = self.0.protocol_version().and_then(|version| version.as_str());
        let suite = self.0.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
        format!("{} {}", version.unwrap_or("?"), suite.unwrap_or("?"))
    }
}

/// Lets `write` fill up to `space_max` bytes at the end of `out`.
fn grow(
    out: &mut Vec<u8>,
    space_max: usize,
    write: impl FnOnce(&mut [u8]) -> Result<usize, Error>,
) -> Result<(), Error> {
    let begin = out.len();
    out.resize(begin + space_max, 0);
    let written = write(&mut out[begin..]);
    out.truncate(begin + written.as_ref().copied().unwrap_or(0));
    written.map(|_| ())
}

/// Trusts everybody, and saves the client the signature's check as well: it is the server that is measured.
#[derive(Debug)]
struct Credulous {
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insecure(host: &str) -> Result<Client, String> {
        Client::new(&Terms { is_insecure: true, ..Terms::default() }, host, 1)
    }

    #[test]
    fn a_session_begins_with_a_client_hello() {
        let mut session = insecure("localhost:443").unwrap().session().unwrap();
        let (mut plain, mut out) = (Vec::new(), Vec::new());
        let progress = session.advance(&mut [], &mut plain, &mut out).unwrap();
        assert_eq!(progress, Progress { used: 0, is_established: false });
        // RFC 8446 sections 5.1 and 4: a handshake record with a client_hello message.
        assert_eq!((out[0], out[5], plain.len()), (22, 1, 0));
        assert!(session.seal(b"early", &mut out).is_err());
        assert!(
            session.advance(&mut b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), &mut plain, &mut out).is_err()
        );
    }

    #[test]
    fn names_and_addresses_are_what_a_certificate_is_for() {
        for host in ["localhost", "127.0.0.1:8443", "[::1]:8443", "example.org:1"] {
            assert!(insecure(host).is_ok(), "{host}");
        }
        assert!(insecure("no good:1").is_err());
    }

    #[test]
    fn no_certificate_is_passed_over_and_nothing_quoted() {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let file = std::env::temp_dir().join(format!("wspush-bench-{}-ca.pem", std::process::id()));
        let read = |text: &str| {
            std::fs::write(&file, text).unwrap();
            roots(Some(&file)).map(|roots| roots.len())
        };
        for text in [pem.clone(), format!("\u{feff}{pem}"), pem.replace('\n', "\r\n")] {
            assert_eq!(read(&text), Ok(1));
            assert_eq!(read(&format!("{text}{text}")), Ok(2));
        }
        let glued = format!("{}{pem}", pem.trim_end());
        assert!(read(&glued).unwrap_err().contains("only 1 of 2 certificates can be read"));
        let piece = &pem[40..56];
        for text in [pem.replace('\n', " "), pem.replace('\n', "\\n"), pem.replace("-----END", "---"), glued]
        {
            let error = read(&text).unwrap_err();
            assert!(
                error.contains("--ca FILE") && !error.contains(piece) && !error.contains(", 45"),
                "{error}"
            );
        }
        std::fs::remove_file(&file).unwrap();
        let error = roots(Some(Path::new(&pem))).err().unwrap();
        assert!(error.starts_with("--ca: ") && !error.contains(piece), "{error}");
    }

    #[test]
    fn a_file_without_certificates_is_refused_with_the_way_out() {
        for file in ["/dev/null", "/nonexistent"] {
            let terms = Terms { ca: Some(file.into()), ..Terms::default() };
            let error = Client::new(&terms, "localhost", 1).err().unwrap();
            assert!(error.contains(file) && error.contains("--insecure"), "{error}");
        }
    }
}
