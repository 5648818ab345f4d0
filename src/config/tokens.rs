//! The settings for tokens: what may stand in each, and what must hold for all of them.

use super::field::{OTHER_TYPE, file};
use super::setting::Value;
use super::shown::looks_like_a_key;
use super::{Config, ConfigError, TokenAuth};
use crate::alphabet::is_token;
use crate::limits::{AUTH_NAME_BYTES_MAX, AUTH_SECRET_BYTES_MAX, AUTH_SECRET_BYTES_MIN, FILE_NAME_BYTES_MAX};

/// A secret for tokens; no error repeats it.
pub(super) fn auth_secret(secret: String) -> Result<String, String> {
    let is_text = secret.bytes().all(|byte| byte.is_ascii_graphic());
    if is_text && (AUTH_SECRET_BYTES_MIN..=AUTH_SECRET_BYTES_MAX).contains(&secret.len()) {
        return Ok(secret);
    }
    Err(format!(
        "a secret has {AUTH_SECRET_BYTES_MIN} to {AUTH_SECRET_BYTES_MAX} visible characters of ASCII without a comma; \
         openssl rand -base64 32 makes one"
    ))
}

/// A name that tokens are made for, or by.
pub(super) fn name(name: String) -> Result<String, String> {
    match name.len() {
        1..=AUTH_NAME_BYTES_MAX => Ok(name),
        _ => Err(format!("a name has 1 to {AUTH_NAME_BYTES_MAX} bytes")),
    }
}

/// How the URL of published keys begins: without TLS anybody on the way could put in keys of their own.
const HTTPS: &str = "https://";

/// Whether published keys are at a URL, rather than in a file.
#[cfg_attr(not(feature = "auth"), allow(dead_code))]
pub fn is_url(source: &str) -> bool {
    source.starts_with(HTTPS)
}

/// A file's name or a URL, or none is set.
pub(super) fn jwks(value: Value) -> Result<Option<String>, String> {
    match value {
        Value::Unset => Ok(None),
        Value::Text(text) => match text.strip_prefix(HTTPS) {
            Some(rest) => check_url(rest).map(|()| Some(text)),
            None if text.contains("://") => {
                Err(format!("a file's name or a URL that begins with {HTTPS} is expected"))
            }
            None => file(text).map(Some),
        },
        _ => Err(OTHER_TYPE.to_owned()),
    }
}

/// A URL behind its scheme.
pub(super) fn check_url(rest: &str) -> Result<(), String> {
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') {
        return Err("a URL with a user or a password in it".to_owned());
    }
    let ok = !host.is_empty()
        && rest.len() <= FILE_NAME_BYTES_MAX
        && rest.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    if ok { Ok(()) } else { Err("no URL like https://id.example/.well-known/jwks.json".to_owned()) }
}

/// Whether a cookie or a header may be called so (RFC 9110 section 5.6.2). A key in one line can be written so as well,
/// and what is set is shown.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= AUTH_NAME_BYTES_MAX && is_token(name.as_bytes()) && !looks_like_a_key(name)
}

/// A cookie's name (RFC 6265 section 4.1.1), or none is set.
pub(super) fn cookie(value: Value) -> Result<Option<String>, String> {
    match value {
        Value::Unset => Ok(None),
        Value::Text(name) if is_name(&name) => Ok(Some(name)),
        Value::Text(_) => Err("this is no cookie's name".to_owned()),
        _ => Err(OTHER_TYPE.to_owned()),
    }
}

impl Config {
    /// Whether keys for tokens have to be fetched.
    pub fn fetches_keys(&self) -> bool {
        self.auth != TokenAuth::None && self.auth_jwks.as_deref().is_some_and(is_url)
    }

