//! Tokens: who a client says it is, and who vouches for that. Bytes and the time in, claims out; nobody here knows a
//! socket, and keys that have to be fetched are fetched elsewhere.
//!
//! A token is a JWT (RFC 7519) in the compact form of a JWS (RFC 7515). Its way: [`Verifier::check`] takes it apart,
//! picks the keys that it may have been signed with, has `jsonwebtoken` check the signature, and only then reads the
//! [`Claims`]. Which algorithms are taken is decided by the keys that are configured, each of which has its own; a
//! token picks one of those and nothing else. So `none` is not a special case, and a public key is never taken for a
//! shared secret. What else the header of a token points to (`jku`, `jwk`, `x5u`) is not looked at.
//!
//! No error quotes a token or a key.
//!
//! May import: tls (its PEM reader), config, limits.

mod claims;
mod error;
mod jwks;
mod key;
mod public_key;
#[cfg(test)]
mod trial;
mod verifier;

pub use claims::{Claims, Rules};
pub use error::{KeyError, TokenError};
pub use jwks::Jwks;
pub use verifier::{Verdict, Verifier};
