//! The envelopes of `wspush.v1`, as JSON, whatever carries them.

use super::End;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::borrow::Cow;

/// Of what the server says, what matters here.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    data: Option<Cow<'a, str>>,
    #[serde(borrow)]
    base64: Option<Cow<'a, str>>,
    closed: Option<Closed>,
}

/// Why a stream ends.
#[derive(Deserialize)]
struct Closed {
    code: u16,
}

/// The payload of a publication; `Ok(None)` is something else that the server has to say.
pub(crate) fn payload(object: &[u8]) -> Result<Option<Vec<u8>>, End> {
    let said: Said<'_> =
        serde_json::from_slice(object).map_err(|_| End::Fault("an envelope that is not JSON"))?;
    if let Some(Closed { code }) = said.closed {
        return Err(End::Close(code));
    }
    match (said.data, said.base64) {
        (Some(text), _) => Ok(Some(text.into_owned().into_bytes())),
        (None, Some(text)) => STANDARD
            .decode(text.as_bytes())
            .map(Some)
            .map_err(|_| End::Fault("an envelope with broken base64")),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publications_are_told_from_all_else() {
        let publication = br#"{"channel":"c","epoch":"17","offset":1,"data":"a\n\u00e9\ud83d\ude00"}"#;
        assert_eq!(payload(publication), Ok(Some("a\n\u{e9}\u{1f600}".into())));
        assert_eq!(payload(br#"{"channel":"c","offset":1,"base64":"AP8K"}"#), Ok(Some(vec![0, 255, 10])));
        for other in [
            r#"{"connected":{"conn":"1","ping_ms":30000}}"#,
            r#"{"subscribed":{"channel":"c","epoch":"17","offset":3}}"#,
            r#"{"message":{"data":"to this one alone"}}"#,
            r#"{"missed":{"channel":"c","epoch":"17","from":1,"to":2}}"#,
        ] {
            assert_eq!(payload(other.as_bytes()), Ok(None), "{other}");
        }
        assert_eq!(payload(br#"{"closed":{"code":1001,"reason":"drain"}}"#), Err(End::Close(1001)));
        assert!(matches!(payload(br#"{"data":"#), Err(End::Fault(_))));
        assert!(matches!(payload(br#"{"base64":"*"}"#), Err(End::Fault(_))));
    }
}
