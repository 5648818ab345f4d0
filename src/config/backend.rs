//! The settings for the operator's backend: what may stand in each, and what must hold for all of them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::metrics::{ChannelEvent, Label};

use super::field::OTHER_TYPE;
use super::setting::Value;
use super::tokens::{auth_secret, check_url, is_name};
use super::{Config, ConfigError, TokenAuth};

/// The URL of a backend, or none is set. On the same machine and in a network of one's own http may do.
pub(super) fn url(value: Value) -> Result<Option<String>, String> {
    match value {
        Value::Unset => Ok(None),
        Value::Text(text) => url_of_backend(&text).map(Some),
        _ => Err(OTHER_TYPE.to_owned()),
    }
}

/// The same, where there is one.
pub(super) fn url_of_backend(text: &str) -> Result<String, String> {
    let rest = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let rest = rest.ok_or("a URL that begins with https:// or http:// is expected")?;
    check_url(rest).map(|()| text.to_owned())
}

/// The name of a header that is handed on (RFC 9110 section 5.1).
pub(super) fn header(name: String) -> Result<String, String> {
    if is_name(&name) {
        return Ok(name.to_ascii_lowercase());
    }
    Err(format!("{name:?} is not a header's name"))
}

/// The events that there are.
pub(super) const EVENTS: &[&str] = ChannelEvent::VALUES;

/// An event's name.
pub(super) fn event(name: String) -> Result<String, String> {
    if EVENTS.contains(&&*name) { Ok(name) } else { Err(format!("expected one of {}", EVENTS.join(", "))) }
}

/// A secret that signs; no error repeats it.
pub(super) fn webhook_secret(secret: String) -> Result<String, String> {
    let secret = auth_secret(secret)?;
    match webhook_secret_bytes(&secret) {
        Some(_) => Ok(secret),
        None => Err("behind whsec_ stands base64 with its padding".to_owned()),
    }
}

/// The bytes of a secret that signs, which may be written in base64 behind `whsec_`. None: it is not.
pub fn webhook_secret_bytes(secret: &str) -> Option<Vec<u8>> {
    match secret.strip_prefix("whsec_") {
        Some(encoded) => BASE64_STANDARD.decode(encoded).ok(),
        None => Some(secret.as_bytes().to_vec()),
    }
}

impl Config {
    pub(super) fn validate_backend(&self) -> Result<(), ConfigError> {
        let set = [("auth_webhook", &self.auth_webhook), ("webhook_url", &self.webhook_url)];
        if let Some((name, _)) = set.iter().find(|(_, url)| url.is_some() && !cfg!(feature = "backend")) {
            return Err(
                self.invalid(name, "this build makes no requests to a backend (cargo feature backend)")
            );
        }
        if self.auth_webhook.is_some() && self.auth == TokenAuth::Required {
            let why =
                "auth is required, so there is nobody to ask about; with optional those without a token are";
            return Err(self.invalid("auth_webhook", why));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "backend")]
    #[test]
    fn somebody_is_left_to_ask_about() {
        let asks = |auth| {
            let secret = vec!["0123456789abcdef0123456789abcdef".to_owned()];
            let auth_secret = if auth == TokenAuth::None { Vec::new() } else { secret };
            let auth_webhook = Some("http://127.0.0.1:1/".to_owned());
            Config { auth, auth_secret, auth_webhook, ..Config::default() }.validate()
        };
        assert_eq!((asks(TokenAuth::None), asks(TokenAuth::Optional)), (Ok(()), Ok(())));
        let error = asks(TokenAuth::Required).unwrap_err();
        assert!(error.key == "auth_webhook" && error.to_string().contains("nobody to ask about"), "{error}");
    }

    #[cfg(not(feature = "backend"))]
    #[test]
    fn without_the_feature_no_backend_is_asked() {
        let config = Config { auth_webhook: Some("http://127.0.0.1:1/".to_owned()), ..Config::default() };
        assert!(config.validate().unwrap_err().to_string().contains("this build makes no requests"));
    }

    #[test]
    fn a_backend_is_at_a_url() {
        let of = |text: &str| url(Value::Text(text.to_owned()));
        for good in ["http://127.0.0.1:9000/ws-auth", "https://api.example/push?a=b", "http://[::1]/"] {
            assert_eq!(of(good), Ok(Some(good.to_owned())));
        }
        for bad in ["", "api.example", "ftp://a/", "http://", "https:///x", "http://a b/", "HTTP://a/"] {
            assert!(of(bad).is_err(), "{bad}");
        }
        let error = of("https://me:s3cret@api.example/").unwrap_err();
        assert!(!error.contains("s3cret"), "{error}");
    }

    #[test]
    fn events_and_secrets() {
        assert!(event("member_added".to_owned()).is_ok() && event("occupied".to_owned()).is_err());
        let long = "0123456789abcdef0123456789abcdef";
        for good in [long, &format!("whsec_{long}")] {
            assert!(webhook_secret(good.to_owned()).is_ok());
        }
        for bad in ["s3cret", &format!("whsec_{long}="), &format!("whsec_{long}s3cret!")] {
            let error = webhook_secret(bad.to_owned()).unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn headers_are_known_by_their_names() {
        assert_eq!(header("X-Forwarded-For".to_owned()), Ok("x-forwarded-for".to_owned()));
        for bad in ["", "a b", "a:", "caf\u{e9}"] {
            assert!(header(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
