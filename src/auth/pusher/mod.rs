//! Signatures of the Pusher Channels protocol: HMAC-SHA256 under a secret that an application shares with its own
//! backend, in hexadecimal digits. A backend signs its requests ([`SignedRequest`]), and for each client what that one
//! may subscribe to and who it is; this server signs its webhooks.
//!
//! Signatures and keys are compared in constant time. No error quotes a signature, a key or a secret.

mod error;
mod request;
#[cfg(test)]
mod tests;

pub use error::{AuthError, RequestError};
pub use request::{BodyHash, SignedRequest};

use std::fmt;

use aws_lc_rs::hmac;
use subtle::ConstantTimeEq as _;

/// Bytes of an HMAC-SHA256.
const SIGNATURE_BYTES: usize = 32;

/// A key, which says whose a signature is, and the secret that goes with it.
#[derive(Clone)]
pub struct Credentials {
    key: Box<str>,
    /// The secret, made ready once: a signature of some short text then costs two blocks less.
    secret: hmac::Key,
}

/// The secret is not in it.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Of this key and this secret.
    pub fn new(key: &str, secret: &str) -> Credentials {
        Credentials { key: key.into(), secret: hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()) }
    }

    /// The key, which is no secret.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The signature of a text, as the protocol writes it.
    pub fn sign(&self, text: &[u8]) -> String {
        hexadecimal(hmac::sign(&self.secret, text).as_ref())
    }

    /// Checks that a backend lets the connection of this id subscribe to a channel. `auth` is what the client shows:
    /// the key, a colon and the signature; `channel_data` goes with presence channels, as it was sent.
    ///
    /// # Errors
    /// It is signed by nobody, somebody else, or for something else.
    pub fn check_channel(
        &self,
        socket_id: &str,
        channel: &str,
        channel_data: Option<&str>,
        auth: &str,
    ) -> Result<(), AuthError> {
        // A colon in a name would let one text stand for another channel with other data.
        if channel.contains(':') {
            return Err(AuthError::Channel);
        }
        match channel_data {
            None => self.check_shown(auth, &[socket_id, ":", channel]),
            Some(data) => self.check_shown(auth, &[socket_id, ":", channel, ":", data]),
        }
    }

    /// Checks that a backend vouches for the user of the connection of this id: `user_data` as it was sent.
    ///
    /// # Errors
    /// It is signed by nobody, somebody else, or for somebody else.
    pub fn check_user(&self, socket_id: &str, user_data: &str, auth: &str) -> Result<(), AuthError> {
        self.check_shown(auth, &[socket_id, "::user::", user_data])
    }

    fn check_shown(&self, auth: &str, signed: &[&str]) -> Result<(), AuthError> {
        let (key, signature) = auth.split_once(':').ok_or(AuthError::Malformed)?;
        if !self.has_key(key) {
            return Err(AuthError::Key);
        }
        let signature: [u8; SIGNATURE_BYTES] = bytes_of(signature).ok_or(AuthError::Malformed)?;
        let mut context = hmac::Context::with_key(&self.secret);
        signed.iter().for_each(|part| context.update(part.as_bytes()));
        match is_same(context.sign().as_ref(), &signature) {
            true => Ok(()),
            false => Err(AuthError::Signature),
        }
    }

    fn has_key(&self, key: &str) -> bool {
        self.key.as_bytes().ct_eq(key.as_bytes()).into()
    }
}

fn is_same(own: &[u8], shown: &[u8]) -> bool {
    own.ct_eq(shown).into()
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// So many bytes in hexadecimal digits, of either case.
fn bytes_of<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}
