//! Keys that an identity provider publishes: a thread beside the reactor reads them, when the server starts, when HUP
//! comes, and when a token names a key that is not known.

use std::fmt::Display;

use crate::auth::Jwks;
use crate::config::LogLevel;

use super::reactor::Reactor;
use super::socket::Socket;

/// Strangers whose tokens name keys that there are not must not make us ask more often.
const AGAIN_MS: u64 = 10_000;

/// Has a document of keys read, a file or an https URL, whose contents come as a [`KeysRead`]. False: it can't be.
pub type KeyReader = Box<dyn FnMut(&str) -> bool + Send>;

/// A document of keys that was read; or why it was not.
#[derive(Clone, Debug)]
pub struct KeysRead {
    /// Its file or URL.
    pub source: String,
    /// The keys.
    pub keys: Result<Jwks, String>,
}

/// The reading of keys.
#[derive(Default)]
pub(super) struct PublishedKeys {
    reader: Option<KeyReader>,
    /// When they were asked for last.
    asked_ms: Option<u64>,
    is_under_way: bool,
}

impl<S: Socket> Reactor<S> {
    /// Sets who reads published keys, and has those read that are still to be fetched.
    pub fn set_key_reader(&mut self, reader: KeyReader) {
        self.published_keys.reader = Some(reader);
        self.read_keys_anew();
    }

    /// Has the keys read that the settings name by a URL; those in files have just been read with the settings.
    pub(super) fn read_keys_anew(&mut self) {
        self.published_keys.asked_ms = None;
        // They come to all reactors, whichever has asked.
        if self.config.fetches_keys() && self.shared.is_first() {
            self.ask_for_keys();
        }
    }

    /// Has the keys read, unless they were just now. Whether they are on their way.
    pub(super) fn ask_for_keys(&mut self) -> bool {
        let now_ms = self.now.mono_ms();
        let Some(source) = &self.config.auth_jwks else { return false };
        let PublishedKeys { reader: Some(reader), asked_ms, is_under_way } = &mut self.published_keys else {
            return false;
        };
        if asked_ms.is_none_or(|asked_ms| now_ms >= asked_ms + AGAIN_MS) {
            *asked_ms = Some(now_ms);
            *is_under_way = reader(source);
        }
        *is_under_way
    }

    /// Takes keys that were read. Those that were there stay if it has failed.
    pub(super) fn keys_read(&mut self, read: KeysRead) {
        if self.config.auth_jwks.as_ref() != Some(&read.source) {
            // The settings have changed meanwhile, and the next ones are on their way.
            return;
        }
        self.published_keys.is_under_way = false;
        if self.shared.has_others() {
            self.published_keys.asked_ms = Some(self.now.mono_ms());
        }
        match (read.keys, &mut self.verifier) {
            (Ok(keys), Some(verifier)) => {
                let count = keys.count();
                verifier.set_published(keys);
                if self.shared.is_first() {
                    self.journal.event(self.now, LogLevel::Info, "keys", &[("count", &count)]);
                }
            }
            (Err(problem), _) if self.shared.is_first() => {
                let fields: [(&str, &dyn Display); 2] = [("source", &read.source), ("problem", &problem)];
                self.journal.event(self.now, LogLevel::Warn, "no_keys", &fields);
            }
            (Ok(_), None) | (Err(_), _) => {}
        }
    }
}
