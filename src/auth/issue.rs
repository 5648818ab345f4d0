//! Makes tokens, for operators and for whoever tries this out; in earnest a backend does, which knows its users.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Claims, Rules, TokenError, Verifier};

/// The claims as they stand in a token, what is empty left out.
#[derive(Serialize)]
struct Payload<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    channels: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    allow: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    publish: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<&'a RawValue>,
}

/// Makes a token that says this, signed with HS256 at this time; it is for the first audience of the rules, from the
/// first issuer.
///
/// # Errors
/// The secret is too short, or the token would be refused: [`Verifier::check`] has looked at it.
pub fn issue(secret: &str, claims: &Claims, rules: &Rules, unix_s: u64) -> Result<String, TokenError> {
    let rights = &claims.rights;
    let info = rights.info.as_deref().map(serde_json::from_str::<&RawValue>).transpose();
    let payload = Payload {
        sub: claims.user.as_deref(),
        iat: unix_s,
        exp: rights.expires_s,
        aud: rules.audience.first(),
        iss: rules.issuer.first(),
        channels: &claims.channels,
        allow: &rights.allow,
        publish: &rights.publish,
        info: info.map_err(|_| TokenError::claim("info", "is not JSON"))?,
    };
    let key = EncodingKey::from_secret(secret.as_bytes());
    let mut verifier = Verifier::new(rules.clone());
    verifier.add_secret(secret).map_err(|error| TokenError::claim("secret", error.to_string()))?;
    let token = encode(&Header::default(), &payload, &key).map_err(|_| TokenError::Signature)?;
    verifier.check(&token, unix_s).outcome.map(|_| token)
}

#[cfg(test)]
mod tests {
    use super::super::trial::SECRET;
    use super::super::{Rights, Rules};
    use super::*;

    #[test]
    fn what_is_made_says_the_same() {
        let rules =
            Rules { audience: vec!["push".to_owned()], issuer: vec!["me".to_owned()], ..Rules::default() };
        let claims = Claims {
            user: Some("ann \u{e9}\"".to_owned()),
            issued_s: Some(1_000),
            channels: vec!["a".to_owned()],
            rights: Rights {
                expires_s: Some(2_000),
                allow: ["b.*".to_owned()].into(),
                publish: ["*".to_owned()].into(),
                info: Some(r#"{"name": "Ann"}"#.into()),
            },
            ..Claims::default()
        };
        let mut verifier = Verifier::new(rules.clone());
        verifier.add_secret(SECRET).unwrap();
        for claims in [claims, Claims { issued_s: Some(1_000), ..Claims::default() }] {
            let token = issue(SECRET, &claims, &rules, 1_000).unwrap();
            let said = verifier.check(&token, 1_000).outcome.unwrap();
            assert!(said.json.starts_with('{') && said.json.contains("\"iat\":1000"), "{}", said.json);
            assert_eq!(Claims { json: Box::default(), ..said }, claims);
        }
    }

    #[test]
    fn what_would_be_refused_is_not_made() {
        let rules = Rules::default();
        let refused = |claims: Claims| issue(SECRET, &claims, &rules, 1_000).unwrap_err().to_string();
        let named = |channel: &str| Claims { channels: vec![channel.to_owned()], ..Claims::default() };
        assert!(refused(named("a b")).starts_with("the token's channels has as entry 1"));
        let with = |rights: Rights| Claims { rights, ..Claims::default() };
        let over = with(Rights { expires_s: Some(900), ..Rights::default() });
        assert_eq!(refused(over), "the token has expired 100 s ago (exp)");
        let info = with(Rights { info: Some("{".into()), ..Rights::default() });
        assert_eq!(refused(info), "the token's info is not JSON");
        let error = issue("s3cret", &Claims::default(), &rules, 0).unwrap_err().to_string();
        assert!(error.contains("32 to 256 bytes") && !error.contains("s3cret"), "{error}");
    }
}
