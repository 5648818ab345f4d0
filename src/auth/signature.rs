//! Signatures of what this server posts, as Standard Webhooks (standardwebhooks.com) has them, so that a backend checks
//! them with a library that it finds, or in five lines.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::crypto::{self, aws_lc};
use jsonwebtoken::{Algorithm, EncodingKey};

use crate::config::webhook_secret_bytes;

/// The value of `webhook-signature` for a message of this id, sent at this time: one signature for each of the secrets,
/// so that either end may change its own first.
pub fn sign(secrets: &[String], id: &str, unix_s: u64, body: &[u8]) -> String {
    // If a program around this library has chosen another one, that one is used.
    let _ = aws_lc::DEFAULT_PROVIDER.install_default();
    let signed = [format!("{id}.{unix_s}.").as_bytes(), body].concat();
    let signatures = secrets.iter().filter_map(|secret| {
        let key = EncodingKey::from_secret(&webhook_secret_bytes(secret)?);
        let signature = crypto::sign(&signed, &key, Algorithm::HS256).ok()?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        Some(format!("v1,{}", BASE64_STANDARD.encode(bytes)))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    #[test]
    fn a_message_is_signed_as_others_sign_it() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned();
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
        let signed = sign(std::slice::from_ref(&secret), id, 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let both = sign(&[secret, "raw".to_owned()], id, 1_614_265_330, body);
        assert!(both.starts_with(&format!("{signed} v1,")) && both.len() == 2 * signed.len() + 1, "{both}");
        assert_eq!(sign(&[], id, 1, body), "");
    }
}