    /// Keys that nobody looks at are a mistake that lets strangers in.
    pub(super) fn validate_auth(&self) -> Result<(), ConfigError> {
        let keys = [
            ("auth_secret", !self.auth_secret.is_empty()),
            ("auth_public_keys", !self.auth_public_keys.is_empty()),
            ("auth_jwks", self.auth_jwks.is_some()),
        ];
        let set = keys.iter().find(|(_, is_set)| *is_set).map(|(name, _)| *name);
        match (self.auth, set) {
            (TokenAuth::None, Some(name)) => {
                let why = "auth is none, so no token is looked at; set it to optional or required";
                Err(self.invalid(name, why))
            }
            (TokenAuth::None, None) => Ok(()),
            _ if !cfg!(feature = "auth") => {
                Err(self.invalid("auth", "this build checks no tokens (cargo feature auth)"))
            }
            (_, None) => {
                let why = "tokens need a key to be checked with: auth_secret, auth_public_keys or auth_jwks";
                Err(self.invalid("auth", why))
            }
            (_, Some(_)) if self.fetches_keys() && !cfg!(feature = "backend") => {
                Err(self.invalid("auth_jwks", "this build fetches no keys (cargo feature backend)"))
            }
            (_, Some(_)) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::validate::refused;
    use super::*;

    #[cfg(feature = "auth")]
    #[test]
    fn tokens_need_keys_and_keys_need_to_be_asked_for() {
        let secret = "0123456789abcdef0123456789abcdef".to_owned();
        let mut config = Config { auth_secret: vec![secret.clone()], ..Config::default() };
        let error = config.validate().unwrap_err().to_string();
        assert!(error.starts_with("auth_secret: auth is none, ") && !error.contains(&secret), "{error}");
        config.auth = TokenAuth::Required;
        assert_eq!(config.validate(), Ok(()));
        config.auth_secret.clear();
        assert!(config.validate().unwrap_err().to_string().contains("auth_secret, auth_public_keys or"));
        config.auth_public_keys = vec!["a.pem".to_owned()];
        assert_eq!(config.validate(), Ok(()));
        for short in
            ["s3cret", &format!("s3cret {secret}"), &format!("s3cret,{secret}"), &"s3cret".repeat(50)]
        {
            let error = refused(|config| config.auth = TokenAuth::Required);
            assert!(error.starts_with("auth = "), "{error}");
            let error =
                Config { auth_secret: vec![short.to_owned()], ..config.clone() }.validate().unwrap_err();
            assert_eq!((error.key.as_str(), &error.value), ("auth_secret", &None));
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        assert!(!format!("{:?}", Config { auth_secret: vec![secret.clone()], ..config }).contains(&secret));
    }

    #[cfg(not(feature = "auth"))]
    #[test]
    fn without_the_feature_auth_is_refused() {
        let error = refused(|config| config.auth = TokenAuth::Required);
        assert!(error.contains("this build checks no tokens"), "{error}");
    }

    #[test]
    fn keys_are_published_in_a_file_or_by_https() {
        let of = |text: &str| jwks(Value::Text(text.to_owned()));
        for good in
            ["keys.json", "/etc/wspush/keys.json", "https://id.example/keys?a=b", "https://[::1]:8443"]
        {
            assert_eq!(of(good), Ok(Some(good.to_owned())));
        }
        for bad in ["", "http://id.example/keys", "file:///keys", "https://", "https:///keys", "https://a b/"]
        {
            assert!(of(bad).is_err(), "{bad}");
        }
        let error = of("https://me:s3cret@id.example/").unwrap_err();
        assert!(!error.contains("s3cret"), "{error}");
    }

    #[test]
    fn names() {
        assert!(name("https://id.example/".to_owned()).is_ok());
        assert!(name(String::new()).is_err() && name("n".repeat(257)).is_err());
        let of = |text: &str| cookie(Value::Text(text.to_owned()));
        assert_eq!(of("__Host-session"), Ok(Some("__Host-session".to_owned())));
        assert!(of("").is_err() && of("a b").is_err() && of("a=b").is_err());
        let key = "MC4CAQAwBQYDK2VwBCIEIDx8kRr6Bv0FQ3yXzSsbXo5kqmwPn0aUeqvN8jYdZ1hT";
        assert!(of(key).is_err_and(|why| !why.contains("MC4C")), "a key in the place of a name");
    }
}
