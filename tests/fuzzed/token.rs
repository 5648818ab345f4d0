//! Tokens and documents of keys.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use wspush::auth::{Answer, Claims, Jwks, Rules, TokenError, Verifier};
use wspush::config::{channel_name_ok, pattern_ok};
use wspush::limits;

use super::choice;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const NOW_S: u64 = 1_800_000_000;

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let mut verifier = Verifier::new(Rules::default());
    let secret = std::str::from_utf8(SECRET).expect("ASCII");
    verifier.add_secret(secret).expect("it is long enough");
    verifier
});

fn signed(header: &[u8], payload: &[u8]) -> String {
    let text = |part: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(part);
    let signed = format!("{}.{}", text(header), text(payload));
    let key = EncodingKey::from_secret(SECRET);
    let signature = crypto::sign(signed.as_bytes(), &key, Algorithm::HS256).expect("a secret signs anything");
    format!("{signed}.{signature}")
}

/// A token as it stands there, a header or claims under a good signature, a backend's answer, or a document of keys:
/// what is taken is within its bounds, what is refused is not repeated.
pub fn token(data: &[u8]) {
    let (first, data) = choice(data);
    let text = match first % 4 {
        0 => String::from_utf8_lossy(data).into_owned(),
        1 => signed(data, b"{}"),
        2 => {
            answer(data);
            signed(br#"{"alg":"HS256"}"#, data)
        }
        _ => return jwks(data),
    };
    let verdict = VERIFIER.check(&text, NOW_S);
    assert!(verdict.secrets + verdict.signatures <= limits::TOKEN_TRIES_MAX);
    match verdict.outcome {
        Ok(claims) => {
            assert!(!claims.rights.is_over(NOW_S));
            bounded(claims);
        }
        Err(error) => {
            assert!(first % 4 != 2 || !matches!(error, TokenError::Signature | TokenError::Algorithm));
            let said = error.to_string();
            let end = text.get(text.len().saturating_sub(43)..).filter(|end| end.len() > 20);
            assert!(said.len() < 150 && !end.is_some_and(|end| said.contains(end)), "{said}");
        }
    }
}

/// Claims that are taken, from wherever, are within their bounds.
fn bounded(claims: Claims) {
    assert!(claims.user.is_none_or(|user| !user.is_empty() && user.len() <= limits::USER_BYTES_MAX));
    assert!(claims.channels.len() <= limits::TOKEN_CHANNELS_MAX);
    assert!(claims.channels.iter().all(|name| channel_name_ok(name)));
    for patterns in [&claims.rights.allow, &claims.rights.publish] {
        assert!(patterns.len() <= limits::TOKEN_PATTERNS_MAX);
        assert!(patterns.iter().all(|pattern| pattern_ok(pattern)));
    }
    let is_json = |info: &str| serde_json::from_str::<serde::de::IgnoredAny>(info).is_ok();
    assert!(
        claims.rights.info.is_none_or(|info| info.len() <= limits::TOKEN_INFO_BYTES_MAX && is_json(&info))
    );
}

fn answer(data: &[u8]) {
    match Answer::read(data, NOW_S) {
        Ok(Answer::Good(claims)) => bounded(claims),
        Ok(Answer::Refused { status, reason }) => {
            assert!((400..600).contains(&status) && reason.len() <= limits::ANSWER_REASON_BYTES_MAX);
        }
        Err(why) => assert!(why.len() < 150, "{why}"),
    }
}

fn jwks(data: &[u8]) {
    match Jwks::read(data) {
        Ok(jwks) => assert!((1..=limits::JWKS_KEYS_MAX).contains(&jwks.count())),
        Err(error) => assert!(error.to_string().len() < 150),
    }
}
