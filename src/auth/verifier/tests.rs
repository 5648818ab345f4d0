use proptest::prelude::*;

use super::super::trial::{SECRET, Signer, unsigned};
use super::*;

const NOW_S: u64 = 1_800_000_000;

fn with_secret() -> Verifier {
    let mut verifier = Verifier::new(Rules::default());
    verifier.add_secret(SECRET).unwrap();
    verifier
}

fn with_public_keys() -> Verifier {
    let mut verifier = Verifier::new(Rules::default());
    for signer in Signer::public_ones() {
        verifier.add_public_keys(signer.public_pem().as_bytes()).unwrap();
    }
    verifier
}

fn user(verifier: &Verifier, token: &str) -> Result<String, TokenError> {
    verifier.check(token, NOW_S).outcome.map(|claims| claims.user.unwrap_or_default())
}

fn published(keys: &[String]) -> Jwks {
    Jwks::read(format!("{{\"keys\":[{}]}}", keys.join(",")).as_bytes()).unwrap()
}

#[test]
fn a_token_of_every_kind_of_key_is_taken() {
    let payload = r#"{"sub":"ann"}"#;
    assert_eq!(user(&with_secret(), &Signer::secret(SECRET).token(payload)), Ok("ann".to_owned()));
    let (files, mut jwks) = (with_public_keys(), Verifier::new(Rules::default()));
    let keys: Vec<String> = Signer::public_ones().iter().map(|signer| signer.jwk("")).collect();
    jwks.set_published(published(&keys));
    for signer in Signer::public_ones() {
        let token = signer.token(payload);
        assert_eq!(user(&files, &token), Ok("ann".to_owned()), "{:?}", signer.algorithm);
        assert_eq!(user(&jwks, &token), Ok("ann".to_owned()), "{:?}", signer.algorithm);
        assert_eq!(user(&with_secret(), &token), Err(TokenError::Algorithm));
    }
    let ed25519 = Signer::public_ones()[2].token_with(r#"{"alg":"Ed25519"}"#, payload);
    assert_eq!(user(&files, &ed25519), Ok("ann".to_owned()), "its newer name");
}

/// RFC 7515 appendix A.3.
#[test]
fn the_token_of_the_rfc_is_taken() {
    let mut verifier = Verifier::new(Rules::default());
    verifier.set_published(published(&[r#"{"kty":"EC","crv":"P-256",
        "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#
        .to_owned()]));
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc\
                 19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU\
                 1Q";
    assert_eq!(verifier.check(token, 1_300_819_379).outcome.unwrap().rights.expires_s, Some(1_300_819_380));
    assert_eq!(verifier.check(token, 1_300_819_390).outcome, Err(TokenError::Expired(10)));
    let last = token.replace("NU1Q", "NU1A");
    assert_eq!(verifier.check(&last, 1_300_819_379).outcome, Err(TokenError::Signature));
}

#[test]
fn the_key_decides_about_the_algorithm() {
    let payload = r#"{"sub":"root"}"#;
    for none in ["none", "None", "NONE", "nOnE", "", "HS257", "hs256"] {
        let header = format!("{{\"alg\":\"{none}\"}}");
        let unsigned = unsigned(&header, payload);
        let signed = Signer::secret(SECRET).token_with(&header, payload);
        for token in [format!("{unsigned}."), format!("{unsigned}.AAAA"), signed] {
            for verifier in [with_secret(), with_public_keys()] {
                assert_eq!(user(&verifier, &token), Err(TokenError::Algorithm), "{none}");
            }
        }
    }
    // A public key is known to everybody: taken for a shared secret it would be anybody's signature.
    let mut verifier = with_public_keys();
    for signer in Signer::public_ones() {
        for secret in [signer.public_pem(), signer.public_pem().trim_end().to_owned()] {
            assert_eq!(user(&verifier, &Signer::secret(&secret).token(payload)), Err(TokenError::Algorithm));
        }
    }
    verifier.add_secret(SECRET).unwrap();
    let forged = Signer::secret(&Signer::public_ones()[0].public_pem()).token(payload);
    assert_eq!(user(&verifier, &forged), Err(TokenError::Signature));
    // A key of one curve is none of another, and longer hashes are not taken with the secret.
    let other = Signer::public_ones()[1].token_with(r#"{"alg":"ES256"}"#, payload);
    assert_eq!(user(&verifier, &other), Err(TokenError::Signature));
    let longer = Signer::secret(SECRET).token_with(r#"{"alg":"HS512"}"#, payload);
    assert_eq!(user(&verifier, &longer), Err(TokenError::Algorithm));
}

#[test]
fn keys_that_a_token_brings_along_are_not_looked_at() {
    let stranger = Signer::secret("a secret that nobody here knows!");
    let jwk = r#"{"kty":"oct","k":"YSBzZWNyZXQgdGhhdCBub2JvZHkgaGVyZSBrbm93cyE"}"#;
    for header in [
        format!("{{\"alg\":\"HS256\",\"jwk\":{jwk}}}"),
        r#"{"alg":"HS256","jku":"https://evil.example/keys","x5u":"https://evil.example/c"}"#.to_owned(),
        r#"{"alg":"HS256","kid":"../../dev/null"}"#.to_owned(),
    ] {
        assert_eq!(user(&with_secret(), &stranger.token_with(&header, "{}")), Err(TokenError::Signature));
    }
}

#[test]
fn a_name_picks_among_the_published_keys() {
    let [p256, p384, ..] = Signer::public_ones() else { panic!("there are four") };
    let mut verifier = with_secret();
    verifier.set_published(published(&[p256.jwk(r#","kid":"new""#), p384.jwk(r#","kid":"old""#)]));
    let signed = |name: &str| p256.token_with(&format!("{{\"alg\":\"ES256\",\"kid\":\"{name}\"}}"), "{}");
    assert_eq!(user(&verifier, &signed("new")), Ok(String::new()));
    assert_eq!(user(&verifier, &signed("newer")), Err(TokenError::UnknownKey));
    assert_eq!(
        user(&verifier, &signed("old")),
        Err(TokenError::UnknownKey),
        "its key is for another algorithm"
    );
    assert_eq!(user(&verifier, &p256.token("{}")), Ok(String::new()), "without a name all are tried");
    let by_secret = Signer::secret(SECRET).token_with(r#"{"alg":"HS256","kid":"mine"}"#, "{}");
    assert_eq!(user(&verifier, &by_secret), Ok(String::new()), "the secret has no name");
    // New keys replace the old ones.
    verifier.set_published(published(&[p256.jwk(r#","kid":"newer""#)]));
    assert_eq!(user(&verifier, &signed("newer")), Ok(String::new()));
    assert_eq!(user(&verifier, &signed("new")), Err(TokenError::UnknownKey));
}

#[test]
fn a_secret_is_changed_while_both_are_taken() {
    let mut verifier = with_secret();
    let next = "fedcba9876543210fedcba9876543210";
    verifier.add_secret(next).unwrap();
    for (secret, secrets) in [(SECRET, 1), (next, 2)] {
        let verdict = verifier.check(&Signer::secret(secret).token("{}"), NOW_S);
        let expected = Claims { json: "{}".into(), ..Claims::default() };
        assert_eq!((verdict.outcome, verdict.secrets), (Ok(expected), secrets));
    }
}

#[test]
fn a_token_makes_bounded_work() {
    let [p256, ..] = Signer::public_ones() else { panic!("there are four") };
    let mut verifier = Verifier::new(Rules::default());
    let keys = |count: usize| published(&vec![p256.jwk(r#","kid":"same""#); count]);
    let stranger = forged(p256);
    verifier.set_published(keys(TOKEN_TRIES_MAX));
    let verdict = verifier.check(&stranger, NOW_S);
    assert_eq!(
        verdict,
        Verdict { outcome: Err(TokenError::Signature), secrets: 0, signatures: TOKEN_TRIES_MAX }
    );
    verifier.set_published(keys(TOKEN_TRIES_MAX + 1));
    let verdict = verifier.check(&stranger, NOW_S);
    assert_eq!(verdict, Verdict { outcome: Err(TokenError::TooManyKeys), secrets: 0, signatures: 0 });
    let long = format!("{}.a.b", "a".repeat(TOKEN_BYTES_MAX));
    assert_eq!(user(&verifier, &long), Err(TokenError::TooLong(TOKEN_BYTES_MAX + 4)));
}

/// A token whose signature has the right form and is another token's.
fn forged(signer: &Signer) -> String {
    let (token, other) = (signer.token("{}"), signer.token(r#"{"sub":"x"}"#));
    let (Some((signed, _)), Some((_, signature))) = (token.rsplit_once('.'), other.rsplit_once('.')) else {
        panic!("{token}")
    };
    format!("{signed}.{signature}")
}

#[test]
fn what_is_no_token_is_refused_without_repeating_it() {
    let secret = Signer::secret(SECRET);
    let good = secret.token("{}");
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    for token in [
        String::new(),
        "s3cret".to_owned(),
        format!("{header}.{payload}"),
        format!("{good}.{signature}"),
        format!("{header}.{payload}.{signature}.a.b"),
        format!("..{signature}"),
        format!("{header}=.{payload}.{signature}"),
        format!(" {good}"),
        format!("{good}\n"),
        secret.token_with("[]", "{}"),
        secret.token_with("{}", "{}"),
        secret.token_with(r#"{"alg":7}"#, "{}"),
        secret.token_with(r#"{"alg":"HS256","alg":"none"}"#, "{}"),
        secret.token_with(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, "{}"),
        secret.token_with(r#"{"alg":"HS256"}"#, "s3cret"),
    ] {
        let error = user(&with_secret(), &token).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, TokenError::Malformed(_) | TokenError::Signature), "{token}: {text}");
        assert!(!text.contains("s3cret") && (payload.is_empty() || !text.contains(header)), "{text}");
    }
}

proptest! {
    #[test]
    fn no_change_of_a_token_goes_unnoticed(at in 0_usize..1_000, to in "[A-Za-z0-9_.=-]") {
        let token = Signer::secret(SECRET).token(r#"{"sub":"ann","exp":1900000000,"channels":["a"]}"#);
        let at = at % token.len();
        let changed = format!("{}{to}{}", &token[..at], &token[at + 1..]);
        prop_assume!(changed != token);
        // The last character has two bits that are no part of the signature; base64 takes only zeros there.
        prop_assert!(user(&with_secret(), &changed).is_err(), "{changed}");
    }

    #[test]
    fn any_text_is_refused(token in "\\PC{0,80}|[A-Za-z0-9_-]{0,40}(\\.[A-Za-z0-9_-]{0,40}){0,4}") {
        prop_assert!(user(&with_secret(), &token).is_err());
    }
}
