//! Keys of every kind, and tokens signed with them, for tests.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use rcgen::{CertificateParams, KeyPair, PublicKeyData, SignatureAlgorithm};

/// The PKCS #8 wrapping of a 2048-bit RSA key, in front of the key itself.
const RSA_WRAPPER_BYTES: usize = 26;

pub(super) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Somebody who signs tokens.
pub(super) struct Signer {
    pub algorithm: Algorithm,
    key: EncodingKey,
    pair: Option<KeyPair>,
}

impl Signer {
    pub(super) fn secret(secret: &str) -> Signer {
        let key = EncodingKey::from_secret(secret.as_bytes());
        Signer { algorithm: Algorithm::HS256, key, pair: None }
    }

    /// One for each kind of public key, always the same ones.
    pub(super) fn public_ones() -> &'static [Signer] {
        static ALL: LazyLock<Vec<Signer>> = LazyLock::new(|| {
            let pair = |algorithm: &'static SignatureAlgorithm| KeyPair::generate_for(algorithm).unwrap();
            let signer = |algorithm, key, pair: KeyPair| Signer { algorithm, key, pair: Some(pair) };
            let p256 = pair(&rcgen::PKCS_ECDSA_P256_SHA256);
            let p384 = pair(&rcgen::PKCS_ECDSA_P384_SHA384);
            let ed25519 = pair(&rcgen::PKCS_ED25519);
            let rsa = pair(&rcgen::PKCS_RSA_SHA256);
            let ec = |pair: &KeyPair| EncodingKey::from_ec_der(&pair.serialize_der());
            vec![
                signer(Algorithm::ES256, ec(&p256), p256),
                signer(Algorithm::ES384, ec(&p384), p384),
                signer(Algorithm::EdDSA, EncodingKey::from_ed_der(&ed25519.serialize_der()), ed25519),
                signer(
                    Algorithm::RS256,
                    EncodingKey::from_rsa_der(&rsa.serialize_der()[RSA_WRAPPER_BYTES..]),
                    rsa,
                ),
            ]
        });
        &ALL
    }

    fn pair(&self) -> &KeyPair {
        self.pair.as_ref().expect("a secret has no public key")
    }

    pub(super) fn public_pem(&self) -> String {
        self.pair().public_key_pem()
    }

    pub(super) fn private_pem(&self) -> String {
        self.pair().serialize_pem()
    }

    pub(super) fn certificate_pem(&self) -> String {
        let params = CertificateParams::new(vec!["signer.example".to_owned()]).unwrap();
        params.self_signed(self.pair()).unwrap().pem()
    }

    /// The public key as JSON, with more members behind its own.
    pub(super) fn jwk(&self, more: &str) -> String {
        let raw = self.pair().der_bytes();
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let point = |curve: &str, (x, y): (&[u8], &[u8])| {
            format!("\"EC\",\"crv\":\"{curve}\",\"x\":\"{}\",\"y\":\"{}\"", text(x), text(y))
        };
        let own = match self.algorithm {
            Algorithm::ES256 => point("P-256", raw[1..].split_at(32)),
            Algorithm::ES384 => point("P-384", raw[1..].split_at(48)),
            Algorithm::EdDSA => format!("\"OKP\",\"crv\":\"Ed25519\",\"x\":\"{}\"", text(raw)),
            // PKCS #1: the modulus stands behind 9 bytes, and 65537 at the end.
            _ => format!("\"RSA\",\"n\":\"{}\",\"e\":\"AQAB\"", text(&raw[9..265])),
        };
        format!("{{\"kty\":{own}{more}}}")
    }

    /// A token with the header that belongs to it.
    pub(super) fn token(&self, payload: &str) -> String {
        self.token_with(&format!("{{\"alg\":\"{:?}\",\"typ\":\"JWT\"}}", self.algorithm), payload)
    }

    /// A token with another header.
    pub(super) fn token_with(&self, header: &str, payload: &str) -> String {
        let signed = unsigned(header, payload);
        let signature = crypto::sign(signed.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{signed}.{signature}")
    }
}

/// The part of a token that is signed.
pub(super) fn unsigned(header: &str, payload: &str) -> String {
    let text = |part: &str| BASE64_URL_SAFE_NO_PAD.encode(part);
    format!("{}.{}", text(header), text(payload))
}
