//! Who the server is: certificates with their keys, and which of them a client gets to see.

use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use super::contents::Contents;
use super::pem::{self, Block, KeyForm, Kind};
use super::{TlsError, certificate};
use crate::config::{Config, read_file, shown};
use crate::limits::PEM_BYTES_MAX;

/// In the place of a file's name: there is none.
const NONE: &str = "-";

impl TlsError {
    pub(super) fn new(setting: &'static str, file: &str, why: impl std::fmt::Display) -> TlsError {
        TlsError { setting, file: shown(file), why: why.to_string() }
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
        contents: &mut Contents,
    ) -> Result<Identities, TlsError> {
        let mut identities = Vec::new();
        for (at, (cert, key)) in config.tls_cert.iter().zip(&config.tls_key).enumerate() {
            let chain = certificates("tls_cert", cert, warnings)?;
            warn_of_expiry("tls_cert", cert, &chain[0], unix_s, warnings);
            let der = private_key(key, warnings)?;
            chain.iter().for_each(|certificate| contents.add("tls_cert", certificate));
            contents.add("tls_key", der.secret_der());
            let mut identity = CertifiedKey::from_der(chain, der, provider).map_err(|e| match e {
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    TlsError::new("tls_key", key, format!("not the key of the certificate in {cert:?}"))
                }
                Error::InvalidCertificate(_) => TlsError::new("tls_cert", cert, e),
                _ => TlsError::new("tls_key", key, "not a key that is understood (RSA, ECDSA or Ed25519)"),
            })?;
            if let Some(file) = config.tls_ocsp.get(at).filter(|file| *file != NONE) {
                let response = read("tls_ocsp", file)?;
                contents.add("tls_ocsp", &response);
                identity.ocsp = Some(response);
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
    read_file(file, PEM_BYTES_MAX).map_err(|why| TlsError::new(setting, file, why))
}

/// The blocks of a PEM file; noted is what is passed over.
fn blocks(setting: &'static str, file: &str, warnings: &mut Vec<String>) -> Result<Vec<Block>, TlsError> {
    let pem = pem::read(&read(setting, file)?).map_err(|problem| TlsError::new(setting, file, problem))?;
    let mut warn = |why: String| warnings.push(TlsError::new(setting, file, why).to_string());
    if let Some((line, count)) = pem.text {
        warn(format!("line {line}: text outside of the blocks is passed over ({count} lines)"));
    }
    for Block { kind, line, .. } in &pem.blocks {
        if let Kind::Other(name) = kind {
            warn(format!("line {line}: a block is passed over ({name})"));
        }
    }
    Ok(pem.blocks)
}

/// The certificates in a PEM file, at least one. Keys may stand beside them.
pub(super) fn certificates(
    setting: &'static str,
    file: &str,
    warnings: &mut Vec<String>,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let mut found = Vec::new();
    for Block { kind, line, der } in blocks(setting, file, warnings)? {
        if kind != Kind::Certificate {
            continue;
        }
        let der = CertificateDer::from(der);
        if ParsedCertificate::try_from(&der).is_err() {
            let why = format!("line {line}: the certificate is damaged (X.509 version 3 is expected)");
            return Err(TlsError::new(setting, file, why));
        }
        found.push(der);
    }
    match found.is_empty() {
        true => Err(TlsError::new(setting, file, "no certificate in it (-----BEGIN CERTIFICATE-----)")),
        false => Ok(found),
    }
}

/// The private key in a PEM file. Certificates may stand beside it.
fn private_key(file: &str, warnings: &mut Vec<String>) -> Result<PrivateKeyDer<'static>, TlsError> {
    const SETTING: &str = "tls_key";
    let mut found = None;
    for Block { kind, line, der } in blocks(SETTING, file, warnings)? {
        let key = match kind {
            Kind::EncryptedKey => {
                let way_out = "take its passphrase away: openssl pkey -in FILE -out FILE";
                let why = format!("line {line}: the key is encrypted; {way_out}");
                return Err(TlsError::new(SETTING, file, why));
            }
            Kind::Key(KeyForm::Pkcs8) => PrivateKeyDer::Pkcs8(der.into()),
            Kind::Key(KeyForm::Pkcs1) => PrivateKeyDer::Pkcs1(der.into()),
            Kind::Key(KeyForm::Sec1) => PrivateKeyDer::Sec1(der.into()),
            Kind::Certificate | Kind::Parameters | Kind::Other(_) => continue,
        };
        if found.is_some() {
            // Which one is meant cannot be known.
            return Err(TlsError::new(SETTING, file, format!("line {line}: a second private key")));
        }
        found = Some(key);
    }
    found.ok_or_else(|| TlsError::new(SETTING, file, "no private key in it (-----BEGIN PRIVATE KEY-----)"))
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
