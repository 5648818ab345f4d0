//! Reads what a token says. It is read only when its signature is known to be good, and is bounded all the same:
//! whoever signs tokens may put into them what users have typed.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{Claims, Rights, TokenError};
use crate::config::{Config, channel_name_ok, pattern_ok};
use crate::limits::{
    TOKEN_CHANNELS_MAX, TOKEN_INFO_BYTES_MAX, TOKEN_LEEWAY_S, TOKEN_PATTERNS_MAX, USER_BYTES_MAX,
};

/// The claims that are looked at, before anything is made of them. Each is read for itself, so that an error can name
/// the one that is wrong without repeating it.
#[derive(Deserialize)]
struct Raw {
    sub: Option<Box<RawValue>>,
    exp: Option<Box<RawValue>>,
    nbf: Option<Box<RawValue>>,
    iat: Option<Box<RawValue>>,
    aud: Option<Box<RawValue>>,
    iss: Option<Box<RawValue>>,
    channels: Option<Box<RawValue>>,
    allow: Option<Box<RawValue>>,
    publish: Option<Box<RawValue>>,
    info: Option<Box<RawValue>>,
}

/// Whom a token is for: one name, or several (RFC 7519 section 4.1.3).
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// The rules for all tokens, whoever has signed them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Names of this server, of which `aud` must have one; none: it is not looked at.
    pub audience: Vec<String>,
    /// Names of which `iss` must be one; none: it is not looked at.
    pub issuer: Vec<String>,
    /// How many seconds may lie between `iat` and `exp`, which must be there then; 0: it is not looked at.
    pub lifetime_max_s: u64,
}

impl Rules {
    /// As these settings have them.
    pub fn of(config: &Config) -> Rules {
        Rules {
            audience: config.auth_audience.clone(),
            issuer: config.auth_issuer.clone(),
            lifetime_max_s: config.auth_lifetime_max_s,
        }
    }
}

impl Claims {
    /// Reads the payload of a token whose signature is good, and holds it against the time and the rules.
    pub(super) fn read(payload: &[u8], rules: &Rules, unix_s: u64) -> Result<Claims, TokenError> {
        let raw: Raw = serde_json::from_slice(payload)
            .map_err(|_| TokenError::Malformed("its claims are not a JSON object with each name once"))?;
        let expires_s = raw.exp.map(|exp| seconds("exp", &exp)).transpose()?;
        let issued_s = raw.iat.map(|iat| seconds("iat", &iat)).transpose()?;
        let begins_s = raw.nbf.map_or(Ok(0), |nbf| seconds("nbf", &nbf))?;
        let rights = Rights {
            expires_s,
            allow: names("allow", raw.allow.as_deref())?.into(),
            publish: names("publish", raw.publish.as_deref())?.into(),
            info: raw.info.map_or(Ok(None), |info| shown_info(&info))?,
        };
        if rights.is_over(unix_s) {
            return Err(TokenError::Expired(unix_s.saturating_sub(expires_s.unwrap_or_default())));
        }
        if begins_s > unix_s.saturating_add(TOKEN_LEEWAY_S) {
            return Err(TokenError::NotYet(begins_s - unix_s));
        }
        if let Some(issued_s) = issued_s.filter(|&issued_s| issued_s > unix_s.saturating_add(TOKEN_LEEWAY_S))
        {
            return Err(TokenError::FromTheFuture(issued_s - unix_s));
        }
        check_lifetime(issued_s, expires_s, rules)?;
        check_audience(raw.aud.as_deref(), rules)?;
        check_issuer(raw.iss.as_deref(), rules)?;
        let user = raw.sub.map_or(Ok(None), |sub| user(&sub))?;
        let channels = names("channels", raw.channels.as_deref())?;
        // It was read as JSON, which is UTF-8.
        let json = String::from_utf8_lossy(payload).into();
        Ok(Claims { user, issued_s, channels, rights, json })
    }
}

