//! Public keys in PEM files: `PUBLIC KEY` as `openssl pkey -pubout` writes it, `RSA PUBLIC KEY`, and certificates.

use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::asn1::{AnyRef, ObjectIdentifier};
use x509_cert::der::{Decode, Encode};
use x509_cert::spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};

use super::KeyError;
use super::key::{Form, Key};
use crate::tls::pem::{self, Block, Kind};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ELLIPTIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// The keys of a file, at least one.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Key>, KeyError> {
    let pem = pem::read(bytes).map_err(|problem| KeyError::new(problem.to_string()))?;
    let mut keys = Vec::new();
    for block in &pem.blocks {
        let refuse = |why: &str| KeyError::new(format!("line {}: {why}", block.line));
        keys.push(key(block).map_err(|error| refuse(&error.0))?);
    }
    if keys.is_empty() {
        return Err(KeyError::new("no public key in it (-----BEGIN PUBLIC KEY-----)"));
    }
    Ok(keys)
}

fn key(block: &Block) -> Result<Key, KeyError> {
    match block.kind {
        Kind::Other("PUBLIC KEY") => {
            let info = SubjectPublicKeyInfoRef::from_der(&block.der);
            info_key(info.map_err(|_| KeyError::new("the public key is damaged"))?)
        }
        Kind::Other("RSA PUBLIC KEY") => Key::public(Form::Rsa, &block.der),
        Kind::Certificate => {
            let damaged = |_| KeyError::new("the certificate is damaged");
            let certificate = CertificateInner::<Raw>::from_der(&block.der).map_err(damaged)?;
            let owned: &SubjectPublicKeyInfoOwned = certificate.tbs_certificate().subject_public_key_info();
            let der = owned.to_der().map_err(damaged)?;
            info_key(SubjectPublicKeyInfoRef::from_der(&der).map_err(damaged)?)
        }
        Kind::Key(_) | Kind::EncryptedKey => Err(KeyError::new(
            "a private key, which is not needed here and should stay where tokens are made: \
             openssl pkey -in FILE -pubout makes a PUBLIC KEY of it",
        )),
        Kind::Parameters | Kind::Other(_) => Err(KeyError::new("neither a public key nor a certificate")),
    }
}

fn info_key(info: SubjectPublicKeyInfoRef<'_>) -> Result<Key, KeyError> {
    let curve = || info.algorithm.parameters.and_then(|any: AnyRef<'_>| any.decode_as().ok());
    let form = match info.algorithm.oid {
        RSA => Some(Form::Rsa),
        ED25519 => Some(Form::Ed25519),
        ELLIPTIC => match curve() {
            Some(P256) => Some(Form::P256),
            Some(P384) => Some(Form::P384),
            _ => None,
        },
        _ => None,
    };
    let unknown = "a key of a kind that is not used here; RSA, P-256, P-384 and Ed25519 are";
    let form = form.ok_or_else(|| KeyError::new(unknown))?;
    let bits = info.subject_public_key.as_bytes().ok_or_else(|| KeyError::new("the key is damaged"))?;
    Key::public(form, bits)
}

#[cfg(test)]
mod tests {
    use super::super::trial::Signer;
    use super::*;

    #[test]
    fn every_kind_of_key_is_read_in_every_form() {
        for signer in Signer::public_ones() {
            for pem in [signer.public_pem(), signer.certificate_pem()] {
                let keys = read(pem.as_bytes()).unwrap();
                assert_eq!(keys.len(), 1);
                assert!(keys[0].fits(signer.algorithm, None), "{:?}", signer.algorithm);
            }
        }
        let both: String = Signer::public_ones().iter().map(Signer::public_pem).collect();
        assert_eq!(read(both.as_bytes()).unwrap().len(), 4);
    }

    #[test]
    fn what_is_no_public_key_is_refused_with_its_line() {
        let signer = &Signer::public_ones()[0];
        let refused = |text: &str| read(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(refused("# nothing\n"), "no public key in it (-----BEGIN PUBLIC KEY-----)");
        let private = format!("\n{}", signer.private_pem());
        let error = refused(&private);
        assert!(error.starts_with("line 2: a private key, ") && error.contains("-pubout"), "{error}");
        let secret: Vec<&str> = private.lines().filter(|line| line.len() == 64).collect();
        assert!(!secret.is_empty() && secret.iter().all(|line| !error.contains(line)));
        let damaged = signer.public_pem().replacen("\nM", "\nA", 1);
        assert_eq!(refused(&damaged), "line 1: the public key is damaged");
        let other = "-----BEGIN X509 CRL-----\nAAEC\n-----END X509 CRL-----\n";
        assert_eq!(refused(other), "line 1: neither a public key nor a certificate");
        // X25519, which signs nothing: RFC 8410 section 10.2 with another identifier.
        let x25519 = "-----BEGIN PUBLIC KEY-----\n\
                      MCowBQYDK2VuAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
        assert!(refused(x25519).starts_with("line 1: a key of a kind that is not used here"));
    }
}
