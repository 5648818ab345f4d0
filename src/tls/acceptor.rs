//! The parts that all sessions share: certificates, versions, tickets.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier};
use rustls::{RootCertStore, ServerConfig};

use super::TlsError;
use super::contents::Contents;
use super::identity::{self, Identities};
use crate::config::{ClientAuth, Config};

/// The protocol inside: no other is spoken here (RFC 7301; RFC 6455 needs HTTP/1.1).
const ALPN: &[u8] = b"http/1.1";

/// Certificates and keys, ready for handshakes.
#[derive(Clone, Debug)]
pub struct Acceptor {
    pub(super) config: Arc<ServerConfig>,
    client_auth: ClientAuth,
    contents: Contents,
}

impl Acceptor {
    /// Reads the files that `config` names. Beside it: what an operator should look at.
    pub(super) fn load(config: &Config, unix_s: u64) -> Result<(Acceptor, Vec<String>), TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let (mut warnings, mut contents) = (Vec::new(), Contents::default());
        let identities = Identities::load(config, &provider, unix_s, &mut warnings, &mut contents)?;
        let setup = |e: rustls::Error| TlsError::new("tls_cert", "", e);
        let builder = ServerConfig::builder_with_provider(provider.clone());
        // 1.3 and 1.2; nothing older is in the library.
        let builder = builder.with_safe_default_protocol_versions().map_err(setup)?;
        let builder = match client_verifier(config, &provider, unix_s, &mut warnings, &mut contents)? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut server = builder.with_cert_resolver(Arc::new(identities));
        server.alpn_protocols = vec![ALPN.to_vec()];
        // All that is needed for resumption is in the ticket, sealed by keys that change every few hours.
        server.ticketer = aws_lc_rs::Ticketer::new().map_err(setup)?;
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 1;
        server.max_early_data_size = 0;
        let client_auth = config.tls_client_auth;
        Ok((Acceptor { config: Arc::new(server), client_auth, contents }, warnings))
    }

    /// The settings whose files have other contents than `old`'s.
    pub fn changes_since(&self, old: &Acceptor) -> Vec<&'static str> {
        self.contents.changes_since(&old.contents)
    }

    /// Takes over what opens the tickets that `old` has given out, so that its clients can resume their sessions. Where
    /// clients are asked for certificates they have to show them anew: a ticket knows only what was asked for then.
    pub fn inherit_tickets(&mut self, old: &Acceptor) {
        if self.client_auth == ClientAuth::Off && old.client_auth == ClientAuth::Off {
            Arc::make_mut(&mut self.config).ticketer = old.config.ticketer.clone();
        }
    }
}

fn client_verifier(
    config: &Config,
    provider: &Arc<CryptoProvider>,
    unix_s: u64,
    warnings: &mut Vec<String>,
    contents: &mut Contents,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    const SETTING: &str = "tls_client_ca";
    let Some(file) = config.tls_client_ca.as_deref().filter(|_| config.tls_client_auth != ClientAuth::Off)
    else {
        return Ok(None);
    };
    let mut roots = RootCertStore::empty();
    for certificate in identity::certificates(SETTING, file, warnings)? {
        contents.add(SETTING, &certificate);
        identity::warn_of_expiry(SETTING, file, &certificate, unix_s, warnings);
        roots.add(certificate).map_err(|e| TlsError::new(SETTING, file, e))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let builder = match config.tls_client_auth {
        ClientAuth::Optional => builder.allow_unauthenticated(),
        ClientAuth::Off | ClientAuth::Required => builder,
    };
    builder.build().map(Some).map_err(|e| TlsError::new(SETTING, file, e))
}