fn read<T: DeserializeOwned>(name: &'static str, raw: &RawValue, expected: &str) -> Result<T, TokenError> {
    serde_json::from_str(raw.get()).map_err(|_| TokenError::claim(name, format!("is not {expected}")))
}

/// A time (RFC 7519 section 2, NumericDate); a fraction of a second is not looked at.
fn seconds(name: &'static str, raw: &RawValue) -> Result<u64, TokenError> {
    let expected = "a number of seconds since 1970";
    let number: f64 = read(name, raw, expected)?;
    match number.is_finite() && number >= 0.0 {
        #[expect(clippy::cast_possible_truncation, reason = "one that is too large becomes the largest")]
        true => Ok(number as u64),
        false => Err(TokenError::claim(name, format!("is not {expected}"))),
    }
}

fn user(raw: &RawValue) -> Result<Option<String>, TokenError> {
    let user: String = read("sub", raw, "text")?;
    if user.len() > USER_BYTES_MAX {
        let why = format!("has {} bytes; a user's name may have {USER_BYTES_MAX}", user.len());
        return Err(TokenError::claim("sub", why));
    }
    Ok(Some(user).filter(|user| !user.is_empty()))
}

/// A token that is good for ever can't be waited out when it has to be taken back.
fn check_lifetime(issued_s: Option<u64>, expires_s: Option<u64>, rules: &Rules) -> Result<(), TokenError> {
    let max_s = rules.lifetime_max_s;
    let is_short = |(issued_s, expires_s): (u64, u64)| expires_s <= issued_s.saturating_add(max_s);
    let fits = max_s == 0 || issued_s.zip(expires_s).is_some_and(is_short);
    if fits { Ok(()) } else { Err(TokenError::Lifetime(max_s)) }
}

fn check_audience(raw: Option<&RawValue>, rules: &Rules) -> Result<(), TokenError> {
    if rules.audience.is_empty() {
        return Ok(());
    }
    let Some(raw) = raw else { return Err(TokenError::Audience) };
    let is_ours = |name: &String| rules.audience.contains(name);
    let fits = match read("aud", raw, "text or a list of text")? {
        Audience::One(name) => is_ours(&name),
        Audience::Several(names) => names.iter().any(is_ours),
    };
    if fits { Ok(()) } else { Err(TokenError::Audience) }
}

fn check_issuer(raw: Option<&RawValue>, rules: &Rules) -> Result<(), TokenError> {
    if rules.issuer.is_empty() {
        return Ok(());
    }
    let issuer: Option<String> = raw.map(|raw| read("iss", raw, "text")).transpose()?;
    let fits = issuer.is_some_and(|issuer| rules.issuer.contains(&issuer));
    if fits { Ok(()) } else { Err(TokenError::Issuer) }
}

/// A list of channels, or of patterns of them.
pub(super) fn names(name: &'static str, raw: Option<&RawValue>) -> Result<Vec<String>, TokenError> {
    let Some(raw) = raw else { return Ok(Vec::new()) };
    let (max, is_ok, what): (usize, fn(&str) -> bool, _) = match name {
        "channels" => (TOKEN_CHANNELS_MAX, channel_name_ok, "a channel's name"),
        _ => (TOKEN_PATTERNS_MAX, pattern_ok, "a channel's name, or the beginning of one and *"),
    };
    let list: Vec<String> = read(name, raw, "a list of text")?;
    if list.len() > max {
        let why = format!("has {} entries; it may have {max}", list.len());
        return Err(TokenError::claim(name, why));
    }
    match list.iter().position(|entry| !is_ok(entry)) {
        Some(at) => Err(TokenError::claim(name, format!("has as entry {} what is not {what}", at + 1))),
        None => Ok(list),
    }
}

