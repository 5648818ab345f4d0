//! Documents of public keys as identity providers publish them (RFC 7517).

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::KeyError;
use super::key::{Form, Key};
use crate::limits::{JWKS_BYTES_MAX, JWKS_KEYS_MAX};

/// A key's name in bytes; one that is longer is none that a token should carry.
const NAME_BYTES_MAX: usize = 256;

/// A document that has been read.
#[derive(Clone, Debug)]
pub struct Jwks {
    pub(super) keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

impl Jwks {
    /// Reads a document. Keys in it that are not for signatures, or of a kind that is not used here, are passed over
    /// (RFC 7517 section 5); the others are taken.
    ///
    /// # Errors
    /// It is too large, no such document, or has no key that can be used.
    pub fn read(bytes: &[u8]) -> Result<Jwks, KeyError> {
        if bytes.len() > JWKS_BYTES_MAX {
            let why = format!("{} bytes; a document of keys may have {JWKS_BYTES_MAX}", bytes.len());
            return Err(KeyError::new(why));
        }
        let document: Document<'_> = serde_json::from_slice(bytes)
            .map_err(|_| KeyError::new("no document of keys: JSON with a list \"keys\" is expected"))?;
        if document.keys.len() > JWKS_KEYS_MAX {
            let why = format!("{} keys; a document may have {JWKS_KEYS_MAX}", document.keys.len());
            return Err(KeyError::new(why));
        }
        let keys: Vec<Key> = document.keys.iter().filter_map(|raw| key(raw.get())).collect();
        if keys.is_empty() {
            let why = "no key in it that tokens can be checked with: RSA of 2048 bits or more, P-256, P-384, Ed25519";
            return Err(KeyError::new(why));
        }
        Ok(Jwks { keys })
    }

    /// How many keys are in it that can be used.
    pub fn count(&self) -> usize {
        self.keys.len()
    }
}

/// A key for signatures; None: it is another one.
fn key(json: &str) -> Option<Key> {
    let jwk: Jwk = serde_json::from_str(json).ok()?;
    if jwk.common.public_key_use.is_some_and(|purpose| purpose != PublicKeyUse::Signature) {
        return None;
    }
    let bytes = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
    let mut key = match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) => Key::rsa_numbers(unsigned(&bytes(&rsa.n)?), &bytes(&rsa.e)?).ok()?,
        AlgorithmParameters::EllipticCurve(point) => {
            let form = match point.curve {
                EllipticCurve::P256 => Form::P256,
                EllipticCurve::P384 => Form::P384,
                _ => return None,
            };
            Key::public(form, &[vec![4], bytes(&point.x)?, bytes(&point.y)?].concat()).ok()?
        }
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            Key::public(Form::Ed25519, &bytes(&pair.x)?).ok()?
        }
        // A secret that is published is none.
        _ => return None,
    };
    if let Some(named) = jwk.common.key_algorithm {
        key.algorithms = only(key.algorithms, &named.to_string())?;
    }
    key.name = jwk.common.key_id.filter(|name| name.len() <= NAME_BYTES_MAX);
    Some(key)
}

/// A number without the zeros in front of it, which some writers leave there.
fn unsigned(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    &bytes[zeros..]
}

/// The one algorithm of these that is called so.
fn only(algorithms: &'static [Algorithm], name: &str) -> Option<&'static [Algorithm]> {
    let is_named = |algorithm: &&[Algorithm]| super::verifier::algorithm(name) == Some(algorithm[0]);
    algorithms.chunks(1).find(is_named)
}

#[cfg(test)]
mod tests {
    use super::super::trial::Signer;
    use super::*;

    fn read(keys: &str) -> Result<usize, String> {
        let document = format!("{{\"keys\":[{keys}],\"other\":1}}");
        Jwks::read(document.as_bytes()).map(|jwks| jwks.count()).map_err(|error| error.to_string())
    }

    #[test]
    fn every_kind_of_key_is_read() {
        let all: Vec<String> = Signer::public_ones().iter().map(|signer| signer.jwk("")).collect();
        assert_eq!(read(&all.join(",")), Ok(4));
    }

    #[test]
    fn other_keys_are_passed_over() {
        let signer = &Signer::public_ones()[0];
        let good = signer.jwk(r#","use":"sig","alg":"ES256","x5c":["AA=="],"more":{"a":[1]}"#);
        for other in [
            signer.jwk(r#","use":"enc""#),
            signer.jwk(r#","alg":"RS256""#),
            signer.jwk(r#","alg":"ECDH-ES""#),
            r#"{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}"#.to_owned(),
            r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#.to_owned(),
            r#"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#.to_owned(),
            r#"{"kty":"OKP","crv":"X25519","x":"AA"}"#.to_owned(),
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned(),
            r#"{"kty":"future"}"#.to_owned(),
            "{}".to_owned(),
            "7".to_owned(),
        ] {
            assert_eq!(read(&format!("{other},{good}")), Ok(1), "{other}");
            assert!(read(&other).unwrap_err().starts_with("no key in it that tokens can be"), "{other}");
        }
    }

    #[test]
    fn a_document_is_bounded() {
        let good = Signer::public_ones()[0].jwk("");
        assert_eq!(read(&vec![good.as_str(); JWKS_KEYS_MAX].join(",")), Ok(JWKS_KEYS_MAX));
        let error = read(&vec![good.as_str(); JWKS_KEYS_MAX + 1].join(",")).unwrap_err();
        assert_eq!(error, "65 keys; a document may have 64");
        let large = read(&format!("{good}{}", " ".repeat(JWKS_BYTES_MAX))).unwrap_err();
        assert!(large.ends_with(" bytes; a document of keys may have 65536"), "{large}");
        for other in ["", "[]", "{}", "{\"keys\":{}}", "<html>"] {
            let error = Jwks::read(other.as_bytes()).unwrap_err().to_string();
            assert_eq!(error, "no document of keys: JSON with a list \"keys\" is expected", "{other}");
        }
    }
}
