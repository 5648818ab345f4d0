//! A backend's answer to the question who a client is.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::payload::{names, shown_info};
use super::{Answer, Claims, Rights, TokenError};
use crate::limits::{ANSWER_REASON_BYTES_MAX, USER_BYTES_MAX};

/// The members that are looked at, each for itself.
#[derive(Deserialize)]
struct Raw<'a> {
    user: Option<String>,
    expires_in_s: Option<u64>,
    #[serde(borrow)]
    channels: Option<&'a RawValue>,
    #[serde(borrow)]
    allow: Option<&'a RawValue>,
    #[serde(borrow)]
    publish: Option<&'a RawValue>,
    #[serde(borrow)]
    info: Option<&'a RawValue>,
    refuse: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    status: Option<u16>,
    reason: Option<String>,
}

impl Answer {
    /// Reads the body of an answer that came at this time. It is bounded as a token's claims are.
    ///
    /// # Errors
    /// It is not what it should be; nothing of it is repeated.
    pub fn read(body: &[u8], unix_s: u64) -> Result<Answer, String> {
        let raw: Raw<'_> = serde_json::from_slice(body).map_err(|_| {
            "it is not a JSON object with user, info, channels, allow, publish and expires_in_s, or refuse, each of \
             its type and once"
        })?;
        if let Some(Refusal { status, reason }) = raw.refuse {
            let (status, reason) = (status.unwrap_or(403), reason.unwrap_or_else(|| REFUSED.to_owned()));
            return match (400..600).contains(&status) && reason.len() <= ANSWER_REASON_BYTES_MAX {
                true => Ok(Answer::Refused { status, reason }),
                false => Err(format!(
                    "its refuse has no status from 400 to 599, or a reason of more than {ANSWER_REASON_BYTES_MAX} bytes"
                )),
            };
        }
        if raw.user.as_ref().is_some_and(|user| user.len() > USER_BYTES_MAX) {
            return Err(format!("its user has more than {USER_BYTES_MAX} bytes"));
        }
        let list = |name, raw| names(name, raw).map_err(said);
        let rights = Rights {
            expires_s: raw.expires_in_s.map(|in_s| unix_s.saturating_add(in_s)),
            allow: list("allow", raw.allow)?.into(),
            publish: list("publish", raw.publish)?.into(),
            info: raw.info.map(shown_info).transpose().map_err(said)?.flatten(),
        };
        Ok(Answer::Good(Claims {
            user: raw.user.filter(|user| !user.is_empty()),
            issued_s: Some(unix_s),
            channels: list("channels", raw.channels)?,
            rights,
            json: String::from_utf8_lossy(body).into(),
        }))
    }
}

/// The text for a client whom a backend refuses without a word.
pub const REFUSED: &str = "the backend that this server asks (auth_webhook) has said no";

fn said(error: TokenError) -> String {
    match error {
        TokenError::Claim { name, why } => format!("its {name} {why}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Answer, String> {
        Answer::read(body.as_bytes(), 1_000)
    }

    #[test]
    fn a_client_is_let_in_as_somebody() {
        let body = r#"{"user":"ann","info":{ "a" : 1},"channels":["inbox"],"allow":["news.*"],"publish":["*"],
            "expires_in_s":60,"plan":"gold"}"#;
        let list = |name: &str| vec![name.to_owned()];
        let expected = Claims {
            user: Some("ann".to_owned()),
            issued_s: Some(1_000),
            channels: list("inbox"),
            rights: Rights {
                expires_s: Some(1_060),
                allow: list("news.*").into(),
                publish: list("*").into(),
                info: Some(r#"{ "a" : 1}"#.into()),
            },
            json: body.into(),
        };
        assert_eq!(read(body), Ok(Answer::Good(expected)));
        for nobody in ["{}", r#"{"user":""}"#, r#"{"user":null,"info":null,"channels":null,"refuse":null}"#] {
            let Ok(Answer::Good(claims)) = read(nobody) else { panic!("{nobody}") };
            let without = Claims { json: Box::default(), ..claims };
            assert_eq!(without, Claims { issued_s: Some(1_000), ..Claims::default() }, "{nobody}");
        }
        let Ok(Answer::Good(claims)) = read(r#"{"expires_in_s":18446744073709551615}"#) else {
            panic!("none")
        };
        assert_eq!(claims.rights.expires_s, Some(u64::MAX));
    }

    #[test]
    fn or_refused() {
        let refused = |body: &str| match read(body) {
            Ok(Answer::Refused { status, reason }) => (status, reason),
            other => panic!("{body}: {other:?}"),
        };
        let no = |status| (status, REFUSED.to_owned());
        assert_eq!(
            refused(r#"{"user":"ann","refuse":{"status":402,"reason":"pay"}}"#),
            (402, "pay".to_owned())
        );
        assert_eq!(
            (refused(r#"{"refuse":{}}"#), refused(r#"{"refuse":{"status":429}}"#)),
            (no(403), no(429))
        );
        for wrong in [r#"{"refuse":true}"#, r#"{"refuse":{"status":200}}"#, r#"{"refuse":{"status":"403"}}"#]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nothing_else_lets_anybody_in() {
        let many = format!(r#"{{"channels":[{}]}}"#, vec!["\"a\""; 257].join(","));
        let long = format!(r#"{{"user":"{}"}}"#, "u".repeat(257));
        for wrong in [
            "",
            "null",
            "[]",
            "\"ann\"",
            "<html>",
            "{} {}",
            r#"{"user":7}"#,
            r#"{"user":"s3cret","user":"b"}"#,
            r#"{"expires_in_s":-1}"#,
            r#"{"expires_in_s":1.5}"#,
            r#"{"channels":"s3cret"}"#,
            r#"{"channels":["s3 cret"]}"#,
            r#"{"allow":["**"]}"#,
            &many,
            &long,
        ] {
            let why = read(wrong).expect_err(wrong);
            assert!(!why.contains("cret") && why.starts_with("it"), "{wrong}: {why}");
        }
        assert!(Answer::read(b"\xff", 0).is_err());
    }
}
