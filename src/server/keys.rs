//! Reads published keys in a thread of its own, so that no provider's answer is waited for by the reactor.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::auth::Jwks;
use crate::config::{is_url, read_file};
use crate::limits::JWKS_BYTES_MAX;
use crate::push::PushError;
use crate::reactor::published_keys::{KeyReader, KeysRead};
use crate::reactor::{Command, Shared};

/// Fetched keys are fetched again after this time.
const FRESH: Duration = Duration::from_secs(3_600);
/// The same where it has failed.
const RETRY: Duration = Duration::from_secs(60);
/// Until the inbox has room.
const PAUSE: Duration = Duration::from_millis(100);
/// A provider may take so long to answer.
#[cfg(feature = "auth-fetch")]
const ANSWER: Duration = Duration::from_secs(5);

/// Reads for this server; the thread begins with the first question and ends with the server.
pub(super) fn reader(shared: Arc<Shared>) -> KeyReader {
    let mut questions: Option<Sender<String>> = None;
    Box::new(move |source| {
        if questions.is_none() {
            let (sender, receiver) = channel();
            let shared = shared.clone();
            let work = move || serve(&receiver, &shared);
            questions = thread::Builder::new().name("keys".to_owned()).spawn(work).ok().map(|_| sender);
        }
        questions.as_ref().is_some_and(|questions| questions.send(source.to_owned()).is_ok())
    })
}

fn serve(questions: &Receiver<String>, shared: &Shared) {
    let Ok(mut source) = questions.recv() else { return };
    loop {
        let keys = read(&source);
        let again = if keys.is_ok() { FRESH } else { RETRY };
        if !deliver(shared, &source, keys) {
            return;
        }
        let next = match is_url(&source) {
            true => questions.recv_timeout(again),
            false => questions.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match next {
            Ok(asked) => source = asked,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// False: the server has gone.
fn deliver(shared: &Shared, source: &str, keys: Result<Jwks, String>) -> bool {
    loop {
        let read = KeysRead { source: source.to_owned(), keys: keys.clone() };
        match shared.command(Command::KeysRead(Box::new(read))) {
            Ok(()) => return true,
            Err(PushError::InboxFull) => thread::sleep(PAUSE),
            Err(_) => return false,
        }
    }
}

/// Reads a document of keys, now: a file, or what an https URL leads to.
///
/// # Errors
/// It can't be read, or is no such document.
pub fn read(source: &str) -> Result<Jwks, String> {
    let bytes = if is_url(source) { fetch(source)? } else { read_file(source, JWKS_BYTES_MAX as u64)? };
    Jwks::read(&bytes).map_err(|error| error.to_string())
}

/// The certificates are checked by the authorities that the system trusts, or those that the variables `SSL_CERT_FILE`
/// and `SSL_CERT_DIR` name.
#[cfg(feature = "auth-fetch")]
fn fetch(url: &str) -> Result<Vec<u8>, String> {
    use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

    let found = rustls_native_certs::load_native_certs();
    let roots: Vec<Certificate<'static>> =
        found.certs.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
    if roots.is_empty() {
        return Err("the system names no authorities to check certificates by (SSL_CERT_FILE)".to_owned());
    }
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(RootCerts::new_with_certs(&roots))
        .build();
    let agent = ureq::Agent::config_builder()
        .https_only(true)
        .max_redirects(3)
        .timeout_global(Some(ANSWER))
        .user_agent(concat!("wspush/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .build()
        .new_agent();
    let failed = |error: ureq::Error| format!("cannot be fetched: {error}");
    let mut response = agent.get(url).call().map_err(failed)?;
    response.body_mut().with_config().limit(JWKS_BYTES_MAX as u64).read_to_vec().map_err(failed)
}

/// [`Config::validate`](crate::Config::validate) lets no URL pass in such a build.
#[cfg(not(feature = "auth-fetch"))]
fn fetch(_url: &str) -> Result<Vec<u8>, String> {
    Err("this build fetches no keys (cargo feature auth-fetch)".to_owned())
}
