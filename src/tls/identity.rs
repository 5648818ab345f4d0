//! Who the server is: certificates with their keys, and which of them a client gets to see.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use super::{TlsError, certificate};
use crate::config::Config;
use crate::limits::PEM_BYTES_MAX;

/// In the place of a file's name: there is none.
const NONE: &str = "-";

impl TlsError {
    pub(super) fn new(setting: &'static str, file: &str, why: impl std::fmt::Display) -> TlsError {
        TlsError { setting, file: file.to_owned(), why: why.to_string() }
    }
}

/// Certificates with their keys; the first one is for whoever asks for none of them.
#[derive(Debug)]
pub(super) struct Identities(Vec<Arc<CertifiedKey>>);

impl Identities {
    pub(super) fn load(
        config: &Config,
        provider: &CryptoProvider,
        unix_s: u64,
        warnings: &mut Vec<String>,
    ) -> Result<Identities, TlsError> {
        let mut identities = Vec::new();
        for (at, (cert, key)) in config.tls_cert.iter().zip(&config.tls_key).enumerate() {
            let chain = certificates("tls_cert", cert)?;
            warn_of_expiry("tls_cert", cert, &chain[0], unix_s, warnings);
            let der = private_key(key)?;
            let mut identity = CertifiedKey::from_der(chain, der, provider).map_err(|e| match e {
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    TlsError::new("tls_key", key, format!("not the key of the certificate in {cert:?}"))
                }
                Error::InvalidCertificate(_) => TlsError::new("tls_cert", cert, e),
                _ => TlsError::new("tls_key", key, e),
            })?;
            if let Some(file) = config.tls_ocsp.get(at).filter(|file| *file != NONE) {
                identity.ocsp = Some(read("tls_ocsp", file)?);
            }
            identities.push(Arc::new(identity));
        }
        Ok(Identities(identities))
    }

    fn named(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let name = ServerName::try_from(name).ok()?;
        let is_named = |identity: &&Arc<CertifiedKey>| {
            let parsed = identity.cert.first().and_then(|der| ParsedCertificate::try_from(der).ok());
            parsed.is_some_and(|certificate| verify_server_name(&certificate, &name).is_ok())
        };
        self.0.iter().find(is_named)
    }
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name().filter(|_| self.0.len() > 1);
        asked.and_then(|name| self.named(name)).or(self.0.first()).cloned()
    }
}

fn read(setting: &'static str, file: &str) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|open| open.take(PEM_BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Err(e) => Err(TlsError::new(setting, file, format!("cannot be read: {e}"))),
        Ok(n) if n as u64 > PEM_BYTES_MAX => {
            Err(TlsError::new(setting, file, format!("larger than {PEM_BYTES_MAX} bytes")))
        }
        Ok(0) => Err(TlsError::new(setting, file, "the file is empty")),
        Ok(_) => Ok(bytes),
    }
}

/// The certificates in a PEM file, at least one.
pub(super) fn certificates(
    setting: &'static str,
    file: &str,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let refuse = |why: String| TlsError::new(setting, file, why);
    let bytes = read(setting, file)?;
    let found: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|e| refuse(format!("not PEM: {e}")))?;
    if found.is_empty() {
        return Err(refuse("no certificate in it (-----BEGIN CERTIFICATE-----)".to_owned()));
    }
    for der in &found {
        if ParsedCertificate::try_from(der).is_err() {
            return Err(refuse("a certificate in it is damaged (X.509 version 3 is expected)".to_owned()));
        }
    }
    Ok(found)
}

fn private_key(file: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    let refuse = |why: String| TlsError::new("tls_key", file, why);
    let bytes = read("tls_key", file)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|e| match e {
        pem::Error::NoItemsFound if bytes.windows(9).any(|part| part == b"ENCRYPTED") => refuse(
            "the key is encrypted; take its passphrase away: openssl pkey -in FILE -out FILE".to_owned(),
        ),
        pem::Error::NoItemsFound => refuse("no private key in it (-----BEGIN PRIVATE KEY-----)".to_owned()),
        e => refuse(format!("not PEM: {e}")),
    })
}

/// Notes a certificate that clients will not accept at this time.
pub(super) fn warn_of_expiry(
    setting: &'static str,
    file: &str,
    der: &[u8],
    unix_s: u64,
    warnings: &mut Vec<String>,
) {
    let Some(read) = certificate(der) else {
        // rustls does not look inside its own certificate; clients do.
        warnings.push(format!("{setting} = {file:?}: its dates can't be read, clients may refuse it"));
        return;
    };
    let now = i64::try_from(unix_s).unwrap_or(i64::MAX);
    if now > read.not_after_s {
        let days = (now - read.not_after_s) / 86_400;
        warnings.push(format!("{setting} = {file:?}: expired {days} days ago"));
    } else if now < read.not_before_s {
        let days = (read.not_before_s - now) / 86_400;
        warnings.push(format!("{setting} = {file:?}: not valid before {days} days from now"));
    }
}
