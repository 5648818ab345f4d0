//! Why a token or a key is refused, in words that may be shown to anybody: nothing of a token or a key is in them.

use std::fmt;

use crate::limits::{TOKEN_BYTES_MAX, TOKEN_TRIES_MAX};

/// Why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// It has so many bytes.
    TooLong(usize),
    /// It is no JWT; this is wrong with it.
    Malformed(&'static str),
    /// It is signed by an algorithm that none of the keys is for, if by any.
    Algorithm,
    /// None of the keys has the name that it gives.
    UnknownKey,
    /// It names no key, and might be signed with more of them than are tried.
    TooManyKeys,
    /// It was not signed with any key that it might be signed with.
    Signature,
    /// A claim is not what it may be.
    Claim {
        /// The claim's name.
        name: &'static str,
        /// Why it can't be used.
        why: String,
    },
    /// It was valid until so many seconds ago.
    Expired(u64),
    /// It will be valid in so many seconds.
    NotYet(u64),
    /// It will be issued in so many seconds, which nobody's clock may say.
    FromTheFuture(u64),
    /// It is good for longer than so many seconds, or doesn't say for how long.
    Lifetime(u64),
    /// Tokens of its user that were issued by then are not taken any more.
    Revoked,
    /// It is not for this server.
    Audience,
    /// It is from somebody else.
    Issuer,
}

#[cfg(feature = "auth")]
impl TokenError {
    pub(super) fn claim(name: &'static str, why: impl Into<String>) -> TokenError {
        TokenError::Claim { name, why: why.into() }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenError::TooLong(bytes) => {
                write!(f, "the token has {bytes} bytes; it may have {TOKEN_BYTES_MAX}")
            }
            TokenError::Malformed(why) => write!(f, "the token is not a signed JWT: {why}"),
            TokenError::Algorithm => {
                f.write_str("the token is signed by an algorithm (alg) that no configured key is for")
            }
            TokenError::UnknownKey => f.write_str("the token names a key (kid) that is not known here"),
            TokenError::TooManyKeys => write!(
                f,
                "the token names no key (kid), and more than {TOKEN_TRIES_MAX} keys are for its algorithm"
            ),
            TokenError::Signature => {
                f.write_str("the token's signature is not by a configured key, or the token was changed")
            }
            TokenError::Claim { name, why } => write!(f, "the token's {name} {why}"),
            TokenError::Expired(ago_s) => write!(f, "the token has expired {ago_s} s ago (exp)"),
            TokenError::NotYet(in_s) => write!(f, "the token is not valid for another {in_s} s (nbf)"),
            TokenError::FromTheFuture(in_s) => {
                write!(
                    f,
                    "the token is issued in {in_s} s from now (iat): the issuer's clock is wrong, or this one"
                )
            }
            TokenError::Lifetime(max_s) => write!(
                f,
                "the token is good for more than {max_s} s (auth_lifetime_max_s), or doesn't say so (iat, exp)"
            ),
            TokenError::Revoked => f.write_str("the token was revoked; a new one is needed"),
            TokenError::Audience => f.write_str("the token is not for this server (aud, auth_audience)"),
            TokenError::Issuer => f.write_str("the token is from somebody else (iss, auth_issuer)"),
        }
    }
}

impl std::error::Error for TokenError {}

/// Why a key cannot be used.
#[cfg(feature = "auth")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyError(pub(super) String);

#[cfg(feature = "auth")]
impl KeyError {
    pub(super) fn new(why: impl Into<String>) -> KeyError {
        KeyError(why.into())
    }
}

#[cfg(feature = "auth")]
impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(feature = "auth")]
impl std::error::Error for KeyError {}
