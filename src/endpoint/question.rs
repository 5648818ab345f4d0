//! The question to an operator's backend who a client is (`auth_webhook`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::protocol::head::Head;

/// The facts about a client that a backend is told.
#[derive(Serialize)]
pub struct Question<'a> {
    /// The connection's id, in quotes as everywhere.
    pub conn: String,
    /// The path that it asks for.
    pub path: &'a str,
    /// The parameters behind that, each with its values; the token is not among them.
    pub query: BTreeMap<Cow<'a, str>, Vec<Cow<'a, str>>>,
    /// The channels it wants.
    pub channels: &'a [String],
    /// The page that it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<&'a str>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The subject of its certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_subject: Option<String>,
    /// A token that only the backend understands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<&'a str>,
    /// The headers that are handed on, by their names in small letters.
    pub headers: BTreeMap<&'a str, String>,
}

impl<'a> Question<'a> {
    /// The facts in a request's head.
    pub fn of(head: &Head<'a>, channels: &'a [String], headers: &'a [String]) -> Question<'a> {
        let mut query: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (name, value) in head.query_pairs().filter(|(name, _)| name != "token") {
            query.entry(name).or_default().push(value);
        }
        let handed_on = headers.iter().filter_map(|name| Some((&**name, joined(head, name)?)));
        Question {
            conn: String::new(),
            path: head.path(),
            query,
            channels,
            origin: None,
            peer: None,
            client_subject: None,
            token: None,
            headers: handed_on.collect(),
        }
    }

    /// As JSON.
    pub fn json(&self) -> Vec<u8> {
        // Text and lists of text: nothing in it can't be written.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// All values of a header as one (RFC 9110 section 5.3; of cookies RFC 9113 section 8.2.3).
fn joined(head: &Head<'_>, name: &str) -> Option<String> {
    let values: Vec<_> = head.headers_called(name).map(String::from_utf8_lossy).collect();
    let between = if name == "cookie" { "; " } else { ", " };
    (!values.is_empty()).then(|| values.join(between))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head;

    #[test]
    fn a_backend_is_told_what_it_may_know() {
        let request = "GET /ws?channel=a&room=5&room=%C3%A9&token=s3cret&x HTTP/1.1\r\nHost: x\r\nCookie: a=1\r\n\
                       Cookie: b=2\r\nX-Real-Ip: 192.0.2.1\r\nX-Real-Ip: ::1\r\nOther: s3cret\r\n\r\n";
        let mut fields = head::Fields::new();
        let (head, _) = head::parse(request.as_bytes(), 8192, &mut fields).unwrap().unwrap();
        let headers = ["cookie", "x-real-ip", "authorization"].map(str::to_owned);
        let channels = ["a".to_owned()];
        let question = Question { conn: "7".to_owned(), ..Question::of(&head, &channels, &headers) };
        let expected = concat!(
            r#"{"conn":"7","path":"/ws","query":{"channel":["a"],"room":["5","é"],"x":[""]},"channels":["a"],"#,
            r#""headers":{"cookie":"a=1; b=2","x-real-ip":"192.0.2.1, ::1"}}"#
        );
        assert_eq!(String::from_utf8(question.json()).unwrap(), expected);
        let question = Question { origin: Some("null"), token: Some("t"), ..Question::of(&head, &[], &[]) };
        let json = String::from_utf8(question.json()).unwrap();
        assert!(json.contains(r#""origin":"null","token":"t","headers":{}"#), "{json}");
    }
}