pub(super) fn shown_info(raw: &RawValue) -> Result<Option<Box<str>>, TokenError> {
    let bytes = raw.get().len();
    if bytes > TOKEN_INFO_BYTES_MAX {
        let why = format!("has {bytes} bytes; it may have {TOKEN_INFO_BYTES_MAX}");
        return Err(TokenError::claim("info", why));
    }
    Ok(Some(raw.get().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_800_000_000;

    fn read_at(payload: &str, unix_s: u64) -> Result<Claims, String> {
        Claims::read(payload.as_bytes(), &Rules::default(), unix_s).map_err(|error| error.to_string())
    }

    fn refused(payload: &str) -> String {
        read_at(payload, NOW_S).expect_err(payload)
    }

    #[test]
    fn claims_are_read() {
        let payload = r#"{"iss":"x","aud":"y","sub":"ann","exp":1800000100,"nbf":1800000000.5,"iat":1,
                "channels":["user:ann","news"],"allow":["news.*"],"publish":["*"],
                "info":{ "name" : "Ann \u00e9" },"other":[{}]}"#;
        let claims = read_at(payload, NOW_S).unwrap();
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let expected = Claims {
            user: Some("ann".to_owned()),
            issued_s: Some(1),
            channels: list(&["user:ann", "news"]),
            rights: Rights {
                expires_s: Some(NOW_S + 100),
                allow: list(&["news.*"]).into(),
                publish: list(&["*"]).into(),
                info: Some(r#"{ "name" : "Ann \u00e9" }"#.into()),
            },
            json: payload.into(),
        };
        assert_eq!(claims, expected);
        let over = [99, 100].map(|more_s| claims.rights.is_over(NOW_S + more_s + TOKEN_LEEWAY_S));
        assert_eq!(over, [false, true]);
        for nobody in ["{}", r#"{"sub":""}"#, r#"{"sub":null,"exp":null,"channels":null,"info":null}"#] {
            let expected = Claims { json: nobody.into(), ..Claims::default() };
            assert_eq!(read_at(nobody, NOW_S), Ok(expected), "{nobody}");
        }
    }

    #[test]
    fn a_token_is_valid_from_nbf_to_exp_and_clocks_may_differ() {
        let payload = r#"{"nbf":1000,"exp":2000}"#;
        let at = |unix_s| read_at(payload, unix_s).map(|_| ());
        assert_eq!(at(994), Err("the token is not valid for another 6 s (nbf)".to_owned()));
        assert_eq!((at(995), at(2_004)), (Ok(()), Ok(())));
        assert_eq!(at(2_005), Err("the token has expired 5 s ago (exp)".to_owned()));
        assert_eq!(at(u64::MAX).map_err(|error| error.contains("expired")), Err(true));
        assert_eq!(read_at(r#"{"exp":1e300}"#, u64::MAX - 1).unwrap().rights.expires_s, Some(u64::MAX));
    }

    #[test]
    fn a_token_says_when_it_was_issued_and_for_how_long() {
        let of = |payload: &str, lifetime_max_s| {
            let rules = Rules { lifetime_max_s, ..Rules::default() };
            let error = |error: TokenError| error.to_string();
            Claims::read(payload.as_bytes(), &rules, 1_000).map(|claims| claims.issued_s).map_err(error)
        };
        assert_eq!(of("{}", 0), Ok(None));
        assert_eq!((of(r#"{"iat":999.9}"#, 0), of(r#"{"iat":1005}"#, 0)), (Ok(Some(999)), Ok(Some(1_005))));
        assert!(
            of(r#"{"iat":1006}"#, 0).unwrap_err().starts_with("the token is issued in 6 s from now (iat)")
        );
        assert_eq!(of(r#"{"iat":900,"exp":1500}"#, 600), Ok(Some(900)));
        for longer in [r#"{"iat":900,"exp":1501}"#, r#"{"iat":900}"#, r#"{"exp":1001}"#, "{}"] {
            let why = of(longer, 600).unwrap_err();
            assert!(why.starts_with("the token is good for more than 600 s (auth_lifetime_max_s)"), "{why}");
        }
        assert_eq!(of(r#"{"iat":1e300}"#, 0).map_err(|why| why.contains("from now")), Err(true));
    }

    #[test]
    fn a_claim_that_is_wrong_is_named_and_not_repeated() {
        let list = |count: usize| format!("[{}]", vec!["\"a\""; count].join(","));
        for (payload, expected) in [
            (r#"{"sub":7}"#.to_owned(), "the token's sub is not text"),
            (format!(r#"{{"sub":"{}"}}"#, "s".repeat(257)), "the token's sub has 257 bytes; a user's"),
            (r#"{"exp":"soon"}"#.to_owned(), "the token's exp is not a number of seconds since 1970"),
            (r#"{"exp":-1}"#.to_owned(), "the token's exp is not a number of seconds since 1970"),
            (r#"{"iat":"now"}"#.to_owned(), "the token's iat is not a number of seconds since 1970"),
            (r#"{"nbf":[1]}"#.to_owned(), "the token's nbf is not a number of seconds since 1970"),
            (r#"{"channels":"a"}"#.to_owned(), "the token's channels is not a list of text"),
            (
                r#"{"channels":["a","s3cret*"]}"#.to_owned(),
                "the token's channels has as entry 2 what is not a",
            ),
            (format!(r#"{{"channels":{}}}"#, list(257)), "the token's channels has 257 entries; it may have"),
            (r#"{"allow":["s3 cret"]}"#.to_owned(), "the token's allow has as entry 1 what is not a channel"),
            (format!(r#"{{"publish":{}}}"#, list(65)), "the token's publish has 65 entries; it may have 64"),
            (format!(r#"{{"info":"{}"}}"#, "i".repeat(1_023)), "the token's info has 1025 bytes; it may"),
            (r#"{"sub":"a","sub":"b"}"#.to_owned(), "the token is not a signed JWT: its claims are not a"),
            ("[]".to_owned(), "the token is not a signed JWT: its claims are not a JSON object"),
            ("{} {}".to_owned(), "the token is not a signed JWT: its claims are not a JSON object"),
            ("\u{feff}{}".to_owned(), "the token is not a signed JWT: its claims are not a JSON object"),
        ] {
            let error = refused(&payload);
            assert!(error.starts_with(expected) && !error.contains("cret"), "{payload}: {error}");
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(3_000), "]".repeat(3_000));
        let expected = Claims { json: deep.as_str().into(), ..Claims::default() };
        assert_eq!(read_at(&deep, NOW_S), Ok(expected), "passed over without going down");
    }

    #[test]
    fn audience_and_issuer_count_where_they_are_set() {
        let rules = Rules {
            audience: vec!["push".to_owned(), "old".to_owned()],
            issuer: vec!["https://id.example".to_owned()],
            ..Rules::default()
        };
        let read = |payload: &str| Claims::read(payload.as_bytes(), &rules, NOW_S).map(|_| ());
        let with = |aud: &str, iss: &str| read(&format!("{{\"aud\":{aud},\"iss\":{iss}}}"));
        let issuer = "\"https://id.example\"";
        for audience in ["\"push\"", "[\"x\",\"old\"]"] {
            assert_eq!(with(audience, issuer), Ok(()));
        }
        for audience in ["\"other\"", "[]", "[\"Push\"]", "null", "\"\""] {
            assert_eq!(with(audience, issuer), Err(TokenError::Audience), "{audience}");
        }
        assert_eq!(
            with("7", issuer).unwrap_err().to_string(),
            "the token's aud is not text or a list of text"
        );
        for issuer in ["\"https://id.example/\"", "null"] {
            assert_eq!(with("\"push\"", issuer), Err(TokenError::Issuer), "{issuer}");
        }
        let several = with("\"push\"", "[\"https://id.example\"]").unwrap_err().to_string();
        assert_eq!(several, "the token's iss is not text");
    }
}
