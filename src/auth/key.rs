//! A key that tokens are checked with, and the algorithms that it is for.

use jsonwebtoken::{Algorithm, DecodingKey};

use super::KeyError;
use crate::limits::{AUTH_SECRET_BYTES_MAX, AUTH_SECRET_BYTES_MIN};

/// An RSA key's modulus: RFC 7518 section 3.3 asks for 2048 bits, and above 8192 nothing is checked.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1_024;

/// The algorithms of RSA keys.
const RSA: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// A kind of public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// RSA, of at least 2048 bits.
    Rsa,
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// EdDSA by Ed25519.
    Ed25519,
}

/// A key.
#[derive(Clone)]
pub(super) struct Key {
    /// Its name, by which a token may ask for it.
    pub name: Option<String>,
    /// The only algorithms that it may be used with.
    pub algorithms: &'static [Algorithm],
    /// The key itself.
    pub key: DecodingKey,
}

/// The key is not in it.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("algorithms", &self.algorithms).finish_non_exhaustive()
    }
}

impl Form {
    /// The algorithms that a key of this form is for.
    pub(super) fn algorithms(self) -> &'static [Algorithm] {
        match self {
            Form::Rsa => RSA,
            Form::P256 => &[Algorithm::ES256],
            Form::P384 => &[Algorithm::ES384],
            Form::Ed25519 => &[Algorithm::EdDSA],
        }
    }
}

impl Key {
    /// A secret that is shared with whoever makes tokens.
    pub(super) fn secret(secret: &str) -> Result<Key, KeyError> {
        let bytes = secret.len();
        if !(AUTH_SECRET_BYTES_MIN..=AUTH_SECRET_BYTES_MAX).contains(&bytes) {
            let why = format!(
                "a secret has {AUTH_SECRET_BYTES_MIN} to {AUTH_SECRET_BYTES_MAX} bytes, and this one {bytes}"
            );
            return Err(KeyError::new(why));
        }
        let key = DecodingKey::from_secret(secret.as_bytes());
        Ok(Key { name: None, algorithms: &[Algorithm::HS256], key })
    }

    /// The bits of a public key as they stand in a certificate (RFC 5280 section 4.1.2.7).
    pub(super) fn public(form: Form, bits: &[u8]) -> Result<Key, KeyError> {
        let point_bytes = |bytes: usize| bits.len() == 1 + 2 * bytes && bits[0] == 4;
        let (is_ok, key) = match form {
            // Beside the modulus there are at least 9 bytes: two headers, a zero and an exponent.
            Form::Rsa => {
                let modulus = bits.len().saturating_sub(9);
                (RSA_BYTES.contains(&modulus), DecodingKey::from_rsa_der(bits))
            }
            Form::P256 => (point_bytes(32), DecodingKey::from_ec_der(bits)),
            Form::P384 => (point_bytes(48), DecodingKey::from_ec_der(bits)),
            Form::Ed25519 => (bits.len() == 32, DecodingKey::from_ed_der(bits)),
        };
        if !is_ok {
            return Err(KeyError::new(match form {
                Form::Rsa => "an RSA key needs 2048 to 8192 bits",
                _ => "a key of another length than its kind has",
            }));
        }
        Ok(Key { name: None, algorithms: form.algorithms(), key })
    }

    /// The numbers of an RSA key.
    pub(super) fn rsa_numbers(modulus: &[u8], exponent: &[u8]) -> Result<Key, KeyError> {
        if !RSA_BYTES.contains(&modulus.len()) {
            return Err(KeyError::new("an RSA key needs 2048 to 8192 bits"));
        }
        let key = DecodingKey::from_rsa_raw_components(modulus, exponent);
        Ok(Key { name: None, algorithms: RSA, key })
    }

    /// Whether it can be the key that a token was signed with, by its name and the algorithm.
    pub(super) fn fits(&self, algorithm: Algorithm, name: Option<&str>) -> bool {
        let is_named = match (&self.name, name) {
            (Some(own), Some(name)) => own == name,
            _ => true,
        };
        is_named && self.algorithms.contains(&algorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_enough_and_not_shown() {
        for bytes in [0, 31, 257] {
            let error = Key::secret(&"s".repeat(bytes)).unwrap_err().to_string();
            assert_eq!(error, format!("a secret has 32 to 256 bytes, and this one {bytes}"));
        }
        let key = Key::secret(&"s3cret.".repeat(5)).unwrap();
        assert_eq!(key.algorithms, [Algorithm::HS256]);
        assert_eq!(format!("{key:?}"), "Key { algorithms: [HS256], .. }");
    }

    #[test]
    fn a_public_key_has_the_length_of_its_kind() {
        let bytes = |first: u8, count: usize| [vec![first], vec![1; count - 1]].concat();
        for (form, bits) in [
            (Form::P256, bytes(4, 65)),
            (Form::P384, bytes(4, 97)),
            (Form::Ed25519, bytes(9, 32)),
            (Form::Rsa, bytes(0x30, 270)),
        ] {
            let key = Key::public(form, &bits).unwrap();
            assert!(form.algorithms().iter().all(|algorithm| key.fits(*algorithm, Some("any"))), "{form:?}");
            assert!(!key.fits(Algorithm::HS256, None));
            assert!(Key::public(form, &bits[..bits.len() / 2]).is_err() && Key::public(form, &[]).is_err());
        }
        assert!(Key::public(Form::P256, &bytes(2, 65)).is_err(), "a compressed point");
        let error = Key::public(Form::Rsa, &bytes(0x30, 140)).unwrap_err().to_string();
        assert_eq!(error, "an RSA key needs 2048 to 8192 bits");
        assert!(Key::rsa_numbers(&[1; 128], &[1, 0, 1]).is_err());
    }

    #[test]
    fn names_are_compared_where_both_have_one() {
        let named = |name: &str| Key { name: Some(name.to_owned()), ..Key::secret(&"s".repeat(32)).unwrap() };
        let fits = |key: &Key, name| key.fits(Algorithm::HS256, name);
        assert!(fits(&named("a"), Some("a")) && fits(&named("a"), None) && !fits(&named("a"), Some("b")));
    }
}
