//! TLS for listeners whose address begins with `tls://`: certificates and keys ([`Acceptor`]), and one connection's
//! side of the protocol ([`TlsSession`]).
//!
//! A session gets ciphertext and gives plaintext and back; it knows no socket. While a connection is idle it holds
//! keys and nothing else: whoever reads and writes brings the buffers. The path of a byte in: the reactor's read
//! buffer -> [`TlsSession::receive`] -> plaintext, as if it had come from the socket. Out: plaintext ->
//! [`TlsSession::encrypt`] -> records in the [`Records`] that all connections share -> the socket; what that does not
//! take the session keeps.
//!
//! Without the feature `tls` there are the same types, of which there can be no value.
//!
//! May import: config, limits.

#[cfg(feature = "tls")]
mod acceptor;
#[cfg(feature = "certificate")]
mod certificate;
#[cfg(any(feature = "auth", feature = "tls"))]
mod contents;
#[cfg(not(feature = "tls"))]
mod disabled;
mod error;
#[cfg(feature = "tls")]
mod identity;
#[cfg(any(feature = "auth", feature = "tls"))]
pub(crate) mod pem;
mod records;
#[cfg(feature = "tls")]
mod release;
#[cfg(feature = "tls")]
mod renewal;
#[cfg(feature = "tls")]
mod session;
#[cfg(all(test, feature = "tls"))]
pub mod test_pair;
mod traffic;

#[cfg(feature = "tls")]
pub use acceptor::Acceptor;
#[cfg(feature = "certificate")]
pub use certificate::{Certificate, certificate};
#[cfg(feature = "auth")]
pub(crate) use contents::Contents;
#[cfg(all(not(feature = "tls"), feature = "handover"))]
pub use disabled::RenewalImage;
#[cfg(not(feature = "tls"))]
pub use disabled::{Acceptor, Released, Renewal, TlsSession};
pub use error::TlsError;
pub use records::Records;
#[cfg(feature = "tls")]
pub use release::Released;
#[cfg(feature = "tls")]
pub use renewal::Renewal;
#[cfg(all(feature = "tls", feature = "handover"))]
pub use renewal::RenewalImage;
#[cfg(feature = "tls")]
pub use session::TlsSession;
pub use traffic::{Cipher, KEY_BYTES_MAX, NONCE_BYTES, Suite, TrafficKeys, Version, wipe};

use crate::config::Config;

/// Plaintext of a record (RFC 8446 section 5.1).
pub const RECORD_BYTES_MAX: usize = 16 << 10;

/// The result of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Established {
    /// TLS 1.3; otherwise it is 1.2.
    pub tls13: bool,
    /// A ticket from an earlier connection has spared the expensive part.
    pub resumed: bool,
}

/// The result of [`TlsSession::receive`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// How many whole records it was.
    pub records: usize,
    /// The handshake has ended with this input.
    pub established: Option<Established>,
    /// The peer has said that nothing more will come (close_notify).
    pub ended: bool,
    /// The peer has broken the protocol, or does not want what is on offer: an alert for it is among the records, and
    /// nothing can be said behind that.
    pub failed: Option<String>,
}

/// Certificates and keys, ready for the listeners that speak TLS.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// None: no listener speaks TLS.
    pub acceptor: Option<Acceptor>,
    /// Warnings for the operator: a certificate that has expired, or whose dates can't be read.
    pub warnings: Vec<String>,
}

/// A fatal alert before any handshake: "internal_error" (RFC 8446 section 6). It is all that a client can be told for
/// which there is no room.
pub const NO_ROOM_ALERT: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

/// Whether a connection's first byte begins a TLS record; otherwise it may be a request that belongs to another port.
pub fn is_handshake(first: u8) -> bool {
    const HANDSHAKE: u8 = 22;
    first == HANDSHAKE
}

/// Reads what the listeners need that speak TLS. `unix_s` is the time, to tell what has expired.
///
/// # Errors
/// A file cannot be read, or is not what it should be; a key is another certificate's.
pub fn load(config: &Config, unix_s: u64) -> Result<Loaded, TlsError> {
    if !config.speaks_tls() {
        return Ok(Loaded { acceptor: None, warnings: Vec::new() });
    }
    let (acceptor, warnings) = Acceptor::load(config, unix_s)?;
    Ok(Loaded { acceptor: Some(acceptor), warnings })
}
