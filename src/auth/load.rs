//! The keys that the settings name.

use super::{Jwks, KeyError, Rules, Verifier};
use crate::config::{Config, ConfigError, TokenAuth, read_file};
use crate::limits::{JWKS_BYTES_MAX, PEM_BYTES_MAX};

/// Reads what tokens are checked with; None: they are not looked at.
///
/// # Errors
/// A file cannot be read, or is not what it should be.
pub fn load(config: &Config) -> Result<Option<Verifier>, ConfigError> {
    if config.auth == TokenAuth::None {
        return Ok(None);
    }
    let mut verifier = Verifier::new(Rules::of(config));
    for secret in &config.auth_secret {
        verifier
            .add_secret(secret)
            .map_err(|error| ConfigError::of_secret("auth_secret", error.to_string()))?;
    }
    for file in &config.auth_public_keys {
        let refuse = |why: String| ConfigError::of_file("auth_public_keys", file, why);
        let bytes = read_file(file, PEM_BYTES_MAX).map_err(refuse)?;
        verifier.add_public_keys(&bytes).map_err(|error: KeyError| refuse(error.to_string()))?;
        verifier.contents.add("auth_public_keys", &bytes);
    }
    if config.fetches_keys() {
        verifier.await_published();
    }
    if let Some(file) = config.auth_jwks.as_ref().filter(|_| !config.fetches_keys()) {
        let refuse = |why: String| ConfigError::of_file("auth_jwks", file, why);
        let bytes = read_file(file, JWKS_BYTES_MAX as u64).map_err(refuse)?;
        verifier.set_published(Jwks::read(&bytes).map_err(|error| refuse(error.to_string()))?);
        verifier.contents.add("auth_jwks", &bytes);
    }
    Ok(Some(verifier))
}

#[cfg(test)]
mod tests {
    use super::super::trial::{SECRET, Signer};
    use super::*;

    fn file(name: &str, text: &str) -> String {
        let path = std::env::temp_dir().join(format!("wspush-auth-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn keys_come_from_where_the_settings_say() {
        let [p256, p384, ..] = Signer::public_ones() else { panic!("there are four") };
        let pem = file("a.pem", &p256.public_pem());
        let jwks = file("keys.json", &format!("{{\"keys\":[{}]}}", p384.jwk("")));
        let config = Config {
            auth: TokenAuth::Optional,
            auth_secret: vec![SECRET.to_owned()],
            auth_public_keys: vec![pem.clone()],
            auth_jwks: Some(jwks.clone()),
            auth_issuer: vec!["x".to_owned()],
            ..Config::default()
        };
        let verifier = load(&config).unwrap().unwrap();
        for signer in [&Signer::secret(SECRET), p256, p384] {
            assert!(verifier.check(&signer.token(r#"{"iss":"x"}"#), 0).outcome.is_ok());
            assert!(verifier.check(&signer.token("{}"), 0).outcome.is_err());
        }
        assert_eq!(load(&config).unwrap().unwrap().changes_since(&verifier), [""; 0]);
        std::fs::write(&pem, p384.public_pem()).unwrap();
        assert_eq!(load(&config).unwrap().unwrap().changes_since(&verifier), ["auth_public_keys"]);
        std::fs::write(&pem, p384.private_pem()).unwrap();
        let error = load(&config).unwrap_err().to_string();
        assert!(
            error.starts_with("auth_public_keys = ") && error.contains("line 1: a private key"),
            "{error}"
        );
        std::fs::remove_file(&pem).unwrap();
        assert!(load(&config).unwrap_err().to_string().contains("cannot be read"));
        std::fs::remove_file(&jwks).unwrap();
        assert!(load(&Config::default()).unwrap().is_none());
    }
}
