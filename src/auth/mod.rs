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
//! Without the feature `auth` there are the same types, and no [`Verifier`].
//!
//! May import: protocol, tls (its PEM reader), config, limits.

#[cfg(not(feature = "auth"))]
mod absent;
#[cfg(feature = "auth")]
mod answer;
pub mod bearer;
mod claims;
#[cfg(feature = "auth")]
pub mod digest;
mod error;
#[cfg(feature = "auth")]
mod issue;
#[cfg(feature = "auth")]
mod jwks;
#[cfg(feature = "auth")]
mod key;
#[cfg(feature = "auth")]
mod load;
#[cfg(feature = "auth")]
mod payload;
#[cfg(feature = "auth")]
mod public_key;
#[cfg(feature = "pusher")]
pub mod pusher;
#[cfg(not(feature = "pusher"))]
#[path = "pusher_disabled.rs"]
pub mod pusher;
mod revoked;
#[cfg(feature = "auth")]
pub mod signature;
#[cfg(feature = "auth")]
#[cfg(test)]
mod trial;
#[cfg(feature = "auth")]
mod verifier;

#[cfg(not(feature = "auth"))]
pub use absent::{Jwks, Verifier, load};
#[cfg(feature = "auth")]
pub use answer::REFUSED;
pub use claims::{Answer, Claims, Rights, Verdict, is_over};
#[cfg(feature = "auth")]
pub use error::KeyError;
pub use error::TokenError;
#[cfg(feature = "auth")]
pub use issue::issue;
#[cfg(feature = "auth")]
pub use jwks::Jwks;
#[cfg(feature = "auth")]
pub use load::load;
#[cfg(feature = "auth")]
pub use payload::Rules;
pub use revoked::{Revoked, RevokedFull};
#[cfg(feature = "auth")]
pub use verifier::Verifier;
