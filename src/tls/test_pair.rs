//! Both sides of TLS for unit tests, with a certificate made for the moment.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::{Acceptor, Suite, Version, release};
use crate::config::Config;

/// An acceptor, and a client for it that speaks nothing but this suite.
pub fn pair(suite: Suite) -> (Acceptor, ClientConnection) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let files = ["pem", "key"].map(|end| {
        let name = format!("wspush-test-pair-{}-{number}.{end}", std::process::id());
        std::env::temp_dir().join(name).to_str().unwrap().to_owned()
    });
    std::fs::write(&files[0], certificate.pem()).unwrap();
    std::fs::write(&files[1], key.serialize_pem()).unwrap();
    let [cert, key] = &files;
    let config = Config { tls_cert: vec![cert.clone()], tls_key: vec![key.clone()], ..Config::default() };
    let (acceptor, _) = Acceptor::load(&config, 0).unwrap();
    files.iter().for_each(|file| std::fs::remove_file(file).unwrap());

    let mut provider = CryptoProvider { ..aws_lc_rs::default_provider() };
    provider.cipher_suites.retain(|library| release::cipher(*library) == Some(suite.cipher));
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let versions = match suite.version {
        Version::Tls12 => [&TLS12],
        Version::Tls13 => [&TLS13],
    };
    let client = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    (acceptor, ClientConnection::new(Arc::new(client), name).unwrap())
}
