//! The keys of an established connection, as whoever takes it over needs them.

use std::fmt;

use crate::narrow;

/// A protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// A cipher, as the library and the kernel both know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cipher {
    /// AES-128-GCM.
    Aes128Gcm,
    /// AES-256-GCM.
    Aes256Gcm,
    /// ChaCha20-Poly1305.
    Chacha20Poly1305,
}

const VERSIONS: [Version; 2] = [Version::Tls12, Version::Tls13];
const CIPHERS: [Cipher; 3] = [Cipher::Aes128Gcm, Cipher::Aes256Gcm, Cipher::Chacha20Poly1305];

/// The keys that protect a connection's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suite {
    /// See [`Version`].
    pub version: Version,
    /// See [`Cipher`].
    pub cipher: Cipher,
}

/// Bytes of the longest key.
pub const KEY_BYTES_MAX: usize = 32;

/// Bytes of the nonce that belongs to a key.
pub const NONCE_BYTES: usize = 12;

impl Suite {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Suite> {
        VERSIONS.into_iter().flat_map(|version| CIPHERS.map(|cipher| Suite { version, cipher }))
    }

    /// Its place among all.
    pub fn number(self) -> u8 {
        self.version as u8 * narrow::to_u8(CIPHERS.len()) + self.cipher as u8
    }

    /// Bytes of the key.
    pub fn key_bytes(self) -> usize {
        match self.cipher {
            Cipher::Aes128Gcm => 16,
            Cipher::Aes256Gcm | Cipher::Chacha20Poly1305 => KEY_BYTES_MAX,
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.version {
            Version::Tls12 => "1.2-",
            Version::Tls13 => "1.3-",
        })?;
        f.write_str(match self.cipher {
            Cipher::Aes128Gcm => "aes-128-gcm",
            Cipher::Aes256Gcm => "aes-256-gcm",
            Cipher::Chacha20Poly1305 => "chacha20-poly1305",
        })
    }
}

/// The keys of one direction. Wiped when dropped.
pub struct TrafficKeys {
    /// Their cipher suite.
    pub suite: Suite,
    /// The number of the next record.
    pub number: u64,
    nonce: [u8; NONCE_BYTES],
    key: [u8; KEY_BYTES_MAX],
}

impl TrafficKeys {
    /// Puts them together. None: the suite wants a key of another length.
    pub fn new(suite: Suite, key: &[u8], nonce: [u8; NONCE_BYTES], number: u64) -> Option<TrafficKeys> {
        let mut keys = TrafficKeys { suite, number, nonce, key: [0; KEY_BYTES_MAX] };
        (key.len() == suite.key_bytes()).then(|| {
            keys.key[..key.len()].copy_from_slice(key);
            keys
        })
    }

    /// The key.
    pub fn key(&self) -> &[u8] {
        &self.key[..self.suite.key_bytes()]
    }

    /// The nonce: a record's own is this one and the record's number by exclusive or. In TLS 1.2 with AES-GCM the last
    /// eight bytes stand in each record.
    pub fn nonce(&self) -> &[u8; NONCE_BYTES] {
        &self.nonce
    }
}

impl Drop for TrafficKeys {
    fn drop(&mut self) {
        wipe(&mut self.key);
        wipe(&mut self.nonce);
    }
}

impl fmt::Debug for TrafficKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrafficKeys")
            .field("suite", &self.suite)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// Overwrites what must not stay in memory.
pub fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    // Writes that are looked at afterwards can't be optimised away.
    std::hint::black_box(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_numbered_and_hold_their_keys() {
        assert_eq!(Suite::all().map(Suite::number).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
        for suite in Suite::all() {
            let key = [77; KEY_BYTES_MAX];
            let keys = TrafficKeys::new(suite, &key[..suite.key_bytes()], [1; NONCE_BYTES], 9).unwrap();
            assert_eq!((keys.key().len(), keys.number), (suite.key_bytes(), 9));
            assert!(TrafficKeys::new(suite, &key[..15], [1; NONCE_BYTES], 9).is_none());
            assert!(!format!("{keys:?}").contains("77"), "keys don't come into a log");
        }
        assert_eq!(Suite::all().next().unwrap().to_string(), "1.2-aes-128-gcm");
    }
}
