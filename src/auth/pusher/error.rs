//! Why something signed is refused, in words that developers of a backend are shown. Nothing of a key, a secret or a
//! signature is in them.

use std::fmt;

use crate::limits::PUSHER_CLOCKS_S;

/// Why a client may not do what it says that its backend lets it do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthError {
    /// It is not a key, a colon and a signature.
    Malformed,
    /// The key is another application's, or nobody's.
    Key,
    /// No channel has such a name.
    Channel,
    /// It was not signed with the secret of that key, or for something else.
    Signature,
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AuthError::Malformed => {
                "auth is not KEY:SIGNATURE, with the 64 hexadecimal digits of an HMAC-SHA256"
            }
            AuthError::Key => "auth begins with another key than the one that this connection uses",
            AuthError::Channel => "a channel that needs auth has no colon in its name",
            AuthError::Signature => {
                "the signature in auth is not by this application's secret, or not for this socket_id and these data"
            }
        })
    }
}

impl std::error::Error for AuthError {}

/// Why a request is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// This parameter is not there.
    Missing(&'static str),
    /// This parameter is there more than once.
    Twice(&'static str),
    /// This parameter is not what it should be.
    Malformed(&'static str),
    /// The key is another application's, or nobody's.
    Key,
    /// It was signed so many seconds ago.
    Old(u64),
    /// It will be signed in so many seconds.
    FromTheFuture(u64),
    /// It was not signed with the secret of that key, or was changed.
    Signature,
    /// There is a body, and nothing that says which.
    NoBodyHash,
    /// The body is another one.
    Body,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestError::Missing(name) => write!(
                f,
                "{name} is missing: a request is signed by auth_key, auth_timestamp, auth_version=1.0, body_md5 and \
                 auth_signature in its query"
            ),
            RequestError::Twice(name) => write!(f, "{name} is there more than once"),
            RequestError::Malformed(name) => {
                write!(f, "{name} is not {}", shape(name))
            }
            RequestError::Key => f.write_str("auth_key is not the key of the application in the path"),
            RequestError::Old(ago_s) => write!(
                f,
                "auth_timestamp is {ago_s} s ago, and at most {PUSHER_CLOCKS_S} s are taken: is the clock of the \
                 machine that signs right?"
            ),
            RequestError::FromTheFuture(in_s) => write!(
                f,
                "auth_timestamp is {in_s} s from now, and at most {PUSHER_CLOCKS_S} s are taken: is the clock of the \
                 machine that signs right?"
            ),
            RequestError::Signature => f.write_str(
                "auth_signature is not that of this request: it is the HMAC-SHA256, by the application's secret, of \
                 the method, the path and the sorted query, a line each",
            ),
            RequestError::NoBodyHash => f.write_str("the request has a body, and no body_md5"),
            RequestError::Body => f.write_str("body_md5 is not the MD5 of the body that came"),
        }
    }
}

fn shape(name: &str) -> &'static str {
    match name {
        "auth_timestamp" => "a time in whole seconds since 1970",
        "auth_version" => "1.0",
        "body_md5" => "the 32 hexadecimal digits of an MD5",
        _ => "the 64 hexadecimal digits of an HMAC-SHA256",
    }
}

impl std::error::Error for RequestError {}
