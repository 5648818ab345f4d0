//! The fallback of Pusher's clients over plain HTTP: its requests, and the heads of its answers.

use crate::protocol::head::Head;
use crate::protocol::response::{Refusal, Response};

use super::streams;

/// The path in front of an app's key, as `pusher-js` has it unless it is told another (`httpPath`).
pub const BEFORE: &str = "/pusher/app/";

/// The subject of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Messages to the client, in an answer without an end.
    Stream,
    /// Those that there are, or the first that comes.
    Poll,
    /// Messages of the client.
    Send,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// The app's key.
    pub key: String,
    /// The connection that requests of one client have in common: key, server and session, as they stand in the path.
    pub session: Box<str>,
    /// Its subject.
    pub doing: Doing,
}

/// The request of this path, behind its beginning: `KEY/SERVER/SESSION/xhr_streaming`, `xhr` or `xhr_send`.
pub fn asked(rest: &str) -> Option<Fallback> {
    let mut parts = rest.split('/');
    let (key, server, session) = (parts.next()?, parts.next()?, parts.next()?);
    let doing = match (parts.next()?, parts.next()) {
        ("xhr_streaming", None) => Doing::Stream,
        ("xhr", None) => Doing::Poll,
        ("xhr_send", None) => Doing::Send,
        _ => return None,
    };
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let is_name = |text: &str| (1..=64).contains(&text.len()) && text.bytes().all(is_letter);
    let session =
        (is_name(server) && is_name(session)).then(|| format!("{key}/{server}/{session}").into())?;
    Some(Fallback { key: key.to_owned(), session, doing })
}

/// The type of the answers, by which no proxy and no browser takes them for a page.
pub const LINES: &str = "application/javascript; charset=UTF-8";

/// Whether it is asked in the right way; else the answer.
pub fn check(head: &Head<'_>, origins: &[String]) -> Result<(), Response> {
    let page = head.single("origin").ok().flatten();
    match head.method {
        "POST" => Ok(()),
        "OPTIONS" => Err(preflight(page, origins).unwrap_or_else(Response::from)),
        _ => {
            let text = "the fallback of Pusher's clients is asked with POST";
            Err(Refusal::fixed(405, text).with_headers(&[("Allow", "POST, OPTIONS")]).into())
        }
    }
}

fn preflight(page: Option<&str>, origins: &[String]) -> Result<Response, Refusal> {
    let mut response = streams::preflight(page, origins)?;
    let of_streams = ["Allow", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers"];
    response.headers.retain(|(name, _)| !of_streams.contains(name));
    let response = response.with("Access-Control-Allow-Methods", "POST");
    Ok(response.with("Access-Control-Allow-Headers", "content-type"))
}

/// An answer that its page may see.
pub fn answer(status: u16, body: Vec<u8>, page: Option<&str>, origins: &[String]) -> Response {
    let mut response = streams::uncached(status, LINES, body);
    response.headers.extend(streams::cross_origin(page, origins));
    response
}

/// Messages of one `xhr_send`; `pusher-js` sends one.
pub const SAID_MAX: usize = 64;

/// The messages in the body of an `xhr_send`: a list of strings, which is empty where its client only lives.
pub fn said(body: &[u8]) -> Option<Vec<String>> {
    serde_json::from_slice(body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_session_and_what_is_done_with_it() {
        let session = |rest: &str| asked(rest).map(|asked| (asked.key, asked.session, asked.doing));
        let named = |doing| Some(("key".to_owned(), "key/7/abc".into(), doing));
        assert_eq!(session("key/7/abc/xhr_streaming"), named(Doing::Stream));
        assert_eq!(session("key/7/abc/xhr"), named(Doing::Poll));
        assert_eq!(session("key/7/abc/xhr_send"), named(Doing::Send));
        let long = format!("key/7/{}/xhr", "a".repeat(65));
        let others =
            ["", "key", "key/7/abc", "key/7/abc/xhr/", "key/7/abc/other", "key//abc/xhr", "key/7/a%20/xhr"];
        for rest in others.into_iter().chain([&*long]) {
            assert_eq!(session(rest), None, "{rest}");
        }
    }

    #[test]
    fn messages_are_a_list_of_strings() {
        assert_eq!(said(br#"["{}","b"]"#), Some(vec!["{}".to_owned(), "b".to_owned()]));
        assert_eq!(said(b"[]"), Some(Vec::new()));
        for body in ["", "{}", "[1]", "\"a\"", "[\"a\"", "[[]]"] {
            assert_eq!(said(body.as_bytes()), None, "{body}");
        }
    }
}
