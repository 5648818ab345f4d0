//! Reads published keys in a thread of its own, so that no provider's answer is waited for by the reactor.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

#[cfg(feature = "backend")]
use super::backend::http;
use crate::auth::Jwks;
use crate::config::{is_url, read_file};
use crate::limits::JWKS_BYTES_MAX;
use crate::reactor::delivery::deliver;
use crate::reactor::published_keys::{KeyReader, KeysRead};
use crate::reactor::{Command, Shared};

/// Fetched keys are fetched again after this time.
const FRESH: Duration = Duration::from_secs(3_600);
/// The same where it has failed.
const RETRY: Duration = Duration::from_secs(60);
/// A provider may take so long to answer.
#[cfg(feature = "backend")]
const ANSWER: Duration = Duration::from_secs(5);

/// Reads for this server; the thread begins with the first question and ends with the server.
pub(super) fn reader(shared: Arc<Shared>) -> KeyReader {
    let mut questions: Option<Sender<String>> = None;
    Box::new(move |source| {
        if questions.is_none() {
            let (sender, receiver) = channel();
            let shared = shared.clone();
            let work = move || {
                shared.leave_its_cpu();
                serve(&receiver, &shared);
            };
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
        let read = || KeysRead { source: source.clone(), keys: keys.clone() };
        if !deliver(shared, || Command::KeysRead(Box::new(read()))) {
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

/// Reads a document of keys, now: a file, or what an https URL leads to.
///
/// # Errors
/// It can't be read, or is no such document.
pub fn read(source: &str) -> Result<Jwks, String> {
    let bytes = if is_url(source) { fetch(source)? } else { read_file(source, JWKS_BYTES_MAX as u64)? };
    Jwks::read(&bytes).map_err(|error| error.to_string())
}

#[cfg(feature = "backend")]
fn fetch(url: &str) -> Result<Vec<u8>, String> {
    let config = http::trusting_the_system()?.https_only(true).max_redirects(3);
    let agent = config.build().new_agent();
    let fetched = http::within(ANSWER, |left| {
        let mut response = agent.get(url).config().timeout_global(Some(left)).build().call()?;
        response.body_mut().with_config().limit(JWKS_BYTES_MAX as u64).read_to_vec()
    });
    fetched.map_err(|problem| format!("cannot be fetched: {problem}"))
}

/// [`Config::validate`](crate::Config::validate) lets no URL pass in such a build.
#[cfg(not(feature = "backend"))]
fn fetch(_url: &str) -> Result<Vec<u8>, String> {
    Err("this build fetches no keys (cargo feature backend)".to_owned())
}
