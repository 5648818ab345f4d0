//! In a build without the feature `auth`: types of which there is no value.

use super::Verdict;
use crate::config::{Config, ConfigError};

/// Checks tokens, where there is the feature.
#[derive(Clone, Debug)]
pub enum Verifier {}

impl Verifier {
    /// Checks a token.
    pub fn check(&self, _token: &str, _unix_s: u64) -> Verdict {
        match *self {}
    }

    /// Takes keys.
    pub fn set_published(&mut self, _jwks: Jwks) {
        match *self {}
    }

    /// Takes over keys.
    pub fn adopt_published(&mut self, _old: Verifier) {
        match *self {}
    }

    /// The settings whose files have other contents.
    pub fn changes_since(&self, _old: &Verifier) -> Vec<&'static str> {
        match *self {}
    }
}

/// Keys of an identity provider, where there is the feature.
#[derive(Clone, Debug)]
pub enum Jwks {}

impl Jwks {
    /// How many there are.
    pub fn count(&self) -> usize {
        match *self {}
    }
}

/// Without the feature `auth` stays `none`: [`Config::validate`] sees to that.
///
/// # Errors
/// None.
pub fn load(_config: &Config) -> Result<Option<Verifier>, ConfigError> {
    Ok(None)
}
