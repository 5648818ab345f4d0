//! Keys as the kernel takes them: `struct tls12_crypto_info_*` of linux/tls.h.

use std::io;
use std::os::fd::AsRawFd;

use super::super::sys::{self, Direction, TLS_KEYS_MAX};
use crate::tls::{Cipher, NONCE_BYTES, Suite, TrafficKeys, Version, wipe};

/// Bytes of `struct tls_crypto_info`.
const HEAD_BYTES: usize = 4;

/// Bytes of a record's number.
const NUMBER_BYTES: usize = 8;

/// Bytes of the nonce that the kernel calls the salt.
fn salt_bytes(cipher: Cipher) -> usize {
    match cipher {
        Cipher::Aes128Gcm | Cipher::Aes256Gcm => 4,
        Cipher::Chacha20Poly1305 => 0,
    }
}

/// How many records one key may protect: RFC 8446 section 5.5 gives 2^24.5 of the largest for AES-GCM, of which the
/// library uses 2^24, and no limit that a connection could reach for ChaCha20-Poly1305.
fn records_max(suite: Suite) -> u64 {
    match suite.cipher {
        Cipher::Aes128Gcm | Cipher::Aes256Gcm => 1 << 24,
        Cipher::Chacha20Poly1305 => u64::MAX,
    }
}

/// `version` and `cipher_type` of `struct tls_crypto_info`.
fn head(suite: Suite) -> [u8; 4] {
    let version: u16 = match suite.version {
        Version::Tls12 => 0x0303,
        Version::Tls13 => 0x0304,
    };
    let cipher: u16 = match suite.cipher {
        Cipher::Aes128Gcm => 51,
        Cipher::Aes256Gcm => 52,
        Cipher::Chacha20Poly1305 => 54,
    };
    let ([a, b], [c, d]) = (version.to_ne_bytes(), cipher.to_ne_bytes());
    [a, b, c, d]
}

/// Bytes of the whole structure.
fn info_bytes(suite: Suite) -> usize {
    HEAD_BYTES + NONCE_BYTES + suite.key_bytes() + NUMBER_BYTES
}

/// Keys of one direction of a connection, in the kernel's form. Wiped when dropped.
pub struct Keys {
    suite: Suite,
    bytes: [u8; TLS_KEYS_MAX],
}

impl Keys {
    /// Puts them together.
    ///
    /// In TLS 1.2 with AES-GCM the last eight bytes of the nonce stand in each record; the sender may choose them as it
    /// likes, but never the same ones twice under a key (RFC 5288 section 3). User space has counted from `nonce`, by
    /// exclusive or with the record's number; the kernel counts on from the value that it is given. So it is given one
    /// with the other first bit, and nothing but zeroes in the low 48: neither comes to where the other has been.
    pub fn new(keys: &TrafficKeys) -> Keys {
        let (suite, mut nonce, mut bytes) = (keys.suite, *keys.nonce(), [0; TLS_KEYS_MAX]);
        if suite.version == Version::Tls12 && suite.cipher != Cipher::Chacha20Poly1305 {
            nonce[4] ^= 0x80;
            nonce[6..].fill(0);
        }
        let (salt, rest) = nonce.split_at(salt_bytes(suite.cipher));
        let mut room = &mut bytes[..];
        for part in [&head(suite)[..], rest, keys.key(), salt, &keys.number.to_be_bytes()] {
            let (place, behind) = room.split_at_mut(part.len());
            place.copy_from_slice(part);
            room = behind;
        }
        debug_assert_eq!(TLS_KEYS_MAX - room.len(), info_bytes(suite));
        wipe(&mut nonce);
        Keys { suite, bytes }
    }

    /// Their cipher suite.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The structure.
    pub(super) fn info(&self) -> &[u8] {
        &self.bytes[..info_bytes(self.suite)]
    }

    /// Gives them to the kernel.
    pub fn install(&self, socket: &impl AsRawFd, direction: Direction) -> io::Result<()> {
        sys::set_tls_keys(socket, direction, self.info())
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        wipe(&mut self.bytes);
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// How many records the kernel may still send under the keys that it has.
pub fn records_left(socket: &impl AsRawFd) -> io::Result<u64> {
    let mut bytes = [0; TLS_KEYS_MAX];
    // With room for no more the kernel tells which keys it has, and then it wants room for just those.
    sys::tls_keys(socket, Direction::Send, &mut bytes[..HEAD_BYTES])?;
    let suite = Suite::all().find(|suite| bytes.starts_with(&head(*suite)));
    let info = &mut bytes[..suite.map_or(HEAD_BYTES, info_bytes)];
    let result = sys::tls_keys(socket, Direction::Send, info);
    let number = info.last_chunk::<NUMBER_BYTES>().map_or(0, |number| u64::from_be_bytes(*number));
    wipe(&mut bytes);
    result.map(|()| suite.map_or(0, records_max).saturating_sub(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(suite: Suite, nonce: [u8; NONCE_BYTES], number: u64) -> Keys {
        Keys::new(&TrafficKeys::new(suite, &[9; 32][..suite.key_bytes()], nonce, number).unwrap())
    }

    #[test]
    fn keys_are_laid_out_as_in_linux_tls_h() {
        let suite = Suite { version: Version::Tls13, cipher: Cipher::Aes128Gcm };
        let nonce = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        let made = keys(suite, nonce, 0x0102);
        let iv_key_salt_number = [&nonce[4..], &[9; 16], &nonce[..4], &[0, 0, 0, 0, 0, 0, 1, 2]].concat();
        assert_eq!(made.bytes[4..40], iv_key_salt_number);
        assert_eq!(info_bytes(suite), 40);
        assert_eq!(made.bytes[..2], 0x0304u16.to_ne_bytes());
        let suite = Suite { version: Version::Tls12, cipher: Cipher::Chacha20Poly1305 };
        let made = keys(suite, nonce, 0);
        assert_eq!((made.bytes[4..16].to_vec(), info_bytes(suite)), (nonce.to_vec(), 56));
        assert!(Suite::all().all(|suite| info_bytes(suite) <= TLS_KEYS_MAX));
    }

    #[test]
    fn the_kernel_never_counts_over_nonces_that_were_used() {
        let suite = Suite { version: Version::Tls12, cipher: Cipher::Aes256Gcm };
        for last in [[0xff; 8], [0; 8], [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]] {
            let mut nonce = [7; NONCE_BYTES];
            nonce[4..].copy_from_slice(&last);
            let given = u64::from_be_bytes(keys(suite, nonce, 5).bytes[4..12].try_into().unwrap());
            let used = u64::from_be_bytes(last);
            assert_ne!(given >> 63, used >> 63, "the first bit tells them apart");
            assert_eq!(given & ((1 << 48) - 1), 0, "and 2^48 records don't change it");
        }
    }
}
