//! Checks tokens against the keys that there are.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use jsonwebtoken::crypto::{self, aws_lc};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::key::Key;
use super::{Claims, Jwks, KeyError, Rules, TokenError, Verdict, public_key};
use crate::limits::{TOKEN_BYTES_MAX, TOKEN_TRIES_MAX};
use crate::tls::Contents;

/// Keys, and the rules for tokens that are signed with them.
#[derive(Clone, Debug)]
pub struct Verifier {
    rules: Rules,
    keys: Vec<Key>,
    published: Option<Jwks>,
    awaits_published: bool,
    pub(super) contents: Contents,
}

/// The members of a token's header that are looked at (RFC 7515 section 4.1).
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Box<RawValue>>,
}

/// A token in its parts.
struct Parts<'a> {
    header: Header,
    signed: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl Verifier {
    /// One that knows no keys yet.
    pub fn new(rules: Rules) -> Verifier {
        // If a program around this library has chosen another one, that one is used.
        let _ = aws_lc::DEFAULT_PROVIDER.install_default();
        Verifier {
            rules,
            keys: Vec::new(),
            published: None,
            awaits_published: false,
            contents: Contents::default(),
        }
    }

    /// Takes a secret of at least 32 bytes, for tokens signed with HS256.
    ///
    /// # Errors
    /// It is too short or too long.
    pub fn add_secret(&mut self, secret: &str) -> Result<(), KeyError> {
        self.keys.push(Key::secret(secret)?);
        Ok(())
    }

    /// Takes the public keys of a PEM file: RSA (RS256 to RS512, PS256 to PS512), P-256 (ES256), P-384 (ES384) and
    /// Ed25519 (EdDSA).
    ///
    /// # Errors
    /// There is none in it, or something else is.
    pub fn add_public_keys(&mut self, pem: &[u8]) -> Result<(), KeyError> {
        self.keys.append(&mut public_key::read(pem)?);
        Ok(())
    }

    /// Takes the keys of an identity provider, in place of those that it had before.
    pub fn set_published(&mut self, jwks: Jwks) {
        self.published = Some(jwks);
    }

    /// Says that there will be published keys: until then a token may be signed by one of them.
    pub fn await_published(&mut self) {
        self.awaits_published = true;
    }

    /// Takes over the published keys of `old`, until new ones are there.
    pub fn adopt_published(&mut self, old: Verifier) {
        self.published = self.published.take().or(old.published);
    }

    /// The settings whose files had other contents when `old` was loaded.
    pub fn changes_since(&self, old: &Verifier) -> Vec<&'static str> {
        self.contents.changes_since(&old.contents)
    }

    /// Checks a token at this time.
    pub fn check(&self, token: &str, unix_s: u64) -> Verdict {
        let (mut secrets, mut signatures) = (0, 0);
        let outcome = self.check_counting(token, unix_s, |algorithm| match algorithm {
            Algorithm::HS256 => secrets += 1,
            _ => signatures += 1,
        });
        Verdict { outcome, secrets, signatures }
    }

    fn check_counting(
        &self,
        token: &str,
        unix_s: u64,
        mut count: impl FnMut(Algorithm),
    ) -> Result<Claims, TokenError> {
        let parts = Parts::of(token)?;
        let algorithm = algorithm(&parts.header.alg).ok_or(TokenError::Algorithm)?;
        let keys = self.candidates(algorithm, parts.header.kid.as_deref())?;
        let is_signed = keys.iter().any(|key| {
            count(algorithm);
            crypto::verify(parts.signature, parts.signed.as_bytes(), &key.key, algorithm).unwrap_or(false)
        });
        if !is_signed {
            return Err(TokenError::Signature);
        }
        Claims::read(&decoded(parts.payload)?, &self.rules, unix_s)
    }

    /// The keys that a token of this algorithm and name may be signed with.
    fn candidates(&self, algorithm: Algorithm, name: Option<&str>) -> Result<Vec<&Key>, TokenError> {
        let published = self.published.iter().flat_map(|jwks| &jwks.keys);
        let all = || self.keys.iter().chain(published.clone());
        let fitting: Vec<&Key> =
            all().filter(|key| key.fits(algorithm, name)).take(TOKEN_TRIES_MAX + 1).collect();
        match fitting.len() {
            0 if self.awaits_published && self.published.is_none() => Err(TokenError::UnknownKey),
            0 if name.is_some() && all().any(|key| key.name.is_some()) => Err(TokenError::UnknownKey),
            0 => Err(TokenError::Algorithm),
            count if count > TOKEN_TRIES_MAX => Err(TokenError::TooManyKeys),
            _ => Ok(fitting),
        }
    }
}

impl<'a> Parts<'a> {
    /// Takes a token apart (RFC 7515 section 3.1).
    fn of(token: &'a str) -> Result<Parts<'a>, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong(token.len()));
        }
        let three = "it does not have three parts with dots between them";
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed(three))?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed(three))?;
        if payload.contains('.') {
            return Err(TokenError::Malformed(three));
        }
        let header: Header = serde_json::from_slice(&decoded(header)?)
            .map_err(|_| TokenError::Malformed("its header is not a JSON object with an algorithm (alg)"))?;
        if header.crit.is_some() {
            // RFC 7515 section 4.1.11: none of these extensions is understood here.
            return Err(TokenError::Malformed("its header asks for an extension (crit)"));
        }
        Ok(Parts { header, signed, payload, signature })
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, TokenError> {
    let why = "a part is not base64url without padding";
    BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed(why))
}

/// An algorithm by its name (RFC 7518 section 3.1, RFC 8037 section 3.1, RFC 9864 section 2.2); `none` is none.
pub(super) fn algorithm(name: &str) -> Option<Algorithm> {
    match name {
        "Ed25519" => Some(Algorithm::EdDSA),
        name => name.parse().ok(),
    }
}

#[cfg(test)]
mod tests;
